"""What is answered at once: the same answers as the routes give, and never an old one."""

import asyncio
import http.client
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import numpy as np
import pytest
import tifffile
from fastapi import FastAPI
from starlette.datastructures import State
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from coverslip.api import create_app
from coverslip.api.at_once import AtOnce
from coverslip.api.near import is_near
from coverslip.api.open_files import OpenFiles
from coverslip.catalog import Catalog
from coverslip.catalog.places import Places
from coverslip.derive import open_catalog
from coverslip.ingest import add
from coverslip.settings import Settings
from tests.api.conftest import serving
from tests.readers.generate_ome_zarr import counted, write_image

SITE = "https://viewer.example"
WORDS = {"zarr": 3, "zarr04": 2}


@dataclass(frozen=True)
class Answer:
    """An answer, without what differs from second to second."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """A server whose shortcut can be taken away."""

    app: FastAPI
    address: str
    settings: Settings

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Send one request exactly as written; no client tidies the path up."""
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=30)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders() if name.lower() != "date"}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    @contextmanager
    def only(self, way: str) -> Iterator[None]:
        """Answer in one way alone for the time of a ``with`` statement: ``at once`` or by the ``routes``."""
        rooms = self.app.state.rooms
        try:
            if way == "routes":
                self.app.state.rooms = replace(rooms, places=None)
                yield
            else:
                forbidden = self.app.router.routes[:]
                self.app.router.routes.clear()
                yield
                self.app.router.routes.extend(forbidden)
        finally:
            self.app.state.rooms = rooms

    def catalog(self) -> Catalog:
        """Open the catalog a second time, as another process would."""
        return open_catalog(self.settings.catalog_url)

    def added(self, path: Path) -> str:
        """Catalog a file or folder and return the id of its image."""
        with self.catalog() as catalog:
            add([path], catalog=catalog)
            return next(image.id for image in catalog.list_images().images if image.path == str(path))


@contextmanager
def served(home: Path, **changes: object) -> Iterator[Server]:
    settings = Settings.load(home=home, zarr_origins=SITE, **changes)
    app = create_app(settings, build_in_background=False)
    with serving(app) as address:
        yield Server(app, address, settings)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with served(tmp_path / "home") as server:
        yield server


@pytest.fixture
def near(tmp_path: Path) -> Path:
    """A folder on a disk that says what is in memory; on others everything goes through the routes."""
    probe = tmp_path / "probe"
    probe.write_bytes(b"0")
    if not is_near(str(probe)):
        pytest.skip("this disk cannot be read without waiting")
    return tmp_path


def stored(folder: Path, word: str) -> tuple[Path, np.ndarray]:
    """Write an image with uncompressed chunks of 8 x 16 and a label image."""
    pixels = counted(1, 2, 3, 20, 40)
    path = write_image(folder / f"{word}.ome.zarr", pixels, "tczyx", WORDS[word], compressors=None)  # type: ignore[arg-type]
    write_image(path / "labels" / "cells", counted(1, 1, 3, 20, 40), "tczyx", WORDS[word], levels=1)  # type: ignore[arg-type]
    return path, pixels


def chunk(word: str, place: str = "0/0/0/0/0", level: int = 0) -> str:
    return f"{level}/{'c/' if word == 'zarr' else ''}{place}"


def warm(server: Server, image_id: str, word: str) -> str:
    """Let the server find out where an image is stored; return the beginning of its addresses."""
    prefix = f"/api/images/{image_id}/{word}/"
    assert server.ask(prefix + chunk(word)).status == 200
    return prefix


