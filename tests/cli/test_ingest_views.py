"""``coverslip ingest apply`` ends with views: built once, published, and told of."""

import json
from pathlib import Path
from typing import Any

import pytest

from coverslip.cryoet.layout import parse
from tests.cli.test_commands import Shell
from tests.ingest.deposition.session import write_session

SIDES = ("--input", "in", "--output", "layout")
TOP = "https://files.example.org/data"
SPACING = "30001/TS_1/Reconstructions/VoxelSpacing10.000"
STATE = f"{SPACING}/NeuroglancerPrecompute/100-neuroglancer_config.json"
ANNOTATIONS = """\
version: 1.3.0
standardization_config:
  deposition_id: 10302
  source_prefix: session
depositions:
- metadata:
    deposition_identifier: 10302
    deposition_title: More ribosomes
    deposition_description: Made up.
    deposition_types: [annotation]
    authors: &authors
    - name: Ada Example
    dates: &dates
      deposition_date: 2026-02-01
      last_modified_date: '2026-02-02'
      release_date: '2026-02-03'
  sources:
  - literal: {value: [10302]}
datasets:
- sources:
  - literal: {value: ['30001']}
runs:
- sources:
  - destination_glob: {list_glob: '{dataset_output_path}/TS_*'}
voxel_spacings:
- sources:
  - destination_glob:
      list_glob: '{run_output_path}/Reconstructions/VoxelSpacing*'
      name_regex: VoxelSpacing(.*)
alignments:
- sources:
  - destination_glob: {list_glob: '{run_output_path}/Alignments/100/alignment_metadata.json'}
annotations:
- metadata: &first
    annotation_ingest_id: more-1
    annotation_method: By hand
    annotation_object: {id: 'GO:0005840', name: ribosome}
    authors: *authors
    dates: *dates
    method_type: manual
    version: '1.0'
  sources:
  - Point: {file_format: csv, glob_string: '{run_name}/dots.csv', binning: 4, is_visualization_default: true}
- metadata:
    <<: *first
    annotation_ingest_id: more-2
    annotation_object: {id: 'GO:0016020', name: vesicle}
  sources:
  - Point: {file_format: csv, glob_string: '{run_name}/dots.csv', binning: 3, is_visualization_default: true}
"""


@pytest.fixture
def run(tmp_path: Path) -> Shell:
    write_session(tmp_path / "in", ("TS_1",))
    (tmp_path / "in/annotations.yaml").write_text(ANNOTATIONS)
    return Shell(tmp_path / "home")


def applied(run: Shell, config: str = "deposition.yaml", *words: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("ingest", "apply", f"in/{config}", *SIDES, "--json", *words, code=code))
    return found


def made(tmp_path: Path) -> list[str]:
    """Return the precomputes, states and photos in the layout, folders as one."""
    keys = (path.relative_to(tmp_path / "layout").as_posix() for path in (tmp_path / "layout").rglob("*"))
    places = [parse(key) for key in keys]
    types = ("neuroglancer_precompute", "neuroglancer_config", "key_image")
    return sorted({place.file for place in places if place and place.type in types and place.name})


def kinds(found: dict[str, Any]) -> dict[str, int]:
    built = [one["kind"] for one in found["views"]["built"]]
    return {kind: built.count(kind) for kind in built}


def test_a_deposition_of_annotations_alone_makes_its_layers_appear_and_rebuilds_views_once(
    run: Shell, tmp_path: Path
) -> None:
    applied(run, "deposition.yaml", "--https-prefix", TOP)
    first = json.loads((tmp_path / "layout" / STATE).read_bytes())
    tomograms = {path: path.stat().st_mtime_ns for path in (tmp_path / "layout" / SPACING / "Tomograms").rglob("*")}
    found = applied(run, "annotations.yaml", "--https-prefix", TOP)
    photos = dict.fromkeys((f"key-photo-{size}" for size in ("original", "snapshot", "thumbnail", "expanded")), 1)
    assert kinds(found) == {"precomputed-point": 2, "neuroglancer_state": 1} | photos
    (state,) = (one for one in found["views"]["built"] if one["kind"] == "neuroglancer_state")
    assert state["changes"] == 2
    assert state["cause"].endswith("added and 1 more")
    assert found["views"]["coalesced"] == 2
    assert len(found["published"]["written"]) == 2 + 1 + 4 + 2
    second = json.loads((tmp_path / "layout" / STATE).read_bytes())
    assert [one["name"].split(" ", 1)[1] for one in second["layers"][-2:]] == ["ribosome point", "vesicle point"]
    assert second["layers"][:-2] == first["layers"]
    assert {path: path.stat().st_mtime_ns for path in tomograms} == tomograms


