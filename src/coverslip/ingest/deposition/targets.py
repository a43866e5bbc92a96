"""Entities of a config -> entities of the destination: identities, numbers, folders, metadata. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from coverslip.cryoet import layout
from coverslip.errors import InvalidRequestError
from coverslip.ingest.deposition import identities
from coverslip.ingest.deposition.expand import Entity, applies, values_of
from coverslip.ingest.deposition.filled import metadata_of
from coverslip.ingest.deposition.known import Known, Numbers
from coverslip.ingest.deposition.maps import RunMaps
from coverslip.ingest.deposition.placing import (
    DEFAULT_VERSION,
    ONE_OF,
    RAW_TILTS,
    TOLD_APART,
    documented,
    in_folder,
    path_of,
    source_of,
)
from coverslip.ingest.deposition.problems import Remark, Severity, Step
from coverslip.ingest.deposition.schema import Config
from coverslip.ingest.deposition.steps import Target

DERIVED = ("key_image",)
"""Types that a config may name and that are made of others, whenever those change."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entity of the config that is not written."""

    type: str
    place: str
    """Where it would lie: dataset, run and voxel spacing."""
    name: str
    reason: str


@dataclass(slots=True)
class Found:
    """The entities of a plan so far."""

    targets: list[Target] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def make_targets(config: Config, entities: Sequence[Entity], maps: RunMaps, known: Known) -> Found:
    """Return entities of the destination, parents before children, and why others are none.

    Parameters
    ----------
    config
        A valid config.
    entities
        What it finds, parents before children.
    maps
        Its maps.
    known
        What the destination holds.
    """
    maker = _Maker(config, maps, known, Numbers(known))
    for entity in entities:
        maker.take(entity)
    return maker.found


