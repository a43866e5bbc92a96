"""The widget without a page: its form, its messages, its jobs."""

import asyncio
import io
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from coverslip.catalog import Catalog
from coverslip.errors import ConflictError, InvalidRequestError, NotFoundError
from coverslip.export import Job
from coverslip.notebook import BatchExport
from tests.export.making import expected, pixels_of, planes_of, write_plane, write_state
from tests.notebook.conftest import fill_in, finished, say

type Make = Callable[..., BatchExport]


def names(folder: Path) -> list[str]:
    """Return the pictures of a folder."""
    return sorted(path.name for path in folder.glob("*") if not path.name.startswith("manifest-"))


# ---- what there is, and the form -----------------------------------------------------------------------------------


def test_menus_hold_what_is_in_the_folder(images: Path, opened: Make) -> None:
    facts = opened(images).facts
    assert facts["fovs"] == ["A", "B"]
    assert sorted(facts["channels"]) == ["Anti-CD3", "CD3", "DNA"]
    assert facts["masks"] == ["whole_cell"]
    assert (facts["size"], facts["pixel_um"]) == ([60, 40], 0.5)
    assert list(facts["marker_sets"]) == ["Two", "Other"]
    assert [(one["fov"], one["name"], one["size"]) for one in facts["rois"][:2]] == [
        ("A", "left", [20, 20]),
        ("A", "right", [30, 30]),
    ]
    assert "cluster" in facts["table_columns"]


def test_the_first_marker_set_is_there_to_begin_with(images: Path, opened: Make) -> None:
    widget = opened(images)
    assert widget.form["marker_set"] == "Two"
    assert [one["channel"] for one in widget.form["channels"]] == ["DNA", "CD3"]
    assert [one["color"] for one in widget.form["channels"]] == ["#0000ff", "#00ff00"]
    assert widget.check == {"count": 2, "of": None, "problem": None}


def test_without_marker_sets_channels_have_the_usual_contrast(images: Path, opened: Make) -> None:
    (images / ".UELer" / "widget_states.json").unlink()
    widget = opened(images)
    first = widget.form["channels"][0]
    plane = planes_of(0)[first["channel"]]
    assert (first["low"], first["high"]) == pytest.approx(tuple(np.percentile(plane, (1, 99.7))))


def test_a_folder_without_fields_of_view_is_said_in_words(tmp_path: Path, opened: Make) -> None:
    (tmp_path / "empty").mkdir()
    widget = opened(tmp_path / "empty")
    assert "no field of view is in it" in widget.facts["error"]
    assert "no field of view is in it" in widget.check["problem"]