@pytest.mark.parametrize("word", WORDS)
def test_the_stored_files_themselves_are_served(server: Server, tmp_path: Path, word: str) -> None:
    path, pixels = stored(tmp_path, word)
    prefix = warm(server, server.added(path), word)
    documents = ["zarr.json", "0/zarr.json", "labels/cells/zarr.json"]
    documents = (
        documents if word == "zarr" else [".zgroup", ".zattrs", "0/.zarray", "1/.zarray", "labels/cells/.zattrs"]
    )
    for way in ("routes", None):
        for key in [*documents, chunk(word), chunk(word, "0/1/2/2/2"), f"labels/cells/{chunk(word)}"]:
            if way:
                with server.only(way):
                    answer = server.ask(prefix + key)
            else:
                answer = server.ask(prefix + key)
            assert (answer.status, answer.body) == (200, (path / key).read_bytes()), key
            is_document = key in documents
            kind = "application/json" if is_document else "application/octet-stream"
            assert answer.headers["content-type"] == kind
            assert not is_document or json.loads(answer.body)
    first = np.frombuffer(server.ask(prefix + chunk(word)).body, "u2").reshape(8, 16)
    np.testing.assert_array_equal(first, pixels[0, 0, 0, :8, :16])


@pytest.mark.parametrize("word", WORDS)
def test_the_other_version_is_made_as_before(server: Server, tmp_path: Path, word: str) -> None:
    path, pixels = stored(tmp_path, word)
    image_id = server.added(path)
    other = "zarr04" if word == "zarr" else "zarr"
    answer = server.ask(f"/api/images/{image_id}/{other}/{chunk(other)}")
    np.testing.assert_array_equal(np.frombuffer(answer.body, "u2").reshape(20, 40), pixels[0, 0, 0])


REQUESTS: list[tuple[str, str, dict[str, str]]] = [
    ("GET", "", {}),
    ("HEAD", "", {}),
    ("GET", "", {"range": "bytes=10-19"}),
    ("GET", "", {"range": "bytes=-6"}),
    ("GET", "", {"range": "bytes=250-"}),
    ("GET", "", {"range": "bytes=0-255"}),
    ("GET", "", {"range": "bytes=1-2,4-5"}),
    ("GET", "", {"range": "bytes=900-"}),
    ("GET", "", {"range": "bytes=10-19", "if_range": '"another"'}),
    ("GET", "", {"range": "bytes=10-19", "if_range": "ETAG"}),
    ("GET", "", {"if_none_match": "ETAG"}),
    ("GET", "", {"if_none_match": "*"}),
    ("GET", "", {"if_none_match": '"another", W/ETAG'}),
    ("HEAD", "", {"if_none_match": "ETAG"}),
    ("HEAD", "", {"range": "bytes=10-19"}),
    ("GET", "", {"origin": SITE}),
    ("GET", "", {"origin": "https://evil.example"}),
    ("OPTIONS", "", {"origin": SITE, "access_control_request_method": "GET"}),
    ("GET", "", {"host": "evil.example"}),
    ("HEAD", "", {"host": "evil.example"}),
    ("POST", "", {"origin": "https://evil.example"}),
    ("POST", "", {}),
    ("DELETE", "", {}),
    ("GET", "0/c/0/0/0/0/9", {}),
    ("GET", "0/c/0/0/0/0/9", {"if_none_match": "*"}),
    ("GET", "0/c/0/0/0", {}),
    ("GET", "0", {}),
    ("GET", "notes.txt", {}),
    ("GET", ".secret/zarr.json", {}),
    ("GET", "../outside/zarr.json", {}),
    ("GET", "0/../../outside/zarr.json", {}),
    ("GET", "..%2foutside%2fzarr.json", {}),
    ("GET", "%2e%2e/outside/zarr.json", {}),
    ("GET", "0%2fc%2f0%2f0%2f0%2f0%2f0", {}),
    ("GET", "0/c/0/0/0/0/0%00", {}),
    ("GET", "%00", {}),
    ("GET", "/etc/hostname/0", {}),
    ("GET", "0//c/0/0/0/0/0", {}),
    ("GET", "linked/0", {}),
    ("GET", "linked/zarr.json", {}),
    ("GET", "0/c/0/0/0/0/7", {}),
    ("GET", "0/c/0/0/0/0/8", {}),
    ("GET", "a" * 300 + "/0", {}),
]


