"""What an artifact is made from: its subject, and other artifacts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coverslip.catalog import Catalog
from coverslip.derive.kind import Kind, Subject
from coverslip.derive.serving import current
from coverslip.derive.sources import GivenUp
from coverslip.errors import BuildError, NotFoundError
from coverslip.model.records import ArtifactRecord, Claim

if TYPE_CHECKING:
    from coverslip.derive.builder import Builder


@dataclass(frozen=True, slots=True)
class Needed:
    """Artifacts that one is made from."""

    artifacts: Mapping[str, bytes] = field(default_factory=dict)
    """By kind, of the same image, annotation or entity."""
    of_entities: Mapping[tuple[int, str], bytes] = field(default_factory=dict)
    """Of the entities around an image, by public number and kind."""


def subjects_of(catalog: Catalog, claims: Sequence[Claim]) -> dict[str, Subject]:
    """Return what claimed artifacts are of, by artifact; of what is deleted there is none."""
    images = catalog.get_images(claim.image_id for claim in claims)
    annotations = catalog.get_annotations(claim.annotation_id for claim in claims if claim.annotation_id)
    entity_ids = [claim.entity_id for claim in claims if claim.entity_id is not None]
    entities = catalog.entities_by_id(entity_ids) if entity_ids else {}
    return {
        claim.artifact_id: Subject(
            images[claim.image_id], annotations.get(claim.annotation_id or ""), entities.get(claim.entity_id or 0)
        )
        for claim in claims
        if claim.image_id in images
        and (claim.annotation_id is None or claim.annotation_id in annotations)
        and (claim.entity_id is None or claim.entity_id in entities)
    }


def subject_of(catalog: Catalog, claim: Claim) -> Subject:
    """Return what a claimed artifact is of.

    Raises
    ------
    GivenUp
        It is deleted: nobody wants it any more.
    """
    subject = subjects_of(catalog, [claim]).get(claim.artifact_id)
    if subject is None:
        raise GivenUp
    return subject


def gather(builder: "Builder", claim: Claim, kind: Kind, must_stop: Callable[[], bool]) -> tuple[Claim, Needed]:
    """Return the artifacts that one is made from, and the claim to it with what it has seen.

    They are made fresh first, which may mark what is claimed. Only then the changes are counted anew, and only after
    that the bytes are read: a change that comes later leaves it stale, and one burst of changes is built once.

    Raises
    ------
    GivenUp
        Nobody wants it any more, or the claim was lost.
    BuildError
        One of them could not be built. What entities have may fail: it is left out.
    """
    of = {
        name: (
            claim.annotation_id if builder.kinds[name].of == "annotation" else None,
            claim.entity_id if builder.kinds[name].of == "entity" else None,
        )
        for name in kind.needs
        if builder.kinds[name].of != "entity" or kind.of == "entity"
    }
    while True:
        for name, whose in of.items():
            _make_fresh(builder, name, claim.image_id, *whose, must_stop=must_stop)
        if "entities" in kind.follows:
            _make_surroundings_fresh(builder, claim.image_id, must_stop)
        looked = builder.catalog.look_again(claim)
        if looked is None or must_stop():
            raise GivenUp
        place = (builder.catalog, builder.storage)
        found = {
            name: current(*place, name, claim.image_id, *whose, versions=builder.versions)[1]
            for name, whose in of.items()
        }
        there = {name: data for name, data in found.items() if data is not None}
        if len(there) == len(of):
            return looked, Needed(there, _of_entities(builder, claim.image_id, kind))


def _make_fresh(
    builder: "Builder",
    kind: str,
    image_id: str,
    annotation_id: str | None,
    entity_id: int | None,
    *,
    must_stop: Callable[[], bool],
) -> None:
    try:
        builder.build_until(builder.wanted(kind, image_id, annotation_id, entity_id), must_stop)
    except NotFoundError as error:
        raise GivenUp from error
    except BuildError as error:
        if must_stop():
            raise GivenUp from error
        raise


def _make_surroundings_fresh(builder: "Builder", image_id: str, must_stop: Callable[[], bool]) -> None:
    """Make fresh what the entities around an image have; what cannot be made now is made later, and marks then."""
    for record in _around(builder, image_id):
        if must_stop():
            raise GivenUp
        if not record.is_fresh(builder.versions[record.kind]):
            try:
                builder.build_until(record, must_stop)
            except (BuildError, NotFoundError):
                continue


def _of_entities(builder: "Builder", image_id: str, kind: Kind) -> dict[tuple[int, str], bytes]:
    wanted = [name for name in kind.needs if builder.kinds[name].of == "entity"]
    found: dict[tuple[int, str], bytes] = {}
    if kind.of == "entity" or not wanted:
        return found
    place = (builder.catalog, builder.storage)
    for record in _around(builder, image_id):
        if record.kind in wanted and record.entity_id is not None:
            data = current(*place, record.kind, image_id, None, record.entity_id, versions=builder.versions)[1]
            if data is not None:
                found[record.entity_id, record.kind] = data
    return found


def _around(builder: "Builder", image_id: str) -> list[ArtifactRecord]:
    """Return the artifacts of the annotations around an image that this builder can make."""
    surroundings = builder.catalog.surroundings(image_id)
    if surroundings is None:
        return []
    records = builder.catalog.artifacts_of_entities(one.id for one in surroundings.annotations)
    return [record for record in records if record.kind in builder.kinds]
