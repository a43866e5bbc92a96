"""A config and a listing become the entities of a deposition. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from coverslip.ingest.deposition.entities import SECTIONS, EntityType, children
from coverslip.ingest.deposition.finders import FindError, Found, Values, find, find_files
from coverslip.ingest.deposition.listing import Listing
from coverslip.ingest.deposition.maps import RunMaps
from coverslip.ingest.deposition.patterns import compiled
from coverslip.ingest.deposition.problems import Remark, Step
from coverslip.ingest.deposition.schema import Config
from coverslip.ingest.deposition.schema.finders import AnySource, Parents
from coverslip.ingest.deposition.schema.shapes import AnnotationSource
from coverslip.ingest.deposition.templates import TemplateError, as_type


@dataclass(frozen=True, slots=True)
class EntityFile:
    """A file of an entity; of an annotation also what it gives, and the place in the config that says how."""

    path: str
    shape: str = ""
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Entity:
    """Something a deposition consists of.

    Parameters
    ----------
    type
        The name of its type.
    name
        What it is called among those of its type below its parent. Voxel spacings have three decimals.
    parent
        What contains it.
    files
        Where it lies; none for names that stand in the config.
    steps
        The block of the config it comes from, where its metadata is; empty for what nobody configured.
    is_ours
        Whether it exists at the destination: only what lies in it is written.
    """

    type: str
    name: str
    parent: "Entity | None"
    files: tuple[EntityFile, ...] = ()
    steps: tuple[Step, ...] = ()
    is_ours: bool = False

    def chain(self) -> "Iterator[Entity]":
        """Yield it and everything that contains it, from the inside out."""
        here: Entity | None = self
        while here is not None:
            yield here
            here = here.parent

    @property
    def place(self) -> str:
        """Where the standard layout has it, as far as that does not depend on numbers that are given later."""
        names = [one.name for one in self.chain() if one.type in ("dataset", "run")]
        spacing = [f"Reconstructions/VoxelSpacing{one.name}" for one in self.chain() if one.type == "voxel_spacing"]
        return "/".join([*reversed(names), *spacing])


@dataclass(slots=True)
class Expansion:
    """Everything a config finds in a listing."""

    entities: list[Entity] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    @property
    def counts(self) -> Counter[str]:
        """How many entities of each type."""
        return Counter(entity.type for entity in self.entities)


def expand(config: Config, listing: Listing, maps: RunMaps) -> Expansion:
    """Return the entities that a config finds, parents before children.

    Parameters
    ----------
    config
        A valid config.
    listing
        What lies at the source and at the destination.
    maps
        Its maps.

    What cannot be found because something does not fit is in the remarks; everything else is there nevertheless.
    """
    expansion = Expansion()
    expander = _Expander(config, listing, maps, expansion)
    expander.below(None)
    for steps, found in expander.hits.items():
        if not found:
            expansion.remarks.append(Remark("warning", steps, "It finds nothing."))
    return expansion


@dataclass(frozen=True, slots=True)
class _Expander:
    config: Config
    listing: Listing
    maps: RunMaps
    expansion: Expansion
    hits: Counter[tuple[Step, ...]] = field(default_factory=Counter)
    """How much was found for each block, and of annotations for each shape, that was looked for at all."""

    def below(self, parent: Entity | None) -> None:
        """Add everything below an entity."""
        for kind in children(parent.type if parent else None):
            found = 0
            for entity in self._of(kind, parent):
                found += 1
                self.expansion.entities.append(entity)
                self.below(entity)
            if kind.name == "alignment" and not found:
                # a run without an alignment is taken as it is: its pictures fit together without one
                self.expansion.entities.append(Entity("alignment", "default", parent))

    def _of(self, kind: EntityType, parent: Entity | None) -> Iterator[Entity]:
        blocks = getattr(self.config, kind.section) or ()
        values = values_of(parent, self.maps)
        if kind.name == "annotation":
            for index, block in enumerate(blocks):
                yield from self._annotation((kind.section, index), block.sources, parent, values)
            return
        seen: dict[str, Entity] = {}
        for index, block in enumerate(blocks):
            steps: tuple[Step, ...] = (kind.section, index)
            if kind.name != "alignment" and any(applies(source, parent) for source in block.sources):
                self.hits[steps] += 0
            found = list(self._found(steps, block.sources, parent, values))
            if kind.is_one and found:
                files = tuple(EntityFile(path) for path in dict.fromkeys(one.path for _, one in found) if path)
                yield Entity(kind.name, found[0][1].name, parent, files, steps, all(one.is_ours for _, one in found))
                continue
            for where, one in found:
                entity = self._entity(kind, one, parent, steps, where)
                if entity is not None and self._is_new(entity, seen, where, one):
                    yield entity

    def _found(
        self, steps: tuple[Step, ...], sources: Sequence[AnySource], parent: Entity | None, values: Values
    ) -> Iterator[tuple[tuple[Step, ...], Found]]:
        """Yield what the sources of a block find, each with the path of its source."""
        for index, source in enumerate(sources):
            where = (*steps, "sources", index)
            if not applies(source, parent):
                continue
            try:
                for one in find(source, values, self.listing, SECTIONS[str(steps[0])].name):
                    self.hits[steps] += 1
                    if one.problem:
                        self._say("error", where, one.problem)
                    elif not any(compiled(regex).match(one.name) for regex in source.exclude or ()):
                        yield where, one
            except FindError as error:
                self.hits[steps] += 1
                self._say("error", where, str(error))

    def _entity(
        self, kind: EntityType, one: Found, parent: Entity | None, steps: tuple[Step, ...], where: tuple[Step, ...]
    ) -> Entity | None:
        name = one.name
        if kind.name == "voxel_spacing":
            try:
                name = f"{as_type(name, 'float'):.3f}"
            except TemplateError:
                self._say("error", where, f"{name!r} is no voxel spacing in angstrom.")
                return None
        files = (EntityFile(one.path),) if one.path else ()
        return Entity(kind.name, name, parent, files, steps, one.is_ours)

    def _is_new(self, entity: Entity, seen: dict[str, Entity], where: tuple[Step, ...], one: Found) -> bool:
        """Return whether an entity is the first of its name below its parent, and say so when it is not.

        Two blocks may use a name: they differ in their metadata.
        """
        key = entity.name if entity.type in CONTAINERS else f"{entity.steps} {entity.name}"
        before = seen.setdefault(key, entity)
        if before is entity:
            return True
        if before.files != entity.files:
            first = before.files[0].path if before.files else "its name in the config"
            if entity.type in CONTAINERS:
                self._say("warning", where, f"{entity.name!r} is found twice; {first} counts and {one.path} does not.")
            else:
                self._say("error", where, f"{first} and {one.path} are both called {entity.name!r}.")
        return False

    def _annotation(
        self, steps: tuple[Step, ...], sources: Iterable[AnnotationSource], parent: Entity | None, values: Values
    ) -> Iterator[Entity]:
        """Yield the annotation of one block, with the files of all its shapes, if there are any."""
        files = []
        for index, source in enumerate(sources):
            if not applies(source, parent):
                continue
            for shape in type(source).model_fields:
                if shape in ("parent_filters", "exclude") or (wanted := getattr(source, shape)) is None:
                    continue
                where = (*steps, "sources", index, shape)
                try:
                    paths = find_files(wanted, values, self.listing)
                except FindError as error:
                    self._say("error", where, str(error))
                    continue
                self.hits[where] += len(paths)
                excluded = [compiled(regex).match for regex in source.exclude or ()]
                paths = tuple(path for path in paths if not any(match(path.rsplit("/", 1)[-1]) for match in excluded))
                if len(paths) > 1:
                    self._say("warning", where, f"{len(paths)} files fit: {paths[0]}, {paths[1]}, and one is expected.")
                files += [EntityFile(path, shape, where) for path in paths]
        if files:
            name = (
                self.config.annotations[int(steps[1])].metadata.annotation_ingest_id if self.config.annotations else ""
            )
            yield Entity("annotation", name, parent, tuple(files), steps)

    def _say(self, severity: str, steps: tuple[Step, ...], sentence: str) -> None:
        self.expansion.remarks.append(Remark("error" if severity == "error" else "warning", steps, sentence))


CONTAINERS = ("deposition", "dataset", "run", "voxel_spacing")
"""Types that are what they are called: one found twice is still one."""


def applies(source: AnySource, parent: Entity | None) -> bool:
    """Return whether the parent filters of a source let it be looked for below an entity."""
    filters = source.parent_filters
    if filters is None or parent is None:
        return True
    names = {entity.type: entity.name for entity in parent.chain()}
    included = filters.include is None or all(_fits(names, kind, regexes) for kind, regexes in _sides(filters.include))
    excluded = filters.exclude is not None and any(
        _fits(names, kind, regexes) for kind, regexes in _sides(filters.exclude)
    )
    return included and not excluded


def _sides(parents: Parents) -> Iterator[tuple[str, tuple[str, ...]]]:
    for kind in type(parents).model_fields:
        regexes = getattr(parents, kind)
        if regexes is not None:
            yield kind, regexes


def _fits(names: dict[str, str], kind: str, regexes: tuple[str, ...]) -> bool:
    return any(compiled(regex).search(names.get(kind, "")) for regex in regexes)


def values_of(parent: Entity | None, maps: RunMaps) -> Values:
    """Return what templates below an entity are filled with."""
    literal: dict[str, str] = {"output_path": ""}
    row: dict[str, str] = {}
    for entity in parent.chain() if parent else ():
        literal[f"{entity.type}_name"] = entity.name
        literal[f"{entity.type}_path"] = entity.files[0].path if entity.files else entity.name
        literal[f"{entity.type}_output_path"] = entity.place
        if entity.name.isdecimal():
            literal[f"int_{entity.type}_name"] = str(int(entity.name))
        if entity.type in ("deposition", "dataset"):
            literal[f"{entity.type}_id"] = entity.name
        if entity.type == "run":
            row = maps.row(entity.name)
    return Values(literal, row)
