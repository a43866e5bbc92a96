"""Why an artifact is as it is: which change made it stale, when, and what happens next."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from coverslip.catalog import Catalog
from coverslip.derive.builder import Builder
from coverslip.model.annotations import Annotation
from coverslip.model.records import ArtifactRecord, ArtifactState, ImageRecord

MANY_PENDING = 50
"""More stale artifacts of one image than this are worth a warning."""


FREE = "by the next server or worker that is free"


@dataclass(frozen=True, slots=True)
class Why:
    """An artifact, explained."""

    artifact: ArtifactRecord
    image: ImageRecord
    annotation: Annotation | None
    state: ArtifactState
    since: datetime | None
    """Since when it has been stale; ``None`` of a fresh one, and where a newer recipe alone made it stale."""
    cause: str
    """The latest change, in words; of a fresh artifact the last one it has seen."""
    next: str
    """What will happen, in words."""
    allows_stale: bool


def why(builder: Builder, artifact_id: str, is_active: Callable[[str], bool] = lambda image_id: False) -> Why:
    """Explain one artifact.

    Parameters
    ----------
    builder
        Builds it.
    artifact_id
        Which one.
    is_active
        Whether somebody works on an image now, as far as this process knows.

    Raises
    ------
    NotFoundError
        There is no such artifact, or its image or annotation is deleted.
    """
    catalog = builder.catalog
    record = catalog.artifact_by_id(artifact_id)
    image = catalog.get_image(record.image_id)
    annotation = None if record.annotation_id is None else catalog.annotation(record.annotation_id)
    kind = builder.kinds[record.kind]
    state = record.state(kind.version, catalog.now())
    is_behind = record.built < record.wanted
    cause = record.cause
    if not is_behind and state != "fresh":
        cause = f"version {record.version} of the recipe built it, the present one is {kind.version}"
    return Why(
        artifact=record,
        image=image,
        annotation=annotation,
        state=state,
        since=record.marked_at if is_behind else None,
        cause=cause,
        next=_next(catalog, record, image, state, is_active=is_active(image.id)),
        allows_stale=kind.allows_stale,
    )


def pending_warnings(catalog: Catalog, versions: Mapping[str, int]) -> list[str]:
    """Return a sentence about each image with more stale artifacts than anybody should wait for; ten at most.

    Raises
    ------
    CatalogError
        The catalog does not answer.
    """
    return [
        f"image {one.image_id} has {one.count} stale artifacts: are enough workers running?"
        for one in catalog.most_pending(versions, over=MANY_PENDING)
    ]


def _next(
    catalog: Catalog, record: ArtifactRecord, image: ImageRecord, state: ArtifactState, *, is_active: bool
) -> str:
    if state == "fresh":
        return "nothing, until its sources change"
    if state == "building":
        return f"somebody is building it now; should they be killed, others may from {_time(record.lease_until)}"
    if image.missing_since is not None:
        return f"nobody can build it: {image.path} is missing since {_time(image.missing_since)}"
    if state == "ignored":
        return f"ignored since {_time(record.ignored_at)}; built when its sources change or somebody asks for it"
    if record.next_try_at is not None and record.next_try_at > catalog.now():
        again = _time(record.next_try_at)
        return f"attempt {record.attempts + 1} after {again}, or when somebody asks for it: {record.error}"
    when = "by a worker, in the next pause of whoever works on the image now" if is_active else FREE
    return f"built {when}, or when somebody asks for it"


def _time(time: datetime | None) -> str:
    return "-" if time is None else f"{time:%Y-%m-%d %H:%M:%S} UTC"
