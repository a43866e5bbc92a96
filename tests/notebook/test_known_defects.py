"""What goes wrong in the widgets of the viewer whose folders we read, and must not here.

The numbers are those of its list of defects; those of exports themselves are in ``tests/export``.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from coverslip.notebook import BatchExport, Viewer
from tests.export.making import roi, write_rois
from tests.notebook.conftest import fill_in, finished, say

type Make = Callable[..., BatchExport]


@pytest.mark.parametrize("selection", ["region", ["region", "zones"], None])
def test_10_a_saved_choice_of_annotations_that_are_not_there_keeps_nothing_from_opening(
    images: Path, opened: Make, tmp_path: Path, selection: object
) -> None:
    path = images / ".UELer" / "widget_states.json"
    saved = json.loads(path.read_text())
    saved |= {"annotation_selector": selection, "annotations_checked": True, "ui_component.annotation": selection}
    path.write_text(json.dumps(saved))
    widget = opened(images, output_dir=tmp_path / "out")
    assert widget.facts["notes"] == []
    assert widget.check["count"] == 2
    widget.start()
    assert finished(widget).state == "completed"
    with Viewer(images / "A") as viewer:
        assert viewer.tile(0, 0, 0).shape == (40, 60, 3)


def test_10_an_annotation_that_is_asked_for_and_not_there_fails_the_items_alone(
    images: Path, opened: Make, tmp_path: Path
) -> None:
    widget = opened(images, output_dir=tmp_path / "out", annotation={"annotation": "region"})
    assert widget.dry_run().failing[0].problem is not None
    widget.start()
    assert finished(widget).state == "failed"
    assert {one.error_type for one in widget.results()} == {"MissingAnnotationError"}


def test_14_chosen_regions_stay_chosen_whatever_else_changes(images: Path, opened: Make, tmp_path: Path) -> None:
    widget = opened(images, output_dir=tmp_path / "out", mode="rois")
    chosen = ["id-low-A", "id-right-B"]
    fill_in(widget, rois=chosen)
    say(widget, do="preview", number=1)  # of another field of view
    assert widget.preview["item"] == "B right"
    fill_in(widget, mode="fov", fovs=["A"])
    fill_in(widget, mode="rois", fovs=None)
    assert widget.form["rois"] == chosen
    boxes = {"left": (0, 20, 0, 20), "right": (30, 60, 10, 40), "low": (10, 30, 20, 40), "new": (0, 9, 0, 9)}
    write_rois(images, [roi(name, fov, box) for fov in ("A", "B") for name, box in boxes.items()])
    say(widget, do="reload")
    assert len(widget.facts["rois"]) == 8
    assert widget.form["rois"] == chosen
    assert widget.check["count"] == 2
    widget.start()
    widget.wait(20)
    assert [one.item_id for one in widget.results()] == ["A low", "B right"]


def test_14_a_region_that_is_gone_is_said_and_the_others_stay_chosen(
    images: Path, opened: Make, tmp_path: Path
) -> None:
    widget = opened(images, output_dir=tmp_path / "out", mode="rois", rois=["id-low-A", "id-left-B"])
    write_rois(images, [roi("left", "B", (0, 20, 0, 20))])
    say(widget, do="reload")
    assert "'id-low-A'" in widget.check["problem"]
    assert widget.form["rois"] == ["id-low-A", "id-left-B"]