@pytest.mark.parametrize(
    ("choices", "count", "of"),
    [
        ({"mode": "fov", "fovs": ["B"]}, 1, None),
        ({"mode": "cells"}, 6, 6),
        ({"mode": "cells", "where": 'cluster == "immune"'}, 4, 6),
        ({"mode": "cells", "where": "area > 99", "fovs": ["A"]}, 3, 6),
        ({"mode": "rois"}, 6, 6),
        ({"mode": "rois", "tags": "left | low"}, 4, 6),
        ({"mode": "rois", "rois": ["id-left-A", "id-low-B"]}, 2, 6),
        ({"mode": "rois", "fovs": ["A"]}, 3, 6),
    ],
)
def test_matches_are_as_many_as_a_job_has_items(
    images: Path, opened: Make, tmp_path: Path, choices: dict[str, Any], count: int, of: int | None
) -> None:
    widget = opened(images, output_dir=tmp_path / "out")
    fill_in(widget, **choices)
    assert widget.check == {"count": count, "of": of, "problem": None}
    assert len(widget.dry_run().files) == count


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"mode": "cells", "where": "cluster = 3"}, "from character 9 on"),
        ({"mode": "cells", "where": "height > 3"}, "'height'"),
        ({"mode": "cells", "where": "area > 1e9"}, "nothing matches"),
        ({"mode": "cells", "table": "nowhere.csv"}, "nowhere.csv"),
        ({"mode": "rois", "tags": "left &"}, "tags"),
        ({"mode": "rois", "rois": []}, "no region is chosen"),
        ({"fovs": []}, "no field of view is chosen"),
        ({"fovs": ["C"]}, "'C'"),
        ({"channels": []}, "no channel is chosen"),
        ({"size": None}, "size"),
        ({"downsample": 0}, "downsample"),
        ({"mode": "gallery"}, "mode"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_with_the_form_is_said_in_words(
    images: Path, opened: Make, tmp_path: Path, choices: dict[str, Any], words: str
) -> None:
    widget = opened(images, output_dir=tmp_path / "out")
    was = dict(widget.form)
    fill_in(widget, **choices)
    assert words in widget.check["problem"]
    answers = say(widget, do="start")
    widget.wait(20)
    assert not names(tmp_path / "out")
    assert answers or widget.status["state"] == "failed"
    fill_in(widget, **{name: was.get(name) for name in choices if name in was})
    if "colour" not in choices:
        assert widget.check["problem"] is None


def test_choices_in_python_have_the_names_of_jobs(images: Path, opened: Make, tmp_path: Path) -> None:
    choices: dict[str, Any] = {
        "where": "area > 99",
        "size": 8,
        "masks": ["whole_cell"],
        "scale_bar": 2,
        "downsample": 2,
    }
    widget = opened(
        images, marker_set="Other", output_dir=tmp_path / "a", mode="cells", **choices, background="#123456"
    )
    items = {"data": images, "where": "area > 99", "size": 8}
    rest = {name: choices[name] for name in ("masks", "scale_bar", "downsample")}
    same = Job("cells", items, "Other", tmp_path / "a", "png", {**rest, "background": "#123456"}).request
    assert widget.request == same
    widget.update(scale_bar=None, file_format="jpg")
    assert widget.request.look.scale_bar is None
    assert widget.form["file_format"] == "jpeg"
    with pytest.raises(InvalidRequestError, match="padding"):
        widget.update(padding=-1)
    assert widget.form["padding"] == 0


@pytest.mark.parametrize(
    ("default", "here", "has_bar"),
    [
        (False, "default", False),
        (True, "default", True),
        (True, "without", False),
        (False, "with", True),
    ],
)
def test_an_export_may_differ_from_the_default_of_scale_bars(
    images: Path, opened: Make, tmp_path: Path, default: bool, here: str, has_bar: bool
) -> None:
    widget = opened(images, output_dir=tmp_path / "out", mode="rois", bar_default=default, bars={"rois": here})
    assert (widget.request.look.scale_bar is not None) is has_bar


def test_regions_may_have_scale_bars_of_their_own(images: Path, opened: Make, tmp_path: Path) -> None:
    chosen = {"rois": ["id-left-A", "id-right-A"], "roi_bars": {"id-left-A": "without", "id-right-B": "without"}}
    widget = opened(images, output_dir=tmp_path / "out", mode="rois", scale_bar=True, **chosen)
    widget.start()
    assert widget.wait(20) is not None
    found = {one.item_id: "scale_bar_um" in one.details for one in widget.results()}
    assert found == {"A left": False, "A right": True}


# ---- previews ------------------------------------------------------------------------------------------------------


def test_a_preview_shows_the_pixels_of_the_file_and_follows_the_form(
    images: Path, opened: Make, tmp_path: Path
) -> None:
    widget = opened(images, output_dir=tmp_path / "out")
    say(widget, do="preview", number=1)
    assert (widget.preview["item"], widget.preview["count"], widget.preview["path"]) == ("B", 2, "B.png")
    np.testing.assert_array_equal(shown(widget), expected(planes_of(1), ("DNA", "CD3")))
    fill_in(widget, downsample=2)
    np.testing.assert_array_equal(shown(widget), expected(planes_of(1), ("DNA", "CD3"), step=2))
    channels = [one for one in widget.form["channels"] if one["channel"] == "CD3"]
    fill_in(widget, downsample=1, channels=channels)
    np.testing.assert_array_equal(shown(widget), expected(planes_of(1), ("CD3",)))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("choices", "number", "item"),
    [
        ({"mode": "cells", "where": "label != 2", "size": 8}, 3, ("B cell 7", (51, 31, 59, 39))),
        ({"mode": "cells", "size": 16, "scale_bar": {"same_for_all": True, "refused": "omit"}}, 1, ("A cell 2", None)),
        ({"mode": "rois", "tags": "low"}, 1, ("B low", (10, 20, 30, 40))),
    ],
)
def test_the_preview_of_a_number_is_that_item_of_the_job(
    images: Path, opened: Make, tmp_path: Path, choices: dict[str, Any], number: int, item: tuple[str, Any]
) -> None:
    name, box = item
    widget = opened(images, output_dir=tmp_path / "out", **choices)
    say(widget, do="preview", number=number)
    assert widget.preview["item"] == name
    widget.start()
    widget.wait(20)
    assert widget.results()[number].item_id == name
    written = pixels_of(tmp_path / "out" / widget.preview["path"])
    np.testing.assert_array_equal(shown(widget), written)
    if box is not None:
        np.testing.assert_array_equal(written, expected(planes_of(1), ("DNA", "CD3"), box))