def test_everything_lies_where_the_portal_has_it_and_a_second_ingest_writes_nothing(run: Shell, tmp_path: Path) -> None:
    text = run("ingest", "apply", "in/deposition.yaml", *SIDES, "--https-prefix", f"{TOP}/")
    assert (
        "views: 1 viewer state, 4 key photos, 4 precomputes; 0 changes coalesced; 0 were fresh, 0 failed; in " in text
    )
    assert "published: 11 written (20 objects, " in text
    pre = f"{SPACING}/NeuroglancerPrecompute"
    assert made(tmp_path) == [
        *(f"{SPACING}/Images/100/key-photo-{size}.png" for size in ("expanded", "original", "snapshot", "thumbnail")),
        f"{pre}/100-cytosolic_ribosome-1.0_orientedpoint",
        f"{pre}/100-cytosolic_ribosome-1.0_point",
        f"{pre}/100-neuroglancer_config.json",
        f"{pre}/101-membrane-1.0_segmentationmask",
        f"{pre}/101-membrane-1.0_triangularmesh",
    ]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "layout").rglob("*")}
    lines = run("ingest", "apply", "in/deposition.yaml", *SIDES, "--https-prefix", TOP).splitlines()
    assert [line.split("; in ")[0] for line in lines if line.startswith(("views", "published"))] == [
        "views: none was stale; 0 changes coalesced; 9 were fresh, 0 failed",
        "published: 0 written (0 objects, 0 B), 11 unchanged, 0 failed",
    ]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "layout").rglob("*")} == before


def test_views_can_be_left_to_workers_and_not_be_published(run: Shell, tmp_path: Path) -> None:
    assert "views" not in applied(run, "deposition.yaml", "--no-views")
    assert made(tmp_path) == []
    found = applied(run, "deposition.yaml", "--no-publish")
    assert (kinds(found)["neuroglancer_state"], found["published"], made(tmp_path)) == (1, None, [])


def test_without_an_address_everything_but_states_is_published(run: Shell, tmp_path: Path) -> None:
    assert len(applied(run)["published"]["written"]) == 10
    assert not (tmp_path / "layout" / STATE).exists()


def test_an_address_that_browsers_cannot_read_is_refused_before_anything_is_written(run: Shell, tmp_path: Path) -> None:
    text = run("ingest", "apply", "in/deposition.yaml", *SIDES, "--https-prefix", "s3://bucket", code=2)
    assert "no address that a layout can be read at" in text
    assert not (tmp_path / "layout").exists()


def test_annotations_that_no_tomogram_shows_are_said_and_counted(run: Shell, tmp_path: Path) -> None:
    applied(run, "deposition.yaml", "--no-publish")
    alone = ANNOTATIONS.replace(
        "  - destination_glob: {list_glob: '{run_output_path}/Alignments/100/alignment_metadata.json'}\n",
        "  - literal: {value: [default]}\n",
    ).replace("alignments:\n- sources:", "alignments:\n- metadata: {format: IMOD}\n  sources:")
    (tmp_path / "in/annotations.yaml").write_text(alone)
    lines = run("ingest", "apply", "in/annotations.yaml", *SIDES, "--no-publish").splitlines()
    (line,) = (one for one in lines if one.startswith("no tomogram"))
    assert line.startswith("no tomogram shares the alignment of 2 annotations, which nothing shows: datasets/30001/")
    assert not any(one.startswith("built     neuroglancer_state") for one in lines)


def test_a_setting_keeps_annotations_from_changing_views(run: Shell) -> None:
    applied(run, "deposition.yaml", "--no-publish")
    run.environment["COVERSLIP_FOLLOW_ANNOTATIONS"] = "false"
    found = applied(run, "annotations.yaml", "--no-publish")
    assert kinds(found) == {"precomputed-point": 2}
    (tomogram,) = found["views"]["skipped"]["annotations are not followed"]
    assert tomogram.startswith("datasets/30001/runs/TS_1/spacings/10.000/tomograms/")
