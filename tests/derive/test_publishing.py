"""Artifacts in the places that the portal has for them, in folders and buckets."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import mrcfile
import numpy as np
import pytest

from coverslip.cryoet.layout import parse
from coverslip.derive.publication import PublishReport
from coverslip.derive.publishing import publish
from coverslip.errors import InvalidRequestError, StorageError
from coverslip.neuroglancer.precomputed import Packed
from coverslip.storage import Storage, StoredObject, open_storage
from tests.derive.portal import COARSE, FINE, OTHER, RUN, SIZE, Portal, folder_of
from tests.services.s3 import S3Server, serve_s3

TOP = "https://files.example.org/data"
FIRST = folder_of(FINE)
STATE = f"{FIRST}/NeuroglancerPrecompute/100-neuroglancer_config.json"
PHOTOS = [f"{FIRST}/Images/100/key-photo-{size}.png" for size in ("expanded", "original", "snapshot", "thumbnail")]


class Watched:
    """A storage that notes what is written and removed, and refuses some keys."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.written: list[str] = []
        self.removed: list[str] = []
        self.refused = ""

    @property
    def url(self) -> str:
        return self._storage.url

    def put(self, key: str, data: bytes) -> None:
        if self.refused and self.refused in key:
            raise StorageError(f"cannot write {key}: the disk is full")
        self._storage.put(key, data)
        self.written.append(key)

    def create(self, key: str) -> Any:
        raise AssertionError(f"{key}: nothing is this large")

    def read(self, key: str) -> bytes:
        return self._storage.read(key)

    def find(self, key: str) -> StoredObject:
        return self._storage.find(key)

    def exists(self, key: str) -> bool:
        return self._storage.exists(key)

    def delete(self, key: str) -> None:
        self._storage.delete(key)
        self.removed.append(key)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        return self._storage.list(prefix)

    def check(self) -> None:
        self._storage.check()

    def sweep(self, older_than_seconds: float, prefix: str = "") -> int:
        return self._storage.sweep(older_than_seconds, prefix)


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3Server]:
    with serve_s3() as server:
        server.make_bucket("published")
        yield server


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Portal]:
    """Return a run with a tomogram and one annotation of each shape that lies in files here."""
    portal = Portal.open(tmp_path / "portal")
    mask = np.zeros(SIZE, np.uint16)
    mask[20:30, 8:16, 8:16], mask[20:30, 30:36, 30:36] = 1, 5
    portal.tomogram()
    portal.annotation("ribosome", {"Point": [(10, 10, 25)], "OrientedPoint": [(10, 10, 25)]})
    portal.annotation("cells", {"InstanceSegmentationMask": mask}, number=101)
    portal.annotation("membrane", {"SegmentationMask": (mask > 0).astype(np.int8)}, number=102)
    portal.annotation("coarse", {"Point": [(5, 5, 12)]}, spacing=COARSE)
    portal.annotation("elsewhere", number=103, alignment=OTHER)
    portal.sync()
    with portal.catalog:
        yield portal


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.service)])
def destination(request: pytest.FixtureRequest, portal: Portal, monkeypatch: pytest.MonkeyPatch) -> Watched:
    if request.param == "folder":
        return Watched(open_storage(portal.layout))
    server: S3Server = request.getfixturevalue("s3_server")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return Watched(open_storage(f"s3://published/{portal.folder.parent.name}"))


def go(portal: Portal, destination: Storage, **more: Any) -> PublishReport:
    return publish(portal.builder, destination, portal.layout, **{"top": TOP, **more})


def published(destination: Storage) -> list[str]:
    """Return what lies in the folders of what is published."""
    of = ("neuroglancer_precompute", "neuroglancer_config", "key_image")
    keys = [found.key for found in destination.list() if (place := parse(found.key)) and place.type in of]
    return sorted(keys)


def state(destination: Storage) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(destination.read(STATE))
    return found


def outcomes(report: PublishReport) -> Mapping[tuple[str, str], str]:
    return {(one.identity.rsplit("/", 1)[-1], one.what): one.outcome for one in report.items}


