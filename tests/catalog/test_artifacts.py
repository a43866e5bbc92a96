from dataclasses import replace
from datetime import timedelta

import pytest

from coverslip.catalog import Catalog
from coverslip.errors import NotFoundError
from coverslip.model.records import ArtifactRecord, Claim
from tests.catalog.making import (
    LEASE,
    VERSIONS,
    Clock,
    add,
    add_one,
    build,
    built,
    claim,
    is_fresh,
    item,
    must_claim,
)


def test_from_never_built_to_fresh(catalog: Catalog) -> None:
    image_id = add_one(catalog)
    before = catalog.artifact("thumbnail", image_id)
    assert before == ArtifactRecord(
        id=before.id,
        kind="thumbnail",
        image_id=image_id,
        annotation_id=None,
        wanted=1,
        built=0,
        version=0,
        key=None,
        etag=None,
        media_type=None,
        size=None,
        attempts=0,
        next_try_at=None,
        error=None,
        lease_until=None,
        marked_at=catalog.now(),
        cause="never built before",
        ignored_at=None,
        entity_id=None,
    )

    claimed = must_claim(catalog)
    assert claimed == Claim(before.id, "thumbnail", image_id, 1, claimed.token, 0)
    assert catalog.finish([(claimed, built("thumbnail/a.png"))])

    after = catalog.artifact("thumbnail", image_id)
    what = built("thumbnail/a.png")
    assert after == replace(
        before, built=1, version=1, key=what.key, etag=what.etag, media_type=what.media_type, size=what.size
    )
    assert after.is_fresh(1)
    assert claim(catalog) is None
    assert catalog.artifact_keys() == {"thumbnail/a.png"}
    assert catalog.events_after(1)[0].data == {"kind": "thumbnail", "etag": what.etag}


def test_a_change_during_the_build_leaves_the_artifact_stale(catalog: Catalog) -> None:
    image_id = add_one(catalog)
    claimed = must_claim(catalog)
    add(catalog, item("/data/a.tif", "changed meanwhile"))

    assert catalog.finish([(claimed, built())])
    artifact = catalog.artifact("thumbnail", image_id)
    assert (artifact.wanted, artifact.built, artifact.is_fresh(1)) == (2, 1, False)

    again = must_claim(catalog)
    assert again.seen == 2
    assert catalog.finish([(again, built())])
    assert is_fresh(catalog, image_id)


def test_marking_twice_costs_one_build(catalog: Catalog) -> None:
    image_id = add_one(catalog)
    build(catalog, image_id)
    assert [catalog.mark("thumbnail", [image_id, image_id]) for _ in range(3)] == [1, 1, 1]
    assert not is_fresh(catalog, image_id)
    build(catalog, image_id)
    assert is_fresh(catalog, image_id)
    assert claim(catalog) is None


def test_marking_is_by_kind(url: str) -> None:
    with Catalog.open(url, versions={"thumbnail": 1, "projection": 1}) as catalog:
        image_id = add_one(catalog)
        assert catalog.mark("projection", [image_id]) == 1
        assert catalog.mark("nothing", [image_id]) == catalog.mark("projection", []) == 0
        assert catalog.artifact("projection", image_id).wanted == 2
        assert catalog.artifact("thumbnail", image_id).wanted == 1
        claims = catalog.claim({"projection": 1}, lease_seconds=LEASE, limit=5)
        assert [found.kind for found in claims] == ["projection"]
        assert catalog.claim({}, lease_seconds=LEASE) == []
        with pytest.raises(NotFoundError, match="nothing"):
            catalog.artifact("nothing", image_id)


def test_a_newer_recipe_makes_an_artifact_stale(catalog: Catalog) -> None:
    image_id = add_one(catalog)
    build(catalog, image_id)
    assert catalog.counts({"thumbnail": 2}).artifacts_stale == 1
    (claimed,) = catalog.claim({"thumbnail": 2}, lease_seconds=LEASE)
    assert (claimed.image_id, claimed.seen) == (image_id, 1)
    assert catalog.finish([(claimed, built(version=2))])
    assert catalog.artifact("thumbnail", image_id).is_fresh(2)
    assert catalog.claim({"thumbnail": 2}, lease_seconds=LEASE) == []
    assert catalog.counts({"thumbnail": 2}).artifacts_fresh == 1


def test_an_older_program_leaves_what_a_newer_recipe_built(catalog: Catalog) -> None:
    image_id = add_one(catalog)
    (claimed,) = catalog.claim({"thumbnail": 2}, lease_seconds=LEASE)
    assert catalog.finish([(claimed, built(version=2))])
    assert catalog.claim({"thumbnail": 1}, lease_seconds=LEASE) == []
    assert catalog.artifact("thumbnail", image_id).is_fresh(1)
    assert catalog.counts({"thumbnail": 1}).artifacts_fresh == 1


