"""What an ingest does again, what it leaves alone, and what becomes of the rest when something fails."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coverslip.ingest.deposition.outcomes import Report, StepOutcome
from coverslip.ingest.deposition.recipes.work import Work
from coverslip.ingest.deposition.steps import Step
from coverslip.storage import FolderStorage
from tests.ingest.deposition.ingests import Memory, Planned, applied, contents

POINT = '{"type": "point", "location": {"x": %s, "y": %s, "z": %s}}\n'


class Place:
    """A source with two runs, each with points and a copied file, and where it goes."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "source"
        self.destination = FolderStorage(folder / "layout")
        self.memory = Memory()
        self.plan = Planned()
        self.points: dict[str, Step] = {}
        self.copies: dict[str, Step] = {}
        for n, name in enumerate(("TS_1", "TS_10")):
            self.write(f"{name}/points.csv", f"{n},2,3\n")
            self.write(f"{name}/notes.txt", f"notes of {name}")
            run = self.plan.run(name)
            spacing = self.plan.child(run, "voxel_spacing", "10.000", "Reconstructions/VoxelSpacing10.000")
            annotation = self.plan.child(spacing, "annotation", "a", "Annotations/100")
            inputs, outputs = [f"{name}/points.csv"], ["dot-1.0_point.ndjson"]
            self.points[name] = self.plan.step(
                annotation, "points", inputs, outputs, shape="Point", file_format="csv", binning=1
            )
            gain = self.plan.child(run, "gain", "notes", "Gains")
            self.copies[name] = self.plan.step(gain, "copy", [f"{name}/notes.txt"], ["notes.txt"])

    def write(self, name: str, text: str) -> Path:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def apply(self, **options: object) -> Report:
        return applied(self.plan, self.source, self.destination, self.memory, **options)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    wait_until_settled()
    return made


def wait_until_settled() -> None:
    """Wait until a change of a file would move its time."""
    time.sleep(0.15)


def outcomes(report: Report) -> dict[str, str]:
    return {step.name.removeprefix("datasets/30001/runs/"): step.outcome for step in report.steps}


POINTS_1 = "30001/TS_1/Reconstructions/VoxelSpacing10.000/Annotations/100/dot-1.0_point.ndjson"
POINTS_10 = "30001/TS_10/Reconstructions/VoxelSpacing10.000/Annotations/100/dot-1.0_point.ndjson"


def test_what_is_planned_is_written_and_the_catalog_is_told_once_a_run(place: Place) -> None:
    report = place.apply()
    assert contents(place.destination) == {
        POINTS_1: (POINT % ("0.0", "2.0", "3.0")).encode(),
        POINTS_10: (POINT % ("1.0", "2.0", "3.0")).encode(),
        "30001/TS_1/Gains/notes.txt": b"notes of TS_1",
        "30001/TS_10/Gains/notes.txt": b"notes of TS_10",
    }
    assert report.counts == {"written": 4}
    assert report.is_whole
    assert (report.objects_written, report.bytes_written) == (4, sum(map(len, contents(place.destination).values())))
    run = "datasets/30001/runs/TS_1"
    assert place.memory.synced == [
        ["depositions/10301"],
        ["datasets/30001"],
        [run, f"{run}/voxel_spacing/10.000", f"{run}/voxel_spacing/10.000/annotation/a", f"{run}/gain/notes"],
        [one.replace("TS_1", "TS_10") for one in place.memory.synced[2]],
    ]
    (file,) = place.memory.entities[f"{run}/voxel_spacing/10.000/annotation/a"].files
    assert (file.key, file.format, file.shape, len(file.version)) == (POINTS_1, "ndjson", "Point", 64)
    assert place.memory.held == set()


def test_a_second_ingest_opens_nothing_and_writes_nothing(place: Place) -> None:
    place.apply()
    before = {found.key: found.version for found in place.destination.list()}
    report = place.apply()
    assert report.counts == {"unchanged": 4}
    assert (report.files_opened, report.volumes_opened, report.files_hashed, report.bytes_read) == (0, 0, 0, 0)
    assert (report.objects_written, report.bytes_written) == (0, 0)
    assert {found.key: found.version for found in place.destination.list()} == before
    assert (report.changes.added, report.changes.changed, len(report.changes.unchanged)) == ((), (), 10)


def test_a_file_with_a_new_time_is_looked_into_once_and_not_written_again(place: Place) -> None:
    place.apply()
    os.utime(place.source / "TS_1/points.csv")
    wait_until_settled()
    looked, later = place.apply(), place.apply()
    assert looked.counts == later.counts == {"unchanged": 4}
    assert (looked.files_hashed, looked.bytes_read) == (1, len("0,2,3\n"))
    assert (later.files_hashed, later.bytes_read) == (0, 0)


