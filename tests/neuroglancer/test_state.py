"""Viewer states: what is in them, and that they are the same for the same scene."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuroglancer import ViewerState

from coverslip.errors import BuildError, InvalidRequestError
from coverslip.neuroglancer import (
    AnnotationLayer,
    CellLayer,
    LabelLayer,
    Place,
    Published,
    Scene,
    build_state,
    matching,
    to_bytes,
    with_origin,
)
from tests.neuroglancer.scenes import ALIGNMENT, EVERY_SHAPE, annotation, metadata, scene, tomogram

VOXELS = {axis: [1.0012e-09, "m"] for axis in "xyz"}
IMAGE_SPACE = {
    "outputDimensions": {"t'": [1, ""], "c'": [1, ""], **{axis: VOXELS[axis] for axis in "zyx"}},
    "inputDimensions": {"t": [1, ""], "c'": [1, ""], **{axis: VOXELS[axis] for axis in "zyx"}},
}
"""Of the image, which has all five axes."""
SAME_SPACE = {"outputDimensions": VOXELS, "inputDimensions": VOXELS}
HALF_A_VOXEL_BACK = [[1, 0, 0, -0.5], [0, 1, 0, -0.5], [0, 0, 1, -0.5]]

EXPECTED: dict[str, dict[str, Any]] = {
    "TS_1": {
        "type": "image",
        "source": {"url": "zarr2://coverslip:///api/images/img1/zarr04", "transform": IMAGE_SPACE},
        "tab": "rendering",
        "visible": True,
        "opacity": 1.0,
        "blend": "additive",
        "volumeRendering": "off",
        "volumeRenderingGain": -7.8,
        "volumeRenderingDepthSamples": 128,
        "codeVisible": False,
        "shaderControls": {
            "contrast": {"range": [-1.83e-05, 2.07e-05], "window": [-2.61e-05, 2.85e-05]},
            "invert_contrast": False,
            "contrast_3D": {"range": [-1.5e-05, 4e-06], "window": [-5.3e-05, 4.2e-05]},
            "invert_contrast_3D": True,
            "hide_values_outside_limits_3D": False,
        },
    },
    "100 cytosolic ribosome orientedmesh": {
        "type": "segmentation",
        "source": {
            "url": "precomputed://coverslip:///api/entities/100/precomputed/orientedmesh",
            "transform": SAME_SPACE,
            "subsources": {"default": True, "mesh": True},
            "enableDefaultSubsources": False,
        },
        "tab": "rendering",
        "visible": True,
        "selectedAlpha": 1,
        "hoverHighlight": False,
        "segments": [1],
        "meshRenderScale": 4.0,
        "pick": False,
    },
    "100 cytosolic ribosome orientedpoint": {
        "type": "annotation",
        "source": {
            "url": "precomputed://coverslip:///api/entities/100/precomputed/orientedpoint",
            "transform": SAME_SPACE,
        },
        "tab": "rendering",
        "visible": False,
        "codeVisible": False,
        "shaderControls": {"pointScale": 1.0, "opacity": 1.0, "lineWidth": 1.0},
    },
    "101 beta-galactosidase point": {
        "type": "annotation",
        "source": {"url": "precomputed://coverslip:///api/entities/101/precomputed/point", "transform": SAME_SPACE},
        "tab": "rendering",
        "visible": True,
        "codeVisible": False,
        "shaderControls": {"pointScale": 1.0, "opacity": 1.0},
    },
    "102 actin point": {
        "type": "annotation",
        "source": {
            "url": "precomputed://coverslip:///api/entities/102/precomputed/instancesegmentation",
            "transform": SAME_SPACE,
        },
        "tab": "rendering",
        "visible": True,
        "codeVisible": False,
        "shaderControls": {"pointScale": 1.0, "opacity": 1.0},
    },
    "103 membrane segmentation": {
        "type": "segmentation",
        "source": {
            "url": "precomputed://coverslip:///api/entities/103/precomputed/segmentationmask",
            "transform": {**SAME_SPACE, "matrix": HALF_A_VOXEL_BACK},
            "subsources": {"default": True, "mesh": True},
            "enableDefaultSubsources": False,
        },
        "tab": "rendering",
        "visible": True,
        "selectedAlpha": 1,
        "hoverHighlight": False,
        "segments": [1],
        "meshRenderScale": 2.0,
        "pick": False,
    },
    "104 vesicle instancesegmentation": {
        "type": "segmentation",
        "source": {
            "url": "precomputed://coverslip:///api/entities/104/precomputed/instancesegmentationmask",
            "transform": {**SAME_SPACE, "matrix": HALF_A_VOXEL_BACK},
            "subsources": {"default": True, "mesh": True},
            "enableDefaultSubsources": False,
        },
        "tab": "rendering",
        "visible": False,
        "selectedAlpha": 1,
        "hoverHighlight": False,
        "segments": [1, 2, 3],
        "meshRenderScale": 2.0,
        "pick": False,
    },
    "105 nucleus mesh": {
        "type": "segmentation",
        "source": {
            "url": "precomputed://coverslip:///api/entities/105/precomputed/triangularmesh",
            "transform": SAME_SPACE,
            "subsources": {"default": True, "mesh": True},
            "enableDefaultSubsources": False,
        },
        "tab": "rendering",
        "visible": False,
        "selectedAlpha": 1,
        "hoverHighlight": False,
        "segments": [1],
        "meshRenderScale": 2.0,
        "pick": False,
    },
}
"""Layers by name without shaders and colours: what the CryoET Data Portal writes for the same, but for the addresses,
and for masks, which lie half a voxel further there than what they were drawn on."""


def layers(state: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the layers of a state by name."""
    found = {layer["name"]: layer for layer in state["layers"]}
    assert len(found) == len(state["layers"])
    return found


