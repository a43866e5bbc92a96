"""Texts with names in braces: ``{run_name}/*.mrc``, ``float {voxel_spacing}``.

A glob is a template as a whole: each ``{name}`` is replaced, ``{{`` and ``}}`` are braces. Metadata and the voxel
spacings of a literal may say a type before a single name.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from coverslip.ingest.deposition.problems import shortened

Type = Literal["text", "int", "float"]

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_TYPED = re.compile(r"\s*(int|float)\s*\{([^{}]+)\}\s*")
_NAME = re.compile(r"[A-Za-z0-9_-]+(?: +[A-Za-z0-9_-]+)*")
_COLUMN = re.compile(r"\{([A-Za-z0-9_-]+)\}")


class TemplateError(ValueError):
    """A text is no template; the message says why."""


class UnknownNameError(LookupError):
    """Nothing is known by a name that a template asks for."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text with names in it.

    Parameters
    ----------
    text
        As it stands in the config.
    parts
        Text and names by turns, beginning and ending with text, which may be empty.
    type
        What the filled text is read as.
    """

    text: str
    parts: tuple[str, ...]
    type: Type = "text"

    @property
    def names(self) -> tuple[str, ...]:
        """The names it asks for, in their order."""
        return self.parts[1::2]

    def fill(self, values: Mapping[str, str]) -> str:
        """Return the text with names replaced.

        Raises
        ------
        UnknownNameError
            A name has no value.
        """
        try:
            return "".join(values[part] if index % 2 else part for index, part in enumerate(self.parts))
        except KeyError as error:
            raise UnknownNameError(str(error.args[0])) from None

    def value(self, values: Mapping[str, str]) -> str | int | float | None:
        """Return what the template stands for; an empty cell of a map is ``None``.

        Raises
        ------
        UnknownNameError
            A name has no value.
        TemplateError
            The text is no number of the type asked for.
        """
        text = self.fill(values).strip()
        return as_type(text, self.type) if text else None


def parse_template(text: str, *, typed: bool = False) -> Template:
    """Return a text as a template.

    Parameters
    ----------
    text
        What stands in the config.
    typed
        Whether ``int {name}`` and ``float {name}`` mean a number.

    Raises
    ------
    TemplateError
        A brace has no partner, or what is between two braces is no name.
    """
    if typed and (match := _TYPED.fullmatch(text)):
        kind: Type = "int" if match[1] == "int" else "float"
        return Template(text, ("", _checked(match[2]), ""), kind)
    parts, literal, end = [], "", 0
    for match in _PIECE.finditer(text):
        literal += text[end : match.start()]
        end = match.end()
        if match[0] in ("{{", "}}"):
            literal += match[0][0]
        elif match[1] is None:
            raise TemplateError(f"The brace {match[0]} at character {match.start() + 1} has no partner.")
        else:
            parts += [literal, _checked(match[1])]
            literal = ""
    return Template(text, (*parts, literal + text[end:]))


def metadata_template(text: str) -> Template | None:
    """Return the template in a metadata text, or ``None`` for words that only happen to have braces."""
    if _TYPED.fullmatch(text) or _COLUMN.search(text):
        try:
            return parse_template(text.strip(), typed=True)
        except TemplateError:
            return None
    return None


def as_type(text: str, kind: Type) -> str | int | float:
    """Return a text as the type a template asks for.

    Raises
    ------
    TemplateError
        It is no such number.
    """
    if kind == "text":
        return text
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or "_" in text or (kind == "int" and number != int(number)):
        raise TemplateError(f"{shortened(text)!r} is no {'whole ' if kind == 'int' else ''}number")
    return int(number) if kind == "int" else number


def _checked(name: str) -> str:
    if not name:
        raise TemplateError("There is no name between the braces {}.")
    if not _NAME.fullmatch(name):
        raise TemplateError(
            f"{shortened(name)!r} is no name of a variable or column: letters, digits, _ and - only, and no format."
        )
    return name
