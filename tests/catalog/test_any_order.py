"""Anything in any order: the catalog against a model of it that is simple enough to be right."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from coverslip.catalog import Catalog
from coverslip.errors import ConflictError, NotFoundError
from coverslip.model.records import Claim, Origin, PurgedBytes
from tests.catalog.making import BACK_OFF, LEASE, READ_BY, VERSIONS, Clock, bad, built, item

UPLOAD = "/up.tif"
PATHS = ["/a.lif", "/b.tif", UPLOAD]


@dataclass
class File:
    """What should be known of a file."""

    images: list["Picture"] = field(default_factory=list)
    is_missing: bool = False


@dataclass
class Picture:
    """What should be known of an image and its thumbnail."""

    id: str
    file: File
    revision: int = 1
    wanted: int = 1
    built: int = 0
    is_lost: bool = False
    is_deleted: bool = False
    is_purged: bool = False
    claim: Claim | None = None
    lease_until: datetime | None = None
    next_try_at: datetime | None = None
    error: str | None = None

    def change(self) -> None:
        self.revision += 1
        self.is_lost = False
        self.mark()

    def mark(self) -> None:
        if not self.is_purged:
            self.wanted += 1
            self.next_try_at = self.error = None

    def end_claim(self) -> None:
        self.claim = self.lease_until = None

    def restore(self) -> None:
        self.is_deleted = False
        if self.is_purged:
            self.is_purged = False
            self.wanted, self.built = 1, 0
            self.next_try_at = self.error = None
            self.end_claim()

    def can_be_claimed(self, now: datetime) -> bool:
        is_there = not (self.is_deleted or self.is_lost or self.file.is_missing)
        is_due = all(time is None or time <= now for time in (self.lease_until, self.next_try_at))
        return is_there and self.built < self.wanted and is_due


class AnyOrder(RuleBasedStateMachine):
    """Does what people, workers and crashes do."""

    claims = Bundle("claims")

    def __init__(self, new_catalog: Callable[[], str]) -> None:
        super().__init__()
        self.clock = Clock()
        self.url = new_catalog()
        self.catalog = Catalog.open(self.url, versions=VERSIONS, clock=self.clock)
        self.files: dict[str, File] = {}

    def teardown(self) -> None:
        self.catalog.close()

    @property
    def pictures(self) -> list[Picture]:
        return [picture for file in self.files.values() for picture in file.images]

    def pick(self, number: int) -> Picture | None:
        return self.pictures[number % len(self.pictures)] if self.pictures else None

    @rule(path=st.sampled_from(PATHS), count=st.integers(0, 2))
    def sync(self, path: str, count: int) -> None:
        """Read a file that is new or changed; without images it is broken."""
        origin: Origin = "uploaded" if path == UPLOAD else "added"
        found = item(path, *["one", "two"][:count], origin=origin) if count else bad(path, origin=origin)
        (change,) = self.catalog.sync_files([found], READ_BY)
        file = self.files.setdefault(path, File())
        file.is_missing = False
        for picture in file.images[:count]:
            picture.change()
        for picture in file.images[count:]:
            picture.is_lost = True
        for index in range(len(file.images), count):
            (new,) = (image for image in self.catalog.images_of(change.asset_id) if image.index == index)
            file.images.append(Picture(new.id, file))

    @rule(path=st.sampled_from(PATHS), is_missing=st.booleans())
    def come_or_go(self, path: str, is_missing: bool) -> None:
        note = self.catalog.mark_missing if is_missing else self.catalog.mark_found
        file = self.files.get(path)
        assert note([path]) == (file is not None and file.is_missing != is_missing)
        if file is not None:
            file.is_missing = is_missing

    @rule(number=st.integers(0, 9))
    def mark(self, number: int) -> None:
        picture = self.pick(number)
        if picture is not None:
            assert self.catalog.mark("thumbnail", [picture.id]) == (not picture.is_purged)
            picture.mark()

    @rule(target=claims, limit=st.integers(1, 3))
    def claim(self, limit: int) -> object:
        can = {picture.id: picture for picture in self.pictures if picture.can_be_claimed(self.clock.now)}
        claims = self.catalog.claim(VERSIONS, lease_seconds=LEASE, limit=limit)
        assert len(claims) == min(limit, len(can))
        for claimed in claims:
            picture = can.pop(claimed.image_id)
            assert claimed.seen == picture.wanted
            picture.claim, picture.lease_until = claimed, self.clock.now + timedelta(seconds=LEASE)
        return multiple(*claims)

    def holder(self, claimed: Claim) -> Picture | None:
        """Return whose claim this is, while it is."""
        return next((picture for picture in self.pictures if picture.claim == claimed), None)

    @rule(claimed=claims)
    def finish(self, claimed: Claim) -> None:
        holder = self.holder(claimed)
        assert bool(self.catalog.finish([(claimed, built(f"{claimed.image_id}/{claimed.seen}"))])) == (
            holder is not None
        )
        if holder is not None:
            holder.built = claimed.seen
            holder.next_try_at = holder.error = None
            holder.end_claim()

    @rule(claimed=claims)
    def fail(self, claimed: Claim) -> None:
        holder = self.holder(claimed)
        assert self.catalog.fail(claimed, "no pixels", BACK_OFF) == (holder is not None)
        if holder is not None:
            if holder.wanted == claimed.seen:
                holder.next_try_at, holder.error = self.clock.now + timedelta(seconds=BACK_OFF), "no pixels"
            holder.end_claim()

    @rule(claimed=claims)
    def release(self, claimed: Claim) -> None:
        holder = self.holder(claimed)
        self.catalog.release(claimed)
        if holder is not None:
            holder.end_claim()

    @rule(claimed=claims)
    def heartbeat(self, claimed: Claim) -> None:
        holder = self.holder(claimed)
        assert self.catalog.heartbeat(claimed, LEASE) == (holder is not None)
        if holder is not None:
            holder.lease_until = self.clock.now + timedelta(seconds=LEASE)

    @rule(seconds=st.sampled_from([1.0, BACK_OFF, LEASE]))
    def wait(self, seconds: float) -> None:
        """Let leases and back-off run out, as when a worker was killed."""
        self.clock.advance(seconds)

    @rule()
    def crash(self) -> None:
        """Forget everything but what is written."""
        self.catalog.close()
        self.catalog = Catalog.open(self.url, versions=VERSIONS, clock=self.clock)

    @rule(number=st.integers(0, 9))
    def delete(self, number: int) -> None:
        picture = self.pick(number)
        if picture is not None:
            with suppress(NotFoundError):
                self.catalog.delete_image(picture.id)
                assert not picture.is_deleted
            picture.is_deleted = True

    @rule(number=st.integers(0, 9))
    def restore(self, number: int) -> None:
        picture = self.pick(number)
        if picture is not None:
            with suppress(ConflictError):
                self.catalog.restore_image(picture.id)
                assert picture.is_deleted
            picture.restore()

    @rule(number=st.integers(0, 9))
    def purge(self, number: int) -> None:
        picture = self.pick(number)
        if picture is None:
            return
        purged = self.catalog.purge_images([picture.id])
        if not picture.is_deleted or picture.is_purged:
            assert purged == []
            return
        picture.is_purged = True
        picture.end_claim()
        upload = self.files.get(UPLOAD)
        is_gone = picture.file is upload and all(other.is_purged for other in upload.images)
        key = (f"{picture.id}/{picture.built}",) if picture.built else ()
        assert purged == [PurgedBytes(picture.id, UPLOAD if is_gone else None, key)]
        if is_gone:
            del self.files[UPLOAD]

    @invariant()
    def images_are_as_they_should_be(self) -> None:
        for picture in self.pictures:
            image = self.catalog.get_image(picture.id, deleted=True)
            assert image.revision == picture.revision
            assert (image.deleted_at is not None) == picture.is_deleted
            assert (image.missing_since is not None) == (picture.is_lost or picture.file.is_missing)
        shown = {image.id for image in self.catalog.list_images().images}
        assert shown == {picture.id for picture in self.pictures if not picture.is_deleted}

    @invariant()
    def nothing_is_shown_as_fresh_that_is_not(self) -> None:
        for picture in self.pictures:
            if picture.is_deleted:
                continue
            artifact = self.catalog.artifact("thumbnail", picture.id)
            assert (artifact.wanted, artifact.built) == (picture.wanted, picture.built)
            assert artifact.is_fresh(VERSIONS["thumbnail"]) == (picture.built == picture.wanted)
            assert artifact.lease_until == picture.lease_until
            assert (artifact.next_try_at, artifact.error) == (picture.next_try_at, picture.error)
            if picture.built:
                assert artifact.key == f"{picture.id}/{picture.built}"

    @invariant()
    def events_are_numbered_without_gaps(self) -> None:
        numbers = [event.seq for event in self.catalog.events_after(0)]
        assert numbers == list(range(1, self.catalog.last_event() + 1))


def test_any_order(new_catalog: Callable[[], str]) -> None:
    class Here(AnyOrder):
        def __init__(self) -> None:
            super().__init__(new_catalog)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=15,
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
