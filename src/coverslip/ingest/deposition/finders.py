"""What one source finds below one parent. Pure: of a listing and values for templates, names with their paths."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from coverslip.ingest.deposition.listing import Listing
from coverslip.ingest.deposition.patterns import compiled, glob_parts
from coverslip.ingest.deposition.schema.finders import (
    AnySource,
    DestinationFilter,
    Glob,
    Literal,
    MultiGlob,
    PhotoLiteral,
    SpacingLiteral,
    TomogramHeader,
)
from coverslip.ingest.deposition.schema.shapes import ShapeFile
from coverslip.ingest.deposition.templates import Template, UnknownNameError, parse_template


class FindError(ValueError):
    """A source cannot be looked for below a parent; the message says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something a finder found.

    Parameters
    ----------
    name
        What it is called.
    path
        Where it lies; empty for a name that stands in the config.
    is_ours
        Whether it lies at the destination already, so that nothing of it is to be written.
    problem
        Why it has no name, when it has none.
    """

    name: str
    path: str = ""
    is_ours: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Values:
    """What templates are filled with below one parent.

    Parameters
    ----------
    literal
        Names of parents: in a glob they stand for themselves.
    row
        The row of the run: its cells may be globs.
    """

    literal: Mapping[str, str]
    row: Mapping[str, str]

    def glob(self, text: str) -> str:
        """Return a glob, filled.

        Raises
        ------
        FindError
            A name has no value for this parent.
        """
        from_glob = {name: _escaped(value) for name, value in self.literal.items()}
        return self._filled(parse_template(text), {**self.row, **from_glob})

    def text(self, text: str) -> str:
        """Return a text that is no glob, filled.

        Raises
        ------
        FindError
            A name has no value for this parent.
        """
        return self._filled(parse_template(text), {**self.row, **self.literal})

    def value(self, template: Template) -> str | int | float | None:
        """Return what a template of the metadata stands for.

        Raises
        ------
        FindError
            A name has no value for this parent, or it is no number where one is asked for.
        """
        try:
            return template.value({**self.row, **self.literal})
        except UnknownNameError as error:
            raise FindError(_unknown(str(error), self.literal)) from error
        except ValueError as error:
            raise FindError(f"{error}.") from error

    def _filled(self, template: Template, values: Mapping[str, str]) -> str:
        try:
            return template.fill(values)
        except UnknownNameError as error:
            raise FindError(_unknown(str(error), self.literal)) from error


def _unknown(name: str, literal: Mapping[str, str]) -> str:
    run = literal.get("run_name")
    return f"Nothing is called {name!r}" + (f" for the run {run!r}." if run else " here.")


def _escaped(value: str) -> str:
    return "/".join(_escape_part(part) for part in value.split("/"))


def _escape_part(part: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in part)


def find(source: AnySource, values: Values, listing: Listing, kind: str) -> Iterator[Found]:
    """Yield what a source finds, in the order of names or as they stand in the config.

    ``kind`` is the type of what is looked for.

    Raises
    ------
    FindError
        A template has a name without a value, so that nothing can be looked for.
    """
    finder, name = _finder(source)
    match finder:
        case Glob():
            yield from _glob(finder, values, listing, at_destination=name == "destination_glob")
        case MultiGlob():
            globs = [values.glob(glob) for glob in finder.list_globs]
            yield from (Found(path, path) for glob in globs for path in listing.glob(glob))
        case Literal():
            yield from (Found(str(value)) for value in finder.value)
        case SpacingLiteral():
            yield from (Found(_spacing(value, values)) for value in finder.value)
        case PhotoLiteral():
            photos = {"snapshot": finder.value.snapshot, "thumbnail": finder.value.thumbnail}
            yield from (Found(kind, path) for kind, path in photos.items() if path)
        case TomogramHeader():
            yield from _header(finder, values, listing)
        case DestinationFilter():
            yield from _written(finder, values, listing, kind)


def find_files(shape: ShapeFile, values: Values, listing: Listing) -> tuple[str, ...]:
    """Return the files of one shape of an annotation.

    Raises
    ------
    FindError
        A template has a name without a value.
    """
    globs = shape.glob_strings or ((shape.glob_string,) if shape.glob_string else ())
    return tuple(dict.fromkeys(path for glob in globs for path in listing.glob(values.glob(glob))))


def _finder(source: AnySource) -> tuple[object, str]:
    for name in type(source).model_fields:
        if name not in ("parent_filters", "exclude") and (finder := getattr(source, name)) is not None:
            return finder, name
    return None, ""


def _glob(finder: Glob, values: Values, listing: Listing, *, at_destination: bool) -> Iterator[Found]:
    match_regex, name_regex = compiled(finder.match_regex), compiled(finder.name_regex)
    for path in listing.glob(values.glob(finder.list_glob), at_destination=at_destination):
        if not match_regex.search(path if at_destination else listing.full_path(path)):
            continue
        basename = glob_parts(path)[-1]
        name = name_regex.match(basename)
        if name is None or not name[1]:
            yield Found("", path, problem=f"{path}: name_regex takes no name out of {basename!r}.")
            continue
        yield Found(name[1], path, is_ours=at_destination)


def _header(finder: TomogramHeader, values: Values, listing: Listing) -> Iterator[Found]:
    match_regex = compiled(finder.match_regex)
    seen = set()
    for path in listing.glob(values.glob(finder.list_glob)):
        if match_regex.search(listing.full_path(path)):
            if path not in listing.voxel_sizes:
                yield Found("", path, problem=f"{path}: the voxel size in its header is not known.")
            elif (size := listing.voxel_sizes[path]) not in seen:
                seen.add(size)
                yield Found(str(size), path)


def _written(finder: DestinationFilter, values: Values, listing: Listing, kind: str) -> Iterator[Found]:
    """Yield what lies below the parent already and has metadata with all of some values."""
    from coverslip.cryoet import layout  # noqa: PLC0415  brings numpy along, which a check does without

    if kind not in (*layout.DOCUMENTS, "annotation"):
        raise FindError(f"destination_filter looks into metadata documents, and a {kind} has none.")
    parent = max(
        (value for name, value in values.literal.items() if name.endswith("_output_path")), key=len, default=""
    )
    above = f"/{parent}/" if parent else "/"
    for key in sorted(listing.documents):
        place = layout.parse(key)
        if place is None or (place.type, place.part) != (kind, "document") or not f"/{key}".startswith(above):
            continue
        document = listing.documents[key]
        if all(_value_at(document, one.key) == one.value for one in finder.filters):
            yield Found(str(place.number or place.run or place.dataset or place.deposition), key, is_ours=True)


def _value_at(document: object, steps: tuple[str, ...]) -> object:
    for step in steps:
        document = document.get(step) if isinstance(document, Mapping) else None
    return document


def _spacing(value: float | Template, values: Values) -> str:
    number = values.value(value) if isinstance(value, Template) else value
    if number is None:
        raise FindError(f"The map says no voxel spacing for the run {values.literal.get('run_name', '')!r}.")
    return str(number)
