"""What a list of images may be asked for, checked field by field; anything else is refused."""

import re
from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from coverslip.api.choices import Whole, only_digits
from coverslip.model.search import Cursor, ImageFilter, Sort, to_utc

MAX_PAGE = 1000
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)
_LENGTH = re.compile(r"\d{1,15}(\.\d{1,15})?(e-?\d{1,2})?", re.ASCII)


def _to_time(value: object) -> object:
    """Return the time of a date or time in ISO 8601; without a zone it is in UTC."""
    time = to_utc(value) if isinstance(value, str) and _TIME.fullmatch(value) else None
    if time is None:
        raise ValueError("expected a date or time such as 2026-11-20 or 2026-11-20T08:30:00Z")
    return time


def _only_a_length(value: object) -> object:
    if isinstance(value, str) and _LENGTH.fullmatch(value) is None:
        raise ValueError("expected micrometres, such as 0.065")
    return value


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("expected some text")
    return text


Time = Annotated[datetime, BeforeValidator(_to_time)]
Length = Annotated[float, BeforeValidator(_only_a_length), Field(ge=0, allow_inf_nan=False)]
Words = Annotated[str, Field(max_length=200), AfterValidator(_not_blank)]


class ListQuery(BaseModel):
    """Which part of the list, in which order."""

    model_config = ConfigDict(extra="forbid")

    skip: Whole = 0
    limit: Annotated[int, BeforeValidator(only_digits), Field(ge=1, le=MAX_PAGE)] = 100
    q: Annotated[
        str | None,
        Field(
            max_length=200,
            description="Part of a name or file name, or words of the metadata, the last of which may be unfinished.",
        ),
    ] = None
    format: Annotated[Words | None, Field(description="Format family or dialect, such as CZI or OME-TIFF.")] = None
    channel: Annotated[Words | None, Field(description="Part of the name or dye of a channel.")] = None
    objective: Annotated[Words | None, Field(description="Part of the objective's name, or 63x.")] = None
    min_pixel_size: Annotated[Length | None, Field(description="Micrometres along X, inclusive.")] = None
    max_pixel_size: Annotated[Length | None, Field(description="Micrometres along X, inclusive.")] = None
    acquired_after: Annotated[Time | None, Field(description="Date or time, inclusive; UTC without a zone.")] = None
    acquired_before: Annotated[Time | None, Field(description="Date or time, exclusive; UTC without a zone.")] = None
    sort: Annotated[Sort, Field(description="A minus turns the order round; what is unknown comes last.")] = "-added"
    cursor: Annotated[
        str | None, Field(max_length=4096, description="next_cursor of the page before, with the same sort.")
    ] = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.cursor is not None and self.skip:
            raise ValueError("cursor and skip are two ways to leave images out: give one of them")
        self.after()
        return self

    def after(self) -> Cursor | None:
        """Return the place after which the page begins."""
        return None if self.cursor is None else Cursor.parse(self.cursor, self.sort)

    def having(self) -> ImageFilter:
        """Return what the images must be like."""
        return ImageFilter(
            format=self.format,
            channel=self.channel,
            objective=self.objective,
            min_pixel_size=self.min_pixel_size,
            max_pixel_size=self.max_pixel_size,
            acquired_after=self.acquired_after,
            acquired_before=self.acquired_before,
        )