def test_a_preview_of_a_large_field_is_drawn_smaller(images: Path, opened: Make) -> None:
    for name in ("DNA", "CD3", "Anti-CD3"):
        write_plane(images / "A" / f"{name}.tiff", np.full((700, 3000), 500, np.uint16))
    widget = opened(images)
    say(widget, do="preview", number=0)
    assert (widget.preview["width"], widget.preview["height"], widget.preview["reduced"]) == (3000, 700, 3)
    assert shown(widget).shape == (234, 1000, 3)


def test_a_preview_that_cannot_be_drawn_says_why(images: Path, opened: Make) -> None:
    widget = opened(images)
    (images / "A" / "DNA.tiff").write_bytes(b"II*\0 no more")
    say(widget, do="preview", number=0)
    assert "Error" in widget.preview["error"]
    assert widget.picture == b""
    say(widget, do="preview", number=1)
    assert widget.preview["item"] == "B"


def shown(widget: BatchExport) -> Any:
    with Image.open(io.BytesIO(widget.picture)) as picture:
        return np.array(picture.convert("RGB"))


# ---- channels, folders ---------------------------------------------------------------------------------------------


def test_a_channel_is_added_with_the_usual_contrast(images: Path, opened: Make) -> None:
    widget = opened(images)
    say(widget, do="limits", channel="Anti-CD3")
    added = widget.form["channels"][-1]
    assert added["channel"] == "Anti-CD3"
    assert added["color"] not in {"#0000ff", "#00ff00"}
    assert (added["low"], added["high"]) == pytest.approx(tuple(np.percentile(planes_of(0)["Anti-CD3"], (1, 99.7))))
    assert widget.ranges["Anti-CD3"]["max"] == planes_of(0)["Anti-CD3"].max()
    (answer,) = say(widget, do="limits", channel="CD4")
    assert "'CD4'" in answer[0]["text"]


def test_a_command_knows_the_form_as_it_was_when_it_was_given(images: Path, opened: Make, tmp_path: Path) -> None:
    """A page sends values later than commands while the kernel is busy."""
    widget = opened(images, output_dir=tmp_path / "out")
    edited = {**widget.form, "downsample": 2}
    say(widget, do="limits", channel="Anti-CD3", form=edited)
    assert (widget.form["downsample"], len(widget.form["channels"])) == (2, 3)
    fill_in(widget, **edited)  # what was sent before the command comes after it
    assert (widget.form["downsample"], len(widget.form["channels"])) == (2, 3)
    fill_in(widget, **edited)
    assert len(widget.form["channels"]) == 2
    say(widget, do="start", form={**widget.form, "downsample": 4})
    assert finished(widget).state == "completed"
    assert pixels_of(tmp_path / "out" / "A.png").shape == (10, 15, 3)


