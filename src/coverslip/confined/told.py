"""What a confined process tells of a file, looked at before anything is made from it."""

from pathlib import Path

import numpy as np
from pydantic import BaseModel, TypeAdapter, ValidationError

from coverslip.errors import ReadError
from coverslip.model import Cell, ImageMetadata

PIXEL_KINDS = "biufc"
ROWS: TypeAdapter[list[dict[str, Cell]]] = TypeAdapter(list[dict[str, Cell]])

type Box = tuple[int, int, int, int, int]
"""Lengths along T, C, Z, Y, X."""


class Described(BaseModel):
    """What a process tells of an image."""

    metadata: ImageMetadata
    chunks: tuple[Box, ...]
    labels: "tuple[Described, ...]" = ()


def names_of(path: Path, told: object) -> list[str]:
    """Return the names of files that a process told. They need not be text, which pydantic would ask for."""
    if not isinstance(told, list) or not all(isinstance(name, str) and "\0" not in name for name in told):
        raise ReadError(f"{path}: the process that read it told nonsense: no names of files")
    return told


def described_of(path: Path, told: object) -> tuple[Described, ...]:
    """Return what a process answered with, after a look at whether arrays can be made from it."""
    try:
        found = TypeAdapter(tuple[Described, ...]).validate_python(told)
        sound = all(_is_sound(one) and all(map(_is_sound, one.labels)) for one in found)
    except (ValidationError, TypeError) as error:
        raise ReadError(f"{path}: the process that read it told nonsense: {error}") from error
    if not sound:
        raise ReadError(f"{path}: the process that read it told nonsense: no type of pixels")
    return found


def _is_sound(one: Described) -> bool:
    kind = np.dtype(one.metadata.dtype).kind
    return kind in PIXEL_KINDS and len(one.chunks) == len(one.metadata.levels) and min(map(min, one.chunks)) > 0


def rows_of(path: Path, told: object) -> list[dict[str, Cell]]:
    """Return the rows of a cell table."""
    try:
        return ROWS.validate_python(told)
    except ValidationError as error:
        raise ReadError(f"{path}: the process that read it told nonsense: no rows of a table") from error
