"""Derived artifacts in the places that a layout has for them, for viewers that read buckets and know no server."""

import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from coverslip.cryoet.layout import PHOTOS, key_photo, neuroglancer_config, parse, photo
from coverslip.derive.builder import Builder
from coverslip.derive.publication import PublishedItem, PublishReport
from coverslip.derive.serving import current
from coverslip.derive.viewing.key_photos import KEY_PHOTOS
from coverslip.derive.viewing.layout_files import folder_of_spacing, precomputes_of
from coverslip.derive.viewing.measured import CONTRAST_LIMITS, measured
from coverslip.derive.viewing.refreshing import runs_of
from coverslip.derive.viewing.shapes import LABELS, labels_from
from coverslip.derive.viewing.states import scene_of
from coverslip.errors import BuildError, CatalogError, CoverslipError, InvalidRequestError, ReadError
from coverslip.model.entities import EntityRecord, StepRecord
from coverslip.model.records import ArtifactRecord
from coverslip.neuroglancer import Published, build_state, to_bytes
from coverslip.neuroglancer.precomputed import Packed
from coverslip.neuroglancer.sources import PUBLISHED_SUFFIXES
from coverslip.storage import Storage, digest_of

DIGITS = 32
"""Hexadecimal digits that tell contents apart: 128 bits."""
PRECOMPUTED = "precomputed-"
WRITING = "writing"
"""The digest of a step that has begun; whoever finds it takes the step for not done."""
DESTINATION = "destination"
MARKS = "marks"
FOLDERS = ("NeuroglancerPrecompute", "Images")
"""What is published lies in these, below a voxel spacing."""

_TOP = re.compile(r"https?://[^\s?#]+")

Content = tuple[str, bytes]
"""A key and its bytes."""


class _StoppedError(Exception):
    """Nobody wants the rest any more."""


def publish(
    builder: Builder,
    destination: Storage,
    layout: str,
    *,
    top: str | None,
    runs: Collection[str] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_item: Callable[[PublishedItem], None] = lambda item: None,
) -> PublishReport:
    """Write precomputes, viewer states and key photos of some runs into their places below the top of a layout.

    What is stale is built first. What has the content it had when it was published last, and is still there, is not
    written: of that the artifacts are not even read. What fails leaves the others alone, and a state has no layer of
    what could not be published.

    Parameters
    ----------
    builder
        Builds what is stale.
    destination
        The top of the layout.
    layout
        As the catalog calls it.
    top
        The ``https`` address that the layout is read at, with or without a slash at its end. Where it is left out no
        states are published: they are full of it.
    runs
        Identities of runs; all of the layout where left out.
    should_stop
        Asked between two objects and two reads.
    on_item
        Told what became of each.

    Raises
    ------
    InvalidRequestError
        The address is none.
    CatalogError
        The catalog does not answer.
    """
    if top is not None:
        check_top(top)
    began = time.monotonic()
    work = _Publishing(builder, destination, layout, top, should_stop, on_item)
    is_stopped = False
    try:
        every = list(runs_of(builder, layout, runs))
        for run in every:
            work.publish(run)
        for dataset in dict.fromkeys(run.partition("/runs/")[0] for run in every):
            work.publish_photos(dataset)
    except _StoppedError:
        is_stopped = True
    return PublishReport(tuple(work.items), is_stopped, time.monotonic() - began)


def check_top(top: str) -> None:
    """Refuse what is no address that browsers can read a layout at.

    Raises
    ------
    InvalidRequestError
        It is none.
    """
    if not _TOP.fullmatch(top):
        raise InvalidRequestError(
            f"{top[:200]!r} is no address that a layout can be read at, such as https://host/path"
        )


