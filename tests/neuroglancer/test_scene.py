"""Which annotations belong to a tomogram, and what no scene is made of."""

import math
from functools import partial

import pytest

from coverslip.cryoet.alignment_path import normalised
from coverslip.errors import InvalidRequestError
from coverslip.neuroglancer import AnnotationLayer, Scene, Tomogram, matching
from tests.neuroglancer.scenes import ALIGNMENT, annotation, metadata, tomogram

OTHER = "10440/TS_1/Alignments/101/alignment_metadata.json"
in_layout = partial(normalised, layout="s3://portal")


def numbers(*layers: AnnotationLayer, of: Tomogram | None = None, default: str = "") -> list[int]:
    """Return the numbers of the layers that belong to the tomogram."""
    return [one.number for one in matching(layers, of or tomogram(), default=default, comparable=in_layout)]


def test_annotations_of_the_same_alignment_belong_to_it_whatever_their_voxel_spacing_and_deposition() -> None:
    found = numbers(
        annotation(3, "ribosome", "Point", voxel_spacing=5.006),
        annotation(1, "membrane", "SegmentationMask"),
        annotation(2, "actin", "Point", alignment=OTHER),
    )
    assert found == [1, 3]


@pytest.mark.parametrize(
    "written",
    [ALIGNMENT, f"s3://portal/{ALIGNMENT}", f"https://files.example.org/{ALIGNMENT}", f"portal//{ALIGNMENT}"],
)
def test_it_does_not_matter_how_an_alignment_is_written(written: str) -> None:
    assert numbers(annotation(1, "ribosome", "Point", alignment=written)) == [1]
    assert numbers(annotation(1, "ribosome", "Point"), of=tomogram(alignment=written)) == [1]


def test_an_annotation_without_an_alignment_has_the_default_one_of_its_run() -> None:
    unnamed = annotation(1, "ribosome", "Point", alignment="")
    assert numbers(unnamed, default=ALIGNMENT) == [1]
    assert numbers(unnamed, default=OTHER) == []
    assert numbers(unnamed) == []


def test_a_tomogram_without_an_alignment_has_the_default_one_of_its_run() -> None:
    bare = tomogram(alignment="")
    layers = (annotation(1, "ribosome", "Point"), annotation(2, "actin", "Point", alignment=""))
    assert numbers(*layers, of=bare, default=ALIGNMENT) == [1, 2]
    assert numbers(*layers, of=bare) == [2]


@pytest.mark.parametrize("hostile", ["../../etc/passwd", "s3://portal/../x", "a\x00b", "x" * 5000])
def test_a_path_that_is_none_is_nobodys_alignment(hostile: str) -> None:
    layers = (annotation(1, "ribosome", "Point", alignment=hostile), annotation(2, "actin", "Point", alignment=""))
    assert numbers(*layers, of=tomogram(alignment=hostile)) == []
    assert numbers(*layers) == []


def test_shapes_of_one_annotation_have_one_order() -> None:
    layers = (annotation(1, "ribosome", "TriangularMesh"), annotation(1, "ribosome", "Point"))
    assert [one.shape for one in matching(layers, tomogram())] == ["Point", "TriangularMesh"]


@pytest.mark.parametrize("spacing", [0.0, -1.0, math.nan, math.inf])
def test_a_voxel_spacing_is_a_positive_number(spacing: float) -> None:
    with pytest.raises(InvalidRequestError, match="tomogram 7: a voxel spacing is a positive number"):
        Tomogram(7, spacing)
    with pytest.raises(InvalidRequestError, match="annotation 8: a voxel spacing is a positive number"):
        AnnotationLayer(8, "ribosome", "Point", spacing)


def test_captions_have_no_layer() -> None:
    with pytest.raises(InvalidRequestError, match="'GlobalCaption' has no layer"):
        AnnotationLayer(8, "ribosome", "GlobalCaption", 10.0)  # type: ignore[arg-type]


def test_only_tomograms_have_annotations_of_depositions() -> None:
    with pytest.raises(InvalidRequestError, match="only tomograms"):
        Scene("img1", "cells.czi", metadata(), layers=(annotation(1, "ribosome", "Point"),))
