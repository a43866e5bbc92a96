"""What a config becomes at the destination."""

import json
from itertools import pairwise

import pytest

from coverslip.ingest.deposition.known import Known
from coverslip.ingest.deposition.plan import outdated, unmentioned
from coverslip.ingest.deposition.selection import select
from coverslip.ingest.deposition.steps import Input
from tests.ingest.deposition.configs import SMALL, with_text
from tests.ingest.deposition.planned import held, numbers, planned, remarks, step, targets
from tests.ingest.deposition.whole import FILES, RUNS, WHOLE, files_of

SPACING = "30001/TS_1/Reconstructions/VoxelSpacing13.480"
FINE = "30001/TS_1/Reconstructions/VoxelSpacing6.740"

KEYS = f"""\
30001/Images/snapshot.png
30001/Images/thumbnail.png
30001/TS_1/Alignments/100/TS_1.tlt
30001/TS_1/Alignments/100/TS_1.xf
30001/TS_1/Alignments/100/TS_1_newst.com
30001/TS_1/Alignments/100/TS_1_tilt.com
30001/TS_1/Alignments/100/alignment_metadata.json
30001/TS_1/Frames/1.tif
30001/TS_1/Frames/2.tif
30001/TS_1/Frames/TS_1.mdoc
30001/TS_1/Frames/frames_metadata.json
30001/TS_1/Gains/gain.mrc
30001/TS_1/IdentifiedObjects/identified_objects.json
30001/TS_1/IdentifiedObjects/identified_objects_metadata.json
{SPACING}/Annotations/100/cytosolic_ribosome-1.0.json
{SPACING}/Annotations/100/cytosolic_ribosome-1.0_instancesegmentation.ndjson
{SPACING}/Annotations/100/cytosolic_ribosome-1.0_orientedpoint.ndjson
{SPACING}/Annotations/100/cytosolic_ribosome-1.0_point.ndjson
{SPACING}/Annotations/101/membrane_of_everything-1.1.json
{SPACING}/Annotations/101/membrane_of_everything-1.1_globalcaption.json
{SPACING}/Annotations/101/membrane_of_everything-1.1_instancesegmentationmask.mrc
{SPACING}/Annotations/101/membrane_of_everything-1.1_instancesegmentationmask.zarr
{SPACING}/Annotations/101/membrane_of_everything-1.1_instancesegmentationmask_caption.json
{SPACING}/Annotations/101/membrane_of_everything-1.1_segmentationmask.mrc
{SPACING}/Annotations/101/membrane_of_everything-1.1_segmentationmask.zarr
{SPACING}/Annotations/101/membrane_of_everything-1.1_triangularmesh.glb
{SPACING}/Tomograms/100/TS_1.mrc
{SPACING}/Tomograms/100/TS_1.zarr
{SPACING}/Tomograms/100/tomogram_metadata.json
{SPACING}/Tomograms/101/TS_1.mrc
{SPACING}/Tomograms/101/TS_1.zarr
{SPACING}/Tomograms/101/tomogram_metadata.json
{FINE}/Annotations/100/cytosolic_ribosome-1.0.json
{FINE}/Annotations/100/cytosolic_ribosome-1.0_instancesegmentation.ndjson
{FINE}/Annotations/100/cytosolic_ribosome-1.0_orientedpoint.ndjson
{FINE}/Annotations/100/cytosolic_ribosome-1.0_point.ndjson
{FINE}/Annotations/101/membrane_of_everything-1.1.json
{FINE}/Annotations/101/membrane_of_everything-1.1_globalcaption.json
{FINE}/Annotations/101/membrane_of_everything-1.1_instancesegmentationmask.mrc
{FINE}/Annotations/101/membrane_of_everything-1.1_instancesegmentationmask.zarr
{FINE}/Annotations/101/membrane_of_everything-1.1_instancesegmentationmask_caption.json
{FINE}/Annotations/101/membrane_of_everything-1.1_segmentationmask.mrc
{FINE}/Annotations/101/membrane_of_everything-1.1_segmentationmask.zarr
{FINE}/Annotations/101/membrane_of_everything-1.1_triangularmesh.glb
{FINE}/Tomograms/100/TS_1.mrc
{FINE}/Tomograms/100/TS_1.zarr
{FINE}/Tomograms/100/tomogram_metadata.json
30001/TS_1/TiltSeries/100/TS_1.mrc
30001/TS_1/TiltSeries/100/TS_1.rawtlt
30001/TS_1/TiltSeries/100/TS_1.zarr
30001/TS_1/TiltSeries/100/TS_1_CTFFIND_ctf.txt
30001/TS_1/TiltSeries/100/tiltseries_metadata.json
30001/TS_1/run_metadata.json
30001/dataset_metadata.json
depositions_metadata/10301/Images/snapshot.gif
depositions_metadata/10301/Images/thumbnail.png
depositions_metadata/10301/deposition_metadata.json
"""