def colors(state: dict[str, Any]) -> dict[str, Any]:
    """Return the colours of layers by name."""
    keys = ("annotationColor", "segmentDefaultColor", "segmentColors")
    return {name: [layer[key] for key in keys if key in layer] for name, layer in layers(state).items()}


def test_every_kind_of_layer_is_what_the_portal_shows() -> None:
    found = layers(build_state(scene(*EVERY_SHAPE[:6])))
    assert list(found) == list(EXPECTED)
    for name, expected in EXPECTED.items():
        looks = {"shader", "name", "annotationColor", "segmentDefaultColor", "segmentColors"}
        assert {key: value for key, value in found[name].items() if key not in looks} == expected


def test_the_state_around_the_layers_is_what_the_portal_shows() -> None:
    state = build_state(scene(*EVERY_SHAPE))
    del state["layers"]
    assert state == {
        "title": "TS_1",
        "dimensions": VOXELS,
        "position": [315.0, 315.0, 92.0],
        "crossSectionScale": 1.575,
        "projectionScale": 693.0,
        "projectionOrientation": [0.3826834323650898, 0.0, 0.0, 0.9238795325112867],
        "selectedLayer": {"visible": True, "layer": "TS_1", "side": "left"},
        "crossSectionBackgroundColor": "#000000",
        "hideCrossSectionBackground3D": True,
        "layout": "4panel",
        "showSlices": True,
        "showAxisLines": True,
        "layerListPanel": {"row": 1, "visible": True},
        "helpPanel": {"side": "right", "row": 0},
        "settingsPanel": {"side": "right", "row": 1},
        "selection": {"row": 2, "visible": False},
        "toolPalettes": {
            "Position": {
                "side": "bottom",
                "row": 1,
                "size": 100,
                "visible": True,
                "query": "type:dimension",
                "verticalStacking": False,
            }
        },
        "gpuMemoryLimit": 1500000000,
        "deposition_id": 10310,
    }


def test_controls_are_declared_in_the_shaders_that_use_them() -> None:
    for layer in build_state(scene(*EVERY_SHAPE))["layers"]:
        declared = re.findall(r"#uicontrol \w+ (\w+)", layer.get("shader", ""))
        assert sorted(declared) == sorted(layer.get("shaderControls", {}))
        for name in declared:
            assert len(re.findall(rf"\b{name}\b", layer["shader"])) > 1


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("100 cytosolic ribosome orientedpoint", {"prop_diameter", "prop_line_color", "defaultColor"}),
        ("101 beta-galactosidase point", {"prop_diameter", "defaultColor"}),
        ("102 actin point", {"prop_diameter", "prop_color"}),
    ],
)
def test_points_are_drawn_from_the_properties_that_they_have(name: str, called: set[str]) -> None:
    shader = layers(build_state(scene(*EVERY_SHAPE)))[name]["shader"]
    assert set(re.findall(r"(prop_\w+|defaultColor)\(\)", shader)) == called