@pytest.mark.parametrize(("method", "key", "headers"), REQUESTS)
def test_both_ways_give_the_same_answer(
    server: Server, tmp_path: Path, method: str, key: str, headers: dict[str, str]
) -> None:
    path, _ = stored(tmp_path, "zarr")
    outside = tmp_path / "outside"
    outside.mkdir()
    secret = b'{"secret": 1}'
    (outside / "zarr.json").write_bytes(secret)
    (outside / "0").write_bytes(secret)
    prefix = warm(server, server.added(path), "zarr")
    (path / "notes.txt").write_bytes(secret)
    (path / ".secret").mkdir()
    (path / ".secret" / "zarr.json").write_bytes(secret)
    (path / "linked").symlink_to(outside)
    (path / "0/c/0/0/0/0/7").symlink_to(outside / "0")
    os.mkfifo(path / "0/c/0/0/0/0/8")
    key = key or chunk("zarr")
    etag = server.ask(prefix + chunk("zarr")).headers["etag"]
    headers = {name: value.replace("ETAG", etag) for name, value in headers.items()}
    here = server.ask(prefix + key, method, **headers)
    with server.only("routes"):
        there = server.ask(prefix + key, method, **headers)
    assert here == there
    assert secret not in here.body
    assert here.headers["x-content-type-options"] == "nosniff"
    allowed = here.headers.get("access-control-allow-origin")
    assert allowed == (SITE if headers.get("origin") == SITE else None)
    if headers.get("host") == "evil.example" or (method == "POST" and "origin" in headers):
        assert here.status == 403
    if key in ("linked/0", "linked/zarr.json", "0/c/0/0/0/0/7"):
        assert here.status == 500  # a link is no chunk of fill values


def test_a_stored_chunk_needs_no_route(near: Path) -> None:
    with served(near / "home") as server:
        path, _ = stored(near, "zarr")
        prefix = warm(server, server.added(path), "zarr")
        with server.only("at once"):
            answer = server.ask(prefix + chunk("zarr", "0/1/2/1/1"))
            assert (answer.status, answer.body) == (200, (path / chunk("zarr", "0/1/2/1/1")).read_bytes())
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")
            assert server.ask(prefix + chunk("zarr"), host="evil.example").status == 403


@pytest.mark.parametrize("way", ["routes", None])
def test_what_changes_on_disk_is_served_anew(server: Server, tmp_path: Path, way: str | None) -> None:
    path, _ = stored(tmp_path, "zarr")
    prefix = warm(server, server.added(path), "zarr")
    if way:
        server.app.state.rooms = replace(server.app.state.rooms, places=None)
    file = path / chunk("zarr")
    before = server.ask(prefix + chunk("zarr"))
    changed = bytes(reversed(before.body))
    (path / "new").write_bytes(changed)
    (path / "new").replace(file)
    after = server.ask(prefix + chunk("zarr"), if_none_match=before.headers["etag"])
    assert (after.status, after.body) == (200, changed)
    file.unlink()
    assert server.ask(prefix + chunk("zarr")).status == 404  # the fill value
    (path / "0" / "zarr.json").rename(path / "elsewhere")
    assert server.ask(prefix + chunk("zarr")).status == 500  # nobody knows what is missing
    assert server.ask(prefix + "0/zarr.json").status == 500
    (path / "elsewhere").rename(path / "0" / "zarr.json")
    path.rename(tmp_path / "gone")
    for key in (chunk("zarr"), "zarr.json", chunk("zarr", "0/1/2/1/1")):
        assert server.ask(prefix + key).status == 500


def test_an_image_that_is_deleted_elsewhere_is_gone_at_once(server: Server, tmp_path: Path) -> None:
    path, _ = stored(tmp_path, "zarr")
    image_id = server.added(path)
    prefix = warm(server, image_id, "zarr")
    with server.catalog() as catalog:
        for _ in range(5):
            catalog.delete_image(image_id)
            assert server.ask(prefix + chunk("zarr")).status == 404
            catalog.restore_image(image_id)
            assert server.ask(prefix + chunk("zarr")).status == 200