def test_everything_lies_where_the_portal_has_it(portal: Portal, destination: Watched) -> None:
    report = go(portal, destination)
    assert Counter(report.counts) == Counter(written=10)
    folders = {
        f"{FIRST}/NeuroglancerPrecompute/100-ribosome-1.0_point",
        f"{FIRST}/NeuroglancerPrecompute/100-ribosome-1.0_orientedpoint",
        f"{FIRST}/NeuroglancerPrecompute/101-cells-1.0_instancesegmentationmask",
        f"{FIRST}/NeuroglancerPrecompute/102-membrane-1.0_segmentationmask",
        f"{folder_of(COARSE)}/NeuroglancerPrecompute/100-coarse-1.0_point",
    }
    keys = published(destination)
    assert {key for key in keys if key.endswith(("json", "png"))} - set(PHOTOS) == {STATE}
    assert set(PHOTOS) <= set(keys)
    assert {key.removesuffix("/info") for key in keys if key.endswith("/info") and key.count("/") == 6} == folders
    inside = [key for key in keys if key not in {STATE, *PHOTOS}]
    assert all(key.startswith(tuple(f"{one}/" for one in folders)) for key in inside)
    assert (report.document()["objects"], report.document()["failed"]) == (len(keys), [])


def test_members_are_those_of_the_artifact_and_the_info_of_each_folder_comes_last(portal: Portal) -> None:
    destination = Watched(open_storage(portal.layout))
    go(portal, destination)
    name = portal.seen[f"{RUN}/spacings/{FINE}/annotations/7/membrane"].identity
    image = portal.image_of(f"{RUN}/spacings/{FINE}/tomograms/100")
    kind = "precomputed-segmentationmask"
    packed = Packed(portal.builder.read_artifact(kind, image, 60, None, portal.number_of(name))[1])
    folder = f"{FIRST}/NeuroglancerPrecompute/102-membrane-1.0_segmentationmask"
    written = [key for key in destination.written if key.startswith(f"{folder}/")]
    assert sorted(written) == [f"{folder}/{one}" for one in packed.names()]
    assert written[-1] == f"{folder}/info"
    last = len([key for key in written if key.endswith("/info")])
    assert all(key.endswith("/info") for key in written[-last:])
    assert all(destination.read(f"{folder}/{one}") == packed.read(one) for one in packed.names())
    assert json.loads(destination.read(f"{folder}/info"))["data_type"] in {"uint32", "uint64"}


def test_layers_have_published_addresses_and_public_numbers(portal: Portal, destination: Watched) -> None:
    go(portal, destination)
    found = state(destination)
    numbers = {one.name: one.id for one in portal.catalog.entities(type="annotation")}
    pre = f"precomputed://{TOP}/{FIRST}/NeuroglancerPrecompute"
    assert [(one["name"], one["source"]["url"]) for one in found["layers"]] == [
        ("TS_1", f"zarr://{TOP}/{FIRST}/Tomograms/100/TS_1.zarr"),
        (f"{numbers['ribosome']} ribosome point", f"{pre}/100-ribosome-1.0_point"),
        (f"{numbers['ribosome']} ribosome orientedpoint", f"{pre}/100-ribosome-1.0_orientedpoint"),
        (f"{numbers['cells']} cells instancesegmentation", f"{pre}/101-cells-1.0_instancesegmentationmask"),
        (f"{numbers['membrane']} membrane segmentation", f"{pre}/102-membrane-1.0_segmentationmask"),
        (
            f"{numbers['coarse']} coarse point",
            f"precomputed://{TOP}/{folder_of(COARSE)}/NeuroglancerPrecompute/100-coarse-1.0_point",
        ),
    ]
    assert found["deposition_id"] == 7
    assert abs(found["last_updated_at"] - portal.catalog.now().timestamp()) < 120
    served = portal.state(f"{RUN}/spacings/{FINE}/tomograms/100")
    colors = [one.get("annotationColor") for one in found["layers"]]
    assert colors == [one.get("annotationColor") for one in served["layers"]]
    keys = set(published(destination)) | {f"{FIRST}/Tomograms/100/TS_1.zarr/info"}
    for layer in found["layers"]:
        assert f"{layer['source']['url'].split(f'{TOP}/')[1]}/info" in keys


@pytest.mark.parametrize("top", ["https://host.org/bucket", "https://host.org/bucket/", "http://host.org"])
def test_addresses_do_not_depend_on_a_slash_at_the_end_of_the_top(portal: Portal, top: str) -> None:
    destination = open_storage(portal.layout)
    go(portal, destination, top=top)
    (image, *_) = state(destination)["layers"]
    assert image["source"]["url"] == f"zarr://{top.rstrip('/')}/{FIRST}/Tomograms/100/TS_1.zarr"