def test_a_tomogram_alone_has_one_layer() -> None:
    assert list(layers(build_state(scene()))) == ["TS_1"]


def test_a_new_annotation_is_a_new_layer_and_changes_no_other() -> None:
    before = layers(build_state(scene(*EVERY_SHAPE)))
    after = layers(build_state(scene(*EVERY_SHAPE, annotation(108, "vault", "Point"))))
    assert list(after) == [*before, "108 vault point"]
    assert {name: after[name] for name in before} == before


def test_an_annotation_of_another_alignment_is_not_in() -> None:
    other = annotation(109, "vault", "Point", alignment=ALIGNMENT.replace("100", "101"))
    kept = matching((*EVERY_SHAPE, other), tomogram())
    assert layers(build_state(scene(*kept))) == layers(build_state(scene(*EVERY_SHAPE)))


def test_an_annotation_of_another_voxel_spacing_is_scaled() -> None:
    found = layers(build_state(scene(annotation(1, "membrane", "SegmentationMask", voxel_spacing=20.024))))
    transform = found["1 membrane segmentation"]["source"]["transform"]
    assert transform["outputDimensions"] == VOXELS
    assert transform["inputDimensions"] == {axis: [2.0024e-09, "m"] for axis in "xyz"}
    assert [row[3] for row in transform["matrix"]] == [-1.0, -1.0, -1.0]  # half of its voxels is one of the tomogram's


def test_oriented_points_without_meshes_are_shown_themselves() -> None:
    found = layers(build_state(scene(annotation(1, "ribosome", "OrientedPoint"))))
    assert list(found) == ["TS_1", "1 ribosome orientedpoint"]
    assert found["1 ribosome orientedpoint"]["visible"]


def test_meshes_have_the_color_of_their_points() -> None:
    found = layers(build_state(scene(*EVERY_SHAPE)))
    mesh, points = (found[f"100 cytosolic ribosome {title}"] for title in ("orientedmesh", "orientedpoint"))
    assert mesh["segmentDefaultColor"] == points["annotationColor"]


def test_layers_have_colors_of_their_own() -> None:
    found = [value[0] for value in colors(build_state(scene(*EVERY_SHAPE[1:4], *EVERY_SHAPE[5:]))).values() if value]
    assert len(found) == len(set(found)) == 6


@given(st.sets(st.integers(0, 30)), st.integers(0, 30))
def test_colors_do_not_change_when_a_newer_annotation_comes(present: set[int], new: int) -> None:
    def of(numbers: set[int]) -> dict[str, Any]:
        return colors(build_state(scene(*(annotation(one, f"object {one % 3}", "Point") for one in numbers))))

    older = {one for one in present if one < new}
    before, after = of(older), of(older | {new})
    assert {name: after[name] for name in before} == before


def test_instances_keep_their_colors_when_there_are_more() -> None:
    def of(labels: tuple[int, ...]) -> dict[str, str]:
        found = layers(build_state(scene(annotation(1, "vesicle", "InstanceSegmentationMask", labels=labels))))
        colored: dict[str, str] = found["1 vesicle instancesegmentation"]["segmentColors"]
        return colored

    few, more = of((3, 1)), of((0, 1, 2, 3))
    assert list(few) == ["1", "3"]
    assert list(more) == ["1", "2", "3"]  # 0 is nothing
    assert few.items() <= more.items()


@pytest.mark.parametrize("labels", [tuple(range(1, 20_001)), tuple(range(1, 258)), None])
def test_colors_of_many_instances_are_not_in_the_state(labels: tuple[int, ...] | None) -> None:
    mask = annotation(1, "vesicle", "InstanceSegmentationMask", labels=labels)
    state = build_state(scene(mask))
    found = layers(state)["1 vesicle instancesegmentation"]
    assert "segmentColors" not in found
    assert "segments" not in found
    assert 0 <= found["colorSeed"] < 2**32
    assert len(to_bytes(state)) < 6000


def test_up_to_256_instances_are_colored_in_the_state() -> None:
    mask = annotation(1, "vesicle", "InstanceSegmentationMask", labels=tuple(range(1, 257)))
    assert len(layers(build_state(scene(mask)))["1 vesicle instancesegmentation"]["segmentColors"]) == 256