def test_changed_ones_are_claimed_before_those_of_old_recipes(catalog: Catalog) -> None:
    old, changed = add_one(catalog, "/1.tif"), add_one(catalog, "/2.tif")
    build(catalog, old)
    assert len(catalog.claim({"thumbnail": 2}, lease_seconds=0, limit=1)) == 1
    for expected in ([changed], [old], []):
        claims = catalog.claim({"thumbnail": 2}, lease_seconds=LEASE, limit=2)
        assert [found.image_id for found in claims] == expected


def test_a_claim_keeps_others_out_until_its_lease_runs_out(catalog: Catalog, clock: Clock) -> None:
    image_id = add_one(catalog)
    first = must_claim(catalog)
    assert claim(catalog) is None
    assert claim(catalog, image_id=image_id, ignore_backoff=True) is None
    assert catalog.counts(VERSIONS).artifacts_building == 1

    clock.advance(LEASE)
    assert catalog.counts(VERSIONS).artifacts_building == 0
    second = must_claim(catalog)
    assert second.token != first.token
    assert not catalog.finish([(first, built("thumbnail/late.png"))])
    assert not catalog.fail(first, "late", 5)
    assert not catalog.heartbeat(first, LEASE)
    catalog.release(first)
    assert catalog.artifact("thumbnail", image_id).lease_until == clock.now + timedelta(seconds=LEASE)
    assert catalog.artifact_keys() == set()
    assert catalog.last_event() == 1

    assert catalog.finish([(second, built())])
    assert is_fresh(catalog, image_id)
    assert not catalog.finish([(second, built())])


def test_a_late_builder_whom_nobody_replaced_may_finish(catalog: Catalog, clock: Clock) -> None:
    image_id = add_one(catalog)
    claimed = must_claim(catalog)
    clock.advance(LEASE * 10)
    assert catalog.finish([(claimed, built())])
    assert is_fresh(catalog, image_id)


def test_heartbeats_keep_a_claim(catalog: Catalog, clock: Clock) -> None:
    add_one(catalog)
    claimed = must_claim(catalog)
    for _ in range(5):
        clock.advance(LEASE - 1)
        assert catalog.heartbeat(claimed, LEASE)
        assert claim(catalog) is None


def test_a_made_up_token_is_refused(catalog: Catalog) -> None:
    add_one(catalog)
    forged = replace(must_claim(catalog), token="made up")
    assert not catalog.finish([(forged, built())])


def test_failures_are_counted_and_wait_for_their_next_try(catalog: Catalog, clock: Clock) -> None:
    image_id = add_one(catalog)
    assert catalog.fail(must_claim(catalog), "no pixels", retry_in_seconds=10)
    artifact = catalog.artifact("thumbnail", image_id)
    assert (artifact.attempts, artifact.error, artifact.lease_until) == (1, "no pixels", None)
    assert artifact.next_try_at == clock.now + timedelta(seconds=10)
    assert catalog.events_after(1)[0].data == {"kind": "thumbnail", "error": "no pixels"}
    counts = catalog.counts(VERSIONS)
    assert (counts.artifacts_stale, counts.artifacts_failed) == (1, 1)

    assert claim(catalog) is None
    by_hand = must_claim(catalog, ignore_backoff=True)
    assert by_hand.attempts == 1
    assert catalog.fail(by_hand, "still none", retry_in_seconds=20)
    clock.advance(19)
    assert claim(catalog) is None
    clock.advance(1)
    assert catalog.finish([(must_claim(catalog), built())])
    artifact = catalog.artifact("thumbnail", image_id)
    assert (artifact.attempts, artifact.error, artifact.next_try_at) == (0, None, None)


def test_a_failure_with_old_sources_says_nothing_of_the_new_ones(catalog: Catalog) -> None:
    image_id = add_one(catalog)
    claimed = must_claim(catalog)
    catalog.mark("thumbnail", [image_id])
    after = catalog.last_event()
    assert catalog.fail(claimed, "file was being written", retry_in_seconds=3600)
    artifact = catalog.artifact("thumbnail", image_id)
    assert (artifact.attempts, artifact.error, artifact.next_try_at, artifact.lease_until) == (0, None, None, None)
    assert catalog.last_event() == after
    assert must_claim(catalog).seen == 2


def test_giving_back_counts_no_attempt(catalog: Catalog) -> None:
    image_id = add_one(catalog)
    catalog.release(must_claim(catalog))
    assert catalog.artifact("thumbnail", image_id).attempts == 0
    assert must_claim(catalog).image_id == image_id