@pytest.mark.parametrize("top", ["", "s3://bucket/place", "host.org/bucket", "https://host.org/?x=1", "https://a b"])
def test_a_top_that_browsers_cannot_read_is_refused(tmp_path: Path, top: str) -> None:
    portal = Portal.open(tmp_path / "bare")
    with portal.catalog, pytest.raises(InvalidRequestError, match="no address"):
        go(portal, open_storage(portal.layout), top=top)


def test_without_a_top_everything_but_states_is_published(portal: Portal) -> None:
    destination = open_storage(portal.layout)
    report = go(portal, destination, top=None)
    assert Counter(report.counts) == Counter(written=9)
    assert STATE not in published(destination)
    assert set(PHOTOS) <= set(published(destination))


def test_a_second_publication_writes_nothing_and_reads_no_precompute(portal: Portal, destination: Watched) -> None:
    go(portal, destination)
    before = {found.key: found.modified for found in destination.list()}
    destination.written.clear()
    counts = portal.counts.copy()
    report = go(portal, destination)
    assert (destination.written, destination.removed) == ([], [])
    assert Counter(report.counts) == Counter(unchanged=10)
    assert portal.counts == counts
    assert {found.key: found.modified for found in destination.list()} == before


def test_what_is_gone_comes_back_and_nothing_else_is_written(portal: Portal, destination: Watched) -> None:
    go(portal, destination)
    gone = [PHOTOS[2], STATE, f"{FIRST}/NeuroglancerPrecompute/100-ribosome-1.0_point/info"]
    for key in gone:
        destination.delete(key)
    destination.written.clear()
    report = go(portal, destination)
    assert sorted(destination.written) == sorted(gone)
    assert Counter(report.counts) == Counter(written=3, unchanged=7)


def test_what_was_damaged_is_written_again_and_nothing_else(portal: Portal, destination: Watched) -> None:
    go(portal, destination)
    damaged = [PHOTOS[1], f"{FIRST}/NeuroglancerPrecompute/100-ribosome-1.0_point/info"]
    before = {key: destination.read(key) for key in damaged}
    for key in damaged:
        destination.put(key, b"junk")
    destination.written.clear()
    report = go(portal, destination)
    assert sorted(destination.written) == sorted(damaged)
    assert {key: destination.read(key) for key in damaged} == before
    assert Counter(report.counts) == Counter(written=2, unchanged=8)


def test_a_new_annotation_writes_its_precompute_the_state_and_the_photos(portal: Portal, destination: Watched) -> None:
    go(portal, destination)
    first = state(destination)
    destination.written.clear()
    portal.sync(portal.annotation("new", {"Point": [(40, 30, 25)]}, number=104))
    report = go(portal, destination)
    folder = f"{FIRST}/NeuroglancerPrecompute/104-new-1.0_point"
    assert {key for key in destination.written if not key.startswith(f"{folder}/")} == {STATE, *PHOTOS}
    assert Counter(report.counts) == Counter(written=6, unchanged=5)
    second = state(destination)
    assert [one["name"] for one in second["layers"]][:-1] == [one["name"] for one in first["layers"]]


def test_what_a_precompute_had_before_and_has_no_more_is_removed_last(portal: Portal) -> None:
    destination = Watched(open_storage(portal.layout))
    name = portal.annotation("many", {"Point": [(float(n), 20, 25) for n in range(60)]}, number=105)
    portal.sync(name)
    go(portal, destination)
    folder = f"{FIRST}/NeuroglancerPrecompute/105-many-1.0_point"
    portal.sync(portal.annotation("many", {"Point": [(1.0, 20, 25)]}, number=105, version="2"))
    item = next(one for one in go(portal, destination).items if one.identity == name)
    image = portal.image_of(f"{RUN}/spacings/{FINE}/tomograms/100")
    packed = Packed(portal.builder.read_artifact("precomputed-point", image, 60, None, portal.number_of(name))[1])
    there = {key for key in published(destination) if key.startswith(f"{folder}/")}
    assert there == {f"{folder}/{one}" for one in packed.names()}
    assert (item.outcome, item.removed) == ("written", len(destination.removed))