def test_labels_that_no_json_number_holds_are_written_as_text() -> None:
    mask = annotation(1, "vesicle", "InstanceSegmentationMask", labels=(2**64 - 1, 2**53 - 1))
    found = layers(build_state(scene(mask)))["1 vesicle instancesegmentation"]
    assert found["segments"] == [9007199254740991, "18446744073709551615"]


def test_names_of_layers_differ() -> None:
    twice = (annotation(1, "actin", "Point"), annotation(1, "actin", "InstanceSegmentation"))
    found = layers(build_state(scene(*twice, labels=(LabelLayer("cells"), LabelLayer("cells")), name="1 actin point")))
    assert list(found) == [
        "1 actin point",
        "1 actin point (2)",
        "1 actin point (3)",
        "cells labels",
        "cells labels (2)",
    ]


def test_equal_scenes_have_equal_bytes_in_whatever_order_they_are_told() -> None:
    first = scene(*EVERY_SHAPE, labels=(LabelLayer("a"), LabelLayer("b")))
    second = replace(first, layers=first.layers[::-1], labels=first.labels[::-1])
    assert to_bytes(build_state(first)) == to_bytes(build_state(second))


def test_ten_thousand_annotations_have_ten_thousand_names() -> None:
    many = [annotation(number, "ribosome", "Point") for number in range(10_000)]
    assert len(layers(build_state(scene(*many)))) == 10_001


def every_layer() -> Scene:
    """Return the scene of a tomogram with something of everything."""
    cells = CellLayer("picked", 2, (Place("1", 5, 6, 7), Place("2", 8.5, 9, 10, description="odd")))
    return scene(*EVERY_SHAPE, labels=(LabelLayer("nuclei", labels=(1, 2), has_properties=True),), cells=(cells,))


def channels() -> Scene:
    """Return the scene of an image of two channels with label images."""
    facts = metadata(size_x=2000, size_y=1400, size_z=1, size_c=2, size_t=3, dtype="uint16")
    more = {"windows": ((0.0, 100.0), (10.0, 4000.0)), "colors": ((255, 0, 0), (0, 255, 0))}
    return scene(metadata=facts, tomogram=None, labels=(LabelLayer("nuclei", is_visible=True),), **more)


@pytest.mark.parametrize("make", [every_layer, channels])
def test_the_package_of_neuroglancer_reads_every_state(make: Callable[[], Scene]) -> None:
    written = json.loads(to_bytes(build_state(make())))
    state = ViewerState(written)
    assert state.to_json() == written
    for layer, expected in zip(state.layers, written["layers"], strict=True):
        assert (layer.name, layer.type, layer.visible) == (expected["name"], expected["type"], expected["visible"])
        sources = expected["source"] if isinstance(expected["source"], list) else [expected["source"]]
        assert [source.url for source in layer.source] == [source["url"] for source in sources]
        transform = sources[0].get("transform")
        if transform is not None:
            assert layer.source[0].transform.output_dimensions.to_json() == transform["outputDimensions"]
    assert state.dimensions.to_json() == written["dimensions"]


def test_an_image_that_is_no_tomogram_is_shown_channel_by_channel() -> None:
    state = build_state(channels())
    found = layers(state)
    assert list(found) == ["0 Channel 0", "1 Channel 1", "nuclei labels"]
    assert found["1 Channel 1"]["source"] == {"url": "zarr3://coverslip:///api/images/img1/zarr"}
    assert found["1 Channel 1"]["localPosition"] == [1]
    assert found["1 Channel 1"]["shaderControls"] == {
        "contrast": {"range": [10, 4000], "window": [0, 5995]},
        "color": "#00ff00",
    }
    assert list(state["dimensions"]) == ["x", "y", "z", "t"]
    assert state["layout"] == "xy"


def test_label_images_are_segmentations_with_the_properties_of_their_table() -> None:
    found = layers(build_state(every_layer()))["nuclei labels"]
    assert found["type"] == "segmentation"
    assert found["source"] == [
        {"url": "zarr3://coverslip:///api/images/img1/zarr/labels/nuclei"},
        {"url": "precomputed://coverslip:///api/images/img1/labels/nuclei/properties"},
    ]
    assert list(found["segmentColors"]) == ["1", "2"]
    assert "segments" not in found  # all are shown


