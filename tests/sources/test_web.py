"""A web server, well and ill: bytes are right or there is an error."""

import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest

from coverslip.errors import UnreadableFileError
from coverslip.sources import RemotePath, RemoteRules, locate
from coverslip.sources import web as web_server
from tests.services.web import Fault, WebFolder, serve_web

DATA = np.random.default_rng(7).integers(0, 256, 5_000_000, dtype=np.uint8).tobytes()


@pytest.fixture
def remote(web: WebFolder, rules: RemoteRules) -> RemotePath:
    (web.folder / "a b.bin").write_bytes(DATA)
    path = locate(f"{web.url}/a b.bin", rules)
    assert isinstance(path, RemotePath)
    return path


def test_parts_are_what_they_should_be_and_little_more(remote: RemotePath, web: WebFolder) -> None:
    source = remote.source()
    assert (source.size, remote.stat().st_size) == (len(DATA), len(DATA))
    for offset, length in ((0, 10), (65_530, 20), (4_999_990, 10), (123, 0), (1_000_000, 2_000_000)):
        assert source.read_at(offset, length) == DATA[offset : offset + length]
    assert web.sent < 2_000_000 + 6 * (1 << 16)
    for offset, length in ((len(DATA) - 1, 2), (-1, 1), (0, -1)):
        with pytest.raises(UnreadableFileError, match="are not among them"):
            source.read_at(offset, length)


def test_a_file_of_it_does_what_files_do(remote: RemotePath) -> None:
    with remote.open("rb") as file:
        assert file.read(5) == DATA[:5]
        assert file.seek(-4, 2) == len(DATA) - 4
        assert file.read(100) == DATA[-4:]
        assert file.read(1) == b""
        assert file.seek(70_000) == file.tell() == 70_000
        buffer = bytearray(10)
        assert file.readinto(buffer) == 10
        assert buffer == DATA[70_000:70_010]
        assert file.read(1 << 40) == DATA[70_010:]
    with pytest.raises(ValueError, match="closed"):
        file.read(1)


def test_reading_from_front_to_back_asks_for_more_at_a_time(remote: RemotePath, web: WebFolder) -> None:
    with remote.open("rb") as file:
        assert b"".join(iter(lambda: file.read(8192), b"")) == DATA
    assert web.requests < 15
    assert web.sent == len(DATA)


@pytest.mark.parametrize("fault", ["cut", "busy"])
def test_what_goes_wrong_twice_is_tried_again(remote: RemotePath, web: WebFolder, fault: Fault) -> None:
    source = remote.source()
    web.fault, web.fault_count = fault, 2
    assert source.read_at(100, 300_000) == DATA[100:300_100]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("cut", "4 attempts"),
        ("busy", "4 attempts.*503"),
        ("forbidden", "refuses it"),
        ("short", "were asked for"),
        ("whole", "no parts of files"),
        ("too-much", "were asked for"),
        ("moved", "169.254.169.254.*Nothing is followed"),
        ("nameless", "replaced while it was read"),
    ],
)
def test_what_stays_wrong_is_an_error_and_never_bytes(
    remote: RemotePath, web: WebFolder, fault: Fault, said: str
) -> None:
    source = remote.source()
    web.fault = fault
    with pytest.raises(UnreadableFileError, match=said) as caught:
        source.read_at(100, 300_000)
    assert str(remote) in str(caught.value)


def test_a_redirect_is_not_followed(remote: RemotePath, web: WebFolder) -> None:
    web.fault = "moved"
    with pytest.raises(UnreadableFileError, match="name that address if you trust it"):
        remote.stat()
    assert len(web.asked) == 1


def test_a_document_is_whole_or_an_error(remote: RemotePath, web: WebFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert remote.read_bytes() == DATA
    monkeypatch.setattr(web_server, "DOCUMENT_BYTES", len(DATA) - 1)
    with pytest.raises(UnreadableFileError, match="more than the 4999999 bytes"):
        remote.read_bytes()
    web.fault = "unable"
    with pytest.raises(UnreadableFileError, match="answers 501"):
        remote.read_bytes()


def test_a_file_that_is_replaced_is_not_mixed_with_the_old_one(remote: RemotePath, web: WebFolder) -> None:
    source = remote.source()
    assert source.read_at(0, 10) == DATA[:10]
    (web.folder / "a b.bin").write_bytes(DATA[::-1])
    with pytest.raises(UnreadableFileError, match="replaced while it was read"):
        source.read_at(2_000_000, 10)
    assert remote.anew().source().read_at(0, 10) == DATA[::-1][:10]


def test_what_is_not_there_is_told_from_what_cannot_be_seen(remote: RemotePath, web: WebFolder) -> None:
    gone = remote.with_name("gone.tif")
    assert not gone.exists()
    with pytest.raises(FileNotFoundError):
        gone.source()
    web.fault = "forbidden"
    with pytest.raises(UnreadableFileError):
        gone.exists()


def test_threads_read_one_file(remote: RemotePath, web: WebFolder) -> None:
    source, wrong = remote.source(), []

    def read(seed: int) -> None:
        dice = np.random.default_rng(seed)
        for _ in range(40):
            offset, length = int(dice.integers(0, 4_000_000)), int(dice.integers(1, 300_000))
            if source.read_at(offset, length) != DATA[offset : offset + length]:
                wrong.append((offset, length))

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert web.requests > 40
    assert wrong == []


def test_a_certificate_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = tmp_path / "own.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
    ]
    command += ["subjectAltName=DNS:localhost", "-keyout", str(certificate), "-out", str(tmp_path / "c")]
    subprocess.run(command, check=True, capture_output=True)
    certificate.write_text(certificate.read_text() + (tmp_path / "c").read_text())
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "x.bin").write_bytes(DATA[:1000])
    with serve_web(folder, certificate) as stranger:
        rules = RemoteRules((stranger.url,), tmp_path, 0)
        with pytest.raises(UnreadableFileError, match="certificate is not trusted"):
            locate(f"{stranger.url}/x.bin", rules).stat()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "c"))
    with serve_web(folder, certificate) as trusted:
        rules = RemoteRules((trusted.url,), tmp_path, 0)
        assert locate(f"{trusted.url}/x.bin", rules).read_bytes() == DATA[:1000]
        assert trusted.url.startswith("https://")
