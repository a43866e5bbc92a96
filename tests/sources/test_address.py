"""Addresses: what they say, which may be opened, and paths that are none of this machine."""

import io
import os
import pickle
from pathlib import Path

import pytest

from coverslip.errors import RefusedAddressError, SettingsError, UnreadableFileError
from coverslip.settings import Settings
from coverslip.sources import RemotePath, RemoteRules, is_remote, locate


def rules(*allowed: str) -> RemoteRules:
    return RemoteRules(allowed, Path("/nowhere"), 0)


@pytest.mark.parametrize(
    ("text", "shown", "name"),
    [
        ("s3://bucket/a/b c µ.tif", "s3://bucket/a/b c µ.tif", "b c µ.tif"),
        ("S3://bucket/a/", "s3://bucket/a", "a"),
        ("s3://bucket", "s3://bucket", ""),
        ("gs://bucket/x.ome.zarr/", "gs://bucket/x.ome.zarr", "x.ome.zarr"),
        ("https://Host.example:443/x%20y.tif", "https://host.example/x%20y.tif", "x%20y.tif"),
        ("https://[2001:db8::1]:8443/a.mrc", "https://[2001:db8::1]:8443/a.mrc", "a.mrc"),
    ],
)
def test_an_address_is_kept_as_it_is(text: str, shown: str, name: str) -> None:
    path = locate(text, rules())
    assert (str(path), path.name) == (shown, name)
    assert isinstance(pickle.loads(pickle.dumps(path)), RemotePath)
    assert str(pickle.loads(pickle.dumps(path))) == shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ftp://host/x.tif", "no such kind of address"),
        ("s3://", "expected s3://place/name"),
        ("s3://user@bucket/x", "without a user or password"),
        ("s3://bucket/a/../b", "are not followed"),
        ("s3://bucket/a//b", "empty parts"),
        ("https://host/x.tif?X-Signature=secret1", "may be secrets"),
        ("https://user:secret1@host/x.tif", "without a user or password|may be secrets"),
        ("https://host:port/x", "not an address"),
        ("https://host", "does not list"),
        ("https://host/a\nb", "control characters"),
    ],
)
def test_what_is_no_address_is_refused_and_secrets_are_not_repeated(text: str, said: str) -> None:
    with pytest.raises(RefusedAddressError, match=said) as caught:
        locate(text, rules())
    assert "secret1" not in str(caught.value)


def test_only_what_is_listed_may_be_opened() -> None:
    listed = rules("s3://bucket/open", "http://lab.example")
    for text in ("s3://bucket/open", "s3://bucket/open/x.tif", "http://lab.example/x.tif"):
        assert str(locate(text, listed)) == text
    for text in (
        "s3://bucket/opened/x",
        "s3://bucket",
        "s3://other/open/x",
        "https://lab.example/x",
        "gs://bucket/open",
    ):
        with pytest.raises(RefusedAddressError, match="COVERSLIP_REMOTE_ALLOWED"):
            locate(text, listed)
    with pytest.raises(RefusedAddressError, match="plain http"):
        locate("http://lab.example/x.tif", rules())


def test_a_path_does_not_leave_the_list_by_joining() -> None:
    inside = locate("s3://bucket/open/x.zarr", rules("s3://bucket/open"))
    assert str(inside / "0" / "zarr.json") == "s3://bucket/open/x.zarr/0/zarr.json"
    with pytest.raises(RefusedAddressError):
        (inside.parent.parent / "secret.tif").stat()


def test_the_system_gets_no_path() -> None:
    path = locate("s3://bucket/etc/passwd", rules())
    for attempt in (lambda: os.stat(path), path.unlink, path.touch, lambda: path.open("wb")):  # noqa: PTH116
        with pytest.raises(io.UnsupportedOperation):
            attempt()
    assert path != Path("/etc/passwd")
    assert path.parent == locate("s3://bucket/etc", rules())


def test_the_rules_come_from_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COVERSLIP_REMOTE_ALLOWED", "s3://a/b/, https://host")
    monkeypatch.setenv("COVERSLIP_HOME", str(tmp_path))
    found = RemoteRules.of(Settings.load())
    assert found == RemoteRules(("s3://a/b", "https://host"), tmp_path / "remote", 20 << 30)
    with pytest.raises(RefusedAddressError):
        locate("s3://a/c")
    monkeypatch.setenv("COVERSLIP_REMOTE_ALLOWED", "nonsense")
    with pytest.raises(SettingsError, match="remote_allowed"):
        RemoteRules.of(Settings.load())


def test_what_is_of_this_machine() -> None:
    assert [is_remote(text) for text in ("s3://a", "HTTPS://a", "/a/b", "a:b", "C://x", "")] == [
        *(True, True, False, False, True, False),
    ]
    assert locate("/a/b") == Path("/a/b")


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "169.254.169.254", "10.0.0.1", "[::1]", "[::ffff:10.0.0.1]"]
)
def test_private_hosts_are_not_asked_unless_listed(host: str) -> None:
    path = locate(f"https://{host}/x.tif", rules())
    for _ in range(2):  # what was resolved the first time is no way around
        with pytest.raises(RefusedAddressError, match="not on the public network"):
            path.stat()
    assert issubclass(RefusedAddressError, UnreadableFileError)
