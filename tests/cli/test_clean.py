"""``coverslip clean``, ``undo``, ``purge``, ``audit`` and ``backup`` as a person runs them."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from coverslip.cli import acting
from coverslip.cli.clean import address
from coverslip.derive import open_catalog
from coverslip.errors import InvalidRequestError
from coverslip.model.removal import Named, anything
from tests.cli.here import Here, commands
from tests.ingest.importing.layouts import ANNOTATION, RUN, SPACING, annotation, put, write_layout

OTHER = SPACING.replace("13.480", "26.960")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Here]:
    """Return what runs commands with a home of their own."""
    with commands(tmp_path, monkeypatch, capsys) as here:
        yield here


def write_annotation(top: Path, number: int, spacing: str = SPACING) -> Path:
    """Write an annotation with its file of points; return its folder."""
    stem = f"ribosome-{number}"
    document = annotation(f"ribosome {number}", stem, number)
    document["files"][0]["path"] = f"{spacing}/Annotations/{number}/{stem}_point.ndjson"
    put(top, f"{spacing}/Annotations/{number}/{stem}.json", document)
    put(top, f"{spacing}/Annotations/{number}/{stem}_point.ndjson", "{}\n")
    return top / spacing / "Annotations" / str(number)


@pytest.fixture
def top(tmp_path: Path, run: Here) -> Path:
    """Return a layout with twenty-one annotations at one spacing and one at another, imported."""
    root = write_layout(tmp_path / "portal")
    for number in range(101, 121):
        write_annotation(root, number)
    write_annotation(root, 100, OTHER)
    run("import", "portal")
    return root


def plan_of(run: Here, *words: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = run.json("clean", "annotations", *words, code=code)
    return found


def names(plan: dict[str, Any]) -> list[str]:
    return [one["identity"].split("/")[-2] for one in plan["removals"]]


def test_a_dry_run_says_what_would_go_and_removes_nothing(run: Here, top: Path) -> None:
    shutil.rmtree(write_annotation(top, 105))
    text = run("clean", "annotations", "--all")
    assert "Found 1 annotation to remove of 22 looked at:" in text
    assert "  dataset 20001 (3), run TS_1 (5), voxel spacing 13.480 (14): 1 annotation\n" in text
    assert f": {top}/{SPACING}/Annotations/105/ribosome-105.json\n" in text
    assert "1 shape, 1 file, 0 authors, 0 links, 0 B of artifacts; 1 tomogram shows it" in text
    assert "Dry run: nothing was removed. Run with --no-dry-run to remove." in text
    assert names(plan_of(run, "--all")) == ["ribosome 105"]


def test_a_plan_is_reviewed_applied_and_undone(run: Here, top: Path) -> None:
    shutil.rmtree(write_annotation(top, 105))
    plan = plan_of(run, "--all")
    text = run("clean", "annotations", "--plan", plan["id"], "--no-dry-run", "--yes")
    assert "make a backup of the catalog first: coverslip backup FILE" in text
    assert f"1 annotation removed. `coverslip undo {plan['id']}` brings them back." in text
    assert plan_of(run, "--all")["counts"]["rows"] == 21
    assert "is applied: make a new one" in run(
        "clean", "annotations", "--plan", plan["id"], "--no-dry-run", "--yes", code=4
    )
    lines = json.loads(run("audit", "list", "--json"))
    assert [(line["action"], line["record"]["id"]) for line in lines] == [("remove", plan["removals"][0]["id"])]
    assert "clean annotations --all --json" in lines[0]["command"]
    assert "1 line checked: they are as they were written." in run("audit", "verify")
    assert run("undo", plan["id"]) == "1 annotation brought back.\n"
    assert names(plan_of(run, "--all")) == ["ribosome 105"]
    assert "is undone" in run("undo", plan["id"], code=4)
    assert "there is no plan" in run("undo", "nothing", code=3)


def test_a_question_that_nobody_answers_is_a_no(run: Here, top: Path) -> None:
    shutil.rmtree(write_annotation(top, 105))
    assert "Nothing was removed." in run("clean", "annotations", "--all", "--no-dry-run", code=1)
    said = run("clean", "annotations", "--all", "--no-dry-run", answer="y\n")
    assert "Remove 1 annotation?" in said
    assert "1 annotation removed." in said


def test_without_a_scope_it_asks(run: Here, top: Path) -> None:
    assert "no scope is given: this looks at all annotations of the catalog" in run("clean", "annotations", code=2)
    assert "Found 0 annotations to remove of 22 looked at." in run("clean", "annotations", "--yes")


def test_a_plan_whose_document_is_back_removes_nothing(run: Here, top: Path) -> None:
    shutil.rmtree(write_annotation(top, 105))
    plan = plan_of(run, "--all")
    write_annotation(top, 105)
    text = run("clean", "annotations", "--plan", plan["id"], "--no-dry-run", "--yes", code=4)
    assert "it is there again. Nothing was removed: make a new plan" in text
    assert plan_of(run, "--all")["removals"] == []


def test_only_the_scope_is_looked_at(run: Here, top: Path) -> None:
    for number, spacing in ((105, SPACING), (100, OTHER)):
        shutil.rmtree(write_annotation(top, number, spacing))
    put(top, f"{OTHER}/Images/notes.txt", "hello")
    plan = plan_of(run, "--all")
    spacings = {one["group"]["spacing"]: one["group"]["number"] for one in plan["removals"]}
    for spacing, expected in (("13.480", "ribosome 105"), ("26.960", "ribosome 100")):
        assert names(plan_of(run, "--voxel-spacing-id", str(spacings[spacing]))) == [expected]
    group = plan["removals"][0]["group"]
    assert len(names(plan_of(run, "--run-id", str(group["run_id"])))) == 2
    assert len(names(plan_of(run, "--dataset-id", str(group["dataset_id"])))) == 2
    assert len(names(plan_of(run, "--layout", str(top)))) == 2
    assert "there is no run" in run("clean", "annotations", "--run-id", "99999", code=3)


def test_the_brake_holds_until_a_number_was_reviewed(run: Here, top: Path) -> None:
    for number in range(101, 107):
        shutil.rmtree(top / SPACING / "Annotations" / str(number))
    text = run("clean", "annotations", "--all", "--no-dry-run", "--yes", code=1)
    assert "20001/TS_1/13.480: 6 of 21 annotation rows would be removed, more than 20% would go" in text
    assert "Nothing was removed." in text
    assert "Nothing was removed." in run(
        "clean", "annotations", "--all", "--no-dry-run", "--yes", "--allow-removal", "5", code=1
    )
    text = run("clean", "annotations", "--all", "--no-dry-run", "--yes", "--allow-removal", "6")
    assert "6 annotations removed." in text


def test_a_plan_that_the_brake_held_can_be_applied_later(run: Here, top: Path) -> None:
    for number in range(101, 107):
        shutil.rmtree(top / SPACING / "Annotations" / str(number))
    apply = ("clean", "annotations", "--plan", plan_of(run, "--all", code=1)["id"], "--no-dry-run", "--yes")
    assert "Nothing was removed." in run(*apply, code=1)
    assert "6 annotations removed." in run(*apply, "--allow-removal", "6")


def test_a_voxel_spacing_that_is_empty_as_a_share_that_is_not_mounted_removes_nothing(run: Here, top: Path) -> None:
    for folder in (top / OTHER).iterdir():
        shutil.rmtree(folder)
    text = run("clean", "records", "--all", "--no-dry-run", "--yes", code=1)
    assert "20001/TS_1/26.960: 1 of 1 annotation rows would be removed, the listing shows nothing of it" in text
    assert "Nothing was removed." in text


@pytest.mark.parametrize("gone", ["the whole layout", "the run"])
def test_an_empty_place_removes_nothing(run: Here, top: Path, gone: str) -> None:
    shutil.rmtree(top if gone == "the whole layout" else top / RUN)
    plan = plan_of(run, "--all", "--no-dry-run", "--yes", code=1)
    assert plan["state"] == "open"
    shutil.rmtree(top, ignore_errors=True)
    write_layout(top)


def test_documents_without_files_are_incomplete_and_stay(run: Here, top: Path) -> None:
    (top / SPACING / "Annotations/105/ribosome-105_point.ndjson").unlink()
    plan = plan_of(run, "--all")
    assert (plan["removals"], [one["why"][-9:] for one in plan["incomplete"]]) == ([], ["not there"])
    said = run("clean", "annotations", "--all", "--no-dry-run", code=0, answer="n\n")
    assert "Mark anew of 1 annotation whether files are missing? [y/N]" in said
    assert "Remove" not in said
    text = run("clean", "annotations", "--all", "--no-dry-run", "--yes")
    assert "Nothing was removed. 1 annotation marked; `coverslip undo " in text
    assert plan_of(run, "--all")["counts"]["incomplete"] == 1


def test_documents_that_the_catalog_lacks_are_told(run: Here, top: Path) -> None:
    write_annotation(top, 500)
    assert plan_of(run, "--all")["orphans"] == [f"{top}/{SPACING}/Annotations/500/ribosome-500.json"]


def test_what_is_imported_again_comes_back_with_its_number(run: Here, top: Path) -> None:
    shutil.rmtree(write_annotation(top, 105))
    plan = plan_of(run, "--all", "--no-dry-run", "--yes")
    write_annotation(top, 105)
    run("import", "portal")
    line = run.json("audit", "list")[-1]
    said = (line["actor"], line["action"], line["command"], line["scope"])
    assert said == (acting.actor(), "restore", "coverslip import", f"record of layout {top}")
    shutil.rmtree(write_annotation(top, 105))
    again = plan_of(run, "--all")
    assert [one["id"] for one in again["removals"]] == plan["removed"]


def test_another_place_of_the_layout_is_asked(run: Here, top: Path) -> None:
    assert address("bucket", "s3://bucket/") == "s3://bucket"
    assert address("bucket", "a/b/") == "s3://bucket/a/b"
    assert address("", "s3://bucket/a") == "s3://bucket/a"
    assert address("", "") == ""
    for bucket, prefix in (("one", "s3://two/a"), ("", "a")):
        with pytest.raises(InvalidRequestError):
            address(bucket, prefix)


def test_tombstones_are_purged_after_their_time(run: Here, top: Path) -> None:
    shutil.rmtree(write_annotation(top, 105))
    plan = plan_of(run, "--all", "--no-dry-run", "--yes")
    assert "0 images would be purged" in run("purge")
    assert "1 removed record" in run("purge", "--older-than-days", "0")
    assert "1 removed record" in run("purge", "--older-than-days", "0", "--yes")
    assert "is purged" in run("undo", plan["id"], code=4)
    assert [line["action"] for line in json.loads(run("audit", "list", "--json"))] == ["remove", "purge"]


def test_a_changed_log_is_found(run: Here, top: Path) -> None:
    shutil.rmtree(write_annotation(top, 105))
    plan_of(run, "--all", "--no-dry-run", "--yes")
    with closing(sqlite3.connect(run.folder / "home" / "catalog.sqlite")) as connection:
        connection.execute("UPDATE audit SET actor = 'nobody'")
        connection.commit()
    text = run("audit", "verify", code=1)
    assert text == "line 1 was changed, or the one before it\n1 line checked: 1 problem found.\n"


def test_a_backup_is_a_catalog_of_its_own(run: Here, top: Path) -> None:
    run("backup", "copy.sqlite")
    shutil.rmtree(write_annotation(top, 105))
    plan_of(run, "--all", "--no-dry-run", "--yes")
    copy = f"sqlite:///{run.folder / 'copy.sqlite'}"
    assert names(plan_of(run, "--all", "--db-uri", copy)) == ["ribosome 105"]
    assert "something is there already" in run("backup", "copy.sqlite", code=4)
    assert "cannot be written" in run("backup", "nowhere/copy.sqlite", code=5)


def test_a_portable_backup_makes_a_catalog_again(run: Here, top: Path) -> None:
    said = run("backup", "copy.jsonl.gz", "--portable")
    assert "rows, " in said
    assert "`coverslip backup copy.jsonl.gz --restore --db-uri ...` makes a catalog of it." in said
    shutil.rmtree(write_annotation(top, 105))
    plan_of(run, "--all", "--no-dry-run", "--yes")
    copy = f"sqlite:///{run.folder / 'again.sqlite'}"
    said = run("backup", "copy.jsonl.gz", "--restore", "--db-uri", copy)
    assert said == f"{copy}: restored from {run.folder / 'copy.jsonl.gz'}.\n"
    assert names(plan_of(run, "--all", "--db-uri", copy)) == ["ribosome 105"]
    assert "there is a catalog already" in run("backup", "copy.jsonl.gz", "--restore", "--db-uri", copy, code=4)
    new = f"sqlite:///{run.folder / 'new.sqlite'}"
    assert "cannot be read" in run("backup", "home", "--restore", "--db-uri", new, code=5)
    (run.folder / "text.jsonl").write_text("hello\n")
    assert "this is no backup of a catalog" in run("backup", "text.jsonl", "--restore", "--db-uri", new, code=5)


def test_what_depends_on_a_removal_is_named(run: Here, top: Path) -> None:
    shutil.rmtree(write_annotation(top, 105))
    number = plan_of(run, "--all")["removals"][0]["id"]
    with open_catalog(f"sqlite:///{run.folder / 'home' / 'catalog.sqlite'}") as catalog:
        (image_id,) = catalog.images_showing([number])[number]
        views = [catalog.keep_view(image_id, name=f"view {letter}", state={}) for letter in "abcdefghijkl"]
    text = run("clean", "annotations", "--all")
    (line,) = [line for line in text.splitlines() if "depending on it" in line]
    assert all(f"view {one.id} ({one.name})" in line for one in views[:10])
    assert line.endswith(", and 2 more")
    (removal,) = plan_of(run, "--all")["removals"]
    assert (len(removal["depending"]), removal["more_depending"]) == (10, 2)
    assert removal["depending"][0] == {"kind": "view", "id": views[0].id, "name": "view a"}


def only_of_others(_actor: str, row: Named) -> bool:
    return "ribosome 105" not in row.identity


def test_an_import_neither_removes_nor_tells_what_its_actor_may_not_remove(
    run: Here, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (105, 106):
        shutil.rmtree(top / SPACING / "Annotations" / str(number))
    monkeypatch.setattr(acting, "PERMIT", only_of_others)
    said = run("import", "portal")
    assert "Removed, because their documents are gone: 1 record." in said
    assert "105" not in run("audit", "list")
    monkeypatch.setattr(acting, "PERMIT", anything)
    assert names(plan_of(run, "--all")) == ["ribosome 105"]


def test_a_purge_neither_removes_nor_tells_what_its_actor_may_not_remove(
    run: Here, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (105, 106):
        shutil.rmtree(top / SPACING / "Annotations" / str(number))
    plan = plan_of(run, "--all", "--no-dry-run", "--yes")
    monkeypatch.setattr(acting, "PERMIT", only_of_others)
    said = run("purge", "--older-than-days", "0")
    assert "1 removed record" in said
    assert "ribosome-105" not in said
    run("purge", "--older-than-days", "0", "--yes")
    monkeypatch.setattr(acting, "PERMIT", anything)
    said = run("undo", plan["id"], code=1)
    assert said == "1 annotation brought back.\n1 annotation cannot be brought back: removed for good.\n"


def test_tomograms_are_cleaned_alike(run: Here, top: Path) -> None:
    (top / SPACING / "Tomograms/100/tomogram_metadata.json").unlink()
    text = run("clean", "tomograms", "--all", "--no-dry-run", "--yes")
    assert "1 tomogram removed." in text
    assert (top / ANNOTATION).exists()
    assert plan_of(run, "--all")["counts"]["found"] == 0


def test_files_that_no_record_refers_to_are_listed_and_stay(run: Here, top: Path) -> None:
    put(top, f"{SPACING}/Annotations/105/forgotten_point.ndjson", "12345")
    put(top, f"{SPACING}/NeuroglancerPrecompute/100-a-1.0_point/info", "{}")
    found = json.loads(run("clean", "files", "--all", "--json"))
    assert [(one["key"], one["size"]) for one in found["files"]] == [
        (f"{SPACING}/Annotations/105/forgotten_point.ndjson", 5)
    ]
    assert "1 file (5 B) that no record refers to; nothing was removed." in run("clean", "files", "--all")
    assert "name a dataset" in run("clean", "files", code=2)
    assert "would be removed" in run("clean", "artifacts")


COMMANDS = (
    "clean annotations --all",
    "clean records --all --no-dry-run --yes",
    "clean images --all",
    "clean files --all",
    "clean artifacts",
    "undo plan",
    "purge",
    "purge --yes",
    "audit list",
    "audit verify",
    "backup copy.sqlite",
    "backup copy.jsonl --portable",
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("uri", ["foo", "sqlite:///{here}/nope/x.sqlite", ""])
def test_a_catalog_that_is_not_there_is_said_to_be_and_not_made(run: Here, command: str, uri: str) -> None:
    address = ["--db-uri", uri.format(here=run.folder)] if uri else []
    assert "there is no catalog at sqlite:////" in run(*command.split(), *address, code=3)
    assert list(run.folder.rglob("*")) == []


def test_an_empty_file_is_no_catalog_and_one_of_another_program_is_refused(run: Here) -> None:
    (run.folder / "empty").touch()
    assert "there is no catalog at" in run("audit", "verify", "--db-uri", "empty", code=3)
    with closing(sqlite3.connect(run.folder / "other")) as connection:
        connection.execute("CREATE TABLE a (b)")
        connection.commit()
    assert "of another program" in run("audit", "verify", "--db-uri", "other", code=5)


def test_another_catalog_is_purged_by_its_address(run: Here, top: Path) -> None:
    shutil.rmtree(write_annotation(top, 105))
    run("backup", "before.sqlite")
    plan_of(run, "--all", "--no-dry-run", "--yes")
    assert "1 removed record" not in run("purge", "--older-than-days", "0", "--db-uri", "before.sqlite")
    assert "1 removed record" in run("purge", "--older-than-days", "0")
    home = f"sqlite:///{run.folder / 'home' / 'catalog.sqlite'}"
    assert "1 removed record" in run("purge", "--older-than-days", "0", "--yes", "--db-uri", home)