@pytest.mark.parametrize("axes", ["xyz", "cxyz"])
def test_axes_in_another_order_are_made_anew(server: Server, tmp_path: Path, axes: str) -> None:
    path = write_image(tmp_path / "turned.ome.zarr", counted(*(2, 9, 11, 5)[-len(axes) :]), axes, 3)
    document = json.loads(server.ask(f"/api/images/{server.added(path)}/zarr/zarr.json").body)
    named = document["attributes"]["ome"]["multiscales"][0]["axes"]
    assert [axis["name"] for axis in named] == ["t", "c", "z", "y", "x"]


@pytest.mark.parametrize("what", ["0/zarr.json", "0/c", "0"])
def test_a_store_that_is_linked_together_is_made_anew(server: Server, tmp_path: Path, what: str) -> None:
    path, pixels = stored(tmp_path, "zarr")
    moved = path / "moved"  # links out of the folder are refused
    (path / what).rename(moved)
    (path / what).symlink_to(moved)
    image_id = server.added(path)
    answer = server.ask(f"/api/images/{image_id}/zarr/{chunk('zarr')}")
    np.testing.assert_array_equal(np.frombuffer(answer.body, "u2").reshape(20, 40), pixels[0, 0, 0])


def test_a_damaged_document_is_not_handed_on(server: Server, tmp_path: Path) -> None:
    path, _ = stored(tmp_path, "zarr")
    document = json.loads((path / "zarr.json").read_text())
    for dataset in document["attributes"]["ome"]["multiscales"][0]["datasets"]:
        del dataset["coordinateTransformations"]  # which the specification demands
    (path / "zarr.json").write_text(json.dumps(document))
    made = json.loads(server.ask(f"/api/images/{server.added(path)}/zarr/zarr.json").body)
    assert all("coordinateTransformations" in d for d in made["attributes"]["ome"]["multiscales"][0]["datasets"])


PICTURES = ["slice/1?width=32", "mip", "projection?kind=mean", "multiview", "region?x=1&y=2&w=20&h=10", "thumbnail?z=2"]


@pytest.mark.parametrize("picture", PICTURES)
def test_a_picture_sent_before_needs_no_route(near: Path, picture: str) -> None:
    with served(near / "home") as server:
        path = near / "stack.tif"
        tifffile.imwrite(path, counted(4, 20, 40), photometric="minisblack")
        address = f"/api/images/{server.added(path)}/{picture}"
        asked = [{}, {"accept": "image/webp"}, {"origin": SITE}, {"if_none_match": "ETAG"}, {"range": "bytes=0-3"}]
        first = server.ask(address)
        server.ask(address, accept="image/webp")
        requests = [
            {name: value.replace("ETAG", first.headers["etag"]) for name, value in one.items()} for one in asked
        ]
        with server.only("routes"):
            expected = [server.ask(address, **headers) for headers in requests]
        with server.only("at once"):
            assert [server.ask(address, **headers) for headers in requests] == expected
            assert [answer.status for answer in expected] == [200, 200, 200, 304, 200]
            assert server.ask(address, host="evil.example").status == 403


@pytest.mark.parametrize("picture", [*PICTURES, "thumbnail"])
def test_a_picture_changes_with_its_file_whoever_notices(server: Server, tmp_path: Path, picture: str) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, counted(4, 20, 40), photometric="minisblack")
    image_id = server.added(path)
    address = f"/api/images/{image_id}/{picture}"
    before = [server.ask(address) for _ in range(3)]
    assert before[0] == before[1] == before[2]
    tifffile.imwrite(path, counted(4, 20, 40)[..., ::-1].copy(), photometric="minisblack")
    environment = {**os.environ, "COVERSLIP_HOME": str(server.settings.home)}
    subprocess.run([sys.executable, "-m", "coverslip", "add", str(path)], env=environment, check=True)
    after = server.ask(address, if_none_match=before[0].headers["etag"])
    assert after.status == 200
    assert after.body != before[0].body
    with server.only("routes"):
        assert server.ask(address).body == after.body
    with server.catalog() as catalog:
        catalog.delete_image(image_id)
    assert server.ask(address).status == 404


