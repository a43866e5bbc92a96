"""A listing made up from a config: what its globs ask for, as if it were there.

With it a config is expanded before anybody has its files. It shows that finders, filters and templates work together;
it says nothing about what the bucket holds.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from coverslip.ingest.deposition.entities import EntityType, children
from coverslip.ingest.deposition.expand import Entity, Expansion, applies, expand, values_of
from coverslip.ingest.deposition.finders import FindError, Values
from coverslip.ingest.deposition.listing import Listing
from coverslip.ingest.deposition.maps import RunMap, RunMaps
from coverslip.ingest.deposition.patterns import compiled, glob_parts, is_pattern, name_pattern
from coverslip.ingest.deposition.samples import sample_of_glob, sample_of_regex
from coverslip.ingest.deposition.schema import Config
from coverslip.ingest.deposition.schema.finders import AnySource, Glob, MultiGlob, TomogramHeader
from coverslip.ingest.deposition.schema.shapes import ShapeFile
from coverslip.ingest.deposition.templates import Type

RUNS = 2
"""Runs made up for each source of runs: two are enough to see that they stay apart."""

LEVELS = 7
"""Rounds: each finds what lies in what the round before made up."""

SPACING = "10.000"


@dataclass(frozen=True, slots=True)
class Example:
    """A config, expanded over what its own globs ask for.

    Parameters
    ----------
    listing
        What was made up.
    expansion
        What the config finds in it.
    maps
        Its maps, with a row made up for every run where one is not here.
    """

    listing: Listing
    expansion: Expansion
    maps: RunMaps = field(default_factory=RunMaps)


@dataclass(slots=True)
class _Paths:
    prefix: str
    source: set[str] = field(default_factory=set)
    destination: set[str] = field(default_factory=set)
    voxel_sizes: dict[str, float] = field(default_factory=dict)

    def listing(self) -> Listing:
        return Listing.of(self.source, self.destination, voxel_sizes=self.voxel_sizes, prefix=self.prefix)

    def __len__(self) -> int:
        return len(self.source) + len(self.destination)


def make_example(config: Config, maps: RunMaps, unchecked: dict[str, Type]) -> Example:
    """Return a config expanded over a listing made up from it.

    Parameters
    ----------
    config
        A valid config.
    maps
        Its maps, as far as they are here.
    unchecked
        Columns of maps that are not here, with the type asked for: their cells are made up too.
    """
    paths = _Paths(f"source/{config.standardization_config.source_prefix}")
    expansion, runs, known = Expansion(), set[str](), maps
    for _ in range(LEVELS):
        known = _with_rows(maps, runs, unchecked)
        expansion = expand(config, paths.listing(), known)
        found = {entity.name for entity in expansion.entities if entity.type == "run"}
        before = len(paths)
        for parent in (None, *expansion.entities):
            for kind in children(parent.type if parent else None):
                _MakeUp(kind, parent, config, known, paths).all()
        if len(paths) == before and found == runs:
            break
        runs = found
    return Example(paths.listing(), expansion, known)


def _with_rows(maps: RunMaps, runs: set[str], unchecked: dict[str, Type]) -> RunMaps:
    """Return the maps with a row made up for every run, where a map is not here."""
    if not unchecked:
        return maps
    row = {name: name if kind == "text" else "10" for name, kind in unchecked.items()}
    rows = {run: (0, {"run_name": run, **{name: _cell(name, run, cell) for name, cell in row.items()}}) for run in runs}
    return RunMaps({**maps.maps, "made up": RunMap("", tuple(row), rows)}, maps.states)


def _cell(name: str, run: str, cell: str) -> str:
    return cell if cell == "10" else f"{name}-{run}"


@dataclass(frozen=True, slots=True)
class _MakeUp:
    """Adds the paths that the sources of one type would find below one parent."""

    kind: EntityType
    parent: Entity | None
    config: Config
    maps: RunMaps
    paths: _Paths

    def all(self) -> None:
        """Add the paths of every source that applies."""
        values = values_of(self.parent, self.maps)
        for block in getattr(self.config, self.kind.section) or ():
            for source in block.sources:
                if applies(source, self.parent):
                    with suppress(FindError):  # expanding says so
                        self._source(source, values)

    def _source(self, source: AnySource, values: Values) -> None:
        for name in type(source).model_fields:
            match getattr(source, name):
                case Glob() as finder:
                    made = self._found(finder, values, source)
                    most = RUNS if self.kind.name == "run" else 1
                    into = self.paths.destination if name == "destination_glob" else self.paths.source
                    into.update(islice(made, most))
                case MultiGlob() as finder:
                    self.paths.source.update(_path_of_glob(values.glob(glob)) for glob in finder.list_globs)
                case TomogramHeader() as finder:
                    glob = Glob(list_glob=finder.list_glob, match_regex=finder.match_regex)
                    for path in islice(self._found(glob, values, source), 1):
                        self.paths.source.add(path)
                        self.paths.voxel_sizes[path] = float(SPACING)
                case ShapeFile() as shape:
                    globs = shape.glob_strings or ((shape.glob_string,) if shape.glob_string else ())
                    self.paths.source.update(_path_of_glob(values.glob(glob)) for glob in globs[:1])

    def _found(self, finder: Glob, values: Values, source: AnySource) -> Iterator[str]:
        wanted = _names(self.kind, self.config, self.maps)
        return _paths_of(finder, values.glob(finder.list_glob), wanted, source, self.paths.prefix)


def _names(kind: EntityType, config: Config, maps: RunMaps) -> list[str]:
    """Return names that entities of a type should have: from the maps, and from the filters that ask for them."""
    found = list(maps.runs[:RUNS]) if kind.name == "run" else []
    for section in type(config).model_fields:
        blocks = getattr(config, section)
        for block in blocks if isinstance(blocks, tuple) else ():
            for source in block.sources:
                include = source.parent_filters.include if source.parent_filters else None
                regexes = getattr(include, kind.name, None) or ()
                found += [sample_of_regex(regex) for regex in regexes]
    if kind.name == "voxel_spacing":
        found.append(SPACING)
    return list(dict.fromkeys(found))


def _paths_of(finder: Glob, glob: str, names: list[str], source: AnySource, prefix: str) -> Iterator[str]:
    """Yield paths that a finder finds, those with a name that is asked for first."""
    parts = glob_parts(glob)
    if not parts:
        return
    folder = [sample_of_glob(part, "x") if is_pattern(part) else part for part in parts[:-1] if part != "**"]
    seen = set()
    for fill in _fills(finder, names):
        for last in dict.fromkeys((fill, sample_of_glob(parts[-1], fill))):
            path = "/".join([*folder, last])
            if path not in seen and name_pattern(parts[-1]).match(last) and _is_found(finder, path, source, prefix):
                seen.add(path)
                yield path


def _fills(finder: Glob, names: list[str]) -> Iterator[str]:
    for name in names:
        yield from (sample_of_regex(finder.name_regex, group=name, dot=dot) for dot in ".x")
        yield name
    for regex in (finder.match_regex, finder.name_regex):
        yield from (sample_of_regex(regex, dot=dot).rsplit("/", 1)[-1] for dot in ".x")
    for fill in ("x", "a", "0", "10.000"):
        yield from (sample_of_regex(finder.name_regex, group=fill, dot=dot) for dot in ".x")
        yield fill


def _is_found(finder: Glob, path: str, source: AnySource, prefix: str) -> bool:
    basename = path.rsplit("/", 1)[-1]
    if not basename or not compiled(finder.match_regex).search(f"{prefix.strip('/')}/{path}"):
        return False
    name = compiled(finder.name_regex).match(basename)
    return bool(name and name[1]) and not _is_excluded(name[1] if name else "", source.exclude or ())


def _is_excluded(name: str, regexes: Iterable[str]) -> bool:
    return any(compiled(regex).match(name) for regex in regexes)


def _path_of_glob(glob: str) -> str:
    return "/".join(
        sample_of_glob(part, "x") if is_pattern(part) else part for part in glob_parts(glob) if part != "**"
    )
