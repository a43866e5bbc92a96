"""Which files are opened in confined processes."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from coverslip.confined.pool import Pool
from coverslip.readers import ImageFile, open_image
from coverslip.settings import Settings
from coverslip.sources import RemotePath

REACH = 2
"""Masks lie up to two folders above their field of view, and numbered files in folders two deep."""


class Opener:
    """Opens the files of a library within the budgets of its settings, those nobody vouches for in confined processes.

    Use it in a ``with`` statement, or call ``close``. Safe from any number of threads.
    """

    def __init__(self, settings: Settings) -> None:
        self._confine = settings.confine
        self._uploads = settings.uploads_folder
        self._budgets = settings.budgets
        self._pool = Pool(settings.confined_processes, settings.budgets)

    def open_image(self, path: str | os.PathLike[str]) -> ImageFile:
        """Open an image file; see ``readers.open_image`` and ``Pool.open_image``."""
        if isinstance(path, RemotePath):  # what an operator has cataloged; the processes have no network
            return open_image(path, self._budgets)
        is_upload = self._confine != "none" and self.is_upload(path)
        if is_upload or self._confine == "all":
            return self._pool.open_image(path, reach=0 if is_upload else REACH)
        return open_image(path, self._budgets)

    def is_upload(self, path: str | os.PathLike[str]) -> bool:
        """Return whether a file came in by upload."""
        places = ((os.path.abspath(path), self._uploads), (os.path.realpath(path), os.path.realpath(self._uploads)))  # noqa: PTH100
        return any(Path(place).is_relative_to(folder) for place, folder in places)

    def close_idle(self, seconds: float) -> None:
        """End the processes that nobody has used for so long."""
        self._pool.close_idle(seconds)

    def close(self) -> None:
        """End all processes."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