def test_every_file_has_its_place_in_the_layout() -> None:
    plan = planned()
    assert remarks(plan) == []
    keys = [key for one in plan.steps for key in one.outputs]
    assert len(keys) == len(set(keys))
    assert set(keys) == set(KEYS.splitlines())


def test_what_a_config_finds_and_nobody_writes_is_said_with_the_reason() -> None:
    found = {(one.type, one.name, one.reason) for one in planned().skipped}
    assert found == {
        ("collection_metadata", "mdocs/TS_1.mdoc", "runs/TS_1/a.mdoc is taken: a run has one"),
        ("key_image", "original", "it is made of the tomogram and its annotations, and never ingested"),
    }


def test_identities_are_paths_of_what_is_said_and_not_of_numbers() -> None:
    found = {target.identity for target in planned().targets}
    run = "datasets/30001/runs/TS_1"
    assert found >= {
        "depositions/10301",
        "depositions/10301/photos/thumbnail",
        "datasets/30001/photos/snapshot",
        f"{run}/gains/gain.mrc",
        f"{run}/collection_metadata",
        f"{run}/frames",
        f"{run}/tiltseries/10301",
        f"{run}/tiltseries/10301/rawtilt",
        f"{run}/tiltseries/10301/ctf/CTFFIND",
        f"{run}/alignments/10301",
        f"{run}/identified_objects/10301",
        f"{run}/spacings/6.740",
        f"{run}/spacings/13.480/tomograms/100,WBP,denoised,cryoCARE,10301",
        f"{run}/spacings/13.480/annotations/10301/membrane-1/100",
    }


def test_parts_of_an_identity_cannot_pretend_to_be_two() -> None:
    plan = planned(with_text("processing_software: cryoCARE", "processing_software: 'a/b,c#d%'", WHOLE))
    (odd,) = [one.identity for one in targets(plan, "tomogram") if "denoised" in one.identity]
    assert odd.endswith("/tomograms/100,WBP,denoised,a%2Fb%2Cc%23d%25,10301")


def test_the_same_arguments_give_the_same_plan() -> None:
    assert planned() == planned()


def test_steps_come_after_those_whose_facts_they_need_and_documents_last() -> None:
    plan = planned(files=[*FILES, *files_of("TS_2")])
    seen: set[str] = set()
    runs: list[str] = []
    by_identity = {target.identity: target for target in plan.targets}
    for one in plan.steps:
        assert seen >= set(one.after), one.name
        seen.add(one.name)
        runs.append(by_identity[one.target].run)
    for run in ("30001/TS_1", "30001/TS_2"):
        recipes = [one.recipe == "document" for one, its in zip(plan.steps, runs, strict=True) if its == run]
        assert recipes == sorted(recipes)
    changes = [before for before, now in pairwise(runs) if before != now]
    assert changes == ["", "30001/TS_1"]


def test_columns_of_the_map_are_filled_in_for_each_run() -> None:
    plan = planned(files=[*FILES, *files_of("TS_2")])
    found = {one.entity.parent.name: one.metadata for one in targets(plan, "tiltseries") if one.entity.parent}
    assert {name: (one["microscope"]["model"], one["pixel_spacing"]) for name, one in found.items()} == {
        "TS_1": ("Krios", 1.685),
        "TS_2": ("Glacios", 1.685),
    }
    assert [one["tilt_series_quality"] for one in found.values()] == [4, 5]
    (frames, _) = targets(plan, "frame")
    assert frames.metadata == {"dose_rate": 2.5, "is_gain_corrected": False}


def test_a_cell_that_cannot_be_filled_in_has_its_place() -> None:
    plan = planned(rows=RUNS.replace("Krios,1.685,4", "Krios,1.685,good"))
    (remark,) = [one for one in plan.remarks if one.severity == "error"]
    assert remark.steps == ("tiltseries", 0, "metadata", "tilt_series_quality")
    assert "'good' is no whole number" in remark.sentence