def test_edits_of_a_marker_set_are_undone_by_choosing_it_again(images: Path, opened: Make, tmp_path: Path) -> None:
    widget = opened(images, output_dir=tmp_path / "out")
    saved = widget.form["channels"]
    fill_in(widget, channels=[{**saved[0], "color": "#ff0000", "high": 5.0}])
    assert widget.request.look.markers.channels[0].high == 5
    say(widget, do="markers", name="Two")
    assert widget.form["channels"] == saved
    say(widget, do="markers", name="Other")
    assert widget.form["marker_set"] == "Other"
    (answer,) = say(widget, do="markers", name="Third")
    assert "'Third'" in answer[0]["text"]


def test_folders_are_listed_and_made(images: Path, opened: Make, tmp_path: Path) -> None:
    widget = opened(images)
    (tmp_path / "data" / ".hidden").mkdir()
    ((said, _),) = say(widget, do="browse", path=str(tmp_path / "data" / "not yet"))
    assert (said["path"], said["names"]) == (str(tmp_path / "data"), ["images", "masks"])
    ((said, _),) = say(widget, do="make_folder", path=str(tmp_path), name="figures")
    assert said["path"] == str(tmp_path / "figures")
    assert (tmp_path / "figures").is_dir()
    for name in ("../up", "", "a/b"):
        if name:
            ((said, _),) = say(widget, do="make_folder", path=str(tmp_path), name=name)
            assert "is no name of a folder" in said["text"]


@pytest.mark.parametrize(
    "content", [{"do": "format"}, {"do": 3}, {}, {"do": "preview", "number": "x"}, {"do": "preview", "number": None}]
)
def test_messages_that_make_no_sense_are_answered(images: Path, opened: Make, content: dict[str, Any]) -> None:
    ((said, _),) = say(opened(images), **content)
    assert said["is"] == "error"


# ---- jobs ----------------------------------------------------------------------------------------------------------


def test_a_dry_run_lists_files_sizes_and_collisions(images: Path, opened: Make, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "B.png").write_bytes(b"")
    widget = opened(images, output_dir=tmp_path / "out", marker_set="Two")
    (images / "A" / "CD3.tiff").unlink()
    say(widget, do="dry_run")
    assert (widget.plan["count"], widget.plan["failing"], widget.plan["collisions"]) == (2, 1, 1)
    first, second = widget.plan["files"]
    assert "MissingChannelError" in first["problem"]
    assert (second["path"], second["width"], second["height"], second["exists"]) == ("B.png", 60, 40, True)
    assert names(tmp_path / "out") == ["B.png"]


def test_start_writes_the_files_that_the_log_lists(images: Path, opened: Make, tmp_path: Path) -> None:
    widget = opened(images, output_dir=tmp_path / "out")
    fill_in(widget, mode="cells", size=16, where="label < 5")
    say(widget, do="start")
    assert finished(widget).state == "completed"
    assert {name: widget.status[name] for name in ("state", "total", "succeeded", "failed")} == {
        "state": "completed",
        "total": 4,
        "succeeded": 4,
        "failed": 0,
    }
    assert sorted(one["path"] for one in widget.lines) == names(tmp_path / "out")
    assert (tmp_path / "out" / widget.status["manifest"]).is_file()
    right = expected(planes_of(1), ("DNA", "CD3"), (22, 14, 38, 30))
    np.testing.assert_array_equal(pixels_of(tmp_path / "out" / "B_cell_2.png"), right)


