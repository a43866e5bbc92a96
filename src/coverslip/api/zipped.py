"""A ZIP of files that is made while it is sent: nothing but a piece of one file is in memory, nothing on disk."""

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

PIECE = 1 << 20


class _Passing:
    """What a ZIP is written to: gives out what was written since it was asked last."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._place = 0

    def write(self, data: bytes) -> int:
        """Take some bytes."""
        self._pieces.append(bytes(data))
        self._place += len(data)
        return len(data)

    def tell(self) -> int:
        """Return how much was written."""
        return self._place

    def flush(self) -> None:
        """Do nothing: everything is on its way."""

    def take(self) -> bytes:
        """Return what was written since."""
        found, self._pieces = b"".join(self._pieces), []
        return found


def zipped(folder: Path, names: Sequence[str]) -> Iterator[bytes]:
    """Yield a ZIP of files, stored as they are: pictures are compressed already.

    Files that are gone by now are left out. Times are left out too: the same files give the same archive.

    Parameters
    ----------
    folder
        Where they are.
    names
        Relative to it, with ``/``.
    """
    out = _Passing()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]  # it needs no more
        for name in names:
            try:
                source = (folder / name).open("rb")
            except FileNotFoundError:
                continue
            with source, archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as target:
                while piece := source.read(PIECE):
                    target.write(piece)
                    yield out.take()
            yield out.take()
    yield out.take()