@dataclass(slots=True)
class _Publishing:
    builder: Builder
    destination: Storage
    layout: str
    top: str | None
    should_stop: Callable[[], bool]
    on_item: Callable[[PublishedItem], None]
    items: list[PublishedItem] = field(default_factory=list)
    steps: Mapping[str, StepRecord] = field(default_factory=dict)
    """What was published before, of the present run."""
    there: dict[str, str] = field(default_factory=dict)
    """The keys that are at the destination, of the present run, and what tells their contents apart there."""
    folders: set[str] = field(default_factory=set)
    """The precomputes that are published and current."""

    def publish(self, run: str) -> None:
        """Publish what belongs to a run, precomputes before the states that speak of them."""
        catalog = self.builder.catalog
        entities = catalog.entities(self.layout, under=run)
        annotations = {one.id: one for one in entities if one.type == "annotation"}
        tomograms = [one for one in entities if one.type == "tomogram" and one.image_id is not None]
        self.steps = catalog.steps(self.layout, run)
        self.folders.clear()
        try:
            self.there = self._list([*annotations.values(), *tomograms])
        except CoverslipError as error:
            self._note(PublishedItem(run, "listing", "failed", reason=str(error)))
            return
        for record in catalog.artifacts_of_entities(catalog.images_showing(annotations)):
            if record.kind.startswith(PRECOMPUTED) and record.entity_id is not None:
                self._try(
                    annotations[record.entity_id], record.kind.removeprefix(PRECOMPUTED), self._precompute, record
                )
        for tomogram in tomograms:
            if self.top is not None:
                self._try(tomogram, "neuroglancer_config", self._state, (tomogram, Published(self.top)))
            for kind in KEY_PHOTOS:
                self._try(tomogram, kind.name, self._photo, (tomogram, kind.name))

    def publish_photos(self, dataset: str) -> None:
        """Give a dataset whose config names no photos those of its first tomogram, as the portal does."""
        catalog = self.builder.catalog
        owners = catalog.entities(self.layout, identities=[dataset])
        tomograms = catalog.entities(self.layout, under=dataset, type="tomogram")
        first = min((one for one in tomograms if one.image_id is not None), key=lambda one: one.identity, default=None)
        own = owners[0].document.get("key_photos") if owners else None
        if first is None or not owners or not owners[0].key or (isinstance(own, dict) and any(own.values())):
            return
        self.steps = catalog.steps(self.layout, f"{dataset}#")
        folder = owners[0].key.rpartition("/")[0]
        try:
            self.there = {found.key: found.version for found in self.destination.list(f"{folder}/Images")}
        except CoverslipError as error:
            self._note(PublishedItem(dataset, "listing", "failed", reason=str(error)))
            return
        for size in PHOTOS:
            self._try(owners[0], f"key-photo-{size}", self._photo_at, (first, photo(folder, size, "png")))

    def _list(self, entities: Iterable[EntityRecord]) -> dict[str, str]:
        """Return what is there of all that may be published of some entities."""
        spacings = set()
        for one in entities:
            place = parse(one.key)
            if place is not None and place.spacing:
                spacings.add(folder_of_spacing(one))
        return {
            found.key: found.version
            for spacing in sorted(spacings)
            for folder in FOLDERS
            for found in self.destination.list(f"{spacing}/{folder}")
        }

    def _note(self, item: PublishedItem) -> None:
        self.items.append(item)
        self.on_item(item)

    def _try[T](
        self, entity: EntityRecord, what: str, make: Callable[[EntityRecord, str, T], PublishedItem], given: T
    ) -> None:
        """Publish one thing; what goes wrong is said, and stops nothing else."""
        if self.should_stop():
            raise _StoppedError
        try:
            self._note(make(entity, what, given))
        except CatalogError:
            raise
        except (CoverslipError, OSError) as error:
            if self.should_stop():
                raise _StoppedError from error
            self._note(PublishedItem(entity.identity, what, "failed", reason=str(error)))

    def _precompute(self, entity: EntityRecord, what: str, stale: ArtifactRecord) -> PublishedItem:
        folder = f"{precomputes_of(entity)}_{PUBLISHED_SUFFIXES.get(what, what)}"
        record = self._fresh(stale.kind, stale.image_id, entity.id)

        def contents() -> list[Content]:
            packed = Packed(self._bytes(record))
            return [(f"{folder}/{name}", packed.read(name)) for name in sorted(packed.names(), key=_infos_last)]

        item = self._put(entity, what, f"{record.etag} {folder}", contents)
        self.folders.add(folder)
        return item

    def _state(self, entity: EntityRecord, what: str, given: tuple[EntityRecord, Published]) -> PublishedItem:
        tomogram, sources = given
        if not tomogram.image_key.endswith(".zarr"):
            raise ReadError(f"tomogram {tomogram.id} has no OME-Zarr, which is what Neuroglancer reads")
        key = neuroglancer_config(folder_of_spacing(tomogram), _number(tomogram))
        state = self._document(tomogram, sources)

        def contents() -> list[Content]:
            now = int(self.builder.catalog.now().timestamp())
            return [(key, to_bytes({**state, "last_updated_at": now}))]

        return self._put(entity, what, f"{digest_of(to_bytes(state))} {key}", contents)

    def _document(self, tomogram: EntityRecord, sources: Published) -> dict[str, Any]:
        """Return the state of a tomogram with published sources, without layers of what is not there."""
        catalog, image_id = self.builder.catalog, str(tomogram.image_id)
        surroundings = catalog.surroundings(image_id)
        found = measured(self._bytes(self._fresh(CONTRAST_LIMITS, image_id, None)))
        around = surroundings.annotations if surroundings is not None else ()
        labels: dict[int, tuple[int, ...]] = {}
        for record in catalog.artifacts_of_entities(one.id for one in around):
            if record.kind == LABELS and record.entity_id is not None:
                try:
                    labels[record.entity_id] = labels_from(self._bytes(self._fresh(LABELS, image_id, record.entity_id)))
                except BuildError:
                    continue  # as in the state that is served here
        # what people marked here is theirs, and no part of what is published
        scene = scene_of(catalog.get_image(image_id), surroundings, (), found, labels)
        state = build_state(scene, sources=sources)
        known = {f"precomputed://{sources.below(folder)}" for folder in self.folders}
        state["layers"] = [one for one in state["layers"] if one["type"] == "image" or one["source"]["url"] in known]
        return state

    def _photo(self, entity: EntityRecord, what: str, given: tuple[EntityRecord, str]) -> PublishedItem:
        tomogram, kind = given
        key = key_photo(folder_of_spacing(tomogram), _number(tomogram), kind.removeprefix("key-photo-"))
        return self._photo_at(entity, what, (tomogram, key))

    def _photo_at(self, entity: EntityRecord, what: str, given: tuple[EntityRecord, str]) -> PublishedItem:
        tomogram, key = given
        record = self._fresh(what, str(tomogram.image_id), None)
        return self._put(entity, what, f"{record.etag} {key}", lambda: [(key, self._bytes(record))])

    def _fresh(self, kind: str, image_id: str, entity_id: int | None) -> ArtifactRecord:
        record = self.builder.wanted(kind, image_id, None, entity_id)
        if record.is_fresh(self.builder.versions[kind]):
            return record
        return self.builder.build_until(record, self.should_stop)

    def _bytes(self, record: ArtifactRecord) -> bytes:
        """Return the bytes of an artifact, built again where they are gone from the storage."""
        catalog, storage, versions = self.builder.catalog, self.builder.storage, self.builder.versions
        while True:
            found, data = current(
                catalog, storage, record.kind, record.image_id, None, record.entity_id, versions=versions
            )
            if data is not None:
                return data
            self.builder.build_until(found, self.should_stop)

    def _put(
        self, entity: EntityRecord, what: str, content: str, contents: Callable[[], list[Content]]
    ) -> PublishedItem:
        """Write the objects of one thing that are not there as they should be, in their order."""
        name, place = f"{entity.identity}#publish:{what}", self.destination.url
        digest = digest_of(content.encode())[:DIGITS]
        step = self.steps.get(name)
        before = step if step is not None and step.facts.get(DESTINATION) == place else None
        marks = before.facts.get(MARKS) if before is not None else None
        left = {key for key in self.there if isinstance(marks, dict) and marks.get(key) == self.there[key]}
        if before is not None and before.digest == digest and before.outputs.keys() <= left:
            return PublishedItem(entity.identity, what, "unchanged")
        objects = contents()
        made = {key: digest_of(data)[:DIGITS] for key, data in objects}
        known = dict(before.outputs) if before is not None else {}
        done = {key for key in made if key in left and known.get(key) == made[key]}
        todo = [(key, data) for key, data in objects if key not in done]
        gone = [key for key in known if key not in made]
        if todo or gone:  # should this be killed, nobody knows what of it was written
            begun = {key: made[key] if key in done else "" for key in (*known, *made)}
            self._keep(name, WRITING, begun, {key: self.there[key] for key in done})
        for key, data in todo:
            if self.should_stop():
                raise _StoppedError
            self.destination.put(key, data)
        for key in gone:
            self.destination.delete(key)
        fresh = {key: self.destination.find(key).version for key, _ in todo}
        self._keep(name, digest, made, {key: self.there[key] for key in done} | fresh)
        outcome: Literal["written", "unchanged"] = "written" if todo or gone else "unchanged"
        return PublishedItem(entity.identity, what, outcome, len(todo), sum(len(data) for _, data in todo), len(gone))

    def _keep(self, name: str, digest: str, outputs: Mapping[str, str], marks: Mapping[str, str]) -> None:
        facts = {DESTINATION: self.destination.url, MARKS: dict(marks)}
        record = StepRecord(name, digest, facts, dict(outputs))
        self.builder.catalog.note_steps(self.layout, [record])


def _number(tomogram: EntityRecord) -> int:
    """Return the number of the folder of a tomogram."""
    place = parse(tomogram.key)
    number = tomogram.number if place is None else place.number
    if number is None:
        raise ReadError(f"tomogram {tomogram.id} does not lie where a layout has it: {tomogram.key!r}")
    return number


def _infos_last(name: str) -> tuple[bool, int, str]:
    """Return what members of a precompute are ordered by: whoever finds an ``info`` finds what it speaks of."""
    return name.rsplit("/", 1)[-1] == "info", -name.count("/"), name
