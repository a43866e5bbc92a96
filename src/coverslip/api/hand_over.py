"""Leaving the sending of stored files to nginx: the answer names the file, nginx sends it (``X-Accel-Redirect``).

https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ignore_headers. Coverslip decides who may have which
file; ranges, ETags and bytes are nginx's.
"""

from collections.abc import Mapping
from urllib.parse import quote

from coverslip.api.parts import RawHeaders


class HandOver:
    """Finds the internal address that nginx knows a file by.

    Parameters
    ----------
    folders
        Folder on this machine -> internal location of nginx; none hands nothing over.
    """

    def __init__(self, folders: Mapping[str, str]) -> None:
        self._folders = sorted(folders.items(), key=lambda item: -len(item[0]))

    def __bool__(self) -> bool:
        return bool(self._folders)

    def headers_for(self, path: str, media_type: bytes) -> RawHeaders | None:
        """Return the headers that have nginx send a file; ``None`` for one that it has no location for.

        Parameters
        ----------
        path
            Absolute, free of links.
        media_type
            It is sent with.
        """
        for folder, location in self._folders:
            if path.startswith(f"{folder}/"):
                address = f"{location}{quote(path[len(folder) :], errors='surrogateescape')}"
                return [
                    (b"x-accel-redirect", address.encode()),
                    (b"cache-control", b"no-cache"),
                    (b"content-type", media_type),
                    (b"content-length", b"0"),
                ]
        return None