def test_cancel_ends_after_the_items_under_way(images: Path, opened: Make, tmp_path: Path) -> None:
    widget = opened(images, output_dir=tmp_path / "out", mode="cells", size=8, per_second=5, workers=1)
    say(widget, do="start")
    until = time.monotonic() + 20
    while not widget.results() and time.monotonic() < until:
        time.sleep(0.02)
    say(widget, do="cancel")
    assert finished(widget).state == "cancelled"
    assert widget.status["state"] == "cancelled"
    done = [one["path"] for one in widget.lines]
    assert sorted(done) == names(tmp_path / "out")
    assert 0 < len(done) < 6
    assert widget.status["succeeded"] == len(done)
    widget.update(per_second=None)
    widget.resume()
    assert finished(widget).state == "completed"
    assert len(names(tmp_path / "out")) == 6


def test_items_that_fail_are_in_the_log_with_their_reason(images: Path, opened: Make, tmp_path: Path) -> None:
    widget = opened(images, output_dir=tmp_path / "out")
    (images / "B" / "DNA.tiff").unlink()
    widget.start()
    assert finished(widget).state == "partial"
    bad = [one for one in widget.lines if not one["ok"]]
    assert [one["item"] for one in bad] == ["B"]
    assert bad[0]["text"].startswith("MissingChannelError: ")


def test_only_one_job_runs_at_a_time(images: Path, opened: Make, tmp_path: Path) -> None:
    widget = opened(images, output_dir=tmp_path / "out", mode="cells", size=8, per_second=5)
    widget.start()
    with pytest.raises(ConflictError, match="running"):
        widget.start()
    ((said, _),) = (one for one in say(widget, do="start"))
    assert "running" in said["text"]
    widget.cancel()
    widget.wait(20)


def test_edits_while_a_job_runs_change_nothing_about_it(images: Path, opened: Make, tmp_path: Path) -> None:
    widget = opened(images, output_dir=tmp_path / "out", mode="cells", size=8, per_second=20)
    widget.start()
    fill_in(widget, size=32, folder=str(tmp_path / "other"), channels=widget.form["channels"][:1])
    write_state(images, {"Two": ("DNA",)})
    assert finished(widget).state == "completed"
    assert not (tmp_path / "other").exists()
    right = expected(planes_of(0), ("DNA", "CD3"), (26, 18, 34, 26))
    np.testing.assert_array_equal(pixels_of(tmp_path / "out" / "A_cell_2.png"), right)


def test_files_that_are_there_keep_a_job_from_beginning(images: Path, opened: Make, tmp_path: Path) -> None:
    widget = opened(images, output_dir=tmp_path / "out")
    widget.start()
    widget.wait(20)
    widget.start()
    widget.wait(20)
    assert widget.status["state"] == "failed"
    assert "has 2 of the files already" in widget.status["message"]
    fill_in(widget, existing="skip")
    widget.start()
    assert finished(widget).state == "completed"


def test_a_job_of_another_kernel_is_gone_on_with(images: Path, opened: Make, tmp_path: Path, catalog: Catalog) -> None:
    choices = {"output_dir": tmp_path / "out", "mode": "cells", "size": 8, "catalog": catalog}
    first = opened(images, per_second=5, workers=1, **choices)
    first.start()
    while not first.results():
        time.sleep(0.02)
    first.cancel()
    first.wait(20)
    there = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in names(tmp_path / "out")}
    first.close()

    second = opened(images, **choices)
    (kept,) = second.unfinished
    assert (kept["total"], kept["succeeded"], kept["state"]) == (6, len(there), "cancelled")
    say(second, do="resume", id=kept["id"])
    assert finished(second).state == "completed"
    assert len(names(tmp_path / "out")) == 6
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in there} == there
    second.settle()
    assert second.unfinished == []