def test_a_file_that_changes_unnoticed_is_no_old_picture(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, counted(4, 20, 40), photometric="minisblack")
    address = f"/api/images/{server.added(path)}/slice/0"
    before = [server.ask(address) for _ in range(2)]
    tifffile.imwrite(path, counted(4, 20, 40)[..., ::-1].copy(), photometric="minisblack")
    assert server.ask(address).body != before[1].body
    path.unlink()
    assert server.ask(address).status == 422


def touched_alike(path: Path, data: bytes) -> None:
    """Write other bytes of the same number into a file, and set its old time again."""
    found = path.stat()
    assert len(data) == found.st_size
    with path.open("r+b") as file:
        file.write(data)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert path.stat().st_mtime_ns == found.st_mtime_ns


def mirrored(path: Path) -> bytes:
    """Return the bytes of an uncompressed file of shape 4, 20, 40 with its pixels mirrored."""
    pixels = tifffile.imread(path)
    data = path.read_bytes()
    assert data.count(pixels.tobytes()) == 1
    return data.replace(pixels.tobytes(), np.ascontiguousarray(pixels[..., ::-1]).tobytes())


@pytest.mark.parametrize("picture", [*PICTURES, "stats"])
def test_a_file_edited_in_place_with_its_old_time_is_no_old_picture(
    server: Server, tmp_path: Path, picture: str
) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, counted(4, 20, 40), photometric="minisblack")
    address = f"/api/images/{server.added(path)}/{picture}"
    before = [server.ask(address) for _ in range(3)][-1]
    touched_alike(path, mirrored(path))
    after = server.ask(address, if_none_match=before.headers["etag"])
    assert after.status == 200
    assert after.headers["etag"] != before.headers["etag"]
    assert picture == "stats" or after.body != before.body  # the same values elsewhere


def numbered(folder: Path) -> list[Path]:
    """Write a set of four numbered TIFFs of one plane each."""
    folder.mkdir()
    paths = [folder / f"cells_z{z:02}.tif" for z in range(4)]
    for path, plane in zip(paths, counted(4, 20, 40), strict=True):
        tifffile.imwrite(path, plane, photometric="minisblack")
    return paths


@pytest.mark.parametrize("view", [*PICTURES[:-1], "stats", "zarr/0/c/0/0/2/0/0"])
@pytest.mark.parametrize("keeps_time", [True, False])
def test_a_member_of_a_set_that_changes_unnoticed_is_no_old_picture(
    server: Server, tmp_path: Path, view: str, keeps_time: bool
) -> None:
    paths = numbered(tmp_path / "set")
    address = f"/api/images/{server.added(paths[0])}/{view.replace('slice/1', 'slice/2')}"
    first, *_, before = [server.ask(address) for _ in range(3)]
    assert first == before
    if keeps_time:
        touched_alike(paths[2], mirrored(paths[2]))
    else:
        tifffile.imwrite(paths[2], np.full((20, 40), 60000, np.uint16), photometric="minisblack")
    after = server.ask(address, if_none_match=before.headers["etag"])
    assert after.status == 200
    assert after.headers["etag"] != before.headers["etag"]
    if not keeps_time and "region" not in view and "multiview" not in view:
        assert after.body != before.body
    assert server.ask(address) == after


def test_tags_of_a_set_tell_of_changes_while_no_server_ran(tmp_path: Path) -> None:
    paths = numbered(tmp_path / "set")
    with served(tmp_path / "home") as server:
        address = f"/api/images/{server.added(paths[0])}/slice/2"
        before = server.ask(address)
    with served(tmp_path / "home") as server:
        assert server.ask(address, if_none_match=before.headers["etag"]).status == 304
    touched_alike(paths[2], mirrored(paths[2]))
    with served(tmp_path / "home") as server:
        after = server.ask(address, if_none_match=before.headers["etag"])
        assert (after.status, after.body == before.body) == (200, False)


