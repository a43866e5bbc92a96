"""DICOM: a file of frames is one image, the files of a series are one set, a whole slide is one pyramid.

Pixels are the stored values: rescale slope and intercept, windows and palettes are noted and not applied. What the
file says of a patient stays in the vendor document.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.model import CanRead, Probe
from coverslip.readers.bounded import BoundedFile
from coverslip.readers.dicom.enhanced import placed_frames
from coverslip.readers.dicom.folder import WHOLE_SLIDE, member, members
from coverslip.readers.dicom.images import FrameImage, StackImage, series_name
from coverslip.readers.dicom.instance import Frames, parse_instance
from coverslip.readers.dicom.metadata import is_in_time, value
from coverslip.readers.dicom.opening import inflated, is_dicom, read_header
from coverslip.readers.dicom.slide import slide_images
from coverslip.readers.dicom.stacks import Stack, plan
from coverslip.readers.opened import Opened

NAMED = 5
"""Damaged files that a note names."""

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset


class _Reader:
    """Opens DICOM files."""

    def recognises(self, probe: Probe) -> bool:
        """Return whether the file has DICOM's mark behind its preamble, or begins with data elements at once."""
        return is_dicom(probe.head)

    def open(self, path: Path) -> Opened:
        """Read everything before the pixels, of all files of a series, and find where each frame lies.

        Raises
        ------
        ReadError
            The file is cut off, holds no pixels, or holds pixels that are not read.
        """
        frames = Frames()
        try:
            return Opened(*_open(path, frames), frames.close)
        except BaseException:
            frames.close()
            raise


reader = _Reader()


def _open(path: Path, frames: Frames) -> "tuple[tuple[Path, ...], tuple[CanRead, ...]]":
    """Return the files and the images of the set that a file belongs to."""
    stacks, notes = _series(path)
    if stacks:
        files = sorted({item.instance.path for stack in stacks for item in stack.slices})
        return tuple(files), tuple(_stack_images(stacks, frames, notes))
    stream = inflated(path) or BoundedFile(path)
    frames.keep(path, stream)
    dataset, syntax = read_header(path, stream)
    instance = parse_instance(path, stream, dataset, syntax)
    if value(dataset, "SOPClassUID") == WHOLE_SLIDE:
        return slide_images(instance, dataset, frames)
    frames.find(instance)
    placed = plan(placed_frames(instance, dataset))
    if placed and sum(len(stack.slices) for stack in placed) == instance.count:
        return (path,), tuple(StackImage(frames, stack, dataset, path.name) for stack in placed)
    return (path,), (FrameImage(frames, instance, dataset, in_time=is_in_time(dataset)),)


def _series(path: Path) -> tuple[tuple[Stack, ...], tuple[str, ...]]:
    """Return the stacks of the series of a file and what is to be said of it; nothing where it is in none of them."""
    own = member(path)
    if own is None or own.slice is None or not own.series:
        return (), ()
    others = members(path, own.series)
    stacks = plan(item.slice for item in others if item.slice is not None)
    if not any(item.instance.path == path for stack in stacks for item in stack.slices):
        return (), ()
    damaged = [item.path.name for item in others if item.is_damaged]
    more = f" and {len(damaged) - NAMED} more" if len(damaged) > NAMED else ""
    return stacks, (f"left out, because damaged: {', '.join(damaged[:NAMED])}{more}",) if damaged else ()


def _stack_images(stacks: tuple[Stack, ...], frames: Frames, notes: tuple[str, ...]) -> list[StackImage]:
    images = []
    for stack in stacks:
        first = stack.slices[0].instance.path
        dataset = _whole_header(first)
        images.append(StackImage(frames, stack, dataset, series_name(dataset, first.parent), notes))
    return images


def _whole_header(path: Path) -> "FileDataset":
    with BoundedFile(path) as stream:
        return read_header(path, stream)[0]
