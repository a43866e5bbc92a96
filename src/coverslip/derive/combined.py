"""Kinds that are one picture of the frames of an annotation."""

from dataclasses import dataclass

import cv2
import numpy as np

from coverslip.derive.kind import Follows, Inputs, Of, Subject
from coverslip.errors import StorageError
from coverslip.model import CanRead, RenderSpec
from coverslip.model.annotations import Annotation
from coverslip.model.render import Contrast, Crop
from coverslip.render import draw, encode
from coverslip.render.combine import CombinedImage, Statistic
from coverslip.render.cut import PixelFormat, cut, pack
from coverslip.render.resample import fit

LARGEST = 4096
"""Combined images are shown at full resolution up to this many pixels along each side."""
SMALL = 256
"""Pixels along the longer side of the small one."""
AS_STORED = (Contrast(low=0, high=255),)
"""Of 8-bit pixels: what is shown is what the file has."""


def combined_name(statistic: Statistic) -> str:
    """Return the name of the kind that shows a statistic."""
    return "combined" if statistic == "median" else f"combined-{statistic}"


@dataclass(frozen=True, slots=True)
class Combined:
    """What the frames of an annotation have in common, cropped to its box.

    Contrast: 8-bit images as they are stored, without any stretch (not the standard deviation, which is stretched);
    others from the 1st to the 99th percentile of the pixels shown.
    """

    statistic: Statistic
    version: int = 1
    of: Of = "annotation"
    needs: tuple[str, ...] = ()
    allows_stale: bool = True
    follows: tuple[Follows, ...] = ()
    media_type: str = "image/png"
    suffix: str = ".png"

    @property
    def name(self) -> str:
        """``combined`` is the median."""
        return combined_name(self.statistic)

    def cost(self, subject: Subject) -> int:
        """Return how many frames are combined."""
        return len(subject.marked.frames)

    def build(self, subject: Subject, inputs: Inputs) -> bytes:
        """Return the picture as PNG."""
        with inputs.open_source() as image:
            is_as_stored = image.metadata.dtype == "uint8" and self.statistic != "std"
            spec = RenderSpec(
                width=LARGEST, height=LARGEST, z=0, low=1.0, high=99.0, contrast=AS_STORED if is_as_stored else ()
            )
            return encode(draw(_combined(image, subject.marked, self.statistic), spec), self.media_type)


@dataclass(frozen=True, slots=True)
class SmallCombined:
    """The combined image of an annotation, small enough for a list of them: made from the large one."""

    name: str = "combined-small"
    version: int = 1
    of: Of = "annotation"
    needs: tuple[str, ...] = ("combined",)
    allows_stale: bool = False
    follows: tuple[Follows, ...] = ()
    media_type: str = "image/png"
    suffix: str = ".png"

    def cost(self, _subject: Subject) -> int:
        """Return the one picture that is read."""
        return 1

    def build(self, _subject: Subject, inputs: Inputs) -> bytes:
        """Return the picture as PNG, area-averaged."""
        large = cv2.imdecode(np.frombuffer(inputs.artifacts["combined"], np.uint8), cv2.IMREAD_COLOR)
        if large is None:
            raise StorageError("the combined image in the storage is no picture")
        height, width = large.shape[:2]
        size = fit(width, height, SMALL, SMALL)
        small = cv2.resize(large, size, interpolation=cv2.INTER_AREA)
        return encode(cv2.cvtColor(small, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False), self.media_type)


def combined_pixels(
    image: CanRead, annotation: Annotation, statistic: Statistic, form: PixelFormat, *, limit: int
) -> bytes:
    """Return the exact values of a combined image as a file: C, Z (one), Y, X (and S), by the recipe of the picture.

    Parameters
    ----------
    image
        Anything that can be read.
    annotation
        Which frames, and which box of them.
    statistic
        What becomes of each pixel.
    form
        Kind of file.
    limit
        Most bytes of pixels.

    Raises
    ------
    RegionError
        The annotation does not fit the image any more.
    TooLargeError
        It would be more than the limit.
    ReadError
        The file does not give the pixels.
    """
    found = _combined(image, annotation, statistic)
    whole = Crop(x=0, y=0, width=found.metadata.size_x, height=found.metadata.size_y)
    return pack(cut(found, whole, limit=limit), form)


def _combined(image: CanRead, annotation: Annotation, statistic: Statistic) -> CombinedImage:
    return CombinedImage(image, annotation.frames, annotation.box, statistic=statistic)
