"""Batches in the pauses of an annotator, in the order of the frames, and not while somebody works."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from coverslip.catalog import Catalog
from coverslip.derive import Builder, Opportunistic, Subject
from coverslip.derive.batch import Pending
from coverslip.derive.kind import Follows, Inputs, Of
from coverslip.derive.opportunistic import affordable
from coverslip.model import ImageMetadata
from coverslip.model.annotations import AnnotationContent, Frames
from coverslip.model.records import SeenFile, SyncItem
from coverslip.storage import open_storage

KIND = "combined"


class Frame:
    """A kind of annotations that remembers the first frame of each."""

    name = KIND
    version = 1
    of: Of = "annotation"
    needs: tuple[str, ...] = ()
    allows_stale = True
    follows: tuple[Follows, ...] = ()
    media_type = "image/png"
    suffix = ".png"

    def __init__(self) -> None:
        self.built: list[int] = []
        self.then: dict[int, object] = {}

    def cost(self, subject: Subject) -> int:
        return len(subject.marked.frames)

    def build(self, subject: Subject, _inputs: Inputs) -> bytes:
        first = subject.marked.frames.first
        self.built.append(first)
        act = self.then.get(first)
        if callable(act):
            act()
        return str(subject.marked.frames).encode()


class Session:
    """An image with frames, who annotates it, and who builds in the pauses; time passes by hand."""

    def __init__(self, folder: Path, batch: int = 3) -> None:
        self.catalog = Catalog.open(
            f"sqlite:///{folder / 'catalog.sqlite'}", versions={}, annotation_versions={KIND: 1}
        )
        self.kind = Frame()
        self.builder = Builder(
            self.catalog, open_storage(str(folder / "artifacts")), lease_seconds=30, kinds={KIND: self.kind}
        )
        self.now = 100.0
        self.opportunistic = Opportunistic(self.builder, pause_seconds=3, batch=batch, clock=lambda: self.now)
        seen = SeenFile(path=str(folder / "film.tif"), size=1, mtime_ns=1)
        metadata = ImageMetadata(name="film", file_format="TIFF", size_t=500, size_y=4, size_x=4, dtype="uint8")
        self.catalog.sync_files([SyncItem(seen, "ok", None, (metadata,))], read_by="test")
        self.image_id = self.catalog.list_images(limit=1).images[0].id

    def annotate(self, first: int, last: int) -> str:
        content = AnnotationContent(frames=Frames(axis="t", first=first, last=last))
        return self.catalog.create_annotation(self.image_id, content, author="ada", tiled=False).annotation.id


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    session = Session(tmp_path)
    with session.catalog:
        yield session


def test_nothing_before_the_pause_and_everything_in_order_after_it(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="coverslip.derive")
    for first in (40, 10, 30, 20, 0):
        session.annotate(first, first + 9)
    session.opportunistic.notice(session.image_id)
    session.now += 2.9
    session.opportunistic.step()
    assert session.kind.built == []
    assert session.opportunistic.images == (session.image_id,)
    session.now += 0.2
    session.opportunistic.step()
    assert session.kind.built == [0, 10, 20, 30, 40]
    lines = [record.getMessage() for record in caplog.records if "artifacts built" in record.getMessage()]
    assert [line.split(": ")[1][:17] for line in lines] == ["3 artifacts built", "2 artifacts built"]
    assert not session.opportunistic.images


def test_activity_stops_a_batch_between_two_items(session: Session) -> None:
    for first in (0, 10, 20):
        annotation_id = session.annotate(first, first + 9)
    session.kind.then[10] = lambda: session.opportunistic.notice_annotation(annotation_id)
    session.opportunistic.notice(session.image_id)
    session.now += 3
    session.opportunistic.step()
    assert session.kind.built == [0, 10]
    session.now += 1
    session.opportunistic.step()
    assert session.kind.built == [0, 10]
    session.now += 2
    session.opportunistic.step()
    assert session.kind.built == [0, 10, 20]


def test_work_on_another_image_stops_nothing(session: Session, tmp_path: Path) -> None:
    session.annotate(0, 9)
    session.annotate(10, 19)
    session.kind.then[0] = lambda: session.opportunistic.notice("00000000-0000-0000-0000-000000000000")
    session.opportunistic.notice(session.image_id)
    session.now += 3
    session.opportunistic.step()
    assert session.kind.built == [0, 10]
    session.now += 3
    session.opportunistic.step()
    assert not session.opportunistic.images


def test_the_servers_own_builder_leaves_images_in_care_alone(session: Session) -> None:
    session.annotate(0, 9)
    session.opportunistic.notice(session.image_id)
    assert session.builder.build_some(except_images=session.opportunistic.images) == []
    assert session.builder.build_next() is not None


def pendings(session: Session, *costs: int) -> list[Pending]:
    one = session.builder.catalog.pending(session.image_id, {KIND: 1}, limit=1)[0]
    return [Pending(one.artifact, one.annotation, cost) for cost in costs]


def test_one_image_that_cannot_even_be_asked_for_does_not_end_the_building(
    session: Session, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.annotate(0, 9)
    with monkeypatch.context() as patch:
        patch.setattr(session.kind, "cost", lambda _subject: 1 // 0)
        session.opportunistic.notice(session.image_id)
        session.now += 3
        session.opportunistic.step()
    assert session.kind.built == []
    assert session.opportunistic.images == ()  # others build it
    assert "is left to other builders" in caplog.text
    session.opportunistic.notice(session.image_id)
    session.now += 3
    session.opportunistic.step()
    assert session.kind.built == [0]


@pytest.mark.parametrize(
    ("costs", "number"),
    [((), 0), ((10, 10, 10), 3), ((51, 1, 1), 1), ((1, 51, 1), 1), ((20, 30, 1), 2), ((500,), 1)],
)
def test_a_batch_reads_few_frames(session: Session, costs: tuple[int, ...], number: int) -> None:
    session.annotate(0, 9)
    assert affordable(pendings(session, *costs)) == number