@pytest.mark.parametrize("way", ["routes", None])
def test_equal_tags_of_chunks_made_from_a_folder_are_equal_bytes(
    server: Server, tmp_path: Path, way: str | None
) -> None:
    path, _ = stored(tmp_path, "zarr")
    prefix = f"/api/images/{server.added(path)}/zarr04/"
    if way:
        server.app.state.rooms = replace(server.app.state.rooms, places=None)
    key = chunk("zarr04")
    before = server.ask(prefix + key)
    assert server.ask(prefix + key, if_none_match=before.headers["etag"]).status == 304
    assert server.ask(prefix + key, "HEAD").headers == before.headers
    touched_alike(path / chunk("zarr"), bytes(reversed((path / chunk("zarr")).read_bytes())))
    after = server.ask(prefix + key, if_none_match=before.headers["etag"])
    assert (after.status, after.body == before.body) == (200, False)
    assert server.ask(prefix + key, "HEAD").headers == after.headers
    part = server.ask(prefix + key, range="bytes=0-9", if_range=before.headers["etag"])
    assert (part.status, part.body) == (200, after.body)
    assert server.ask(prefix + key, if_none_match=after.headers["etag"]).status == 304
    document = server.ask(prefix + ".zattrs")
    assert server.ask(prefix + ".zattrs", if_none_match=document.headers["etag"]).status == 304
    assert server.ask(prefix + "0/.zarray").headers["etag"] != document.headers["etag"]


def test_pictures_of_sets_and_folders_go_to_the_routes(near: Path) -> None:
    with served(near / "home") as server:
        folder, _ = stored(near, "zarr")
        for path in (numbered(near / "set")[0], folder):
            address = f"/api/images/{server.added(path)}"
            first = [server.ask(f"{address}/{word}") for _ in range(2) for word in ("slice/0", "thumbnail")]
            assert [answer.status for answer in first] == [200] * 4
            with server.only("at once"):
                assert server.ask(f"{address}/slice/0").status == 404  # there is no route
                assert server.ask(f"{address}/thumbnail") == first[-1]  # depends on the catalog alone


def test_a_thumbnail_that_is_marked_is_built_again(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, counted(4, 20, 40), photometric="minisblack")
    image_id = server.added(path)
    address = f"/api/images/{image_id}/thumbnail"
    kept = [server.ask(address) for _ in range(3)][-1]
    shutil.rmtree(server.settings.home / "artifacts")
    with server.catalog() as catalog:
        catalog.mark("thumbnail", [image_id])
        assert server.ask(address).body == kept.body
        assert catalog.artifact("thumbnail", image_id).key is not None
    assert any((server.settings.home / "artifacts").rglob("*"))


def test_the_pictures_kept_are_bounded_and_the_oldest_go_first(near: Path) -> None:
    path = near / "stack.tif"
    tifffile.imwrite(path, counted(4, 20, 40), photometric="minisblack")
    asked: list[str] = []
    files = OpenFiles()

    async def draw(scope: Scope, _receive: Receive, send: Send) -> None:
        asked.append(scope["path"][-1])
        size = 2000 if scope["path"].endswith("9") else 400
        await Response(b"x" * size, headers={"etag": '"1"'})(scope, _receive, send)

    async def nothing(*_: object) -> Message:
        return {"type": "http.disconnect"}

    async def ask(app: AtOnce, image_id: str, z: int) -> None:
        address = f"/api/images/{image_id}/slice/{z}"
        scope = {"type": "http", "method": "GET", "path": address, "query_string": b"", "headers": []}
        await asyncio.create_task(app(scope, nothing, nothing))  # type: ignore[arg-type]

    async def run(image_id: str, places: Places) -> None:
        app = AtOnce(draw, State({"rooms": SimpleNamespace(places=places, files=files)}), limit=1000)
        for z in (1, 2, 1, 3, 1, 3, 2, 9, 9):
            await ask(app, image_id, z)

    with open_catalog(f"sqlite:///{near / 'catalog.sqlite'}") as catalog:
        add([path], catalog=catalog)
        places = catalog.places()
        assert places is not None
        with closing(places), closing(files):
            files.identity(str(path), 1)  # what shows that it is a single file
            asyncio.run(run(catalog.list_images().images[0].id, places))
    assert asked == ["1", "2", "3", "2", "9", "9"]  # 2 made room for 3, and 9 is larger than all there is
