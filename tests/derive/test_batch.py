"""Batches of one image's artifacts, and what is said of them."""

import logging

import pytest

from coverslip.derive import KINDS, Builder, pending, pending_warnings, process_batch, why
from coverslip.derive.kind import Subject
from coverslip.errors import NotFoundError, ReadError
from coverslip.model.annotations import AnnotationContent, Frames
from tests.derive.lab import KIND, Lab, Recipe


@pytest.fixture
def image(lab: Lab) -> str:
    return lab.add()


@pytest.fixture
def combined() -> Recipe:
    return Recipe(name="combined", of="annotation")


@pytest.fixture
def builder(lab: Lab, combined: Recipe) -> Builder:
    return lab.builder_of({KIND: Recipe(), "combined": combined})


def annotate(lab: Lab, image: str, count: int) -> list[str]:
    """Annotate the only frame in so many tracks."""
    found = []
    for number in range(count):
        content = AnnotationContent(track=f"track {number}", frames=Frames(first=0, last=0))
        found.append(lab.catalog.create_annotation(image, content, tiled=True).annotation.id)
        lab.catalog.want("combined", image, found[-1])
    return found


def test_a_batch_builds_so_many_and_says_so(
    lab: Lab, image: str, builder: Builder, caplog: pytest.LogCaptureFixture
) -> None:
    annotate(lab, image, 4)
    caplog.set_level(logging.INFO, "coverslip")
    batch = process_batch(builder, image, 3)
    assert (batch.processed, batch.failed, batch.remaining, batch.total) == (3, 0, 2, 5)
    (line,) = caplog.messages
    assert f"image {image}: 3 artifacts built, 0 failed in" in line
    assert "ms each), 2 remain" in line
    assert process_batch(builder, image, 10).remaining == 0
    caplog.clear()
    empty = process_batch(builder, image, 10)
    assert (empty.total, empty.seconds_each) == (0, 0)
    assert caplog.messages == []


def test_a_batch_ends_between_two_artifacts(lab: Lab, image: str, builder: Builder, combined: Recipe) -> None:
    annotate(lab, image, 4)
    batch = process_batch(builder, image, 10, starts_no_more=lambda: combined.builds == 2)
    assert (batch.processed, batch.remaining) == (2, 3)


def test_failures_are_counted_and_left_alone(lab: Lab, image: str, builder: Builder, combined: Recipe) -> None:
    def fail(*_: object) -> bytes:
        raise ReadError("the file is damaged")

    combined.work = fail
    annotate(lab, image, 2)
    batch = process_batch(builder, image, 10)
    assert (batch.processed, batch.failed, batch.remaining, batch.total) == (1, 2, 0, 3)
    assert process_batch(builder, image, 10).total == 0


def test_there_is_no_batch_of_no_image(builder: Builder) -> None:
    with pytest.raises(NotFoundError):
        process_batch(builder, "00000000-0000-0000-0000-000000000000", 3)


def test_what_is_pending_has_a_cost(lab: Lab, image: str, builder: Builder) -> None:
    first, second = annotate(lab, image, 2)
    assert [(one.artifact.annotation_id, one.cost) for one in pending(builder, image, 10)] == [
        (first, 1),
        (second, 1),
        (None, 1),
    ]
    record = lab.catalog.get_image(image)
    long = lab.catalog.annotation(first).model_copy(update={"frames": Frames(first=10, last=69)})
    assert KINDS["combined"].cost(Subject(record, long)) == 60


def test_more_than_fifty_is_a_warning(lab: Lab, image: str, builder: Builder) -> None:
    annotate(lab, image, 50)
    (warning,) = pending_warnings(lab.catalog, builder.versions)
    assert warning.startswith(f"image {image} has 51 stale artifacts")
    process_batch(builder, image, 1)
    assert pending_warnings(lab.catalog, builder.versions) == []


def test_why_follows_an_artifact_through_its_life(lab: Lab, image: str, builder: Builder, combined: Recipe) -> None:
    (annotation_id,) = annotate(lab, image, 1)
    artifact = lab.catalog.artifact("combined", image, annotation_id)
    found = why(builder, artifact.id)
    assert (found.state, found.cause, found.since) == ("stale", "asked for the first time", artifact.marked_at)
    assert found.next == "built by the next server or worker that is free, or when somebody asks for it"
    (claim,) = lab.catalog.claim(builder.versions, lease_seconds=30, artifact_ids=[artifact.id])
    assert why(builder, artifact.id).next.startswith("somebody is building it now")
    lab.catalog.fail(claim, "the file is damaged", 60)
    found = why(builder, artifact.id)
    assert found.state == "failed"
    assert found.next.startswith("attempt 2 after")
    assert "the file is damaged" in found.next
    lab.catalog.ignore(artifact.id, builder.versions)
    assert why(builder, artifact.id).next.startswith("ignored since")
    lab.clock.pass_seconds(120)
    builder.ensure("combined", image, 20, annotation_id)
    found = why(builder, artifact.id)
    assert (found.state, found.since, found.next) == ("fresh", None, "nothing, until its sources change")
    combined.version = 2
    newer = lab.builder_of({KIND: Recipe(), "combined": combined})
    assert why(newer, artifact.id).cause == "version 1 of the recipe built it, the present one is 2"
    lab.catalog.delete_annotation(annotation_id, revision=1, tiled=True)
    with pytest.raises(NotFoundError):
        why(builder, artifact.id)


def test_one_artifact_is_built_once(lab: Lab, image: str, builder: Builder) -> None:
    artifact = lab.artifact(image)
    outcome = builder.build_artifact(artifact.id)
    assert outcome is not None
    assert outcome.state == "built"
    assert builder.build_artifact(artifact.id) is None
    assert builder.build_artifact("nobody") is None
