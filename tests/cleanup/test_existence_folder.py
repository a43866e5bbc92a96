"""What is said to be absent in a folder of this machine, and on a web server."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from coverslip.cleanup.existence import look
from coverslip.cleanup.prefixes import choose
from coverslip.sources import RemoteRules, locate
from tests.services.web import WebFolder, serve_web

RUN = "10001/TS_1"
THERE = [f"{RUN}/run_metadata.json", f"{RUN}/Annotations/100/a-1.0.json", f"{RUN}/Annotations/100/a-1.0.zarr"]
GONE = [f"{RUN}/Annotations/100/b.json", f"{RUN}/Annotations/101/b.json", "10002/dataset_metadata.json"]
EVERYTHING = {*THERE, *GONE}


@pytest.fixture
def top(tmp_path: Path) -> Path:
    top = tmp_path / "layout"
    for key in (*THERE[:2], f"{THERE[2]}/zarr.json", f"{THERE[2]}/0/0"):
        (top / key).parent.mkdir(parents=True, exist_ok=True)
        (top / key).write_bytes(b"{}")
    return top


def test_a_folder_tells_what_is_there(top: Path) -> None:
    found = look(top, EVERYTHING)
    assert found.present == set(THERE)
    assert found.absent == set(GONE)
    assert found.is_complete
    absolute = look(top, [f"{top}/{key}" for key in EVERYTHING])
    assert absolute.absent == {f"{top}/{key}" for key in GONE}


def test_what_no_key_names_is_an_orphan(top: Path) -> None:
    (top / RUN / "Annotations/100/.hidden").write_bytes(b"x")
    found = look(top, THERE[:1], prefixes=[RUN, f"{RUN}/Annotations", "10002"])
    assert found.orphans == set(THERE[1:])
    assert found.sizes == {THERE[1]: 2, THERE[2]: 4}
    assert found.is_complete
    assert look(top, THERE, prefixes=[""]).orphans == set()


def test_a_share_that_is_not_mounted_says_nothing(top: Path) -> None:
    shutil.rmtree(top)
    assert look(top, EVERYTHING).unknown.keys() == EVERYTHING
    top.mkdir()
    found = look(top, EVERYTHING, prefixes=[""])
    assert found.unknown.keys() == EVERYTHING
    assert all("it is empty, as where a share is not mounted" in reason for reason in found.unknown.values())
    (top / "10001").mkdir()
    found = look(top, EVERYTHING)
    assert found.unknown.keys() == {key for key in EVERYTHING if key.startswith("10001")}
    top.rmdir() if not list(top.iterdir()) else shutil.rmtree(top)
    top.write_bytes(b"a file")
    assert look(top, EVERYTHING).unknown.keys() == EVERYTHING


def test_a_top_that_becomes_another_one_meanwhile_says_nothing(top: Path) -> None:
    shutil.copytree(top, top.with_name("other"))

    def swapped() -> bool:
        if top.with_name("other").exists():
            top.rename(top.with_name("before"))
            top.with_name("other").rename(top)
        return False

    found = look(top, EVERYTHING, should_stop=swapped)
    assert found.unknown.keys() == set(GONE)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOENT])
def test_a_folder_that_cannot_be_listed_says_nothing(top: Path, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    listdir = os.listdir

    def refuse(path: str) -> list[str]:
        if path.endswith("Annotations"):
            raise OSError(code, os.strerror(code), path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    found = look(top, EVERYTHING)
    assert found.unknown.keys() == {key for key in EVERYTHING if "Annotations" in key}
    assert found.absent == {GONE[2]}


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_a_file_that_cannot_be_asked_for_is_unknown(top: Path, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lstat = os.lstat

    def refuse(path: str) -> os.stat_result:
        if path.endswith("b.json"):
            raise OSError(code, os.strerror(code), path)
        return lstat(path)

    monkeypatch.setattr(os, "lstat", refuse)
    found = look(top, EVERYTHING)
    assert found.unknown.keys() == set(GONE[:2])
    assert found.absent == {GONE[2]}


def test_links_to_nothing_and_circles_say_nothing(top: Path) -> None:
    (top / RUN / "Annotations/101").symlink_to("/nowhere/at/all")
    (top / RUN / "Annotations/100/b.json").symlink_to("b.json")
    (top / RUN / "Annotations/102").write_bytes(b"a file where a folder was")
    keys = [*GONE, f"{RUN}/Annotations/102/c.json"]
    found = look(top, keys)
    assert found.unknown.keys() == {*GONE[:2], keys[-1]}
    assert found.absent == {GONE[2]}


def test_what_is_stopped_is_unknown(top: Path) -> None:
    found = look(top, EVERYTHING, prefixes=[RUN], should_stop=lambda: True)
    assert found.unknown.keys() == EVERYTHING
    assert found.unlisted == {RUN: "the look was stopped"}


@pytest.fixture
def web(top: Path) -> Iterator[WebFolder]:
    with serve_web(top) as web:
        yield web


def test_a_web_server_is_asked_for_each(web: WebFolder, tmp_path: Path) -> None:
    layout = locate(f"{web.url}/{RUN}", RemoteRules((web.url,), tmp_path / "copies", 0))
    keys = [key.removeprefix(f"{RUN}/") for key in (*THERE, *GONE[:2])]
    found = look(layout, keys, prefixes=["Annotations"])
    assert found.present == set(keys[:3])
    assert found.absent == set(keys[3:])
    assert found.unlisted == {"Annotations": "a web server does not list its files"}
    assert look(layout, keys[3:]).unknown.keys() == set(keys[3:])
    web.fault = "forbidden"
    assert look(layout, keys).unknown.keys() == set(keys)


@pytest.mark.parametrize(
    ("keys", "folders"),
    [
        (["a/x", "a/y", "b/z"], [("a", 2), ("b", 1)]),
        ([f"a/{n}/x.json" for n in range(1000)], [("a", 1000)]),
        ([f"a/{n // 500}/{n}/x.json" for n in range(1000)], [("a/0", 500), ("a/1", 500)]),
        ([f"a/{n // 500}/b/{n}/x.json" for n in range(1000)], [("a/0/b", 500), ("a/1/b", 500)]),
        (["x", "a/y", "a/z", "a-b/q", "a/0/1/2"], [("", 1), ("a", 3), ("a-b", 1)]),
        ([], []),
        ([f"{n}.json" for n in range(10)], [("", 10)]),
    ],
)
def test_few_folders_show_all_keys(keys: list[str], folders: list[tuple[str, int]]) -> None:
    groups = choose(keys)
    assert sorted(key for group in groups for key in group.keys) == sorted(keys)
    assert all(key.startswith(f"{group.folder}/") or not group.folder for group in groups for key in group.keys)
    assert sorted((group.folder, len(group.keys)) for group in groups) == folders


def test_given_folders_are_listed_as_they_are() -> None:
    groups = choose(["a/b/1", "a/b/2", "a-b/3", "ab/4", "c/5"], ["a", "a/b", "ab/", "d"])
    found = {group.folder: (group.keys, group.is_whole) for group in groups}
    assert found == {
        "a": (("a/b/1", "a/b/2"), True),
        "ab": (("ab/4",), True),
        "d": ((), True),
        "a-b": (("a-b/3",), False),
        "c": (("c/5",), False),
    }
