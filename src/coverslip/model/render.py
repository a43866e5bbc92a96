"""A rendering choice as a small frozen value: thumbnail setting, URL and export item are the same thing."""

import hashlib
from typing import Annotated, Literal

from pydantic import Field, model_validator

from coverslip.model.metadata import Finite, Frozen

MediaType = Literal["image/png", "image/webp", "image/jpeg"]
Projection = Literal["max", "mean", "sum", "median", "std", "min"]
"""How many pixels along an axis become one."""
Axis = Literal[0, 1, 2]
"""The axis a projection looks along: 0 is Z, 1 is Y, 2 is X."""
Lut = Literal["gray", "red", "green", "blue", "cyan", "magenta", "yellow", "fire", "viridis"]
"""The lookup tables there are."""
Blend = Literal["additive", "alpha"]
"""How channels are put together."""

FOUNDING = frozenset({"width", "height", "t", "z", "projection", "channels", "low", "high"})
"""Fields that every digest has been made of from the beginning. Others count only where they are not the default, so
that a new option changes neither the ETag nor the identity of a choice that does not use it."""


class Contrast(Frozen):
    """What is shown as black and what as full colour: pixel values, or percentiles of the pixels shown."""

    low: Finite
    high: Finite
    unit: Literal["value", "percentile"] = "value"

    @model_validator(mode="after")
    def _check(self) -> "Contrast":
        if self.low >= self.high:
            raise ValueError(f"contrast {self.low} to {self.high}: the first must be the smaller one")
        if self.unit == "percentile" and not 0 <= self.low < self.high <= 100:
            raise ValueError(f"percentiles {self.low} to {self.high}: expected 0 to 100")
        return self


class Crop(Frozen):
    """A rectangle of one pyramid level, in pixels of that level."""

    x: Annotated[int, Field(ge=0)]
    y: Annotated[int, Field(ge=0)]
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    level: Annotated[int, Field(ge=0)] = 0


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
    projection: Literal["auto"] | Projection = "auto"
    """Without a slice: what is made of all pixels along ``axis``. ``auto`` is the maximum, except for images by
    transmitted light or electrons, whose structures are dark: there it is the middle slice."""
    channels: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    """Channel indices to show; ``None`` is all of them, or the first four of more than seven."""
    low: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Percentile shown as black, for channels without a ``contrast`` of their own."""
    high: Annotated[float, Field(ge=0, le=100)] = 99.0
    """Percentile shown as full colour, for channels without a ``contrast`` of their own."""
    axis: Axis = 0
    """The axis looked along. Along Y the picture is Z by X, along X it is Z by Y, both in physical proportions."""
    contrast: tuple[Contrast, ...] = ()
    """Limits of each channel shown, in their order; a single one is for all of them, none is ``low`` and ``high``."""
    gamma: Annotated[float, Field(ge=0.1, le=10)] = 1.0
    """Exponent: brightness is ``((value - low) / (high - low)) ** gamma``; below 1 lightens the dark."""
    luts: tuple[Lut, ...] = ()
    """Lookup table of each channel shown; a single one is for all of them, none is the channels' colours."""
    blend: Blend = "additive"
    """``additive``: colours add up. ``alpha``: each channel covers those before it as much as it is bright."""
    layout: Literal["single", "multiview"] = "single"
    """``multiview``: the views along Z, Y and X side by side, on one scale."""
    crop: Crop | None = None
    """Only this rectangle. Axis 0 alone, and no multi-view."""

    @model_validator(mode="after")
    def _check(self) -> "RenderSpec":
        if self.crop is not None and (self.axis != 0 or self.layout != "single"):
            raise ValueError("a crop is for single views along z")
        return self

    @property
    def digest(self) -> str:
        """Short stable digest of the choice, part of the ETag of a picture drawn with it."""
        unused = {
            name
            for name, field in type(self).model_fields.items()
            if name not in FOUNDING and getattr(self, name) == field.default
        }
        return hashlib.sha256(self.model_dump_json(exclude=unused).encode()).hexdigest()[:16]
