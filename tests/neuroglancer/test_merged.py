"""Edits that people kept, laid over what is there now."""

import json
from typing import Any

import pytest

from coverslip.errors import InvalidRequestError
from coverslip.neuroglancer import check_state, displace, place, with_edits
from coverslip.neuroglancer.merged import parse_document

HERE = "http://127.0.0.1:8000"


def image(name: str = "TS_1", **facts: Any) -> dict[str, Any]:
    return {"type": "image", "name": name, "source": {"url": "zarr2://coverslip:///api/images/a/zarr04"}, **facts}


def points(number: int, name: str | None = None, **facts: Any) -> dict[str, Any]:
    source = {
        "url": f"precomputed://coverslip:///api/entities/{number}/precomputed/point",
        "transform": {"now": number},
    }
    return {"type": "annotation", "name": name or f"{number} ribosome point", "source": source, **facts}


def state(*layers: dict[str, Any], **facts: Any) -> dict[str, Any]:
    selected = {"visible": True, "layer": layers[0]["name"]}
    return {
        "dimensions": {"x": [1e-9, "m"]},
        "position": [1],
        "selectedLayer": selected,
        "layers": list(layers),
        **facts,
    }


def names(found: dict[str, Any]) -> list[str]:
    return [layer["name"] for layer in found["layers"]]


NOW = state(image(), points(6), points(8), deposition_id=7, layout="4panel")


def test_without_edits_it_is_the_present_state() -> None:
    assert with_edits(NOW, {}) == NOW


def test_a_part_of_a_state_replaces_just_that() -> None:
    assert with_edits(NOW, {"layout": "xy"}) == {**NOW, "layout": "xy"}


def test_place_and_panels_are_those_that_were_kept() -> None:
    found = with_edits(NOW, state(image(), position=[5], crossSectionScale=2))
    assert (found["position"], found["crossSectionScale"]) == ([5], 2)
    assert "layout" not in found, "a viewer leaves out what has its default"
    assert found["deposition_id"] == 7


def test_a_layer_looks_as_it_was_left_and_is_read_from_where_it_is_now() -> None:
    before = points(6, annotationColor="#ff0000", visible=False, shader="void main() {}", tab="source")
    before["source"] = "precomputed://coverslip:///api/entities/6/precomputed/point"
    layer = with_edits(NOW, state(image(), before))["layers"][1]
    assert layer == {**before, "source": points(6)["source"]}


def test_what_was_made_visible_stays_so() -> None:
    hidden = state(image(), points(6, visible=False))
    (_, layer) = with_edits(hidden, state(image(), points(6)))["layers"]
    assert "visible" not in layer


def test_new_layers_come_last_and_are_as_they_are() -> None:
    found = with_edits(NOW, state(points(8, visible=False), image()))
    assert names(found) == ["8 ribosome point", "TS_1", "6 ribosome point"]
    assert found["layers"][2] == points(6)


@pytest.mark.parametrize(
    ("layer", "stays"),
    [
        (points(9), False),
        ({"type": "annotation", "name": "mine", "source": "local://annotations", "annotations": [1]}, True),
        ({"type": "image", "name": "theirs", "source": "zarr://https://elsewhere.example/a.zarr"}, True),
        ({"type": "segmentation", "name": "as well", "source": points(6)["source"]["url"]}, True),
        ({"type": "image", "name": "two", "source": ["zarr://https://x.example/a", points(9)["source"]]}, False),
        ({"type": "image", "name": "piped", "source": "coverslip:///api/images/gone/zarr04/|zarr2:"}, False),
    ],
)
def test_a_layer_that_is_only_in_the_view_stays_unless_it_is_gone_here(layer: dict[str, Any], stays: bool) -> None:
    assert (layer["name"] in names(with_edits(NOW, state(image(), layer)))) is stays


def test_a_layer_with_another_name_is_not_there_twice() -> None:
    found = with_edits(NOW, state(image(), points(6, "ribosomes", annotationColor="#00ff00")))
    assert names(found) == ["TS_1", "ribosomes", "8 ribosome point"]
    assert found["layers"][1]["annotationColor"] == "#00ff00"


def test_channels_of_one_image_are_told_apart_by_name() -> None:
    both = state(image("0 DAPI"), image("1 GFP"))
    found = with_edits(both, state(image("0 DAPI", visible=False), image("nuclei", opacity=0.5)))
    assert names(found) == ["0 DAPI", "nuclei", "1 GFP"]


def test_marks_are_the_present_ones_and_those_drawn_in_the_viewer() -> None:
    def local(*annotations: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "annotation",
            "name": "events",
            "source": {"url": "local://annotations"},
            "annotations": list(annotations),
        }

    ours, gone = {"id": "0d3e7c1c-5f3e-4a53-9a0e-6f3a4b8a4f57.1"}, {"id": "11111111-5f3e-4a53-9a0e-6f3a4b8a4f57"}
    drawn = {"id": "c0ffee" * 6 + "0000"}
    kept = {**local(gone), "annotations": [gone, drawn], "annotationColor": "#123456"}
    found = with_edits(state(local(ours)), state(kept))["layers"][0]
    assert found["annotations"] == [ours, drawn]
    assert found["annotationColor"] == "#123456"


def test_what_is_selected_is_there() -> None:
    kept = state(points(9), image())
    assert with_edits(NOW, kept)["selectedLayer"] == {"visible": True, "layer": "TS_1"}


@pytest.mark.parametrize(
    "url",
    [
        "zarr2://coverslip:///api/images/a/zarr04",
        "coverslip:///api/images/a/zarr04/|zarr2:",
        {"url": "precomputed://coverslip:///api/entities/6/precomputed/point", "transform": {}},
        [{"url": "zarr3://coverslip:///api/images/a/zarr"}, {"url": "precomputed://coverslip:///api/images/a/labels"}],
    ],
)
def test_own_addresses_come_and_go(url: Any) -> None:
    kept = state({"type": "image", "name": "a", "source": url})
    shown = place(kept, HERE)
    assert "coverslip://" not in json.dumps(shown)
    assert json.dumps(shown).count(f"{HERE}/api/") == json.dumps(kept).count("coverslip:///api/")
    assert displace(shown, HERE) == kept


def test_other_addresses_and_names_are_left_alone() -> None:
    names_ = state(
        {"type": "image", "name": f"{HERE}/api", "source": "zarr://http://127.0.0.1:80001/api/a"}, title=HERE
    )
    assert displace(names_, HERE) == names_


@pytest.mark.parametrize(
    "wrong",
    [
        b"{",
        b"[]",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": "\\u0000"}',
        b'{"\\ud800": 1}',
        b"[" * 100_000,
        b'{"a": ' + b"[" * 50 + b"]" * 50 + b"}",
        b"\xff",
    ],
)
def test_what_is_no_document_is_said(wrong: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        parse_document(wrong)


@pytest.mark.parametrize(
    "layers", [{}, [1], [{"type": "image"}], [{"name": ""}], [{"name": 3}], [{"name": "a"}] * 10_001]
)
def test_layers_without_a_name_are_said(layers: Any) -> None:
    with pytest.raises(InvalidRequestError, match="layer"):
        check_state({"layers": layers})