def test_the_shapes_of_a_block_are_one_annotation_and_each_has_its_options() -> None:
    plan = planned()
    points = step(plan, "13.480/annotations/10301/cytosolic-ribosome-1/100#points:Point")
    assert points.options == {"shape": "Point", "file_format": "csv", "binning": 2, "order": "zyx"}
    oriented = step(plan, "13.480/annotations/10301/cytosolic-ribosome-1/100#points:OrientedPoint")
    assert oriented.options == {
        "shape": "OrientedPoint",
        "file_format": "relion4_star",
        "filter_value": "TS_1.tomostar",
    }
    at_each = step(plan, "13.480/annotations/10301/cytosolic-ribosome-1/100#oriented_mesh")
    assert (at_each.recipe, at_each.inputs, at_each.outputs) == ("oriented_mesh", (Input("meshes/TS_1.glb"),), ())
    mesh = step(plan, "13.480/annotations/10301/membrane-1/100#mesh:TriangularMeshGroup")
    assert mesh.options == {
        "shape": "TriangularMeshGroup",
        "file_format": "hff",
        "mesh_name": "outer",
        "scale_factor": 2.5,
    }
    document = step(plan, "13.480/annotations/10301/membrane-1/100#document")
    assert len(document.after) == 5
    assert {file["shape"] for file in document.options["files"]} == {
        "SegmentationMask",
        "InstanceSegmentationMask",
        "TriangularMesh",
        "GlobalCaption",
        "AnnotationCaption",
    }
    shown = step(plan, "13.480/annotations/10301/cytosolic-ribosome-1/100#document").options["files"]
    assert [file["is_visualization_default"] for file in shown] == [True, False, False]


def test_a_mask_that_is_rescaled_waits_for_the_volume_it_is_drawn_in() -> None:
    plan = planned()
    mask = step(plan, "6.740/annotations/10301/membrane-1/100#mask:SemanticSegmentationMask")
    assert mask.options == {
        "shape": "SemanticSegmentationMask",
        "file_format": "mrc",
        "mask_label": 2,
        "rescale": True,
        "spacing": 6.74,
    }
    assert mask.after == ("datasets/30001/runs/TS_1/spacings/13.480/tomograms/100,WBP,raw,,10301#volume",)


def test_options_and_documents_can_be_kept_as_json() -> None:
    for one in planned().steps:
        assert json.loads(json.dumps(dict(one.options))) == one.options


def test_the_source_of_a_photo_is_an_address_or_lies_at_the_source() -> None:
    plan = planned()
    inputs = {one.outputs[0]: one.inputs for one in plan.steps if one.recipe == "copy" and "Images" in one.outputs[0]}
    assert inputs == {
        "depositions_metadata/10301/Images/snapshot.gif": (Input("https://example.org/large.GIF?v=1"),),
        "depositions_metadata/10301/Images/thumbnail.png": (Input("photos/small.png"),),
        "30001/Images/snapshot.png": (Input("s3://elsewhere/large.png"),),
        "30001/Images/thumbnail.png": (Input("photos/small.png"),),
    }


def test_numbers_stay_when_runs_and_annotations_are_added() -> None:
    first = planned()
    before = numbers(first)
    block = WHOLE[WHOLE.index("- metadata: &annotation") : WHOLE.index("- metadata:\n    <<: *annotation")]
    new = block.replace("&annotation", "").replace("cytosolic-ribosome-1", "actin-1").replace("ribosome", "actin")
    text = WHOLE.replace("annotations:\n", "annotations:\n" + new)
    second = planned(text, [*FILES, *files_of("TS_2"), "runs/TS_0/a.st"], known=held(first))
    after = numbers(second)
    assert {identity: after[identity] for identity in before} == before
    assert after["datasets/30001/runs/TS_1/spacings/13.480/annotations/10301/actin-1/100"] == 102
    assert after["datasets/30001/runs/TS_2/spacings/13.480/annotations/10301/actin-1/100"] == 100


def test_a_number_is_not_given_again() -> None:
    container = "10002/TS_1/Reconstructions/VoxelSpacing10.000/Annotations"
    known = Known({}, {container: frozenset({100, 103})})
    (annotation,) = targets(planned(SMALL, ["runs/TS_1/a.mrc", "points/TS_1.csv"], known=known), "annotation")
    assert annotation.number == 104


