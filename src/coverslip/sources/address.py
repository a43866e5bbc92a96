"""What a remote address says, and whether it may be opened."""

import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from coverslip.errors import RefusedAddressError, SettingsError

if TYPE_CHECKING:
    from coverslip.settings import Settings

BUCKETS = ("s3", "gs", "az")
WEB = ("https", "http")
SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """A remote file or folder: ``s3://bucket/a/b.tif``."""

    scheme: str
    place: str
    """The bucket, the container, or host and port."""
    key: str
    """What follows the place, without a slash at either end; as it is written, nothing is decoded."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.place}/{self.key}".rstrip("/")

    @property
    def is_web(self) -> bool:
        """Whether a web server has it, which lists nothing."""
        return self.scheme in WEB


@dataclass(frozen=True, slots=True)
class RemoteRules:
    """What may be opened from afar, and where copies of it are kept."""

    allowed: tuple[str, ...]
    """Addresses below which everything may be opened; empty is every public one."""
    copies: Path
    """Folder of local copies."""
    copies_bytes: int
    """How much they may take."""

    @classmethod
    def of(cls, settings: "Settings") -> Self:
        """Return the rules that settings state.

        Raises
        ------
        SettingsError
            An allowed address is none.
        """
        listed = (text.strip() for text in settings.remote_allowed.split(","))
        try:
            allowed = tuple(str(parse_address(text)) for text in listed if text)
        except RefusedAddressError as error:
            raise SettingsError(f"remote_allowed (COVERSLIP_REMOTE_ALLOWED): {error}") from error
        return cls(allowed, settings.copies_folder, settings.remote_cache_bytes)

    @classmethod
    def here(cls) -> Self:
        """Return the rules that the environment states. Who opens no remote file does not wait for the settings.

        Raises
        ------
        SettingsError
            A setting is wrong.
        """
        return cls.of(import_module("coverslip.settings").Settings.load())

    def check(self, address: Address) -> bool:
        """Return whether an address is listed by name, which also lifts the bar on private hosts and plain HTTP.

        Raises
        ------
        RefusedAddressError
            It is not listed, and others are; or it is plain HTTP.
        """
        text = str(address)
        is_listed = any(text == entry or text.startswith(f"{entry}/") for entry in self.allowed)
        if self.allowed and not is_listed:
            raise RefusedAddressError(
                f"{text}: this address is not allowed here. COVERSLIP_REMOTE_ALLOWED lists those that are"
            )
        if address.scheme == "http" and not is_listed:
            raise RefusedAddressError(
                f"{text}: plain http:// can be read and changed on its way. Use https://, or list the address in "
                "COVERSLIP_REMOTE_ALLOWED"
            )
        return is_listed


def is_remote(text: str) -> bool:
    """Return whether a text is the address of something elsewhere, and not a path of this machine."""
    return SCHEME.match(text) is not None


def parse_address(text: str) -> Address:
    """Return the parts of an address.

    Raises
    ------
    RefusedAddressError
        It is of a kind that is not read, names no place, holds a password or a signature, or a key that could mean
        another one.
    """
    if not text.isprintable():
        raise RefusedAddressError(f"{text.partition('://')[0]}://...: an address holds no control characters")
    scheme, _, rest = text.partition("://")
    scheme = scheme.lower()
    if scheme not in (*BUCKETS, *WEB):
        kinds = ", ".join(f"{kind}://" for kind in (*BUCKETS, "https"))
        raise RefusedAddressError(f"{scheme}://...: no such kind of address; expected {kinds} or a path")
    place, _, key = rest.partition("/")
    if scheme in WEB:
        place, key = _web(text, scheme)
    if not place or "@" in place:
        raise RefusedAddressError(f"{scheme}://...: expected {scheme}://place/name, without a user or password in it")
    key = key.strip("/")
    if any(part in ("", ".", "..") for part in key.split("/")) and key:
        raise RefusedAddressError(f"{scheme}://{place}/{key}: names with empty parts, '.' or '..' are not followed")
    return Address(scheme, place, key)


def _web(text: str, scheme: str) -> tuple[str, str]:
    """Return host (with the port where it is not the usual one) and path of a web address."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise RefusedAddressError(f"{scheme}://...: not an address: {error}") from error
    if parts.query or parts.fragment or parts.username or "?" in text or "#" in text:
        raise RefusedAddressError(
            f"{scheme}://{host}{parts.path}: what follows ? or #, and passwords, may be secrets and are not kept. "
            "Name the file alone"
        )
    host = f"[{host}]" if ":" in host else host
    usual = {"https": 443, "http": 80}[scheme]
    return host if port in (None, usual) else f"{host}:{port}", parts.path