def test_cells_are_points_while_they_are_few_and_referenced_when_they_are_many() -> None:
    few = layers(build_state(every_layer()))["picked"]
    assert few["source"] == {"url": "local://annotations", "transform": {"outputDimensions": VOXELS}}
    assert few["annotations"] == [
        {"type": "point", "id": "1", "point": [5, 6, 7]},
        {"type": "point", "id": "2", "point": [8.5, 9, 10], "description": "odd"},
    ]
    many = layers(build_state(scene(cells=(CellLayer("picked", 1_000_000),))))["picked"]
    assert many["source"] == [{"url": "precomputed://coverslip:///api/images/img1/cells/picked/precomputed"}]
    assert "annotations" not in many


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("uint8", {"range": [0, 21], "window": [0, 28]}), ("int16", {"range": [-18, 21], "window": [-26, 28]})],
)
def test_contrast_limits_are_values_of_the_type(dtype: str, expected: dict[str, list[int]]) -> None:
    contrast = tomogram().contrast
    assert contrast is not None
    whole = replace(contrast, range_2d=(-18.3, 20.7), window_2d=(-26.1, 28.4))
    state = build_state(scene(metadata=metadata(dtype=dtype), tomogram=tomogram(contrast=whole)))
    assert state["layers"][0]["shaderControls"]["contrast"] == expected


def test_a_tomogram_that_nobody_measured_has_the_contrast_of_its_type() -> None:
    controls = build_state(scene(tomogram=tomogram(contrast=None)))["layers"][0]["shaderControls"]
    assert controls == {"invert_contrast": False, "invert_contrast_3D": True, "hide_values_outside_limits_3D": False}


@pytest.mark.parametrize("made", [scene, channels])
def test_pixels_that_neuroglancer_does_not_know_are_refused(made: Callable[[], Scene]) -> None:
    with pytest.raises(BuildError, match="no pixels of type float64"):
        build_state(replace(made(), metadata=metadata(dtype="float64")))


def test_a_published_state_names_files_of_the_layout() -> None:
    place = "10440/TS_1/Reconstructions/VoxelSpacing10.012"
    mask = annotation(103, "membrane", "SegmentationMask", key=f"{place}/NeuroglancerPrecompute/103-membrane-1.0")
    shown = tomogram(key=f"{place}/Tomograms/100/TS_1.zarr")
    sources = Published("https://files.example.org/portal/")
    found = layers(build_state(scene(mask, tomogram=shown, labels=(LabelLayer("nuclei"),)), sources=sources))
    assert [one["source"]["url"] for one in found.values()] == [
        f"zarr://https://files.example.org/portal/{place}/Tomograms/100/TS_1.zarr",
        f"precomputed://https://files.example.org/portal/{place}/NeuroglancerPrecompute/103-membrane-1.0_segmentationmask",
    ]


@pytest.mark.parametrize(
    "origin", ["https://images.example.org:8443", "http://localhost:8000/", "http://[::1]:80/below"]
)
def test_the_origin_is_filled_in_when_a_state_is_served(origin: str) -> None:
    written = to_bytes(build_state(every_layer()))
    served = with_origin(written, origin)
    assert json.loads(served)["layers"][0]["source"]["url"] == f"zarr2://{origin.rstrip('/')}/api/images/img1/zarr04"
    assert b"coverslip://" not in served
    assert served.count(origin.rstrip("/").encode()) == written.count(b"coverslip://")


def test_only_addresses_get_an_origin() -> None:
    """Names that look like addresses, quotation marks and all, stay what they are."""
    name = 'x","url":"zarr://coverslip:///api zarr://coverslip:///api/images'
    odd: AnnotationLayer = annotation(1, name, "Point")
    served = json.loads(with_origin(to_bytes(build_state(scene(odd))), "https://images.example.org"))
    assert served["layers"][1]["name"] == f"1 {name} point"
    assert served["layers"][1]["source"]["url"].startswith("precomputed://https://images.example.org/api/")


@pytest.mark.parametrize(
    "origin", ["", "images.example.org", "javascript:x", 'https://x"', "https://x\\", "https://a b"]
)
def test_an_origin_is_the_address_of_a_server(origin: str) -> None:
    with pytest.raises(InvalidRequestError, match="no address of a server"):
        with_origin(b"{}", origin)