def test_a_job_whose_process_was_killed_is_gone_on_with_when_that_is_certain(
    images: Path, opened: Make, tmp_path: Path, catalog: Catalog
) -> None:
    choices = {"output_dir": tmp_path / "out", "mode": "cells", "size": 8, "catalog": catalog}
    killed = Job.of(opened(images, **choices).request, catalog=catalog)
    catalog.claim_export(killed.id, lease_seconds=1.5)  # and nobody renews it
    widget = opened(images, **choices)
    assert [(one["id"], one["state"]) for one in widget.unfinished] == [(killed.id, "running")]
    say(widget, do="resume", id=killed.id)
    assert finished(widget).state == "completed"
    assert len(names(tmp_path / "out")) == 6


def test_without_a_job_in_the_folder_there_is_nothing_to_go_on_with(
    images: Path, opened: Make, tmp_path: Path, catalog: Catalog
) -> None:
    for kept_in in (catalog, None):
        with pytest.raises(NotFoundError, match="to go on with"):
            opened(images, output_dir=tmp_path / "out", catalog=kept_in).resume()


def test_jobs_are_kept_in_the_usual_catalog(
    images: Path, opened: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERSLIP_HOME", str(tmp_path / "home"))
    widget = opened(images, output_dir=tmp_path / "out", catalog="usual")
    assert not (tmp_path / "home").exists()  # looking at the page makes nothing
    widget.start()
    assert finished(widget).state == "completed"
    with Catalog.open(f"sqlite:///{tmp_path / 'home' / 'catalog.sqlite'}", versions={}) as kept:
        assert [one.output_dir for one in kept.exports()] == [str(tmp_path / "out")]


# ---- the kernel ----------------------------------------------------------------------------------------------------


def test_nothing_blocks_the_loop_and_values_change_in_its_thread_alone(images: Path, tmp_path: Path) -> None:
    threads: set[str] = set()
    longest = 0.0

    async def kernel() -> BatchExport:
        nonlocal longest
        widget = BatchExport(images, output_dir=tmp_path / "out", mode="cells", size=8, catalog=None)
        widget.observe(
            lambda change: threads.add(threading.current_thread().name), ["facts", "check", "status", "lines"]
        )
        while not widget.check:
            await asyncio.sleep(0.005)
        widget._hear(widget, {"do": "preview", "number": 0}, [])
        widget._hear(widget, {"do": "start"}, [])
        while widget.status["state"] not in {"completed", "failed"}:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - before)
        return widget

    widget = asyncio.run(asyncio.wait_for(kernel(), 30))
    assert widget.status["succeeded"] == 6
    assert threads == {threading.current_thread().name}
    assert longest < 1
    widget.close()


def test_importing_coverslip_or_its_command_brings_no_widgets() -> None:
    code = "import sys, coverslip, coverslip.cli, coverslip.notebook; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"anywidget", "ipywidgets", "IPython"}.isdisjoint(done.stdout.split())


def test_without_anywidget_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import coverslip.notebook
    from coverslip.errors import MissingDependencyError

    monkeypatch.delitem(vars(coverslip.notebook), "Viewer", raising=False)
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "coverslip\[notebook\]"'):
        _ = coverslip.notebook.Viewer


def test_what_can_never_be_exported_is_refused_at_once(images: Path, opened: Make, tmp_path: Path) -> None:
    widget = opened(images, output_dir=tmp_path / "out")
    with pytest.raises(InvalidRequestError, match="there is no choice 'nonsense' of an export"):
        widget.update(nonsense=1, size=64)
    with pytest.raises(NotFoundError, match="there is no marker set 'Nope'; there are: Other, Two"):
        widget.update(marker_set="Nope")
    with pytest.raises(NotFoundError, match="imagez: there is no such file or folder"):
        opened(images.parent / "imagez")
    assert widget.form["size"] == 128
    assert widget.dry_run().is_sound
    widget.update(marker_set="Other", ids=["A:2"])  # a choice of cells waits for its mode
    assert [one["channel"] for one in widget.form["channels"]] == ["Anti-CD3"]
    assert len(widget.dry_run().files) == 2
    widget.update(mode="cells")
    assert [one.item for one in widget.dry_run().files] == ["A cell 2"]