def test_what_is_selected_changes_no_number() -> None:
    everything = numbers(planned())
    part = planned(selection=select(["annotation"], ["annotation=membrane"]))
    assert numbers(part).items() <= everything.items()
    assert {one.target.rpartition("/annotations/")[2] for one in part.steps} == {"10301/membrane-1/100"}


def test_the_same_ingest_id_at_two_voxel_spacings_is_two_annotations() -> None:
    found = [one for one in targets(planned(), "annotation") if one.entity.name == "membrane-1"]
    assert [one.folder for one in found] == [f"{SPACING}/Annotations/101", f"{FINE}/Annotations/101"]
    assert len({one.identity for one in found}) == 2


def test_without_alignments_a_run_has_one_that_does_nothing() -> None:
    plan = planned(SMALL, ["runs/TS_1/a.mrc", "points/TS_1.csv"])
    (alignment,) = targets(plan, "alignment")
    assert alignment.document == "10002/TS_1/Alignments/100/alignment_metadata.json"
    assert [one.alignment for one in plan.targets if one.alignment] == [alignment.document] * 3
    document = step(plan, "/alignments/10001#document")
    assert document.options["metadata"]["affine_transformation_matrix"] == [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
    ]
    assert document.options["derived"]["files"] == []
    assert [one.recipe for one in plan.steps if one.target == alignment.identity] == ["document"]


def test_another_deposition_without_alignments_uses_the_one_that_does_nothing() -> None:
    container = "10002/TS_1/Alignments"
    default = "datasets/10002/runs/TS_1/alignments/9000"
    known = Known(
        {container: {default: 100}}, {container: frozenset({100})}, {default: "9000"}, {}, {container: default}
    )
    plan = planned(SMALL, ["runs/TS_1/a.mrc", "points/TS_1.csv"], known=known)
    (alignment,) = targets(plan, "alignment")
    assert (alignment.identity, alignment.number, alignment.is_written) == (default, 100, False)
    (annotation,) = targets(plan, "annotation")
    assert annotation.alignment == f"{container}/100/alignment_metadata.json"


ALIGNED = (
    SMALL
    + """\
alignments:
- sources:
  - destination_glob:
      list_glob: '{run_output_path}/Alignments/101/alignment_metadata.json'
"""
)


def test_an_alignment_that_is_named_is_found_at_the_destination() -> None:
    document = "10002/TS_1/Alignments/101/alignment_metadata.json"
    plan = planned(ALIGNED, ["runs/TS_1/a.mrc", "points/TS_1.csv"], destination=[document])
    assert remarks(plan) == []
    (alignment,) = targets(plan, "alignment")
    assert (alignment.document, alignment.is_written) == (document, False)
    assert [one.alignment for one in targets(plan, "annotation")] == [document]
    assert [one.identity.rpartition("/")[2] for one in targets(plan, "tomogram")] == ["101,WBP,raw,,10001"]


def test_an_alignment_that_is_named_and_absent_is_an_error_with_its_place() -> None:
    plan = planned(ALIGNED, ["runs/TS_1/a.mrc", "points/TS_1.csv"])
    (remark,) = plan.remarks
    assert (remark.severity, remark.steps) == ("error", ("alignments", 0, "sources", 0))
    assert remark.sentence == "The run 'TS_1' has no alignment such as this asks for."
    assert {one.type for one in plan.skipped} == {"alignment", "tomogram", "annotation"}
    assert [one.name for one in plan.steps] == ["depositions/10001#document", "datasets/10002/runs/TS_1#document"]


def test_two_files_that_would_be_one_tomogram_are_an_error() -> None:
    plan = planned(SMALL, ["runs/TS_1/a.mrc", "runs/TS_1/b.mrc", "points/TS_1.csv"])
    (said,) = remarks(plan)
    assert said.startswith(
        "error: runs/TS_1/a.mrc and runs/TS_1/b.mrc of 10002/TS_1/Reconstructions/VoxelSpacing10.000 would be one "
        "tomogram."
    )
    assert [one.entity.name for one in targets(plan, "tomogram")] == ["a.mrc"]


@pytest.mark.parametrize("name", ["Images", "dataset_metadata.json"])
def test_a_run_that_would_lie_where_something_else_does_is_refused(name: str) -> None:
    text = with_text("match_regex: /TS_[0-9]+$", "match_regex: .*", SMALL)
    plan = planned(text, [f"runs/{name}/a.mrc", f"points/{name}.csv"])
    assert remarks(plan) == [
        f"error: run {name!r}: no run can be called {name!r}: something of its dataset lies there."
    ]
    assert [one.name for one in plan.steps] == ["depositions/10001#document"]


