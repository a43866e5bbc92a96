"""Templates of captions and file names: text with names in braces, and nothing else."""

from collections.abc import Mapping
from string import Formatter

from coverslip.errors import InvalidRequestError

type Value = str | int | float | None
"""What a name in a template stands for; ``None`` is not known and becomes nothing."""
MAX_WIDTH = 64


def filled(template: str, values: Mapping[str, Value]) -> str:
    """Return a template with its names replaced, such as ``{fov}_{label:05d}``.

    Only plain names and format specifications of at most two digits of width are understood: no attributes, indices,
    conversions or nested braces.

    Parameters
    ----------
    template
        As for ``str.format``; ``{{`` is a brace.
    values
        What the names stand for.

    Raises
    ------
    InvalidRequestError
        It is no such template, or names something else.
    """
    parts = []
    try:
        for text, name, form, conversion in Formatter().parse(template):
            parts.append(text)
            if name is None:
                continue
            if name not in values:
                known = ", ".join(values)
                raise InvalidRequestError(f"template {template!r}: there is no {{{name}}}; there are {known}")
            digits = "".join(character if character.isdigit() else " " for character in form or "").split()
            if conversion or "{" in (form or "") or any(int(number) > MAX_WIDTH for number in digits):
                raise InvalidRequestError(f"template {template!r}: {{{name}}} asks for more than a plain format")
            value = values[name]
            parts.append("" if value is None else format(value, form or ""))
    except ValueError as error:
        if isinstance(error, InvalidRequestError):
            raise
        raise InvalidRequestError(f"template {template!r}: {error}") from error
    return "".join(parts)