def test_what_fails_leaves_the_others_and_is_no_layer(portal: Portal, destination: Watched) -> None:
    destination.refused = "102-membrane"
    report = go(portal, destination)
    (failed,) = report.failed
    assert (failed.what, failed.identity.rsplit("/", 1)[-1]) == ("segmentationmask", "membrane")
    assert "the disk is full" in failed.reason
    whole = portal.state(f"{RUN}/spacings/{FINE}/tomograms/100")["layers"]
    kept = [one for one in whole if "membrane" not in one["name"]]
    assert [one["name"] for one in state(destination)["layers"]] == [one["name"] for one in kept]
    shown = [one.get("annotationColor") for one in state(destination)["layers"]]
    assert shown == [one.get("annotationColor") for one in kept]
    destination.refused = ""
    assert outcomes(go(portal, destination)) == {
        one: "written" if one in {("membrane", "segmentationmask"), ("100", "neuroglancer_config")} else "unchanged"
        for one in outcomes(report)
    }
    assert len(state(destination)["layers"]) == 6


def test_a_publication_that_was_killed_between_two_objects_is_done_again(portal: Portal) -> None:
    destination = Watched(open_storage(portal.layout))
    go(portal, destination)
    name = portal.annotation("ribosome", {"Point": [(30, 30, 25)]}, version="2")
    portal.sync(name)
    destination.refused = "100-ribosome-1.0_point/info"
    assert [one.what for one in go(portal, destination).failed] == ["point"]
    # the annotation is as it was at first, but some of its files are those of the second
    portal.annotation("ribosome", {"Point": [(10, 10, 25)], "OrientedPoint": [(10, 10, 25)]})
    portal.sync(name)
    destination.refused = ""
    go(portal, destination)
    image = portal.image_of(f"{RUN}/spacings/{FINE}/tomograms/100")
    packed = Packed(portal.builder.read_artifact("precomputed-point", image, 60, None, portal.number_of(name))[1])
    folder = f"{FIRST}/NeuroglancerPrecompute/100-ribosome-1.0_point"
    assert all(destination.read(f"{folder}/{one}") == packed.read(one) for one in packed.names())


def test_a_tomogram_without_a_pyramid_has_photos_and_no_state(portal: Portal) -> None:
    destination = open_storage(portal.layout)
    identity = f"{RUN}/spacings/{FINE}/tomograms/100"
    key = f"{FIRST}/Tomograms/100/TS_1.mrc"

    with mrcfile.new(portal.top / key) as file:
        file.set_data(np.random.default_rng(1).normal(size=SIZE).astype(np.float32))
    portal.seen[identity] = replace(portal.seen[identity], image_key=key)
    portal.sync(identity)
    report = go(portal, destination)
    (failed,) = report.failed
    assert failed.what == "neuroglancer_config"
    assert failed.reason.endswith("has no OME-Zarr, which is what Neuroglancer reads")
    assert set(PHOTOS) <= set(published(destination))


def test_another_destination_is_written_as_a_whole(portal: Portal, tmp_path: Path) -> None:
    go(portal, open_storage(portal.layout))
    other = Watched(open_storage(str(tmp_path / "mirror")))
    go(portal, other)
    assert sorted(other.written) == published(open_storage(portal.layout))


def test_photos_are_pictures_of_their_width(portal: Portal, destination: Watched) -> None:
    go(portal, destination)
    shapes = {}
    for key in PHOTOS:
        decoded = cv2.imdecode(np.frombuffer(destination.read(key), np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        shapes[key.rsplit("-", 1)[-1]] = decoded.shape[:2]
    assert shapes == {
        "expanded.png": (768, 1024),
        "original.png": (48, 64),
        "snapshot.png": (384, 512),
        "thumbnail.png": (100, 134),
    }


def test_what_nobody_wants_any_more_is_not_published(portal: Portal) -> None:
    destination = Watched(open_storage(portal.layout))
    report = go(portal, destination, should_stop=lambda: len(destination.written) >= 3)
    assert (len(destination.written), report.is_stopped) == (3, True)
    assert not go(portal, destination).is_stopped
    assert STATE in published(destination)


def test_only_the_runs_that_are_asked_for_are_published(portal: Portal) -> None:
    assert go(portal, open_storage(portal.layout), runs=["datasets/1/runs/TS_2"]).items == ()
    assert len(go(portal, open_storage(portal.layout), runs=[RUN]).items) == 10
