"""Metadata documents, field by field; expected values are worked out by hand, or are documents of the portal itself."""

import json
from pathlib import Path
from typing import Any

import pytest

from coverslip.errors import BuildError
from coverslip.ingest.deposition.documents import build_document, merged
from coverslip.ingest.deposition.steps import Step
from tests.ingest.deposition.planned import planned, step

RUN = "datasets/30001/runs/TS_1"
SPACING = "30001/TS_1/Reconstructions/VoxelSpacing13.480"

SECTIONS = [
    {"z_value": 0, "tilt_angle": 0.004, "exposure_time": 2.0, "frame_name": "1.tif"},
    {"z_value": 1, "tilt_angle": 3.001, "exposure_time": 1.0, "frame_name": "2.tif"},
    {"z_value": 2, "tilt_angle": -2.998, "exposure_time": 4.0, "frame_name": "gone.tif"},
]
ROW = {
    "section": 2,
    "defocus_1": 28000.0,
    "defocus_2": 27000.5,
    "azimuth": 37.98,
    "phase_shift": 0.5,
    "cross_correlation": 0.08,
    "max_resolution": 8.8,
}


def volume(x: int, y: int, z: int, spacing: float = 13.48) -> dict[str, Any]:
    """Return the facts of a volume with two levels."""
    size = {"x": x, "y": y, "z": z}
    return {"size": size, "scales": [size, {axis: count // 2 for axis, count in size.items()}], "spacing": spacing}


FACTS: dict[str, dict[str, Any]] = {
    "#mdoc": {"sections": SECTIONS},
    "#rawtilt": {"angles": [-3.0, 0.0, 3.0]},
    "#ctf": {"rows": [ROW]},
    "#volume": volume(400, 600, 200),
    "#alignment": {"sections": [{"z_index": 0, "tilt_angle": -3.0}], "volume_size": [1000, 1200, 600]},
    "#identified_objects": {"object_count": 7, "columns": ["object_id", "name"]},
    "#points:Point": {"object_count": 16},
    "#points:OrientedPoint": {"object_count": 12},
    "#points:InstanceSegmentation": {"object_count": 3},
    "#copy": {},
}


def facts_of(one: Step) -> dict[str, dict[str, Any]]:
    """Return made-up facts of the steps that a step comes after."""
    return {name: FACTS[f"#{name.rpartition('#')[2]}"] for name in one.after}


def built(ending: str) -> dict[str, Any]:
    """Return the document of the step whose name ends so."""
    one = step(planned(), ending)
    return build_document(str(one.options["type"]), one.options, facts_of(one))


def test_of_a_deposition() -> None:
    found = built("depositions/10301#document")
    assert found["key_photos"] == {
        "snapshot": "depositions_metadata/10301/Images/snapshot.gif",
        "thumbnail": "depositions_metadata/10301/Images/thumbnail.png",
    }
    assert found["dates"] == {
        "deposition_date": "2026-01-01",
        "last_modified_date": "2026-01-02",
        "release_date": "2026-01-03",
    }
    assert (found["deposition_identifier"], found["deposition_id"]) == (10301, 10301)


def test_of_a_dataset_says_of_what_it_does_not_know_that_nobody_reported_it() -> None:
    found = built("datasets/30001#document")
    assert found["tissue"] == {"name": "not_reported", "id": "not_reported"}
    assert found["organism"] == {"name": "not_reported", "taxonomy_id": None}
    assert found["assay"] == {"name": "cryo-ET", "id": "EFO:1"}
    assert found["development_stage"] == {"name": "unknown", "id": "unknown"}
    assert found["key_photos"] == {
        "snapshot": "30001/Images/snapshot.png",
        "thumbnail": "30001/Images/thumbnail.png",
    }


def test_of_a_run() -> None:
    assert built(f"{RUN}#document") == {"run_name": "TS_1", "deposition_id": 10301}


def test_of_frames_adds_up_the_dose() -> None:
    found = built(f"{RUN}/frames#document")
    assert found["frames_acquisition_file"] == "30001/TS_1/Frames/TS_1.mdoc"
    assert [
        (one["acquisition_order"], one["accumulated_dose"], one["exposure_dose"], one["path"])
        for one in found["frames"]
    ] == [
        (0, 0.0, 5.0, "30001/TS_1/Frames/1.tif"),
        (1, 5.0, 2.5, "30001/TS_1/Frames/2.tif"),
        (2, 7.5, 10.0, None),
    ]
    assert [one["is_gain_corrected"] for one in found["frames"]] == [False] * 3


def test_of_a_tilt_series_joins_sections_by_their_angles() -> None:
    found = built(f"{RUN}/tiltseries/10301#document")
    folder = "30001/TS_1/TiltSeries/100"
    assert {key: found[key] for key in ("omezarr_dir", "mrc_file", "run_name", "raw_tlt_path", "ctf_path")} == {
        "omezarr_dir": f"{folder}/TS_1.zarr",
        "mrc_file": f"{folder}/TS_1.mrc",
        "run_name": "TS_1",
        "raw_tlt_path": f"{folder}/TS_1.rawtlt",
        "ctf_path": f"{folder}/TS_1_CTFFIND_ctf.txt",
    }
    assert found["size"] == {"x": 400, "y": 600, "z": 200}
    assert found["scales"][1] == {"x": 200, "y": 300, "z": 100}
    assert (found["frames_count"], found["pixel_spacing"]) == (2, 1.685)
    nothing = dict.fromkeys(
        ("astigmatic_angle", "cross_correlation", "major_defocus", "max_resolution", "minor_defocus", "phase_shift")
    )
    assert found["per_section_parameter"] == [
        {"z_index": 0, "frame_acquisition_order": 2, "raw_angle": -2.998, **nothing},
        {
            "z_index": 1,
            "frame_acquisition_order": 0,
            "raw_angle": 0.004,
            "astigmatic_angle": 37.98,
            "cross_correlation": 0.08,
            "major_defocus": 28000.0,
            "max_resolution": 8.8,
            "minor_defocus": 27000.5,
            "phase_shift": 0.5,
        },
        {"z_index": 2, "frame_acquisition_order": 1, "raw_angle": 3.001, **nothing},
    ]


def tilt_series(angles: list[float], sections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    facts: dict[str, dict[str, Any]] = {"a#rawtilt": {"angles": angles}, "a#mdoc": {"sections": sections}}
    found: list[dict[str, Any]] = build_document("tiltseries", {"deposition_id": 1}, facts)["per_section_parameter"]
    return found


def test_two_sections_with_one_angle_count_once_each() -> None:
    sections = [{"z_value": 4, "tilt_angle": -0.0}, {"z_value": 5, "tilt_angle": 0.0}]
    assert [one["frame_acquisition_order"] for one in tilt_series([0.0, -0.001], sections)] == [4, 5]


def test_an_angle_that_the_mdoc_does_not_have_is_an_error() -> None:
    with pytest.raises(BuildError, match="no section of the mdoc was taken at 6 degrees"):
        tilt_series([0.0, 6.0], [{"z_value": 0, "tilt_angle": 0.0}, {"z_value": 1, "tilt_angle": None}])


def test_the_pixel_spacing_that_no_config_says_is_that_of_the_file() -> None:
    facts: dict[str, dict[str, Any]] = {"a#volume": volume(4, 4, 4, spacing=1.68449)}
    assert build_document("tiltseries", {"deposition_id": 1}, facts)["pixel_spacing"] == 1.684


def test_of_an_alignment() -> None:
    found = built(f"{RUN}/alignments/10301#document")
    folder = "30001/TS_1/Alignments/100"
    assert found == {
        "format": "IMOD",
        "method_type": "fiducial_based",
        "affine_transformation_matrix": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
        "alignment_type": "GLOBAL",
        "is_portal_standard": False,
        "volume_offset": {"x": 0, "y": 0, "z": 0},
        "tilt_offset": 0,
        "x_rotation_offset": 0,
        "alignment_path": f"{folder}/TS_1.xf",
        "tilt_path": f"{folder}/TS_1.tlt",
        "tiltx_path": None,
        "tiltseries_path": "30001/TS_1/TiltSeries/100/tiltseries_metadata.json",
        "files": [f"{folder}/TS_1.xf", f"{folder}/TS_1.tlt", f"{folder}/TS_1_newst.com", f"{folder}/TS_1_tilt.com"],
        "per_section_alignment_parameters": [{"z_index": 0, "tilt_angle": -3.0}],
        "volume_dimension": {"x": 400 * 13.48, "y": 600 * 13.48, "z": 200 * 13.48},
        "deposition_id": 10301,
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"pixel_spacing": 2.0}, {"x": 2000.0, "y": 2400.0, "z": 1200.0}),
        ({}, None),
        ({"metadata": {"volume_dimension": {"x": 1, "y": 2, "z": 3}}}, {"x": 1, "y": 2, "z": 3}),
    ],
)
def test_the_volume_of_an_alignment_without_a_tomogram(
    options: dict[str, Any], expected: dict[str, float] | None
) -> None:
    facts = {"a#alignment": FACTS["#alignment"]}
    assert build_document("alignment", {"deposition_id": 1, **options}, facts).get("volume_dimension") == expected


def test_of_a_tomogram() -> None:
    found = built("13.480/tomograms/100,WBP,denoised,cryoCARE,10301#document")
    measured = {key: found[key] for key in found if key not in ("authors", "dates", "offset")}
    assert measured == {
        "fiducial_alignment_status": "FIDUCIAL",
        "is_visualization_default": False,
        "processing": "denoised",
        "processing_software": "cryoCARE",
        "reconstruction_method": "WBP",
        "reconstruction_software": "IMOD",
        "tomogram_version": 1,
        "voxel_spacing": 13.48,
        "size": {"x": 400, "y": 600, "z": 200},
        "scales": [{"x": 400, "y": 600, "z": 200}, {"x": 200, "y": 300, "z": 100}],
        "omezarr_dir": f"{SPACING}/Tomograms/101/TS_1.zarr",
        "mrc_file": f"{SPACING}/Tomograms/101/TS_1.mrc",
        "run_name": "TS_1",
        "key_photo": {
            "snapshot": f"{SPACING}/Images/101/key-photo-snapshot.png",
            "thumbnail": f"{SPACING}/Images/101/key-photo-thumbnail.png",
        },
        "alignment_metadata_path": "30001/TS_1/Alignments/100/alignment_metadata.json",
        "neuroglancer_config_path": f"{SPACING}/NeuroglancerPrecompute/101-neuroglancer_config.json",
        "deposition_id": 10301,
    }


def test_of_an_annotation_counts_the_shape_with_most_objects() -> None:
    found = built("13.480/annotations/10301/cytosolic-ribosome-1/100#document")
    folder = f"{SPACING}/Annotations/100"
    assert found["object_count"] == 16
    assert found["alignment_metadata_path"] == "30001/TS_1/Alignments/100/alignment_metadata.json"
    assert found["files"] == [
        {
            "format": "ndjson",
            "path": f"{folder}/cytosolic_ribosome-1.0_{shape.lower()}.ndjson",
            "shape": shape,
            "is_visualization_default": shape == "Point",
        }
        for shape in ("Point", "OrientedPoint", "InstanceSegmentation")
    ]


def test_a_mask_in_which_nothing_is_marked_is_no_file_of_the_annotation() -> None:
    one = step(planned(), "6.740/annotations/10301/membrane-1/100#document")
    facts: dict[str, dict[str, Any]] = {name: {} for name in one.after}
    facts[next(name for name in one.after if "SemanticSegmentationMask" in name)] = {"is_empty": True}
    shapes = [(file["shape"], file["format"]) for file in build_document("annotation", one.options, facts)["files"]]
    assert shapes == [
        ("InstanceSegmentationMask", "zarr"),
        ("InstanceSegmentationMask", "mrc"),
        ("TriangularMesh", "glb"),
        ("GlobalCaption", "json"),
        ("AnnotationCaption", "json"),
    ]


def test_of_identified_objects() -> None:
    assert built(f"{RUN}/identified_objects/10301#document") == {
        "filter_value": "TS_1-x",
        "object_count": 7,
        "columns": ["object_id", "name"],
        "file_format": "json",
        "source_file": "objects.csv",
        "identifier": 100,
        "deposition_id": 10301,
    }


def test_a_fact_that_a_step_should_have_given_is_missed_aloud() -> None:
    one = step(planned(), "6.740/tomograms/100,WBP,raw,,10301#document")
    with pytest.raises(BuildError, match="has no 'size'"):
        build_document("tomogram", one.options, {one.after[0]: {"scales": []}})


def test_what_is_merged_changes_neither_side() -> None:
    base, over = {"a": {"x": 1, "y": [1]}, "b": 1}, {"a": {"y": [2], "z": 3}, "b": {"c": 1}}
    assert merged(base, over) == {"a": {"x": 1, "y": [2], "z": 3}, "b": {"c": 1}}
    assert base == {"a": {"x": 1, "y": [1]}, "b": 1}


@pytest.mark.samples
@pytest.mark.parametrize(
    ("ending", "sample"),
    [
        (f"{RUN}#document", "RUN1/run_metadata.json"),
        (f"{RUN}/frames#document", "RUN1/Frames/frames_metadata.json"),
        (f"{RUN}/tiltseries/10301#document", "RUN1/TiltSeries/100/tiltseries_metadata.json"),
        (f"{RUN}/alignments/10301#document", "RUN1/Alignments/100/alignment_metadata.json"),
        (
            "13.480/tomograms/100,WBP,denoised,cryoCARE,10301#document",
            "RUN1/Reconstructions/VoxelSpacing12.300/Tomograms/100/tomogram_metadata.json",
        ),
        (
            "13.480/annotations/10301/cytosolic-ribosome-1/100#document",
            "RUN1/Reconstructions/VoxelSpacing12.300/Annotations/100/foo-1.0.json",
        ),
    ],
)
def test_fields_are_those_of_the_documents_of_the_portal(samples: Path, ending: str, sample: str) -> None:
    path = samples / "portal" / "30001" / sample
    if not path.exists():
        pytest.skip("no samples of the portal")
    theirs, ours = json.loads(path.read_text()), built(ending)
    optional = {"last_updated_at"} | OF_THE_CONFIG  # the caller adds the time
    assert set(theirs) - set(ours) <= optional
    for key in set(theirs) & set(ours) - OF_THE_CONFIG:
        assert _shape(theirs[key]) == _shape(ours[key]) or theirs[key] is None or ours[key] is None, key


OF_THE_CONFIG = {
    *("aligned_tiltseries_binning", "binning_from_frames", "related_empiar_entry", "affine_transformation_matrix"),
    *("align_softwares", "ctf_corrected", "processing_software", "annotation_publications", "annotation_software"),
    *("ground_truth_status", "is_curator_recommended", "method_links", "authors", "microscope", "camera"),
    *("microscope_optical_setup", "annotation_object", "confidence"),
}
"""Fields that a config may say or not."""


def _shape(value: object) -> object:
    """Return the keys of mappings, those of the first item of a list, and the sort of everything else."""
    match value:
        case dict():
            return {key: _shape(one) for key, one in value.items()}
        case list():
            return [_shape(one) for one in value[:1] if not isinstance(one, dict) or "path" in one or "x" in one]
        case bool() | None:
            return type(value)
        case int() | float():
            return "number"
    return type(value)
