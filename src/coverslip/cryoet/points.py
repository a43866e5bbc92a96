"""Points as programs write them -> ``Points``: one function per source format, in one table."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from coverslip.cryoet import copick, imod_model, particles, tables
from coverslip.cryoet.pointset import Options, Points, PointShape
from coverslip.errors import InvalidRequestError

Read = Callable[[Path, PointShape, Options], Points]
ANYWHERE = frozenset({"binning"})


@dataclass(frozen=True, slots=True)
class PointFormat:
    """One source format of points."""

    title: str
    read: Read
    shapes: tuple[PointShape, ...]
    """What can be read from it."""
    options: frozenset[str] = ANYWHERE
    """The options that mean something for it; others are refused."""
    delimiter: str = ","
    """What stands between its columns where nobody says otherwise."""


_PLACED: tuple[PointShape, ...] = ("Point", "OrientedPoint")
_ORDERED = ANYWHERE | {"order"}
_FILTERED = _ORDERED | {"filter_value"}
FORMATS: dict[str, PointFormat] = {
    "csv": PointFormat("Table without header", tables.read_csv, ("Point",), _ORDERED | {"delimiter"}),
    "csv_with_header": PointFormat(
        "Table with header", tables.read_csv_with_header, ("Point",), _ORDERED | {"delimiter"}
    ),
    "tsv": PointFormat("Table with tabs", tables.read_tsv, ("Point",), _ORDERED, "\t"),
    "mod": PointFormat("IMOD model", imod_model.read_model, _PLACED, _ORDERED),
    "relion3_star": PointFormat("RELION 3", particles.read_relion3, _PLACED, _FILTERED),
    "relion4_star": PointFormat("RELION 4", particles.read_relion4, _PLACED, _FILTERED),
    "tomoman_relion_star": PointFormat("TOMOMAN", particles.read_relion4, _PLACED, _FILTERED),
    "stopgap_star": PointFormat("STOPGAP motive list", particles.read_stopgap, _PLACED, _FILTERED),
    "dynamo_tbl": PointFormat("Dynamo table", particles.read_dynamo, _PLACED, _FILTERED),
    "copick": PointFormat("copick picks", copick.read_copick, (*_PLACED, "InstanceSegmentation")),
    "tardis": PointFormat("TARDIS instances", tables.read_tardis, ("InstanceSegmentation",)),
}
"""Every format of points by the name that configurations use."""
DEFAULTS: dict[str, tuple[object, ...]] = {
    "binning": (None, 0),
    "order": (None, "", "xyz"),
    "columns": (None, "", "xyz"),
    "delimiter": (None, ""),
    "filter_value": (None, ""),
}
"""Every option, and the values that say no more than leaving it away."""


def read_points(path: Path, shape: PointShape, file_format: str, **options: object) -> Points:
    """Return the points of a file, in voxels of the tomogram.

    Parameters
    ----------
    path
        The file.
    shape
        ``"Point"``, ``"OrientedPoint"`` or ``"InstanceSegmentation"``.
    file_format
        A name in ``FORMATS``.
    **options
        As configurations name them, see ``Options``: ``binning``, ``order`` (``columns`` is the same), ``delimiter``,
        ``filter_value``. ``None`` and an empty value are the same as leaving one away.

    Raises
    ------
    InvalidRequestError
        There is no such format, it has no points of this shape, or an option makes no sense for it.
    UnreadableFileError
        The system did not let us look.
    ReadError
        The file is damaged, or is not of this format.
    """
    known = FORMATS.get(file_format)
    if known is None:
        raise InvalidRequestError(f"there is no format {file_format!r} of points. There are: {', '.join(FORMATS)}")
    if shape not in known.shapes:
        having = ", ".join(name for name, each in FORMATS.items() if shape in each.shapes) or "none"
        raise InvalidRequestError(f"{file_format} has no points of the shape {shape}. These have: {having}")
    return known.read(path, shape, _options(file_format, known, options))


def _options(name: str, known: PointFormat, given: dict[str, object]) -> Options:
    """Return checked options; all problems at once."""
    problems = [f"{key}: there is no such option" for key in given if key not in DEFAULTS]
    said = {key: value for key, value in given.items() if key in DEFAULTS and value not in DEFAULTS[key]}
    if said.get("delimiter") == known.delimiter:
        del said["delimiter"]
    if "columns" in said and said.setdefault("order", said["columns"]) != said["columns"]:
        problems.append(f"columns: {said['columns']!r} contradicts order {said['order']!r}")
    said.pop("columns", None)
    problems += [f"{key}: means nothing for {name}" for key in said if key not in known.options]
    wrong: dict[str, tuple[type, ...]] = {"binning": (int, float)}
    problems += [
        f"{key}: {value!r} is of the wrong kind"
        for key, value in said.items()
        if not isinstance(value, wrong.get(key, (str,))) or isinstance(value, bool)
    ]
    if problems:
        raise InvalidRequestError(f"{name} cannot be read as asked", problems)
    return Options(**said)  # type: ignore[arg-type]  # each value was just compared with its type
