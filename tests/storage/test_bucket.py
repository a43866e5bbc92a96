"""What is particular to a bucket: refusals, missing buckets, unreachable servers, a light import."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from coverslip.errors import StorageError
from coverslip.storage import Storage, bucket, open_storage
from tests.services.proxy import proxy_to
from tests.services.s3 import S3Server, free_ports

pytestmark = pytest.mark.service


def test_prefixes_are_worlds_of_their_own(bucket_url: str) -> None:
    one, other = open_storage(f"{bucket_url}/one"), open_storage(f"{bucket_url}/other/")
    one.put("a/object", b"1")
    assert [item.key for item in one.list()] == ["a/object"]
    assert [item.key for item in open_storage(bucket_url).list()] == ["one/a/object"]
    assert list(other.list()) == []
    assert other.url == f"{bucket_url}/other"


def test_a_missing_bucket_is_unknown_not_absent(bucket_url: str) -> None:
    assert bucket_url
    storage = open_storage("s3://nowhere/x")  # not written to: this server would make the bucket
    with pytest.raises(StorageError, match="s3://nowhere/x: there is no such bucket"):
        storage.read("a")
    with pytest.raises(StorageError, match="cannot list s3://nowhere/x"):
        list(storage.list())


def test_a_refusal_is_unknown_not_absent(bucket_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_storage(bucket_url).put("a", b"1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    stranger = open_storage(bucket_url)
    for attempt in (
        lambda: stranger.read("a"),
        lambda: stranger.exists("a"),
        lambda: stranger.put("a", b"2"),
        lambda: stranger.delete("a"),
        lambda: list(stranger.list()),
        stranger.check,
    ):
        with pytest.raises(StorageError, match=bucket_url) as caught:
            attempt()
        assert "\n" not in str(caught.value)
        assert "wrong" not in str(caught.value)


def test_an_unreachable_server_is_an_error(bucket_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_ports(1)[0]}")
    storage = open_storage(bucket_url)
    with pytest.raises(StorageError, match="cannot read a s3://"):
        storage.read("a")
    with pytest.raises(StorageError, match="cannot list s3://"):
        list(storage.list())


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (503, r"503 Service Unavailable \(SlowDown\)"),
        (500, r"500 Internal Server Error \(InternalError\)"),
        (403, r"403 Forbidden \(AccessDenied\)"),
    ],
)
def test_what_the_server_says_is_said_in_few_words(
    s3_server: S3Server, bucket_url: str, monkeypatch: pytest.MonkeyPatch, status: int, words: str
) -> None:
    parts = urlsplit(s3_server.url)
    with proxy_to(str(parts.hostname), int(parts.port or 0)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        storage = open_storage(bucket_url)
        proxy.say(status)
        with pytest.raises(StorageError, match=f"^cannot read a {bucket_url}: the server answered {words}$"):
            storage.read("a")
        with pytest.raises(
            StorageError, match=rf"^cannot look at a {bucket_url}: the server answered {words[:3]} [\w ]+$"
        ):
            storage.exists("a")
        proxy.answer, proxy.cut_after = b"", 0
        with pytest.raises(StorageError, match=f"^cannot write a to {bucket_url}: the server does not answer$"):
            storage.put("a", b"1")


def uploads_of(server: S3Server) -> list[str]:
    """Return the keys of uploads in parts that are neither finished nor given up."""
    client = server.client()
    try:
        return [upload["Key"] for upload in client.list_multipart_uploads(Bucket="coverslip").get("Uploads", [])]
    finally:
        client.close()


def create(storage: Storage, key: str, data: bytes, last: Callable[[], object] = str) -> None:
    """Write a created file; call something before the block ends."""
    with storage.create(key) as out:
        out.write(data)
        last()


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files of a few MiB be sent as large ones are."""
    monkeypatch.setattr(bucket, "ONE_PUT_BYTES", 8 << 20)
    monkeypatch.setattr(bucket, "PART_BYTES", 5 << 20)


@pytest.mark.usefixtures("small_parts")
def test_large_files_go_in_parts_and_come_back_whole(s3_server: S3Server, bucket_url: str) -> None:
    storage = open_storage(bucket_url)
    data = bytes(range(256)) * (13 << 12) + b"the end"
    create(storage, "large.mrc", data)
    assert storage.read("large.mrc") == data
    assert uploads_of(s3_server) == []


@pytest.mark.usefixtures("small_parts")
def test_an_upload_that_the_server_refuses_publishes_nothing(
    s3_server: S3Server, bucket_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = urlsplit(s3_server.url)
    with proxy_to(str(parts.hostname), int(parts.port or 0)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        storage = open_storage(bucket_url)
        with pytest.raises(StorageError, match=f"^cannot write large.mrc to {bucket_url}: the server answered 403"):
            create(storage, "large.mrc", bytes(13 << 20), lambda: proxy.say(403))
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.url)
    assert not open_storage(bucket_url).exists("large.mrc")


def test_a_full_disk_of_temporary_files_is_said_so(
    bucket_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(StorageError, match=f"cannot write a to {bucket_url}: in .*gone: No such file"):
        create(open_storage(bucket_url), "a", b"")


def test_no_other_client_is_loaded(bucket_url: str) -> None:
    script = (
        "import sys; from coverslip.storage import open_storage; open_storage(sys.argv[1]).check(); "
        "print(sorted(name for name in sys.modules if name.split('.')[0] in {'boto3', 'botocore', 's3fs'}))"
    )
    done = subprocess.run([sys.executable, "-c", script, bucket_url], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_folder_does_not_need_the_bucket_library() -> None:
    script = "import sys; from coverslip.storage import open_storage; print('obstore' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
