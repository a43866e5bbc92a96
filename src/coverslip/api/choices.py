"""What addresses of pictures may ask for, checked once and turned into a ``RenderSpec``."""

import re
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from coverslip.model import RenderSpec
from coverslip.model.render import Axis, Blend, Contrast, Crop, Lut, Projection
from coverslip.render.combine import Statistic
from coverslip.render.cut import PixelFormat

MOST = 1_000_000_000
"""Larger than any position anybody has, smaller than what databases and C integers choke on."""


def only_digits(value: object) -> object:
    """Refuse what Python would take for a number though no person writes it in an address: 1_0, +5, 5.0."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,10}", value, re.ASCII) is None:
        raise ValueError("expected a whole number, 0 or more")
    return value


def _axis_number(value: object) -> object:
    return int(value) if isinstance(value, str) and value in {"0", "1", "2"} else value


Whole = Annotated[int, BeforeValidator(only_digits), Field(ge=0, le=MOST)]
Size = Annotated[int, BeforeValidator(only_digits), Field(ge=1, le=8192)]
AxisNumber = Annotated[Axis, BeforeValidator(_axis_number), Field(description="0: along Z, 1: along Y, 2: along X.")]
_NUMBER = r"-?\d{1,30}(\.\d{1,30})?(e[+-]?\d{1,2})?"
_LIMITS = rf"p?{_NUMBER}:{_NUMBER}"
Format = Literal["png", "webp", "jpeg"]


class ChannelsQuery(BaseModel):
    """Which time point and channels."""

    model_config = ConfigDict(extra="forbid")

    t: Annotated[Whole | None, Field(description="Time point; left out: the middle one.")] = None
    channels: Annotated[
        str | None,
        Field(pattern=r"^\d{1,4}(,\d{1,4}){0,63}$", description="Channel indices such as 0,2; left out: all."),
    ] = None
    channel: Annotated[Whole | None, Field(description="A single channel: the same as channels.")] = None
    v: Annotated[str | None, Field(max_length=100, description="Anything: makes a new address for a cache.")] = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.channel is not None and self.channels is not None:
            raise ValueError("channel and channels mean the same: give one of them")
        return self

    def chosen(self) -> tuple[int, ...] | None:
        """Return the channels chosen, each once."""
        if self.channel is not None:
            return (self.channel,)
        return None if self.channels is None else tuple(dict.fromkeys(int(c) for c in self.channels.split(",")))


class LookQuery(ChannelsQuery):
    """How a picture looks."""

    contrast: Annotated[
        str | None,
        Field(
            max_length=4000,
            description="low:high in pixel values, or p1:99 in percentiles; one for all channels or one for each.",
        ),
    ] = None
    gamma: Annotated[float, Field(ge=0.1, le=10, allow_inf_nan=False, description="Below 1 lightens the dark.")] = 1.0
    luts: Annotated[
        str | None,
        Field(
            pattern=r"^[a-z]{1,20}(,[a-z]{1,20}){0,63}$",
            description=f"Lookup tables: {', '.join(get_args(Lut))}; one for all channels or one for each.",
        ),
    ] = None
    blend: Annotated[Blend, Field(description="additive: colours add up; alpha: later channels cover.")] = "additive"

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        try:
            self.look()
        except ValidationError as error:
            raise ValueError("; ".join(item["msg"] for item in error.errors())) from error
        return self

    def look(self) -> RenderSpec:
        """Return the rendering choice, without place and size."""
        return RenderSpec.model_validate(
            {
                "t": self.t,
                "channels": self.chosen(),
                "contrast": tuple(_contrast(text) for text in self.contrast.split(",")) if self.contrast else (),
                "gamma": self.gamma,
                "luts": tuple(self.luts.split(",")) if self.luts else (),
                "blend": self.blend,
            }
        )

    def spec(self, **place: Any) -> RenderSpec:
        """Return the rendering choice with what the route adds to it."""
        return self.look().model_copy(update=place)


class PlaneQuery(LookQuery):
    """A picture in one of the usual kinds."""

    format: Annotated[Format | None, Field(description="Kind of picture; left out: what Accept says.")] = None


class SliceQuery(PlaneQuery):
    """A slice, the largest size it is shown in."""

    width: Annotated[Size, Field(description="Largest width in pixels.")] = 1024
    height: Annotated[Size, Field(description="Largest height in pixels.")] = 1024


class MipQuery(PlaneQuery):
    """A projection along one axis."""

    width: Annotated[Size, Field(description="Largest width in pixels.")] = 512
    height: Annotated[Size, Field(description="Largest height in pixels.")] = 512
    z: Annotated[Whole | None, Field(description="Only this slice.")] = None
    axis: AxisNumber = 0


class ProjectionQuery(MipQuery):
    """A projection of any kind."""

    kind: Annotated[Projection, Field(description="What becomes of the pixels along the axis.")] = "max"


class KeyImageQuery(BaseModel):
    """The picture that stands for an image."""

    model_config = ConfigDict(extra="forbid")

    format: Annotated[Format | None, Field(description="Kind of picture; left out: what Accept says.")] = None


class CombinedQuery(BaseModel):
    """The combined image of an annotation."""

    model_config = ConfigDict(extra="forbid")

    statistic: Annotated[Statistic, Field(description="What becomes of each pixel over the frames.")] = "median"
    stale: Annotated[
        Literal["allow"] | None,
        Field(description="allow: while a new one is wanted the previous one will do, marked X-Coverslip-Stale."),
    ] = None
    format: Annotated[
        Format | PixelFormat | None,
        Field(description="Kind of picture; npy and tiff: the exact values, C, Z, Y, X; left out: what Accept says."),
    ] = None


class MultiviewQuery(PlaneQuery):
    """The views along Z, Y and X side by side."""

    width: Annotated[int, BeforeValidator(only_digits), Field(ge=16, le=8192, description="Largest width.")] = 768
    height: Annotated[Size, Field(description="Largest height in pixels.")] = 256
    z: Annotated[Whole | None, Field(description="Only this slice in the view along Z.")] = None
    projection: Annotated[Literal["auto"] | Projection, Field(description="What is made along each axis.")] = "auto"


class ThumbnailQuery(PlaneQuery):
    """What a thumbnail shows."""

    width: Annotated[Size, Field(description="Largest width in pixels.")] = 256
    height: Annotated[Size, Field(description="Largest height in pixels.")] = 256
    z_slice: Annotated[Whole | None, Field(description="Slice; left out: what `projection` says.")] = None
    z: Annotated[Whole | None, Field(description="The same as z_slice.")] = None
    projection: Annotated[
        Literal["auto"] | Projection,
        Field(description="Without a slice: what is made of all; auto: the maximum, or a slice of dark structures."),
    ] = "auto"

    @model_validator(mode="after")
    def _one_slice(self) -> Self:
        if self.z is not None and self.z_slice is not None:
            raise ValueError("z and z_slice mean the same: give one of them")
        return self


class RegionQuery(LookQuery):
    """A rectangle of one pyramid level."""

    x: Annotated[Whole, Field(description="First column.")] = 0
    y: Annotated[Whole, Field(description="First row.")] = 0
    w: Annotated[Size, Field(description="Columns.")]
    h: Annotated[Size, Field(description="Rows.")]
    level: Annotated[Whole, Field(description="Pyramid level; x, y, w and h are in its pixels.")] = 0
    z: Annotated[Whole | None, Field(description="Slice; left out: what `projection` says, or all as pixels.")] = None
    projection: Annotated[Literal["auto"] | Projection, Field(description="Without a slice.")] = "auto"
    width: Annotated[Size | None, Field(description="Largest width of the picture; left out: w.")] = None
    height: Annotated[Size | None, Field(description="Largest height of the picture; left out: h.")] = None
    format: Annotated[
        Format | PixelFormat | None,
        Field(description="Kind of picture; npy and tiff: the pixels themselves, C, Z, Y, X."),
    ] = None

    def crop(self) -> Crop:
        """Return the rectangle."""
        return Crop(x=self.x, y=self.y, width=self.w, height=self.h, level=self.level)


class StatsQuery(ChannelsQuery):
    """What is measured."""

    z: Annotated[Whole | None, Field(description="Slice; left out: all of them.")] = None


class HistogramQuery(BaseModel):
    """What is counted."""

    model_config = ConfigDict(extra="forbid")

    channel: Annotated[Whole, Field(description="Channel.")] = 0
    bins: Annotated[int, BeforeValidator(only_digits), Field(ge=1, le=65536, description="Bins.")] = 256
    t: Annotated[Whole | None, Field(description="Time point; left out: the middle one.")] = None
    z: Annotated[Whole | None, Field(description="Slice; left out: all of them.")] = None
    v: Annotated[str | None, Field(max_length=100, description="Anything: makes a new address for a cache.")] = None


def _contrast(text: str) -> Contrast:
    if re.fullmatch(_LIMITS, text, re.ASCII) is None:
        raise ValueError(f"contrast {text!r}: expected low:high, or p1:99 for percentiles")
    low, high = text.removeprefix("p").split(":")
    return Contrast(low=float(low), high=float(high), unit="percentile" if text.startswith("p") else "value")