def test_a_change_of_the_same_size_and_time_is_found(place: Place) -> None:
    place.apply()
    path = place.source / "TS_1/points.csv"
    seen = path.stat()
    path.write_text("7,2,3\n")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    report = place.apply()
    assert report.counts == {"updated": 1, "unchanged": 3}
    assert contents(place.destination)[POINTS_1] == (POINT % ("7.0", "2.0", "3.0")).encode()
    assert report.changes.changed == ("datasets/30001/runs/TS_1/voxel_spacing/10.000/annotation/a",)


def test_a_file_that_was_just_written_is_not_taken_for_settled(place: Place) -> None:
    path = place.write("TS_1/points.csv", "4,4,4\n")
    place.apply()
    noted = place.memory.records[place.points["TS_1"].name].facts["inputs"]
    assert noted == {} or path.stat().st_mtime_ns < time.time_ns() - 100_000_000


@pytest.mark.parametrize("change", ["removed", "written over"])
def test_an_output_that_somebody_changed_is_written_again(place: Place, change: str) -> None:
    place.apply()
    before = contents(place.destination)
    path = place.destination.root / POINTS_1
    if change == "removed":
        path.unlink()
    else:
        path.write_bytes(b"x" * path.stat().st_size)
    report = place.apply()
    assert report.counts == {"updated": 1, "unchanged": 3}
    assert contents(place.destination) == before
    assert report.changes.changed == ()


def test_other_options_are_another_result(place: Place) -> None:
    place.apply()
    step = place.points["TS_1"]
    place.plan.steps[place.plan.steps.index(step)] = Step(
        step.name, "points", step.target, step.inputs, {**step.options, "binning": 2}, step.outputs
    )
    assert place.apply().counts == {"updated": 1, "unchanged": 3}
    assert contents(place.destination)[POINTS_1] == (POINT % ("0.0", "1.0", "1.5")).encode()


@pytest.mark.parametrize(("text", "reason"), [("0,2,nonsense\n", "TS_1/points.csv"), (None, "No such file")])
def test_a_source_that_cannot_be_read_fails_alone_and_removes_nothing(
    place: Place, text: str | None, reason: str
) -> None:
    place.apply()
    before = contents(place.destination)
    entity = place.memory.entities["datasets/30001/runs/TS_1/voxel_spacing/10.000/annotation/a"]
    if text is None:
        (place.source / "TS_1/points.csv").unlink()
    else:
        place.write("TS_1/points.csv", text)
    place.write("TS_10/points.csv", "5,5,5\n")
    report = place.apply()
    assert report.counts == {"failed": 1, "updated": 1, "unchanged": 2}
    assert not report.is_whole
    (failed,) = (step for step in report.steps if step.outcome == "failed")
    assert failed.name == place.points["TS_1"].name
    assert reason in failed.reason
    after = contents(place.destination)
    assert after.pop(POINTS_10) == (POINT % ("5.0", "5.0", "5.0")).encode()
    assert after == {key: data for key, data in before.items() if key != POINTS_10}
    assert place.memory.entities[entity.identity] == entity
    assert entity.identity not in {one for synced in place.memory.synced[4:] for one in synced}


def test_what_needs_a_failed_step_is_skipped_and_says_so(place: Place) -> None:
    run = place.plan.run("TS_1")
    series = place.plan.child(run, "tiltseries", "s", "TiltSeries/100")
    (place.source / "TS_1/a.rawtlt").write_text("none\n")
    angles = place.plan.step(series, "rawtilt", ["TS_1/a.rawtlt"], ["TS_1.rawtlt"])
    second = place.plan.step(series, "copy", ["TS_1/notes.txt"], ["b.txt"], [angles])
    third = place.plan.step(series, "copy", ["TS_1/notes.txt"], ["c.txt"], [second])
    report = place.apply()
    became = {step.name: (step.outcome, step.reason) for step in report.steps}
    assert became[angles.name][0] == "failed"
    assert became[second.name] == ("skipped", f"it needs {angles.name}, which was not done")
    assert became[third.name] == ("skipped", f"it needs {second.name}, which was not done")
    (place.source / "TS_1/a.rawtlt").write_text("-3\n0\n3\n")
    assert place.apply().counts == {"written": 3, "unchanged": 4}


def test_one_that_was_stopped_goes_on_where_it_was(place: Place) -> None:
    done: list[StepOutcome] = []
    report = place.apply(on_step=done.append, should_stop=lambda: len(done) >= 1)
    assert report.counts == {"written": 1}
    assert report.is_stopped
    assert not report.is_whole
    assert len(place.memory.records) == 1
    assert place.apply().counts == {"unchanged": 1, "written": 3}


