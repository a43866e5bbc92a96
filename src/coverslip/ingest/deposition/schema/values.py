"""Values of metadata: each says in one sentence what it expects and what it found."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from coverslip.ingest.deposition.patterns import PatternError, check_name_regex, compiled
from coverslip.ingest.deposition.problems import described, listed
from coverslip.ingest.deposition.templates import Template, metadata_template


class Strict(BaseModel):
    """A mapping of a config: keys that are not known are errors, and nothing is converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)


@dataclass(frozen=True, slots=True)
class _Rule:
    """Checks one scalar."""

    def check(self, value: object) -> object:
        """Return the value as it is kept."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: object, handler: Callable[[object], CoreSchema]) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)


@dataclass(frozen=True, slots=True)
class InRange(_Rule):
    """A number between two limits, both allowed, or a template that gives one.

    Parameters
    ----------
    low, high
        The limits; ``None`` for no limit.
    whole
        Whether it must be a whole number.
    templated
        Whether a column of the map may give it.
    """

    low: float | None = None
    high: float | None = None
    whole: bool = False
    templated: bool = False

    def check(self, value: object) -> object:
        """Return the number or template."""
        if self.templated and isinstance(value, str):
            template = metadata_template(value)
            if template is not None and template.type != "text":
                return template
            if template is not None:
                raise wrong(f"Expected a number, found {described(value)}; say float {template.text.strip()}")
        sort = "a whole number" if self.whole else "a number"
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise wrong(f"Expected {sort}, found {described(value)}")
        if self.whole and value != int(value):
            raise wrong(f"Expected a whole number, found {described(value)}")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise wrong(f"Expected {sort}{self._limits()}, found {described(value)}")
        return value

    def _limits(self) -> str:
        if self.high is None:
            return f" of at least {self.low:g}"
        return f" of at most {self.high:g}" if self.low is None else f" from {self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class OneOf(_Rule):
    """One of a few words, or a template that gives one.

    Parameters
    ----------
    words
        Those that are allowed.
    templated
        Whether a column of the map may give it.
    """

    words: tuple[str, ...]
    templated: bool = False

    def check(self, value: object) -> object:
        """Return the word or template."""
        if isinstance(value, str) and value in self.words:
            return value
        if self.templated and isinstance(value, str) and (template := metadata_template(value)) is not None:
            return template
        raise wrong(f"Expected {listed(self.words)}, found {described(value)}")


@dataclass(frozen=True, slots=True)
class _Words(_Rule):
    templated: bool = False

    def check(self, value: object) -> object:
        if not isinstance(value, str):
            raise wrong(f"Expected text, found {described(value)}")
        return (metadata_template(value) or value) if self.templated else value


@dataclass(frozen=True, slots=True)
class _Name(_Rule):
    sort: str

    def check(self, value: object) -> object:
        if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        raise wrong(f"Expected {self.sort}, found {described(value)}")


@dataclass(frozen=True, slots=True)
class _Date(_Rule):
    def check(self, value: object) -> object:
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                raise wrong(f"There is no day {value}") from None
        raise wrong(f"Expected a date such as 2026-03-31, found {described(value)}")


@dataclass(frozen=True, slots=True)
class _Flag(_Rule):
    def check(self, value: object) -> object:
        if isinstance(value, bool):
            return value
        raise wrong(f"Expected true or false, found {described(value)}")


@dataclass(frozen=True, slots=True)
class _Regex(_Rule):
    is_name: bool = False

    def check(self, value: object) -> object:
        if not isinstance(value, str):
            raise wrong(f"Expected a regular expression, found {described(value)}; put it in quotes")
        try:
            compiled(value)
            if self.is_name:
                check_name_regex(value)
        except PatternError as error:
            raise wrong(str(error).removesuffix(".")) from None
        return value


def wrong(sentence: str) -> PydanticCustomError:
    """Return an error with a sentence of ours; a full stop is added."""
    return PydanticCustomError("coverslip", "{sentence}", {"sentence": f"{sentence}."})


Text = Annotated[str, _Words()]
MapText = Annotated[str | Template, _Words(templated=True)]
"""Text, or what a column of the map says."""
Name = Annotated[str | int | float, _Name("a name")]
Version = Annotated[str | int | float, _Name("a version")]
Flag = Annotated[bool, _Flag()]
Day = Annotated[date, _Date()]
Regex = Annotated[str, _Regex()]
NameRegex = Annotated[str, _Regex(is_name=True)]
Number = Annotated[float, InRange()]
Whole = Annotated[int, InRange(whole=True)]
Id = Annotated[int, InRange(low=1, whole=True)]
