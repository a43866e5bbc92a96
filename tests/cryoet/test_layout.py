"""Keys of the portal's layout, both ways; expected keys are written out by hand from the portal's path templates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverslip.cryoet import layout
from coverslip.errors import InvalidRequestError

RUN = "10000/TS_1"
SPACING = "10000/TS_1/Reconstructions/VoxelSpacing13.480"

MADE = {
    layout.document("deposition", layout.deposition("10301")): "depositions_metadata/10301/deposition_metadata.json",
    layout.photo(layout.deposition("10301"), "snapshot", "gif"): "depositions_metadata/10301/Images/snapshot.gif",
    layout.document("dataset", layout.dataset("10000")): "10000/dataset_metadata.json",
    layout.photo(layout.dataset("10000"), "thumbnail", "png"): "10000/Images/thumbnail.png",
    layout.document("run", layout.run("10000", "TS_1")): "10000/TS_1/run_metadata.json",
    layout.document("frame", layout.below(RUN, layout.FOLDERS["frame"])): "10000/TS_1/Frames/frames_metadata.json",
    layout.document("tiltseries", layout.numbered("tiltseries", RUN, 100)): (
        "10000/TS_1/TiltSeries/100/tiltseries_metadata.json"
    ),
    layout.document("alignment", layout.numbered("alignment", RUN, 101)): (
        "10000/TS_1/Alignments/101/alignment_metadata.json"
    ),
    layout.document("identified_object", layout.below(RUN, "IdentifiedObjects")): (
        "10000/TS_1/IdentifiedObjects/identified_objects_metadata.json"
    ),
    layout.spacing(RUN, layout.spacing_name(13.48)): SPACING,
    layout.document("tomogram", layout.numbered("tomogram", SPACING, 100)): (
        f"{SPACING}/Tomograms/100/tomogram_metadata.json"
    ),
    layout.key_photo(SPACING, 100, "expanded"): f"{SPACING}/Images/100/key-photo-expanded.png",
    layout.neuroglancer_config(SPACING, 100): f"{SPACING}/NeuroglancerPrecompute/100-neuroglancer_config.json",
    layout.precompute(SPACING, 102, "membrane-1.0", "SemanticSegmentationMask"): (
        f"{SPACING}/NeuroglancerPrecompute/102-membrane-1.0_segmentationmask"
    ),
    layout.precompute(SPACING, 102, "ribosome-1.0", layout.ORIENTED_MESH): (
        f"{SPACING}/NeuroglancerPrecompute/102-ribosome-1.0_orientedmesh"
    ),
}


def test_keys_are_those_of_the_portal() -> None:
    assert list(MADE) == list(MADE.values())


@pytest.mark.parametrize(
    ("shape", "extension", "companion", "ends"),
    [
        ("Point", "ndjson", None, "_point.ndjson"),
        ("OrientedPoint", "ndjson", None, "_orientedpoint.ndjson"),
        ("InstanceSegmentation", "ndjson", None, "_instancesegmentation.ndjson"),
        ("SemanticSegmentationMask", "zarr", None, "_segmentationmask.zarr"),
        ("InstanceSegmentationMask", "mrc", None, "_instancesegmentationmask.mrc"),
        ("TriangularMeshGroup", "glb", None, "_triangularmesh.glb"),
        ("GlobalCaption", "json", None, "_globalcaption.json"),
        ("AnnotationCaption", "json", "InstanceSegmentationMask", "_instancesegmentationmask_caption.json"),
    ],
)
def test_shapes_of_annotations_have_their_endings(shape: str, extension: str, companion: str | None, ends: str) -> None:
    folder = layout.numbered("annotation", SPACING, 100)
    key = layout.annotation_file(folder, "atp_synthase-1.0", shape, extension, companion)
    assert key == f"{SPACING}/Annotations/100/atp_synthase-1.0{ends}"
    place = layout.parse(key)
    assert place is not None
    assert (place.type, place.part, place.number) == ("annotation", "file", 100)
    assert (place.shape, place.format) == (layout.SHAPES[shape], extension)


@pytest.mark.parametrize(
    ("name", "description", "version", "stem"),
    [
        ("cytosolic ribosome", None, 1.0, "cytosolic_ribosome-1.0"),
        ("membrane", "Membrain-seg prediction", "1.0", "membrain_seg_prediction-1.0"),
        ("membrane", "x" * 50, 2, "x" * 50 + "-2"),
        ("membrane", "x" * 51, 2, "membrane-2"),
        ("Rubisco (L8S8)", "", "v1 beta", "rubisco__l8s8_-v1_beta"),
    ],
)
def test_names_of_annotations(name: str, description: str | None, version: object, stem: str) -> None:
    assert layout.annotation_stem(name, description, version) == stem


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("depositions_metadata/300/deposition_metadata.json", ("deposition", "document", "", "", None, "")),
        ("depositions_metadata/300/Images/snapshot.png", ("deposition_keyphoto", "file", "", "", None, "")),
        ("30001", ("dataset", "folder", "30001", "", None, "")),
        ("30001/Images/thumbnail.png", ("dataset_keyphoto", "file", "30001", "", None, "")),
        ("30001/RUN1/", ("run", "folder", "30001", "RUN1", None, "")),
        ("30001/RUN1/run_metadata.json", ("run", "document", "30001", "RUN1", None, "")),
        ("30001/RUN1/Gains/run1_gain.mrc", ("gain", "file", "30001", "RUN1", None, "")),
        ("30001/RUN1/Frames/frame1", ("frame", "file", "30001", "RUN1", None, "")),
        ("30001/RUN1/Frames/foo.mdoc", ("collection_metadata", "file", "30001", "RUN1", None, "")),
        ("30001/RUN1/Frames/frames_metadata.json", ("frame", "document", "30001", "RUN1", None, "")),
        ("30001/RUN1/TiltSeries/100", ("tiltseries", "folder", "30001", "RUN1", 100, "")),
        ("30001/RUN1/TiltSeries/100/RUN1.mrc", ("tiltseries", "file", "30001", "RUN1", 100, "")),
        ("30001/RUN1/TiltSeries/100/RUN1.rawtlt", ("rawtilt", "file", "30001", "RUN1", 100, "")),
        ("30001/RUN1/TiltSeries/100/RUN1_CTFFIND_ctf.txt", ("ctf", "file", "30001", "RUN1", 100, "")),
        ("30001/RUN1/Alignments/101/RUN1.xf", ("alignment", "file", "30001", "RUN1", 101, "")),
        (
            "30001/RUN1/IdentifiedObjects/identified_objects.json",
            ("identified_object", "file", "30001", "RUN1", None, ""),
        ),
        ("30001/RUN1/Reconstructions/VoxelSpacing12.300", ("voxel_spacing", "folder", "30001", "RUN1", None, "12.300")),
        (
            "30001/RUN1/Reconstructions/VoxelSpacing12.300/Tomograms/100/tomogram_metadata.json",
            ("tomogram", "document", "30001", "RUN1", 100, "12.300"),
        ),
        (
            "30001/RUN1/Reconstructions/VoxelSpacing12.300/Annotations/100/foo-1.0.json",
            ("annotation", "document", "30001", "RUN1", 100, "12.300"),
        ),
        (
            "30001/RUN1/Reconstructions/VoxelSpacing12.300/Images/100/key-photo-snapshot.png",
            ("key_image", "file", "30001", "RUN1", 100, "12.300"),
        ),
        (
            "30001/RUN1/Reconstructions/VoxelSpacing12.300/NeuroglancerPrecompute/100-foo-1.0_point/info",
            ("neuroglancer_precompute", "file", "30001", "RUN1", 100, "12.300"),
        ),
        (
            "30001/RUN1/Reconstructions/VoxelSpacing12.300/NeuroglancerPrecompute/100-neuroglancer_config.json",
            ("neuroglancer_config", "file", "30001", "RUN1", 100, "12.300"),
        ),
    ],
)
def test_a_key_says_what_lies_there(key: str, what: tuple[str, str, str, str, int | None, str]) -> None:
    place = layout.parse(key)
    assert place is not None
    assert (place.type, place.part, place.dataset, place.run, place.number, place.spacing) == what


def test_what_lies_inside_of_an_image_belongs_to_the_image() -> None:
    place = layout.parse(f"{SPACING}/Tomograms/100/TS_1.zarr/0/1/2/3")
    assert place is not None
    assert (place.name, place.format, place.inside) == ("TS_1.zarr", "zarr", "0/1/2/3")
    assert place.file == f"{SPACING}/Tomograms/100/TS_1.zarr"


@pytest.mark.parametrize(
    "key",
    [
        *("", "/", "a//b", "../30001", "30001/../x", "30001/a\0b", "30001/" + "x" * 256),
        "depositions_metadata/x/deposition_metadata.json",
        "30001/RUN1/Tomograms/VoxelSpacing12.300/CanonicalTomogram/RUN1.mrc",
        "30001/RUN1/Reconstructions/VoxelSpacing12.3/Tomograms/100/RUN1.mrc",
        "30001/RUN1/TiltSeries/ts_foo.zarr/.zattrs",
        "30001/RUN1/TiltSeries/100/notes/x.mrc",
        "30001/notes.json",
    ],
)
def test_what_has_no_place_is_nothing(key: str) -> None:
    assert layout.parse(key) is None


@pytest.mark.parametrize("name", ["", "  ", ".", "..", "a/b", "a\\b", "a\0b", "a\nb", "x" * 256, "é" * 128, "\ud800"])
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequestError):
        layout.run("10000", name)


@pytest.mark.parametrize(
    ("dataset", "run"),
    [("depositions_metadata", "TS_1"), ("10000", "Images"), ("10000", "dataset_metadata.json"), ("..", "TS_1")],
)
def test_names_that_mean_something_else_are_refused(dataset: str, run: str) -> None:
    with pytest.raises(InvalidRequestError):
        layout.run(dataset, run)


def test_a_key_that_no_bucket_takes_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="longer than"):
        layout.below("10000", *["x" * 200] * 6)


@given(st.text(max_size=300), st.text(max_size=300))
def test_whatever_is_taken_for_a_run_is_found_as_that_run(dataset: str, run: str) -> None:
    try:
        key = layout.document("run", layout.run(dataset, run))
    except InvalidRequestError:
        return
    place = layout.parse(key)
    assert place is not None
    assert (place.dataset, place.run, place.part) == (dataset, run, "document")


@given(st.text(alphabet="a/.-_10ZzRr\0é", max_size=80))
def test_any_text_is_a_place_or_none(text: str) -> None:
    place = layout.parse(text)
    assert place is None or text.startswith(place.folder)
