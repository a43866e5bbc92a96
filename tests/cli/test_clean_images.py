"""``coverslip clean images``, ``clean files`` and ``clean artifacts`` as a person runs them."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from coverslip.cli import acting
from coverslip.model.removal import Named
from coverslip.settings import Settings
from coverslip.storage import Storage, open_storage, put_content
from tests.cli.here import Here
from tests.cli.test_clean import run
from tests.ingest.importing.layouts import put

__all__ = ["run"]


def write(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        tifffile.imwrite(folder / name, np.zeros((4, 5), np.uint8))


@pytest.fixture
def library(run: Here) -> Path:
    """Return a folder with eight images in two folders, added."""
    folder = run.folder / "library"
    write(folder / "a", *(f"{number}.tif" for number in range(6)))
    write(folder / "b", "x.tif", "y.tif")
    run("add", "library")
    return folder


def plan_of(run: Here, *words: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.JSONDecoder().raw_decode(run("clean", "images", "--json", *words, code=code))[0]
    return found


def names(plan: dict[str, Any]) -> list[str]:
    return [one["path"] for one in plan["removals"]]


def shown(run: Here) -> list[str]:
    with closing(sqlite3.connect(run.folder / "home" / "catalog.sqlite")) as connection:
        rows = connection.execute(
            "SELECT path FROM image JOIN asset ON asset.id = asset_id WHERE deleted_at IS NULL ORDER BY path"
        )
        return [Path(path).name for (path,) in rows]


def test_a_dry_run_names_the_images_whose_files_are_gone(run: Here, library: Path) -> None:
    (library / "a" / "3.tif").unlink()
    text = run("clean", "images", "--all")
    assert "Found 1 image to remove of 8 looked at:" in text
    assert f"  {library}/a: 1 image\n" in text
    assert f": {library}/a/3.tif\n      0 B of artifacts\n" in text
    assert "Dry run: nothing was removed." in text
    assert len(shown(run)) == 8


def test_images_are_removed_come_back_by_undo_and_by_themselves(run: Here, library: Path) -> None:
    (library / "a" / "3.tif").unlink()
    plan = plan_of(run, "--all")
    identifier = plan["removals"][0]["image_id"]
    text = run("clean", "images", "--plan", plan["id"], "--no-dry-run", "--yes")
    assert f"1 image removed. `coverslip undo {plan['id']}` brings them back." in text
    assert "3.tif" not in shown(run)
    assert f"remove  image {identifier}  {library}/a/3.tif#0" in run("audit", "list")
    assert run("undo", plan["id"]) == "1 image brought back.\n"
    assert len(shown(run)) == 8
    assert names(plan_of(run, "--all", "--no-dry-run", "--yes")) == [f"{library}/a/3.tif"]
    assert len(shown(run)) == 7
    write(library / "a", "3.tif")
    run("add", "library")
    line = run.json("audit", "list")[-1]
    said = (line["actor"], line["action"], line["command"], line["scope"])
    assert said == (acting.actor(), "restore", "coverslip add", f"image of layout {library}/a")
    assert len(shown(run)) == 8
    assert names(plan_of(run, "--all")) == []


def test_a_purge_of_images_is_final(run: Here, library: Path) -> None:
    (library / "a" / "3.tif").unlink()
    plan = plan_of(run, "--all", "--no-dry-run", "--yes")
    assert "1 image purged" in run("purge", "--older-than-days", "0", "--yes")
    assert "is purged: there is nothing of it to bring back" in run("undo", plan["id"], code=4)
    assert len(shown(run)) == 7


def test_a_file_that_is_back_stops_its_plan(run: Here, library: Path) -> None:
    (library / "a" / "3.tif").unlink()
    plan = plan_of(run, "--all")
    write(library / "a", "3.tif")
    text = run("clean", "images", "--plan", plan["id"], "--no-dry-run", "--yes", code=4)
    assert "it is there again. Nothing was removed: make a new plan" in text
    assert len(shown(run)) == 8


def test_a_folder_that_is_empty_or_gone_says_nothing_of_its_images(run: Here, library: Path) -> None:
    shutil.rmtree(library / "b")
    plan = plan_of(run, "--all", code=1)
    assert (names(plan), len(plan["unknown"])) == ([], 2)
    (library / "b").mkdir()
    plan = plan_of(run, "--all", code=1)
    assert (names(plan), len(plan["unknown"])) == ([], 2)
    assert "it is empty, as where a share is not mounted" in plan["unknown"][0]["why"]


def test_a_folder_that_is_gone_is_asked_for_from_above_and_the_brake_holds(run: Here, library: Path) -> None:
    shutil.rmtree(library / "b")
    text = run("clean", "images", "--layout", "library", "--no-dry-run", "--yes", code=1)
    assert f"{library}/b: 2 of 2 image rows would be removed, the listing shows nothing of it" in text
    assert len(shown(run)) == 8
    text = run("clean", "images", "--layout", "library", "--no-dry-run", "--yes", "--allow-removal", "2")
    assert "2 images removed." in text
    assert shown(run) == [f"{number}.tif" for number in range(6)]


def test_the_brake_holds_where_many_of_a_folder_are_gone(run: Here, library: Path) -> None:
    for number in range(5):
        (library / "a" / f"{number}.tif").unlink()
    (library / "b" / "x.tif").unlink()
    text = run("clean", "images", "--all", "--no-dry-run", "--yes", code=1)
    assert f"{library}/a: 5 of 6 image rows would be removed, more than 20% would go" in text
    assert "1 image removed." in text
    assert len(shown(run)) == 7


def test_another_place_needs_the_folder_that_it_is_a_copy_of(run: Here, library: Path) -> None:
    assert "name that with --layout" in run("clean", "images", "--all", "--s3-bucket", "copy", code=2)


def test_an_image_that_may_not_be_removed_is_not_told(
    run: Here, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (library / "a" / "3.tif").unlink()
    (library / "a" / "4.tif").unlink()
    every = plan_of(run, "--all")
    monkeypatch.setattr(acting, "PERMIT", no_four)
    text = run("clean", "images", "--all")
    assert "Found 1 image to remove of 7 looked at:" in text
    assert "4.tif" not in text
    assert "4.tif" not in run("clean", "images", "--plan", every["id"])
    text = run("clean", "images", "--plan", every["id"], "--no-dry-run", "--yes")
    assert "1 image removed." in text
    assert "4.tif" in shown(run)
    assert "4.tif" not in run("audit", "list")
    assert run("undo", every["id"]) == "1 image brought back.\n"


def no_four(_actor: str, row: Named) -> bool:
    return "4.tif" not in row.identity


@pytest.fixture
def storage(run: Here) -> Storage:
    """Return the storage of artifacts, of which everything is old enough to go."""
    return open_storage(Settings.load().artifacts_url)


def forgotten(run: Here, storage: Storage, content: bytes) -> Path:
    """Store an artifact that no record refers to, two days old."""
    key, _ = put_content(storage, "thumbnail", content, ".png")
    path = run.folder / "home" / "artifacts" / key
    os.utime(path, (1, 1))
    return path


def test_files_of_our_own_that_no_record_refers_to_go_and_those_of_others_stay(
    run: Here, library: Path, storage: Storage
) -> None:
    uploads = Settings.load().uploads_folder
    put(uploads, "unknown/original.tif", "12345")
    put(uploads, "killed.part", "123")
    artifact = forgotten(run, storage, b"old")
    found = json.loads(run("clean", "files", "--all", "--json"))
    assert [(one["kind"], one["size"], one["may_go"]) for one in found["own"]] == [
        ("artifact", 3, True),
        ("part", 3, True),
        ("upload", 5, False),
    ]
    assert "Dry run: nothing was removed." in run("clean", "files", "--all")
    assert "Nothing was removed." in run("clean", "files", "--all", "--no-dry-run", code=1)
    assert artifact.exists()
    text = run("clean", "files", "--all", "--no-dry-run", "--yes")
    assert "2 files removed." in text
    assert not artifact.exists()
    assert not (uploads / "killed.part").exists()
    assert (uploads / "unknown" / "original.tif").exists()
    assert len(list(library.rglob("*.tif"))) == 8


def test_artifacts_without_a_record_or_a_recipe_go(run: Here, library: Path, storage: Storage) -> None:
    artifact = forgotten(run, storage, b"old")
    with closing(sqlite3.connect(run.folder / "home" / "catalog.sqlite")) as connection:
        connection.execute("UPDATE artifact SET kind = 'shadow' WHERE id = (SELECT min(id) FROM artifact)")
        connection.commit()
    found = json.loads(run("clean", "artifacts", "--json"))
    assert (len(found["artifacts"]), found["kinds"], found["held"]) == (1, {"shadow": 1}, "")
    assert artifact.exists()
    assert "1 artifact and 1 row removed." in run("clean", "artifacts", "--no-dry-run", "--yes")
    assert not artifact.exists()
    assert json.loads(run("clean", "artifacts", "--json"))["kinds"] == {}
    (line,) = json.loads(run("audit", "list", "--json"))
    assert (line["reason"], line["record"]["identity"], line["record"]["rows"]) == ("no recipe", "shadow", 1)


BOTH = {"artifacts": "5 artifacts and 0 rows removed.", "files --all": "5 files removed."}


@pytest.mark.parametrize("what", BOTH)
def test_the_brake_holds_where_most_artifacts_would_go(run: Here, library: Path, storage: Storage, what: str) -> None:
    """As where a catalog was put back to a time before they were made, or another one is asked."""
    paths = [forgotten(run, storage, bytes([number])) for number in range(5)]
    command = ("clean", *what.split(), "--no-dry-run", "--yes")
    held = "The brake holds: 5 of 5 stored artifacts would be removed, more than 20%"
    assert held in run(*command[:-2])
    assert held in run(*command, code=1)
    assert held in run(*command, "--allow-removal", "4", code=1)
    assert run.json(*command, code=1)["held"] == held.removeprefix("The brake holds: ")
    assert all(path.exists() for path in paths)
    assert BOTH[what] in run(*command, "--allow-removal", "5")
    assert not any(path.exists() for path in paths)


def test_a_purge_leaves_artifacts_where_most_of_them_would_go(run: Here, library: Path, storage: Storage) -> None:
    """As where ``--db-uri`` names a catalog that was put back to an earlier time."""
    paths = [forgotten(run, storage, bytes([number])) for number in range(5)]
    text = run("purge", "--yes")
    assert "The brake holds: 5 of 5 stored artifacts would be removed, more than 20%" in text
    assert all(path.exists() for path in paths)
    paths[0].unlink()
    assert "4 unused artifacts" in run("purge", "--yes")
    assert not any(path.exists() for path in paths)