def test_the_longest_stale_comes_first_and_a_batch_in_its_order(catalog: Catalog, clock: Clock) -> None:
    add(catalog, item("/b.lif", "b0", "b1"), item("/a.tif", "a"))
    clock.advance(1)
    late = add_one(catalog, "/c.tif", "c")
    first = [image.id for image in catalog.list_images(limit=9).images if image.id != late]
    assert [found.image_id for found in catalog.claim(VERSIONS, lease_seconds=0, limit=3)] == first
    clock.advance(1)
    catalog.mark("thumbnail", [first[0]])  # it was stale before: that does not send it to the end
    claims = catalog.claim(VERSIONS, lease_seconds=LEASE, limit=3)
    assert {found.image_id for found in claims} == set(first)
    assert must_claim(catalog).image_id == late


def test_ends_are_written_together_and_lost_claims_are_left_out(catalog: Catalog, clock: Clock) -> None:
    add(catalog, item("/a.lif", "a", "b", "c"))
    claims = catalog.claim(VERSIONS, lease_seconds=LEASE, limit=3)
    clock.advance(LEASE)
    (again,) = catalog.claim(VERSIONS, lease_seconds=LEASE, limit=1)
    ends = [(claim, built(f"thumbnail/{claim.image_id}.png")) for claim in claims]
    kept = catalog.finish(ends, {})
    assert kept == {claim.artifact_id for claim in claims} - {again.artifact_id}
    assert catalog.counts(VERSIONS).artifacts_fresh == 2
    told = [event.image_id for event in catalog.events_after(0) if event.type == "artifact.built"]
    assert sorted(told) == sorted(claim.image_id for claim in claims if claim.artifact_id in kept)
    assert catalog.finish(ends, {}) == set(), "an end is written once"


def test_several_are_given_back_at_once_but_no_claim_of_others(catalog: Catalog, clock: Clock) -> None:
    add(catalog, item("/a.lif", "a", "b", "c"))
    claims = catalog.claim(VERSIONS, lease_seconds=LEASE, limit=3)
    clock.advance(LEASE)
    (again,) = catalog.claim(VERSIONS, lease_seconds=LEASE, limit=1)
    catalog.release(*claims)
    assert catalog.heartbeat(again, LEASE)
    assert len(catalog.claim(VERSIONS, lease_seconds=LEASE, limit=3)) == 2


def test_what_became_stale_again_queues_at_the_end(catalog: Catalog, clock: Clock) -> None:
    first, second = add_one(catalog, "/1.tif"), add_one(catalog, "/2.tif")
    build(catalog, first)
    clock.advance(1)
    catalog.mark("thumbnail", [first])
    claims = catalog.claim(VERSIONS, lease_seconds=LEASE, limit=2)
    assert [found.image_id for found in claims] == [second, first]


def test_looking_for_work_where_there_is_none_does_not_wait_for_writers(url: str) -> None:
    with Catalog.open(url, versions=VERSIONS) as catalog, Catalog.open(url, versions=VERSIONS) as busy:
        build(catalog, add_one(catalog))
        with busy._database.writing():  # who wanted to write now would wait until it is too late
            assert catalog.claim(VERSIONS, lease_seconds=LEASE) == []


def test_claiming_for_one_image(catalog: Catalog) -> None:
    _, wanted = add_one(catalog, "/1.tif"), add_one(catalog, "/2.tif")
    assert must_claim(catalog, image_id=wanted).image_id == wanted


def test_a_claim_does_not_survive_a_purge(catalog: Catalog) -> None:
    image_id = add_one(catalog)
    claimed = must_claim(catalog)
    catalog.delete_image(image_id)
    assert catalog.heartbeat(claimed, LEASE)
    catalog.purge_images([image_id])
    assert not catalog.heartbeat(claimed, LEASE)
    assert not catalog.finish([(claimed, built())])
    assert catalog.artifact_keys() == set()


def test_stale_bytes_are_still_referred_to(catalog: Catalog) -> None:
    image_id = add_one(catalog)
    build(catalog, image_id, "thumbnail/one.png")
    catalog.mark("thumbnail", [image_id])
    assert catalog.artifact_keys() == {"thumbnail/one.png"}
    build(catalog, image_id, "thumbnail/two.png")
    assert catalog.artifact_keys() == {"thumbnail/two.png"}


def test_counts(catalog: Catalog) -> None:
    add(catalog, item("/1.tif"), item("/2.tif"), item("/3.tif"), item("/4.tif"))
    ids = {image.path: image.id for image in catalog.list_images().images}
    build(catalog, ids["/1.tif"])
    catalog.fail(must_claim(catalog, image_id=ids["/2.tif"]), "no", 60)
    catalog.mark_missing(["/3.tif"])
    catalog.delete_image(ids["/4.tif"])
    counts = catalog.counts(VERSIONS)
    assert (counts.images, counts.images_missing, counts.images_deleted, counts.assets) == (3, 1, 1, 4)
    assert (counts.artifacts_fresh, counts.artifacts_stale, counts.artifacts_failed) == (1, 1, 1)
    assert (counts.artifacts_building, counts.broken, counts.unknown) == (0, 0, 0)