def test_the_run_of_another_deposition_keeps_its_document() -> None:
    run = "datasets/10002/runs/TS_1"
    known = Known({}, {}, {run: "9000"}, {run: "10002/TS_1/run_metadata.json"})
    plan = planned(SMALL, ["runs/TS_1/a.mrc"], known=known)
    (target,) = targets(plan, "run")
    assert not target.is_written
    assert [one.reason for one in plan.skipped] == ["it came with the deposition 9000: its own document stays as it is"]


def test_what_exists_at_the_destination_is_gone_through_and_not_written() -> None:
    text = with_text(
        "  - literal:\n      value: [10.0]\n",
        ("  - destination_glob: {list_glob: '{run_output_path}/Reconstructions/*', name_regex: 'VoxelSpacing(.*)'}\n"),
        SMALL,
    )
    plan = planned(
        text,
        ["runs/TS_1/a.mrc", "points/TS_1.csv"],
        destination=["10002/TS_1/Reconstructions/VoxelSpacing7.500/Tomograms/100/tomogram_metadata.json"],
    )
    (spacing,) = targets(plan, "voxel_spacing")
    assert (spacing.folder, spacing.is_written) == ("10002/TS_1/Reconstructions/VoxelSpacing7.500", False)
    assert [one.folder for one in targets(plan, "annotation")] == [f"{spacing.folder}/Annotations/100"]


def test_what_is_not_in_the_config_is_left_alone() -> None:
    plan = planned()
    other = "datasets/30001/runs/TS_9"
    known = held(plan)
    more = Known(known.numbers, known.taken, known.owners, {**known.keys, other: "30001/TS_9/run_metadata.json"})
    assert unmentioned(planned(known=more), more) == {other: "30001/TS_9/run_metadata.json"}


def test_a_plan_is_outdated_when_somebody_else_took_its_numbers() -> None:
    plan = planned()
    known = held(plan)
    assert outdated(plan, Known()) == ()
    assert outdated(plan, known) == ()
    container = f"{SPACING}/Annotations"
    other = {"datasets/30001/runs/TS_1/spacings/13.480/annotations/9/x-1/100": 101}
    taken = Known({container: other}, {container: frozenset({101})})
    mine = "datasets/30001/runs/TS_1/spacings/13.480/annotations/10301/membrane-1/100"
    assert outdated(plan, taken) == (mine,)
    moved = Known({container: {mine: 105}}, {container: frozenset({105})})
    assert outdated(plan, moved) == (mine,)


class TestSelection:
    def test_of_a_type_writes_it_and_not_what_contains_it(self) -> None:
        plan = planned(selection=select(["tomogram"]))
        assert {one.recipe for one in plan.steps} == {"volume", "document"}
        assert {one.entity.type for one in plan.targets if one.is_written} == {"tomogram"}
        assert {one.entity.type for one in plan.targets} >= {"deposition", "dataset", "run", "voxel_spacing"}

    def test_by_name_leaves_out_everything_below(self) -> None:
        plan = planned(files=[*FILES, *files_of("TS_2")], selection=select(filters=["run=TS_2$"]))
        assert {one.run for one in plan.targets} == {"", "30001/TS_2"}
        assert [(one.type, one.name) for one in plan.skipped if "fits no --filter" in one.reason] == [("run", "TS_1")]

    def test_compares_from_the_beginning_of_the_name(self) -> None:
        plan = planned(selection=select(excludes=["voxel_spacing=3", "annotation=membrane"]))
        assert {one.entity.name for one in targets(plan, "voxel_spacing")} == {"13.480", "6.740"}
        assert {one.entity.name for one in targets(plan, "annotation")} == {"cytosolic-ribosome-1"}

    def test_of_deposition_by_its_number(self) -> None:
        assert planned(selection=select(filters=["deposition=1030"])).steps == planned().steps
        assert planned(selection=select(filters=["deposition=9"])).steps == ()

    def test_of_metadata_alone_keeps_the_steps_that_documents_ask(self) -> None:
        whole, part = planned(), planned(selection=select(metadata_only=True))
        assert part.steps == tuple(one for one in whole.steps if one.recipe == "document")
        assert any(one.after for one in part.steps)

    def test_of_everything_is_the_same_as_none(self) -> None:
        assert planned(selection=select(everything=True)) == planned()
