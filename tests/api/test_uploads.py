import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from coverslip.cleanup import sweep_uploads
from coverslip.derive import open_catalog
from coverslip.ingest import add_upload
from coverslip.storage import hold
from tests.api.checks import broken_catalog, check_problem, eventually
from tests.api.conftest import Service, running
from tests.api.tiffs import write_stack

LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def nothing_left(service: Service) -> bool:
    return service.uploads == [] and service.total() == 0


@pytest.mark.parametrize(
    ("name", "content", "status", "words"),
    [
        ("notes.xyz", b"just some text", 400, "no reader"),
        ("cells.tif", b"\x00" * 5000, 400, "The name says"),
        ("cells.tif", LFS_POINTER, 400, "git lfs pull"),
        ("cells.tif", b"", 422, "empty"),
        (".zattrs", b'{"multiscales": []}', 400, "coverslip add FOLDER"),
        ("cells.zarr.zip", b"PK\x03\x04rest", 422, "damaged zip"),
    ],
    ids=["unknown", "zeros", "lfs", "empty", "zarr piece", "zarr zip"],
)
def test_what_is_no_image(service: Service, tmp_path: Path, name: str, content: bytes, status: int, words: str) -> None:
    path = tmp_path / "sent"
    path.write_bytes(content)
    answer = service.upload(path, name)
    check_problem(answer, status, "unsupported-format" if status == 400 else "unreadable-file")
    document = answer.json()
    assert words in document["detail"]
    assert name.lstrip(".") in document["detail"]
    assert str(service.settings.home) not in document["detail"]
    assert bool(document["errors"]) == (status == 400)
    assert nothing_left(service)


@pytest.mark.parametrize("kept", [0.0005, 0.01, 0.5])
def test_a_truncated_file(service: Service, stack_file: Path, kept: float) -> None:
    data = stack_file.read_bytes()
    stack_file.write_bytes(data[: int(kept * len(data))])
    check_problem(service.upload(stack_file), 422, "unreadable-file")
    assert nothing_left(service)


def test_names_from_clients_stay_in_their_folder(service: Service, stack_file: Path) -> None:
    answer = service.upload(stack_file, "../../évil/..\\Zähne?.tif")
    assert answer.status_code == 201
    assert answer.json()["image_stack"]["filename"] == "Zähne_.tif"
    (path,) = service.settings.home.rglob("*.tif")
    assert path.parent.parent == service.settings.uploads_folder


def test_the_same_file_twice_is_two_images(service: Service, stack_file: Path) -> None:
    first, second = service.upload(stack_file).json(), service.upload(stack_file).json()
    assert first["id"] != second["id"]
    assert service.total() == 2


def test_what_is_no_upload(service: Service) -> None:
    client = service.client
    check_problem(client.post("/api/images/upload"), 400, "invalid-request")
    check_problem(client.post("/api/images/upload", json={"file": "x"}), 400, "invalid-request")
    check_problem(client.post("/api/images/upload", data={"file": "text"}), 400, "invalid-request")
    check_problem(client.post("/api/images/upload", files={"picture": b"II*\0"}), 400, "invalid-request")
    two = client.post("/api/images/upload", files=[("file", b"II*\0"), ("file", b"II*\0")])
    check_problem(two, 400, "invalid-request")
    headers = {"content-type": "multipart/form-data; boundary=x"}
    check_problem(client.post("/api/images/upload", content=b"garbage", headers=headers), 400, "invalid-request")
    check_problem(client.post("/api/images/upload", content=b"--x\r\n", headers=headers), 400, "invalid-request")
    assert nothing_left(service)


def test_a_file_larger_than_a_chunk_arrives_whole(service: Service, tmp_path: Path) -> None:
    import numpy as np
    import tifffile

    path = tmp_path / "large.tif"
    tifffile.imwrite(path, np.random.default_rng(0).integers(0, 9999, (1500, 1500), np.uint16))
    assert path.stat().st_size > 4 << 20
    stack = service.upload(path).json()["image_stack"]
    assert service.client.get(f"/api/images/{stack['id']}/download").content == path.read_bytes()
    assert [item.suffix for item in service.uploads if item.is_file()] == [".tif"]


def test_too_large_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with running(tmp_path / "home", max_upload_bytes=100_000) as service:
        path = tmp_path / "large.tif"
        path.write_bytes(b"II*\0" + bytes(400_000))
        answer = service.upload(path)
        check_problem(answer, 413, "too-large")
        assert "100,000 bytes" in answer.json()["detail"]
        assert not service.settings.uploads_folder.exists()
        assert service.upload(write_stack(tmp_path / "small.ome.tif")).status_code == 201


def test_too_large_is_noticed_while_streaming(tmp_path: Path) -> None:
    with running(tmp_path / "home", max_upload_bytes=100_000) as service:

        def body() -> Iterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.tif"\r\n\r\n'
            for _ in range(64):
                yield bytes(1 << 16)
            yield b"\r\n--x--\r\n"

        headers = {"content-type": "multipart/form-data; boundary=x"}
        answer = service.client.post("/api/images/upload", content=body(), headers=headers)
        check_problem(answer, 413, "too-large")
        assert nothing_left(service)