@dataclass(slots=True)
class _Maker:
    config: Config
    maps: RunMaps
    known: Known
    numbers: Numbers
    found: Found = field(default_factory=Found)
    _of: dict[int, Target] = field(default_factory=dict)
    """Targets by the ``id`` of their entity: entities live as long as the plan is made."""
    _identities: dict[str, Target] = field(default_factory=dict)
    _alignments: dict[str, list[Target]] = field(default_factory=dict)
    """Of each run, its alignments in the order of the config."""
    _without: dict[str, str] = field(default_factory=dict)
    """Of runs whose alignment is named and absent, why nothing of them can be written."""

    def take(self, entity: Entity) -> None:
        """Add an entity, or say why not."""
        if entity.type in DERIVED:
            return self._skip(entity, "it is made of the tomogram and its annotations, and never ingested")
        parent = self._of.get(id(entity.parent)) if entity.parent else None
        if entity.parent is not None and parent is None:
            return self._skip(entity, f"the {entity.parent.type} {entity.parent.name!r} that it lies in is skipped")
        try:
            target = self._target(entity, parent)
        except InvalidRequestError as error:
            self._say("error", entity.steps, f"{entity.type} {entity.name!r}: {error}.")
            return self._skip(entity, str(error))
        if target is None:
            return None
        if (other := self._identities.get(target.identity)) is not None:
            return self._conflict(entity, other)
        self._identities[target.identity] = target
        self._of[id(entity)] = target
        if entity.type == "alignment":
            self._alignments.setdefault(target.parent or "", []).append(target)
        self.found.targets.append(target)
        return None

    def _conflict(self, entity: Entity, other: Target) -> None:
        """Say that two things of the config would be one at the destination."""
        if entity.type in ONE_OF:
            return self._skip(entity, f"{source_of(other.entity)} is taken: a run has one")
        what = TOLD_APART.get(entity.type, "")
        self._say(
            "error",
            entity.steps,
            f"{source_of(other.entity)} and {source_of(entity)} of {entity.place} would be one {entity.type}.{what}",
        )
        return self._skip(entity, f"{source_of(other.entity)} would be the same {entity.type}")

    def _target(self, entity: Entity, parent: Target | None) -> Target | None:
        owner = str(self.config.standardization_config.deposition_id)
        values = values_of(entity.parent, self.maps)
        metadata = metadata_of(self.config, entity, values, lambda steps, why: self._say("error", steps, why))
        base = Target(
            entity,
            "",
            parent.identity if parent else None,
            owner,
            None,
            "",
            metadata=metadata or {},
            is_written=not entity.is_ours,
        )
        is_described = metadata is not None
        if entity.type == "deposition":
            made = replace(base, identity=identities.deposition(entity.name), folder=layout.deposition(entity.name))
            return documented(made, is_written=is_described)
        if entity.type == "dataset":
            made = replace(base, identity=identities.dataset(entity.name), folder=layout.dataset(entity.name))
            return documented(made, is_written=is_described)
        assert parent is not None
        return self._inside(base, parent, is_described=is_described)

    def _inside(self, base: Target, parent: Target, *, is_described: bool) -> Target | None:
        kind, name = base.entity.type, base.entity.name
        if kind == "run":
            return self._run(base, parent)
        if kind == "voxel_spacing":
            folder = layout.spacing(parent.folder, name)
            return replace(base, identity=identities.spacing(parent.identity, name), folder=folder)
        if kind == "alignment":
            return self._alignment(base, parent, is_described=is_described)
        if kind in layout.CONTAINERS:
            return self._numbered(base, parent, is_described=is_described)
        if kind in layout.FOLDERS:
            return in_folder(base, parent)
        return self._beside(base, parent)

    def _run(self, base: Target, parent: Target) -> Target:
        name = base.entity.name
        made = replace(
            base, identity=identities.run(parent.identity, name), folder=layout.run(parent.entity.name, name)
        )
        owner = self.known.owners.get(made.identity, made.deposition)
        if owner != made.deposition:
            self._skip(base.entity, f"it came with the deposition {owner}: its own document stays as it is")
        return documented(made, is_written=owner == made.deposition)

    def _beside(self, base: Target, parent: Target) -> Target | None:
        """Return the target of a key photo, or of what lies in the folder of a tilt series."""
        entity, path = base.entity, path_of(base.entity)
        if entity.type == "ctf":
            name = identities.part(base.metadata.get("format"))
            return replace(base, identity=f"{parent.identity}/ctf/{name}", folder=parent.folder)
        if entity.type == "rawtilt":
            if path and not path.endswith(RAW_TILTS):
                self._skip(entity, f"{path}: raw tilt angles end with {' or '.join(RAW_TILTS)}")
                return None
            return replace(base, identity=f"{parent.identity}/rawtilt", folder=parent.folder)
        return replace(base, identity=f"{parent.identity}/photos/{entity.name}", folder=f"{parent.folder}/Images")

    def _alignment(self, base: Target, parent: Target, *, is_described: bool) -> Target | None:
        entity = base.entity
        container = layout.container("alignment", parent.folder)
        if not entity.steps and (where := self._named(entity)):
            sentence = f"The run {parent.entity.name!r} has no alignment such as this asks for."
            self._say("error", where, sentence)
            self._without[parent.identity] = "its alignment is named in the config, and absent"
            self._skip(entity, self._without[parent.identity])
            return None
        own = identities.of_run(parent.identity, "alignment", base.deposition)
        if entity.is_ours:
            return self._existing(base, parent, container)
        number_of = self.known.numbers.get(container, {})
        if not entity.steps and own not in number_of and (default := self.known.defaults.get(container)):
            # another deposition says already that the pictures of this run fit together as they are
            return self._with_folder(replace(base, identity=default), parent, number_of[default], is_written=False)
        is_written = is_described or not entity.steps or bool(entity.files)
        return self._with_folder(
            replace(base, identity=own), parent, self.numbers.of(container, own), is_written=is_written
        )

    def _named(self, entity: Entity) -> tuple[Step, ...]:
        """Return the place of the first source that asks for an alignment of a run; empty where none does."""
        for index, block in enumerate(self.config.alignments or ()):
            for number, source in enumerate(block.sources):
                if applies(source, entity.parent):
                    return ("alignments", index, "sources", number)
        return ()

    def _numbered(self, base: Target, parent: Target, *, is_described: bool) -> Target | None:
        entity, kind = base.entity, base.entity.type
        container = layout.container(kind, parent.folder)
        if entity.is_ours:
            return self._existing(base, parent, container)
        if not is_described:
            self._skip(entity, "its block has no metadata: it is taken to exist")
            return None
        if kind == "tiltseries":
            identity = identities.of_run(parent.identity, kind, base.deposition)
            number = self.numbers.of(container, identity)
            return self._with_folder(replace(base, identity=identity), parent, number, is_written=True)
        if (why := self._without.get(parent.parent or "")) is not None:
            self._skip(entity, why)
            return None
        alignments = self._alignments.get(parent.parent or "")
        if not alignments:
            self._skip(entity, "the alignment of its run is skipped")
            return None
        alignment = alignments[0]
        name = identities.alignment_name(alignment.document)
        if kind == "tomogram":
            identity = identities.tomogram(parent.identity, base.metadata, name, base.deposition)
        else:
            identity = identities.annotation(parent.identity, base.deposition, entity.name, name)
        made = replace(base, identity=identity, alignment=alignment.document)
        return self._with_folder(made, parent, self.numbers.of(container, identity), is_written=True)

    def _existing(self, base: Target, parent: Target, container: str) -> Target | None:
        """Return what a source found at the destination."""
        entity, kind = base.entity, base.entity.type
        numbers = []
        for file in entity.files:
            place = layout.parse(file.path)
            if (
                place is not None
                and place.type == kind
                and place.number is not None
                and file.path.startswith(container)
            ):
                numbers.append(place.number)
        if not numbers:
            self._skip(entity, f"{source_of(entity)} is no folder of one of the run")
            return None
        if len(set(numbers)) > 1:
            some = ", ".join(str(one) for one in sorted(set(numbers)))
            self._say("warning", entity.steps, f"{container} has several that fit: {some}; the first counts.")
        number = min(numbers)
        identity = self.known.identity(container, number) or identities.unnamed(parent.identity, kind, number)
        return self._with_folder(replace(base, identity=identity), parent, number, is_written=False)

    def _with_folder(self, target: Target, parent: Target, number: int, *, is_written: bool) -> Target:
        kind = target.entity.type
        folder = layout.numbered(kind, parent.folder, number)
        if kind == "annotation":
            marked, version = target.metadata["annotation_object"], target.metadata.get("version")
            stem = layout.annotation_stem(
                str(marked["name"]), marked.get("description"), DEFAULT_VERSION if version is None else version
            )
            document = layout.annotation_document(folder, stem)
        else:
            document = layout.document(kind, folder)
        made = replace(target, number=number, folder=folder, document=document, is_written=is_written)
        return replace(made, alignment=document) if kind == "alignment" else made

    def _skip(self, entity: Entity, reason: str) -> None:
        self.found.skipped.append(Skipped(entity.type, entity.place, entity.name, reason))

    def _say(self, severity: Severity, steps: tuple[Step, ...], sentence: str) -> None:
        self.found.remarks.append(Remark(severity, steps, sentence))
