import asyncio
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from starlette.requests import ClientDisconnect

from coverslip.api.kept import Picture
from coverslip.api.open_files import Identity, OpenFiles
from coverslip.api.patience import LOOK_SECONDS
from coverslip.api.pictures import AT_ONCE, Pictures
from coverslip.catalog import Catalog
from coverslip.derive import Builder, Uses, open_catalog
from coverslip.errors import BuildError
from coverslip.ingest import add
from coverslip.model import RenderSpec
from coverslip.model.records import ArtifactRecord
from coverslip.readers import ImageFile
from coverslip.storage import FolderStorage, Storage
from tests.api.checks import check_problem
from tests.api.conftest import Service, running
from tests.api.tiffs import stack_pixels, write_stack


def pixels(answer: httpx.Response) -> NDArray[np.uint8]:
    assert answer.status_code == 200, answer.text
    found = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return cv2.cvtColor(found, cv2.COLOR_BGR2RGB).astype(np.uint8)


def thumbnail(service: Service, image_id: str, **headers: str) -> httpx.Response:
    return service.client.get(f"/api/images/{image_id}/thumbnail", headers=headers)


def test_the_default_is_the_stored_thumbnail(library: Service, image_id: str) -> None:
    plain = thumbnail(library, image_id)
    stored = [path.read_bytes() for path in (library.settings.home / "artifacts").rglob("*.png")]
    assert plain.content in stored
    assert plain.headers["cache-control"] == "no-cache"
    assert plain.headers["vary"] == "Accept"
    listed = library.client.get(f"/api/images/{image_id}").json()["metadata"]["thumbnail"]
    assert plain.headers["etag"] == f'"{listed["etag"]}"'
    assert listed["state"] == "fresh"
    explicit = library.client.get(f"/api/images/{image_id}/thumbnail?width=256&height=256&v=7")
    assert explicit.content == plain.content


def test_z_t_and_channels_choose_what_is_seen(library: Service, image_id: str) -> None:
    def seen(query: str) -> NDArray[np.uint8]:
        return pixels(library.client.get(f"/api/images/{image_id}/thumbnail?{query}"))

    assert seen("width=60&height=40").shape == (40, 60, 3)
    for z in range(5):
        plane = seen(f"z_slice={z}&channels=0")
        bright = plane.max(axis=2) > 128
        assert np.array_equal(bright, stack_pixels()[z, 0] > 2000)
    both, first, second = seen("z_slice=2"), seen("z_slice=2&channels=0"), seen("z_slice=2&channels=1")
    assert np.array_equal(both, cv2.add(first, second))
    assert np.array_equal(seen("z_slice=2&channels=1,0"), both)
    assert seen("width=30&height=30").shape == (20, 30, 3)
    assert np.array_equal(seen("t=0&width=300"), pixels(thumbnail(library, image_id)))


