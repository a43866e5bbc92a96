"""Kinds that are one picture of one image."""

from dataclasses import dataclass

from coverslip.derive.kind import Follows, Inputs, Of, Subject
from coverslip.model import RenderSpec
from coverslip.render import default_slice, draw, encode

THUMBNAIL = RenderSpec(width=256, height=256, low=1.0, high=99.0)
"""Spelled out, because new defaults would change the recipe without changing its version."""
KEY_IMAGE = RenderSpec(width=1024, height=1024, low=1.0, high=99.0)
"""The thumbnail's view, large enough to stand for the image in a report."""
MIP = RenderSpec(width=512, height=512, low=1.0, high=99.0, projection="max")
"""The maximum projection as ``/mip`` shows it; along Y and X there is one each."""
MULTIVIEW = RenderSpec(width=768, height=256, low=1.0, high=99.0, layout="multiview")
"""The views along Z, Y and X as ``/multiview`` shows them."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture of one image."""

    name: str
    spec: RenderSpec
    """What it shows; a request for just this is answered with the artifact."""
    version: int = 1
    of: Of = "image"
    needs: tuple[str, ...] = ()
    allows_stale: bool = False
    follows: tuple[Follows, ...] = ()
    media_type: str = "image/png"
    suffix: str = ".png"

    def cost(self, subject: Subject) -> int:
        """Return how many slices are projected."""
        meta = subject.image.metadata
        is_one = self.spec.layout == "single" and self.spec.projection == "auto" and default_slice(meta) is not None
        return 1 if is_one else meta.size_z

    def build(self, subject: Subject, inputs: Inputs) -> bytes:
        """Return the picture as PNG."""
        with inputs.open_source() as image:
            return encode(draw(image, self.spec), self.media_type)
