"""What is known of a reader before its code is imported: a file is opened by one reader, the others are not loaded."""

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from coverslip.model import OpenedFile, Probe


@dataclass(eq=False)
class Declared:
    """A reader that is imported when a file is shown to it; see ``model.Reader``.

    Its optional abilities (``whole_of``, ``reads_ranges``) are those of the code.
    """

    name: str
    title: str
    extensions: tuple[str, ...]
    package: str
    module: str
    code: str
    """Where the object with the methods is, as entry points write it: ``"coverslip.readers.czi.reading:reader"``."""
    experimental: bool = False
    reads_sets: bool = False
    only_folders: bool = False
    """Whether an image of this format is always a folder, so that files need not be shown to it."""

    @cached_property
    def whole(self) -> Any:
        """The reader itself."""
        module, _, name = self.code.partition(":")
        return getattr(import_module(module), name)

    def recognises(self, probe: Probe) -> bool:
        """Return whether the content is of this format."""
        return (probe.is_folder or not self.only_folders) and bool(self.whole.recognises(probe))

    def open(self, path: Path) -> OpenedFile:
        """Open the file and read metadata only.

        Raises
        ------
        ReadError
            The file is damaged.
        """
        opened: OpenedFile = self.whole.open(path)
        return opened

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.whole, name)
