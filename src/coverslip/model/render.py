"""A rendering choice as a small frozen value: thumbnail setting, URL and export item are the same thing."""

import hashlib
from typing import Annotated, Literal

from pydantic import Field

from coverslip.model.metadata import Frozen

MediaType = Literal["image/png", "image/webp", "image/jpeg"]


class RenderSpec(Frozen):
    """How one image becomes one picture."""

    width: Annotated[int, Field(ge=1, le=8192)] = 256
    """Largest width of the picture in pixels; the aspect ratio is kept and small images are not blown up."""
    height: Annotated[int, Field(ge=1, le=8192)] = 256
    """Largest height of the picture in pixels."""
    t: Annotated[int, Field(ge=0)] | None = None
    """Time point; ``None`` is the middle one."""
    z: Annotated[int, Field(ge=0)] | None = None
    """Slice; ``None`` is what ``projection`` says."""
    projection: Literal["auto", "max"] = "auto"
    """Without a slice: ``max`` is the maximum over all of z. ``auto`` is that too, except for images by transmitted
    light or electrons, whose structures are dark: there it is the middle slice."""
    channels: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    """Channel indices to show; ``None`` is all of them, or the first four of more than seven."""
    low: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Percentile shown as black."""
    high: Annotated[float, Field(ge=0, le=100)] = 99.0
    """Percentile shown as full colour."""

    @property
    def digest(self) -> str:
        """Short stable digest of the choice, part of the ETag of a picture drawn with it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]
