"""What exported files are called: templates such as ``{fov}_{label}``, and which characters a name may have.

The policy, so that a name means the same file on every system:

* Values are brought to Unicode NFC. Letters and digits of any script, ``-``, ``_``, ``+`` and ``.`` stay; every other
  character, a slash too, becomes ``_``.
* A slash that is written in the template makes a folder. No part is empty, begins or ends with a dot or a space, is a
  name that Windows keeps for devices, or is longer than 180 bytes: what is longer is cut and ends with eight digits of
  the digest of all of it.
* Two names are the same when they differ in letter case or in the composition of accents alone. The second one gets
  ``_2``, the third ``_3``, in the order of the items.
"""

import hashlib
import string
import unicodedata
from collections.abc import Iterable, Mapping

from coverslip.errors import InvalidRequestError
from coverslip.model import Cell

KEPT = frozenset("-_+.")
MAX_BYTES = 180
"""Longest part of a name without its ending: file systems allow 255, and temporary names and numbers need some."""
MAX_TEMPLATE = 500
DIGEST_DIGITS = 8
DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))})
WIDTH = 12
"""Most digits that a number can be padded to."""


def fields_of(template: str) -> tuple[str, ...]:
    """Return the names in braces of a template, in order.

    Raises
    ------
    InvalidRequestError
        It is no template: braces that do not match, attributes, conversions, or a format that is no width.
    """
    return tuple(name for _, name, _ in _parts(template) if name is not None)


def fill(template: str, values: Mapping[str, Cell], suffix: str = "") -> str:
    """Return the relative path, without an ending, that a template gives for an item.

    Parameters
    ----------
    template
        Such as ``{fov}/{label:05}``: a number after the colon is a width, filled with zeros.
    values
        What may be asked for. An empty value becomes ``none``.
    suffix
        Put behind it, whatever characters it has.

    Raises
    ------
    InvalidRequestError
        The template names something that the items do not have.
    """
    text = ""
    for literal, name, width in _parts(template):
        text += _literal(literal)
        if name is None:
            continue
        if name not in values:
            known = ", ".join(sorted(values)[:20])
            raise InvalidRequestError(f"the template {template!r} asks for {{{name}}}; there are: {known}")
        text += safe(_shown(values[name], width))
    text += safe(suffix)
    return "/".join(_whole(part) for part in text.split("/"))


def safe(text: str) -> str:
    """Return text with every character that a file name may not have replaced by ``_``."""
    normal = unicodedata.normalize("NFC", text)
    return "".join(char if char.isalnum() or char in KEPT else "_" for char in normal)


def distinct(names: Iterable[str]) -> list[str]:
    """Return the names, each one once: those that are taken get ``_2``, ``_3`` and so on."""
    names = list(names)
    firsts: dict[str, int] = {}
    for index, name in enumerate(names):
        firsts.setdefault(_folded(name), index)
    taken = set(firsts)
    counts: dict[str, int] = {}
    found = []
    for index, name in enumerate(names):
        key = _folded(name)
        if firsts[key] == index:
            found.append(name)
            continue
        number = counts.get(key, 1) + 1
        while _folded(f"{name}_{number}") in taken:
            number += 1
        counts[key] = number
        taken.add(_folded(f"{name}_{number}"))
        found.append(f"{name}_{number}")
    return found


def _parts(template: str) -> list[tuple[str, str | None, int]]:
    """Return literal text, the name that follows it and its width."""
    if not template.strip() or len(template) > MAX_TEMPLATE:
        raise InvalidRequestError(f"a template of file names has 1 to {MAX_TEMPLATE} characters")
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise InvalidRequestError(f"the template {template!r} of file names: {error}") from error
    found: list[tuple[str, str | None, int]] = []
    for literal, name, form, conversion in parsed:
        if name is None:
            found.append((literal, None, 0))
            continue
        # dots and dashes are part of a column's name here: "centroid-0"
        width = form.removesuffix("d") if form else "0"
        if not name or conversion or "[" in name or not width.isdecimal() or int(width) > WIDTH:
            raise InvalidRequestError(
                f"the template {template!r} of file names: expected {{name}} or {{name:05}}, "
                f"a width of at most {WIDTH} digits"
            )
        found.append((literal, name, int(width)))
    return found


def _literal(text: str) -> str:
    return "/".join(safe(part) for part in text.split("/"))


def _shown(value: Cell, width: int) -> str:
    if value is None:
        return "none"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    text = str(value)
    return text.zfill(width) if isinstance(value, int | float) else text


def _whole(part: str) -> str:
    """Return a part of a path that every file system takes."""
    part = part.strip(". ") or "_"
    if part.split(".")[0].lower() in DEVICES:
        part = f"_{part}"
    encoded = part.encode()
    if len(encoded) <= MAX_BYTES:
        return part
    digest = hashlib.sha256(encoded).hexdigest()[:DIGEST_DIGITS]
    return f"{encoded[: MAX_BYTES - DIGEST_DIGITS - 1].decode(errors='ignore')}_{digest}"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