@pytest.mark.parametrize(
    ("accept", "magic"),
    [("image/webp", b"RIFF"), ("image/jpeg", b"\xff\xd8\xff"), ("image/png", b"\x89PNG"), ("text/html", b"\x89PNG")],
)
@pytest.mark.parametrize("query", ["", "?z_slice=1"])
def test_the_kind_of_picture_asked_for(library: Service, image_id: str, accept: str, magic: bytes, query: str) -> None:
    address = f"/api/images/{image_id}/thumbnail{query}"
    answer = library.client.get(address, headers={"accept": accept})
    assert answer.content.startswith(magic)
    expected = "image/png" if accept == "text/html" else accept
    assert answer.headers["content-type"] == expected
    difference = pixels(answer).astype(int) - pixels(library.client.get(address))
    assert np.abs(difference).mean() < 12
    again = library.client.get(address, headers={"accept": accept, "if-none-match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("query", ["", "?z_slice=1", "?width=40"])
def test_a_client_that_has_it_gets_304(library: Service, image_id: str, query: str) -> None:
    address = f"/api/images/{image_id}/thumbnail{query}"
    first = library.client.get(address)
    second = library.client.get(address, headers={"if-none-match": first.headers["etag"]})
    assert second.status_code == 304
    assert second.content == b""
    assert second.headers["etag"] == first.headers["etag"]
    other = library.client.get(address, headers={"if-none-match": '"other"'})
    assert other.content == first.content


def test_every_choice_has_its_own_tag(library: Service, image_id: str) -> None:
    queries = ["", "?z_slice=0", "?z_slice=1", "?width=40", "?channels=0", "?channels=1", "?t=0"]
    accepts = ["image/png", "image/webp", "image/jpeg"]
    tags = {
        library.client.get(f"/api/images/{image_id}/thumbnail{query}", headers={"accept": accept}).headers["etag"]
        for query in queries
        for accept in accepts
    }
    assert len(tags) == len(queries) * len(accepts)


@pytest.mark.parametrize("query", ["z_slice=5", "t=1", "channels=2", "channels=0,9"])
def test_outside_the_image(library: Service, image_id: str, query: str) -> None:
    check_problem(library.client.get(f"/api/images/{image_id}/thumbnail?{query}"), 400, "outside-image")


@pytest.mark.parametrize(
    "query",
    ["width=0", "width=8193", "height=x", "z_slice=-1", "t=1.5", "channels=a", "channels=0,,1", "channels=", "depth=1"],
)
def test_parameters_that_make_no_sense(library: Service, image_id: str, query: str) -> None:
    check_problem(library.client.get(f"/api/images/{image_id}/thumbnail?{query}"), 422, "invalid-parameter")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.dictionaries(
        st.sampled_from(["width", "height", "z_slice", "t", "channels", "v", "q", "skip", "limit", "\x00", "é"]),
        st.one_of(
            st.integers(-(10**12), 10**12).map(str),
            st.integers(0, 9).map(str),
            st.text(max_size=12),
            st.lists(st.integers(0, 12), max_size=5).map(lambda found: ",".join(map(str, found))),
            st.sampled_from(["true", "null", "1e5", "NaN", "٣", "0x10", "256", "8192"]),
        ),
        max_size=4,
    ),
    accept=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30).map(str.strip),
    path=st.sampled_from(["/api/images/", "/api/images/{}", "/api/images/{}/thumbnail", "/api/images/{}/metadata"]),
)
def test_no_query_is_the_servers_fault(
    library: Service, image_id: str, query: dict[str, str], accept: str, path: str
) -> None:
    answer = library.client.get(path.format(image_id), params=query, headers={"accept": accept})
    assert answer.status_code in {200, 400, 422}, answer.text


def test_head(library: Service, image_id: str) -> None:
    answer = library.client.head(f"/api/images/{image_id}/thumbnail")
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["etag"] == thumbnail(library, image_id).headers["etag"]


def test_a_hundred_requests_build_once(service: Service, stack_file: Path) -> None:
    image_id = service.upload(stack_file).json()["id"]
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: thumbnail(service, image_id), range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    with open_catalog(service.settings.catalog_url) as catalog:
        types = [event.type for event in catalog.events_after(0)]
    assert types.count("artifact.built") == 1


def test_a_stored_thumbnail_that_is_gone_is_built_again(service: Service, stack_file: Path) -> None:
    image_id = service.upload(stack_file).json()["id"]
    first = thumbnail(service, image_id)
    for path in (service.settings.home / "artifacts").rglob("*.png"):
        path.unlink()
    webp = thumbnail(service, image_id, accept="image/webp")  # the PNG itself is still in memory
    assert webp.status_code == 200
    assert thumbnail(service, image_id).content == first.content
    assert any((service.settings.home / "artifacts").rglob("*.png"))


def test_a_changed_file_has_new_pictures(service: Service, tmp_path: Path) -> None:
    path = write_stack(tmp_path / "a.ome.tif", 0)
    with open_catalog(service.settings.catalog_url) as catalog:
        add([path], catalog=catalog, workers=1)
        image_id = service.client.get("/api/images/").json()["images"][0]["id"]
        address = f"/api/images/{image_id}/thumbnail"
        old = {query: service.client.get(address + query) for query in ("", "?z_slice=1")}
        write_stack(path, 1)
        os.utime(path, (1, 1))
        add([path], catalog=catalog, workers=1)
    for query, before in old.items():
        after = service.client.get(address + query, headers={"if-none-match": before.headers["etag"]})
        assert after.status_code == 200
        assert not np.array_equal(pixels(after), pixels(before))