def test_an_output_that_was_not_noted_is_written_again(place: Place) -> None:
    place.apply()
    before = contents(place.destination)
    del place.memory.records[place.points["TS_1"].name]
    assert place.apply().counts == {"written": 1, "unchanged": 3}
    assert contents(place.destination) == before


def test_a_run_that_another_ingest_has_is_left_to_it(place: Place) -> None:
    name = f"ingest {place.destination.url} 30001/TS_1"
    lease = place.memory.take(name, 60)
    assert lease is not None
    report = place.apply()
    assert report.held == ("30001/TS_1",)
    assert not report.is_whole
    assert [step.run for step in report.steps] == ["30001/TS_10"] * 2
    lease.release()
    assert place.apply().counts == {"written": 2, "unchanged": 2}


def test_two_at_once_do_each_run_once(place: Place) -> None:
    barrier = threading.Barrier(2, timeout=20)
    reports: list[Report] = []
    took = place.memory.take

    def take(name: str, seconds: float) -> object:
        lease = took(name, seconds)
        if "TS_1" in name:
            barrier.wait()
        return lease

    place.memory.take = take  # type: ignore[assignment]
    both = [threading.Thread(target=lambda: reports.append(place.apply())) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    written = sorted(step.name for report in reports for step in report.steps if step.outcome == "written")
    assert written == sorted(step.name for step in place.plan.steps)
    assert sorted(name for report in reports for name in report.held if "TS_1" in name) != []


def test_a_run_that_was_lost_is_neither_noted_nor_told_of(place: Place) -> None:
    def lose(outcome: StepOutcome) -> None:
        if "TS_1/" in outcome.name:
            place.memory.held.discard(f"ingest {place.destination.url} 30001/TS_1")
            time.sleep(0.3)

    report = place.apply(on_step=lose, lease_seconds=0.3)
    assert report.held == ("30001/TS_1",)
    assert len([step for step in report.steps if step.run == "30001/TS_1"]) == 1
    assert all("datasets/30001/runs/TS_1" not in synced for synced in place.memory.synced)


def test_runs_go_on_at_the_same_time(place: Place) -> None:
    meeting = threading.Barrier(2, timeout=20)

    def meet(prefix: str, steps: Callable[[str], object] = place.memory.steps) -> object:
        meeting.wait()
        return steps(prefix)

    place.memory.steps = meet  # type: ignore[assignment]
    assert place.apply(workers=2).counts == {"written": 4}


def test_a_source_that_changes_while_it_is_read_fails(place: Place) -> None:
    class Slow(FolderStorage):
        def put(self, key: str, data: bytes) -> None:
            if key == POINTS_1:
                place.write("TS_1/points.csv", "9,9,9\n")
            super().put(key, data)

    report = applied(place.plan, place.source, Slow(place.destination.root), place.memory)
    (failed,) = (step for step in report.steps if step.outcome == "failed")
    assert failed.reason == "TS_1/points.csv: was changed while it was read"
    assert place.apply().counts == {"written": 1, "unchanged": 3}


def test_what_was_made_of_a_source_that_has_changed_since_is_not_published(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = Work.publish

    def late(work: Work, key: str, data: bytes) -> None:
        if key == POINTS_1:
            place.write("TS_1/points.csv", "9,9,9\n")
        publish(work, key, data)

    monkeypatch.setattr(Work, "publish", late)
    (failed,) = (step for step in place.apply().steps if step.outcome == "failed")
    assert failed.reason == "TS_1/points.csv: was changed while it was read"
    assert not (place.destination.root / POINTS_1).exists()


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/passwd", "a/../../b"])
def test_an_input_outside_of_its_folder_is_refused(place: Place, path: str) -> None:
    gain = place.plan.child(place.plan.run("TS_1"), "gain", "x", "Gains")
    step = place.plan.step(gain, "copy", [path], ["x.txt"])
    (failed,) = (one for one in place.apply().steps if one.outcome == "failed")
    assert (failed.name, failed.reason) == (step.name, f"{path!r}: a path of an input stays below its folder")


def test_what_no_recipe_expects_fails_its_step_alone(place: Place) -> None:
    run = place.plan.run("TS_1")
    gain = place.plan.child(run, "gain", "x", "Gains")
    step = place.plan.step(gain, "copy", ["TS_1/notes.txt", "TS_1/points.csv"], ["x.txt"])
    report = place.apply()
    assert report.counts == {"written": 4, "failed": 1}
    (failed,) = (one for one in report.steps if one.outcome == "failed")
    assert failed.reason == f"{step.name}: expected one input, the plan has 2"
