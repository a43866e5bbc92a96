"""A small disk that can be filled, freed and made read-only: a file system in memory, mounted for one test."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PAGE = 4096


class CannotMountError(Exception):
    """This user may not mount anything here."""


@dataclass(frozen=True)
class Disk:
    """A mounted disk."""

    folder: Path

    def fill(self, leave: int = 0) -> None:
        """Take all the room there is but for so many bytes."""
        with self._filler.open("ab", buffering=0) as stream, suppress(OSError):
            while stream.write(bytes(PAGE)):
                pass
        if leave:
            with self._filler.open("r+b") as stream:
                stream.truncate(self._filler.stat().st_size - leave)

    def free(self) -> None:
        """Give the room back."""
        self._filler.unlink()

    def may_be_written(self, allowed: bool) -> None:
        """Mount it anew, read-only or not."""
        _run("mount", "-o", f"remount,{'rw' if allowed else 'ro'}", str(self.folder))

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Disk]:
    """Mount a disk at a folder, which is made, until the block ends.

    Raises
    ------
    CannotMountError
        Only root may, and whoever is root of a user namespace: ``unshare -rm``.
    """
    folder.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "coverslip-test", str(folder))
    try:
        yield Disk(folder)
    finally:
        _run("umount", "-l", str(folder))


def _run(*order: str) -> None:
    try:
        subprocess.run(order, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise CannotMountError(f"there is no {order[0]}") from error
    except subprocess.CalledProcessError as error:
        raise CannotMountError(error.stderr.strip()) from error