def test_a_file_that_went_bad_after_it_was_added(service: Service, tmp_path: Path) -> None:
    path = write_stack(tmp_path / "a.ome.tif")
    with open_catalog(service.settings.catalog_url) as catalog:
        add([path], catalog=catalog, workers=1)
    image_id = service.client.get("/api/images/").json()["images"][0]["id"]
    address = f"/api/images/{image_id}/thumbnail"
    path.write_bytes(path.read_bytes()[:300])
    for query in ("", "?z_slice=1"):
        answer = service.client.get(address + query)
        check_problem(answer, 422, "unreadable-file" if query else "undrawable")
        assert "a.ome.tif" in answer.json()["detail"]
    path.unlink()
    check_problem(service.client.get(f"{address}?z_slice=1"), 422, "unreadable-file")


def test_stepping_through_z_opens_the_file_once(tmp_path: Path, stack_file: Path) -> None:
    with running(tmp_path / "own", confine="none") as service:  # handles of confined processes are not counted here
        image_id = service.upload(stack_file).json()["id"]
        (path,) = (path for path in service.uploads if path.is_file())

        def look(z: int) -> None:
            assert service.client.get(f"/api/images/{image_id}/thumbnail?z_slice={z}").status_code == 200

        look(0)
        count = open_handles(path)
        for z in range(1, 5):
            look(z)
        assert open_handles(path) == count == 1
        service.client.delete(f"/api/images/{image_id}")
        assert open_handles(path) == 0


def test_a_list_does_not_wait_for_pictures(service: Service, tmp_path: Path) -> None:
    ids = [service.upload(write_stack(tmp_path / f"{n}.ome.tif", n)).json()["id"] for n in range(12)]
    threads = [threading.Thread(target=thumbnail, args=(service, image_id)) for image_id in ids]
    for thread in threads:
        thread.start()
    assert service.total() == 12
    for thread in threads:
        thread.join()
    states = [stack["metadata"]["thumbnail"]["state"] for stack in service.client.get("/api/images/").json()["images"]]
    assert states == ["fresh"] * 12


