"""What an artifact is made from: its subject, and other artifacts."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from coverslip.catalog import Catalog
from coverslip.derive.kind import Subject
from coverslip.derive.serving import current
from coverslip.derive.sources import GivenUp
from coverslip.errors import BuildError, NotFoundError
from coverslip.model.records import Claim

if TYPE_CHECKING:
    from coverslip.derive.builder import Builder


def subjects_of(catalog: Catalog, claims: Sequence[Claim]) -> dict[str, Subject]:
    """Return what claimed artifacts are of, by artifact; of what is deleted there is none."""
    images = catalog.get_images(claim.image_id for claim in claims)
    annotations = catalog.get_annotations(claim.annotation_id for claim in claims if claim.annotation_id)
    return {
        claim.artifact_id: Subject(images[claim.image_id], annotations.get(claim.annotation_id or ""))
        for claim in claims
        if claim.image_id in images and (claim.annotation_id is None or claim.annotation_id in annotations)
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


def gather(
    builder: "Builder", claim: Claim, needs: Sequence[str], must_stop: Callable[[], bool]
) -> tuple[Claim, Mapping[str, bytes]]:
    """Return the artifacts that one is made from, and the claim to it with what it has seen.

    They are made fresh first, which may mark what is claimed. Only then the changes are counted anew, and only after
    that the bytes are read: a change that comes later leaves it stale, and one burst of changes is built once.

    Raises
    ------
    GivenUp
        Nobody wants it any more, or the claim was lost.
    BuildError
        One of them could not be built.
    """
    if not needs:
        return claim, {}
    of = {name: claim.annotation_id if builder.kinds[name].of == "annotation" else None for name in needs}
    while True:
        for name, annotation_id in of.items():
            _make_fresh(builder, name, claim.image_id, annotation_id, must_stop)
        looked = builder.catalog.look_again(claim)
        if looked is None or must_stop():
            raise GivenUp
        place = (builder.catalog, builder.storage)
        found = {
            name: current(*place, name, claim.image_id, annotation_id, versions=builder.versions)[1]
            for name, annotation_id in of.items()
        }
        there = {name: data for name, data in found.items() if data is not None}
        if len(there) == len(needs):
            return looked, there


def _make_fresh(
    builder: "Builder", kind: str, image_id: str, annotation_id: str | None, must_stop: Callable[[], bool]
) -> None:
    try:
        builder.build_until(builder.wanted(kind, image_id, annotation_id), must_stop)
    except NotFoundError as error:
        raise GivenUp from error
    except BuildError as error:
        if must_stop():
            raise GivenUp from error
        raise
