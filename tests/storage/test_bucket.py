"""What is particular to a bucket: refusals, missing buckets, unreachable servers, a light import."""

import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from coverslip.errors import StorageError
from coverslip.storage import open_storage
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
