"""A bucket on a real S3-protocol server, reached directly and through a proxy that cuts and refuses."""

import subprocess
import sys

import numpy as np
import pytest

from coverslip.errors import MissingDependencyError, UnreadableFileError
from coverslip.sources import RemotePath, locate
from coverslip.sources.address import Address, RemoteRules
from coverslip.sources.bucket import Bucket
from tests.sources.bucket import Corner

pytestmark = pytest.mark.service

DATA = np.random.default_rng(8).integers(0, 256, 3_000_000, dtype=np.uint8).tobytes()


def at(url: str, rules: RemoteRules) -> RemotePath:
    path = locate(url, rules)
    assert isinstance(path, RemotePath)
    return path


def test_objects_with_any_name(corner: Corner, rules: RemoteRules) -> None:
    for name in ("plain.tif", "a b/µ%20+.tif", "(x)[y]'#?.bin"):
        path = at(corner.url, rules) / name
        corner.put(name, DATA[:200_000])
        assert path.source().read_at(150_000, 50_000) == DATA[150_000:200_000]
        assert path.read_bytes() == DATA[:200_000]
    listing = at(corner.url, rules).listing()
    assert sorted(path.name for path in (*listing.files, *listing.folders)) == ["(x)[y]'#?.bin", "a b", "plain.tif"]
    assert sorted(path.name for path in at(corner.url, rules).iterdir()) == ["(x)[y]'#?.bin", "a b", "plain.tif"]


def test_a_listing_has_all_its_pages(corner: Corner, rules: RemoteRules) -> None:
    for number in range(1100):
        corner.put(f"many/{number:04d}", b"x")
    folder = at(f"{corner.url}/many", rules)
    assert len(folder.listing().files) == 1100
    assert sum(1 for _ in folder.contents()) == 1100


def test_absent_and_unknown_are_different(corner: Corner, rules: RemoteRules) -> None:
    corner.put("here/x", b"x")
    assert not at(f"{corner.url}/gone.tif", rules).exists()
    assert at(f"{corner.url}/here", rules).is_dir()
    nowhere = locate("s3://no-such-bucket/x.tif", RemoteRules((), rules.copies, 0))
    with pytest.raises(UnreadableFileError, match=r"no such bucket|NoSuchBucket"):
        nowhere.stat()
    with pytest.raises(UnreadableFileError, match="no such bucket"):
        nowhere.read_bytes()


@pytest.mark.parametrize("status", [403, 503])
def test_a_refusal_says_nothing_about_what_is_there(corner: Corner, rules: RemoteRules, status: int) -> None:
    path = at(corner.put("x.bin", DATA), rules)
    source = path.source()
    corner.proxy.say(status)
    for attempt in (lambda: source.read_at(0, 10), path.anew().stat, lambda: at(corner.url, rules).listing()):
        with pytest.raises(UnreadableFileError, match=corner.url):
            attempt()
    corner.proxy.answer = b""
    assert source.read_at(0, 10) == DATA[:10]


def test_an_answer_that_is_cut_off_is_asked_for_again(corner: Corner, rules: RemoteRules) -> None:
    source = at(corner.put("x.bin", DATA), rules).source()
    corner.proxy.cut_after, corner.proxy.cuts = 500_000, 2
    assert source.read_at(0, len(DATA)) == DATA
    assert corner.proxy.cuts == 0


def test_a_connection_that_always_breaks_is_an_error(corner: Corner, rules: RemoteRules) -> None:
    source = at(corner.put("x.bin", DATA), rules).source()
    corner.proxy.cut_after = 100_000
    with pytest.raises(UnreadableFileError, match=r"x\.bin: cannot be read"):
        source.read_at(0, len(DATA))


def test_an_object_that_is_replaced_is_not_mixed_with_the_old_one(corner: Corner, rules: RemoteRules) -> None:
    source = at(corner.put("x.bin", DATA), rules).source()
    assert source.read_at(0, 10) == DATA[:10]
    corner.put("x.bin", DATA[::-1])
    with pytest.raises(UnreadableFileError, match="replaced while it was read"):
        source.read_at(2_000_000, 10)


def test_a_wrong_key_is_named_without_the_secret(
    corner: Corner, rules: RemoteRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = corner.put("x.bin", b"1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    with pytest.raises(UnreadableFileError, match=url) as caught:
        at(url, rules).stat()
    assert "wrong-secret" not in str(caught.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "coverslip\[remote\]"'):
        Bucket(Address("s3", "bucket", "x"))


def test_local_files_do_not_load_the_library_for_buckets() -> None:
    script = "import sys, coverslip; print('obstore' in sys.modules, 'ssl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "False"