class CountedFiles(OpenFiles):
    """Counts how often somebody reads a file, and can keep readers waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.borrowed = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    @contextmanager
    def borrow(self, identity: Identity) -> Iterator[ImageFile]:
        self.borrowed += 1
        self.may_go_on.wait(20)
        with super().borrow(identity) as file:
            yield file


@contextmanager
def pictures_of(
    folder: Path, build_seconds: float = 20.0, builder: type[Builder] = Builder
) -> Iterator[tuple[Pictures, str, CountedFiles]]:
    """Give the pictures of a library with one image, and the id of that image."""
    with open_catalog(f"sqlite:///{folder / 'catalog.sqlite'}") as catalog:
        add([write_stack(folder / "a.ome.tif")], catalog=catalog, workers=1)
        made = builder(catalog, FolderStorage(folder / "artifacts"), lease_seconds=30)
        with closing(CountedFiles()) as files:
            pictures = Pictures(catalog, made, files, Uses(catalog), build_seconds=build_seconds)
            yield pictures, catalog.list_images().images[0].id, files


@pytest.mark.usefixtures("no_open_handles")
def test_a_picture_that_many_ask_for_is_drawn_once(tmp_path: Path) -> None:
    with pictures_of(tmp_path) as (pictures, image_id, files):

        async def ask() -> list[Picture]:
            wanted = [pictures.get(image_id, RenderSpec(z=z % 2), "image/png", None) for z in range(20)]
            return await asyncio.gather(*wanted)

        answers = asyncio.run(ask())
    assert files.borrowed == 2
    assert len({picture.data for picture in answers}) == 2


def start_drawing(pictures: Pictures, image_id: str) -> list[asyncio.Task[Picture]]:
    """Ask for as many pictures as are drawn at the same time."""
    specs = [RenderSpec(width=10 + n) for n in range(AT_ONCE)]
    return [asyncio.create_task(pictures.get(image_id, spec, "image/png", None)) for spec in specs]


def test_who_waits_too_long_for_his_turn_is_told_to_come_back(tmp_path: Path) -> None:
    with pictures_of(tmp_path, build_seconds=2.0) as (pictures, image_id, files):
        files.may_go_on.clear()

        async def ask() -> None:
            under_way = start_drawing(pictures, image_id)
            while files.borrowed < AT_ONCE:
                await asyncio.sleep(0.01)
            with pytest.raises(BuildError, match="ask again"):
                await pictures.get(image_id, RenderSpec(width=100), "image/png", None)
            assert (await pictures.get(image_id, RenderSpec(), "image/png", None)).data, "thumbnails have other turns"
            files.may_go_on.set()
            await asyncio.gather(*under_way, return_exceptions=True)
            assert (await pictures.get(image_id, RenderSpec(width=100), "image/png", None)).data

        asyncio.run(ask())


def test_a_picture_past_its_deadline_stops_at_the_next_read(tmp_path: Path) -> None:
    with pictures_of(tmp_path, build_seconds=0.2) as (pictures, image_id, files):
        files.may_go_on.clear()

        async def ask() -> None:
            under_way = start_drawing(pictures, image_id)
            await asyncio.sleep(0.3)
            files.may_go_on.set()
            for answer in await asyncio.gather(*under_way, return_exceptions=True):
                assert isinstance(answer, BuildError)
                assert answer.retryable
                assert "not drawn within 0.2 seconds" in str(answer)

        asyncio.run(ask())


@pytest.mark.usefixtures("no_open_handles")
def test_nobody_draws_for_a_client_that_has_gone(tmp_path: Path) -> None:
    with pictures_of(tmp_path) as (pictures, image_id, files):
        files.may_go_on.clear()

        async def gone() -> bool:
            return files.borrowed > 0

        async def ask() -> None:
            leaving = asyncio.create_task(
                pictures.get(image_id, RenderSpec(width=10), "image/png", None, has_gone=gone)
            )
            while not files.borrowed:
                await asyncio.sleep(0.01)
            staying = asyncio.create_task(pictures.get(image_id, RenderSpec(width=10), "image/png", None))
            await asyncio.sleep(3 * LOOK_SECONDS)
            files.may_go_on.set()
            with pytest.raises(ClientDisconnect):
                await leaving
            assert (await staying).data, "another client that waits for the same picture gets it"

        asyncio.run(ask())


def test_a_request_has_one_deadline_for_its_turn_and_its_build(tmp_path: Path) -> None:
    with pictures_of(tmp_path, builder=SlowBuilder) as (pictures, image_id, _):

        async def ask() -> None:
            wanted = [pictures.get(image_id, RenderSpec(), "image/webp", None) for _ in range(2 * AT_ONCE)]
            assert all(picture.data for picture in await asyncio.gather(*wanted))

        asyncio.run(ask())
        builder = pictures.stored._builder
        assert isinstance(builder, SlowBuilder)
        assert len(builder.given) == 2 * AT_ONCE
        assert max(builder.given[AT_ONCE:]) <= 20 - builder.takes_seconds, "the time waited for a turn counts"


class SlowBuilder(Builder):
    """Notes how much time it is given, and takes some."""

    takes_seconds = 0.3

    def __init__(self, catalog: Catalog, storage: Storage, *, lease_seconds: float) -> None:
        super().__init__(catalog, storage, lease_seconds=lease_seconds)
        self.given: list[float] = []

    def read_artifact(
        self,
        kind: str,
        image_id: str,
        seconds: float,
        annotation_id: str | None = None,
        entity_id: int | None = None,
    ) -> tuple[ArtifactRecord, bytes]:
        self.given.append(seconds)
        time.sleep(self.takes_seconds)
        return super().read_artifact(kind, image_id, seconds, annotation_id, entity_id)


def open_handles(path: Path) -> int:
    """Return how often this process has the file open."""
    import psutil

    return sum(item.path == str(path) for item in psutil.Process().open_files())
