"""Expressions over tags: ``immune & !(dense | "needs review")``.

``!`` binds tighter than ``&``, ``&`` tighter than ``|``. A name is everything between these signs, spaces inside
included; names with signs in them stand in single or double quotes. Names are compared as they are written.
"""

from collections.abc import Collection
from dataclasses import dataclass

from coverslip.errors import InvalidRequestError

MAX_LENGTH = 4096
BINDING = {"!": 3, "&": 2, "|": 1}
SIGNS = "&|!()"
QUOTES = "\"'"


@dataclass(frozen=True, slots=True)
class TagExpression:
    """What tags a region must have."""

    text: str
    """As it was written."""
    steps: tuple[tuple[str, str], ...]
    """Operands and operators, each operator after what it is about: ``("tag", name)`` or ``("sign", "&")``."""

    def matches(self, tags: Collection[str]) -> bool:
        """Return whether a region with these tags is meant; an empty expression means every region."""
        held = []
        for kind, value in self.steps:
            if kind == "tag":
                held.append(value in tags)
            elif value == "!":
                held.append(not held.pop())
            else:
                right, left = held.pop(), held.pop()
                held.append(left and right if value == "&" else left or right)
        return held[0] if held else True


def parse_tags(text: str) -> TagExpression:
    """Return an expression.

    Raises
    ------
    InvalidRequestError
        It is none; the message names the place.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidRequestError(f"an expression over tags has at most {MAX_LENGTH} characters")
    steps: list[tuple[str, str]] = []
    waiting: list[tuple[str, int]] = []
    wants_name = True
    for kind, value, place in _tokens(text):
        opens = kind == "tag" or value in "!("
        if opens != wants_name:
            expected = "a tag" if wants_name else "& or |"
            raise InvalidRequestError(f"tags {text!r}: expected {expected} at character {place + 1}, found {value!r}")
        if kind == "tag":
            steps.append((kind, value))
            wants_name = False
        elif value in "!(":
            waiting.append((value, place))
        elif value == ")":
            _unwind(waiting, steps, 0)
            if not waiting:
                raise InvalidRequestError(f"tags {text!r}: nothing is opened that character {place + 1} could close")
            waiting.pop()
        else:
            _unwind(waiting, steps, BINDING[value])
            waiting.append((value, place))
            wants_name = True
    if wants_name and (steps or waiting):
        raise InvalidRequestError(f"tags {text!r}: expected a tag at the end")
    _unwind(waiting, steps, 0)
    if waiting:
        raise InvalidRequestError(f"tags {text!r}: the parenthesis at character {waiting[-1][1] + 1} is not closed")
    return TagExpression(text, tuple(steps))


def _unwind(waiting: list[tuple[str, int]], steps: list[tuple[str, str]], binding: int) -> None:
    """Move operators that bind at least so tightly behind their operands, back to the last open parenthesis."""
    while waiting and waiting[-1][0] != "(" and BINDING[waiting[-1][0]] >= binding:
        steps.append(("sign", waiting.pop()[0]))


def _tokens(text: str) -> list[tuple[str, str, int]]:
    """Return kind, value and place of every sign and name."""
    tokens = []
    place = 0
    while place < len(text):
        character = text[place]
        if character.isspace():
            place += 1
        elif character in SIGNS:
            tokens.append(("sign", character, place))
            place += 1
        elif character in QUOTES:
            end = text.find(character, place + 1)
            if end < 0:
                raise InvalidRequestError(f"tags {text!r}: the quote at character {place + 1} is not closed")
            tokens.append(("tag", text[place + 1 : end], place))
            place = end + 1
        else:
            end = next((at for at in range(place, len(text)) if text[at] in SIGNS), len(text))
            tokens.append(("tag", " ".join(text[place:end].split()), place))
            place = end
    return tokens
