"""What a viewer has to know of the pixels of an image, measured once: the limits of contrast."""

import json
from dataclasses import dataclass

from coverslip.derive.kind import Follows, Inputs, Of, Subject
from coverslip.errors import StorageError
from coverslip.neuroglancer import ContrastLimits, measure_contrast
from coverslip.ngff.documents import Window
from coverslip.ngff.pyramid import Pyramid
from coverslip.ngff.windows import measure_windows

CONTRAST_LIMITS = "contrast-limits"


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured."""

    limits: ContrastLimits
    """As a tomogram is shown: the whole image, in slices and as a volume."""
    windows: tuple[Window, ...]
    """As any other image is shown: display range of each channel, colour samples counted as channels."""

    def to_json(self) -> bytes:
        """Return it as JSON; equal values have equal bytes."""
        document = {"limits": json.loads(self.limits.to_json()), "windows": self.windows}
        return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def measured(data: bytes) -> Measured:
    """Return what ``Contrast`` built.

    Raises
    ------
    StorageError
        The bytes are something else.
    ReadError
        The limits are none.
    """
    try:
        document = json.loads(data)
        windows = tuple((float(low), float(high)) for low, high in document["windows"])
        limits = json.dumps(document["limits"]).encode()
    except (ValueError, TypeError, KeyError) as error:
        raise StorageError("the contrast limits in the storage are none") from error
    return Measured(ContrastLimits.from_json(limits), windows)


@dataclass(frozen=True, slots=True)
class Contrast:
    """The limits of contrast of an image."""

    name: str = CONTRAST_LIMITS
    version: int = 1
    of: Of = "image"
    needs: tuple[str, ...] = ()
    follows: tuple[Follows, ...] = ()
    allows_stale: bool = True
    media_type: str = "application/json"
    suffix: str = ".json"

    def cost(self, _subject: Subject) -> int:
        """Return about as many slices as are looked at."""
        return 30

    def build(self, _subject: Subject, inputs: Inputs) -> bytes:
        """Return the limits as JSON."""
        with inputs.open_source() as image:
            windows = tuple((float(low), float(high)) for low, high in measure_windows(Pyramid(image)))
            return Measured(measure_contrast(image), windows).to_json()
