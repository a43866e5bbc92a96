"""What a state takes from the catalog."""

from typing import Any

import pytest

from coverslip.derive.viewing.states import layers_of
from coverslip.model.entities import EntityFile, EntityRecord

SPACING = "datasets/1/runs/TS_1/spacings/10.000"


def annotation(shape: str, files: Any) -> EntityRecord:
    return EntityRecord(
        type="annotation",
        identity=f"{SPACING}/annotations/7/a/100",
        parent=SPACING,
        name="a",
        document={"annotation_object": {"name": "membrane"}, "files": files},
        files=(EntityFile("a.zarr", "zarr", shape, "1"),),
        id=5,
    )


@pytest.mark.parametrize(
    ("shape", "published"),
    [
        ("Point", "Point"),
        ("SemanticSegmentationMask", "SegmentationMask"),
        ("SemanticSegmentationMask", "SemanticSegmentationMask"),
        ("TriangularMeshGroup", "TriangularMesh"),
    ],
)
@pytest.mark.parametrize("is_default", [True, False])
def test_what_the_document_shows_by_default_is_visible_by_either_name(
    shape: str, published: str, is_default: bool
) -> None:
    (layer,) = layers_of(annotation(shape, [{"shape": published, "is_visualization_default": is_default}]), None)
    assert (layer.shape, layer.is_visualization_default) == (shape, is_default)


@pytest.mark.parametrize("files", [None, 5, "all", {"shape": "Point"}, [5, None], [{"shape": 3}]])
def test_an_odd_document_hides_its_annotation_and_breaks_nothing(files: Any) -> None:
    (layer,) = layers_of(annotation("Point", files), None)
    assert not layer.is_visualization_default