def test_a_form_that_is_all_other_fields_is_bounded_too(tmp_path: Path) -> None:
    with running(tmp_path / "home", max_upload_bytes=100_000) as service:
        answer = service.client.post("/api/images/upload", files={"other": bytes(400_000)})
        check_problem(answer, 413, "too-large")
        assert nothing_left(service)


def test_a_client_that_leaves_in_the_middle_leaves_nothing(service: Service, tmp_path: Path) -> None:
    host, port = service.address.removeprefix("http://").split(":")
    head = (
        f"POST /api/images/upload HTTP/1.1\r\nHost: {host}\r\nContent-Length: 50000000\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        '--x\r\nContent-Disposition: form-data; name="file"; filename="a.tif"\r\n\r\n'
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + bytes(5 << 20))
        assert eventually(lambda: any(path.stat().st_size > 1 << 20 for path in service.uploads))
        with open_catalog(service.settings.catalog_url) as catalog:
            assert sweep_uploads(catalog, service.settings.uploads_folder, after_seconds=0) == 0
        assert [path.suffix for path in service.uploads] == [".part"]
    assert eventually(lambda: nothing_left(service))
    assert service.client.get("/api/health").status_code == 200


def test_a_disk_that_is_full_or_forbidden(service: Service, stack_file: Path) -> None:
    service.settings.uploads_folder.write_text("a file where the folder should be")
    answer = service.upload(stack_file)
    check_problem(answer, 503, "storage-unavailable")
    assert service.total() == 0


def test_who_sends_everything_before_listening_hears_why_it_cannot_be_kept(service: Service) -> None:
    service.settings.uploads_folder.write_bytes(b"in the way")
    host, port = service.address.removeprefix("http://").split(":")
    size = 40 << 20
    head = (
        f"POST /api/images/upload HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\nConnection: close\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    first = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.tif"\r\n\r\n'
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode() + first + bytes(size - len(first)))  # a browser, a proxy
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"the upload could not be kept" in answer


def test_a_thumbnail_that_fails_does_not_fail_the_upload(service: Service, stack_file: Path) -> None:
    service.settings.home.joinpath("artifacts").rename(service.settings.home / "elsewhere")
    service.settings.home.joinpath("artifacts").write_text("a file where the folder should be")
    document = service.upload(stack_file)
    assert document.status_code == 201
    image_id = document.json()["id"]
    answer = service.client.get(f"/api/images/{image_id}/thumbnail")
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    assert service.client.get(f"/api/images/{image_id}").json()["metadata"]["thumbnail"]["state"] == "failed"
    assert service.client.get(f"/api/images/{image_id}/thumbnail?width=64").status_code == 200


def test_thumbnails_follow_by_themselves(tmp_path: Path, stack_file: Path) -> None:
    with running(tmp_path / "home", build_in_background=True) as service:
        image_id = service.upload(stack_file).json()["id"]

        def is_fresh() -> bool:
            stack = service.client.get(f"/api/images/{image_id}").json()
            return bool(stack["metadata"]["thumbnail"]["state"] == "fresh")

        assert eventually(is_fresh)


def test_the_sweep_removes_what_killed_uploads_left_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "uploads"

    def put(name: str, content: str | bytes) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    with open_catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}") as catalog:
        data = write_stack(tmp_path / "a.ome.tif").read_bytes()
        kept = [put("known/a.ome.tif", data), put("unmarked/a.ome.tif", data)]
        add_upload(catalog, folder / "known" / "a.ome.tif")
        put("known.pending", catalog.url)
        put("orphan/a.ome.tif", data)
        put("orphan.pending", f"{catalog.url}\n{folder / 'orphan'}")
        put("killed.part", b"II*")
        put("never.pending", catalog.url)
        put("torn.pending", b"")
        kept += [put("elsewhere/a.tif", data)]
        put("elsewhere.pending", f"{catalog.url}\n{folder / 'known'}")  # the catalog knows it by another spelling
        kept += [put("alive.part", b"II*"), put("alive/a.tif", data), put("alive.pending", catalog.url)]
        kept += [put("other/a.tif", data), put("other.pending", "sqlite:///another.sqlite"), put("notes.txt", "mine")]
        with hold(folder / "alive.part"), hold(folder / "alive.pending"):
            assert sweep_uploads(catalog, folder) == 2
        assert sorted(path for path in folder.rglob("*") if path.is_file()) == sorted(kept)
        assert not (folder / "orphan").exists()
        assert sweep_uploads(catalog, folder) == 2
        assert sweep_uploads(catalog, tmp_path / "nowhere") == 0


def test_an_upload_the_catalog_says_nothing_about_is_kept_until_it_does(service: Service, stack_file: Path) -> None:
    folder = service.settings.uploads_folder
    with open_catalog(service.settings.catalog_url) as catalog:
        with broken_catalog(service.settings.home):
            check_problem(service.upload(stack_file), 503, "catalog-unavailable")
            kept = sorted(path.suffix for path in service.uploads)
            assert kept == ["", ".pending", ".tif"]
            assert sweep_uploads(catalog, folder) == 0
            assert sorted(path.suffix for path in service.uploads) == kept
        assert sweep_uploads(catalog, folder) == 1
    assert nothing_left(service)


def test_the_server_sweeps_when_it_starts(tmp_path: Path) -> None:
    part = tmp_path / "home" / "uploads" / "x.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"II*")
    with running(tmp_path / "home"):
        assert not part.exists()
