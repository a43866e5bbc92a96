"""The files of a set, each opened by its own reader when a pixel of it is asked for."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from coverslip.readers.image import Image, ImageFile

MOST_OPEN = 16


class Members:
    """Opens the files of a set on use; a bounded number is open at a time. Not for several threads at once."""

    def __init__(self, open_file: Callable[[Path], ImageFile]) -> None:
        self._open_file = open_file
        self._files: OrderedDict[Path, ImageFile] = OrderedDict()

    def image(self, path: Path) -> Image:
        """Return the first image of a file.

        Raises
        ------
        ImageLoadError
            It cannot be opened.
        """
        file = self._files.get(path)
        if file is None:
            file = self._files[path] = self._open_file(path)
        self._files.move_to_end(path)
        while len(self._files) > MOST_OPEN:
            self._files.popitem(last=False)[1].close()
        return file.images[0]

    def close(self) -> None:
        """Close all of them."""
        while self._files:
            self._files.popitem()[1].close()
