"""What each finder finds, and what a whole config becomes."""

from collections.abc import Iterable

import pytest

from coverslip.ingest.deposition import Expansion, Listing, check_text, expand
from coverslip.ingest.deposition.expand import Entity
from coverslip.ingest.deposition.maps import RunMap, RunMaps
from tests.ingest.deposition.configs import SMALL, said, with_text

FILES = (
    "runs/TS_1/a.mrc",
    "runs/TS_1/b.mrc",
    "runs/TS_2/c.mrc",
    "runs/notes/x.mrc",
    "points/TS_1.csv",
)


def expanded(
    text: str = SMALL, listing: Listing | None = None, rows: dict[str, dict[str, str]] | None = None
) -> Expansion:
    checked = check_text(text, "c.yaml")
    assert checked.config is not None, said(checked)
    table = RunMap("m.csv", ("run_name",), {run: (2, row) for run, row in (rows or {}).items()})
    maps = RunMaps({"run_data_map_file": table}, {"run_data_map_file": "read"})
    return expand(checked.config, listing or Listing.of(FILES), maps)


def names(entities: Iterable[Entity], kind: str) -> list[str]:
    return [entity.name for entity in entities if entity.type == kind]


def remarks(expansion: Expansion) -> list[str]:
    return [f"{one.severity}: {one.sentence}" for one in expansion.remarks]


def test_a_config_becomes_a_tree_of_entities() -> None:
    found = expanded()
    assert remarks(found) == []
    assert [(one.type, one.name) for one in found.entities] == [
        ("deposition", "10001"),
        ("dataset", "10002"),
        ("run", "TS_1"),
        ("alignment", "default"),
        ("voxel_spacing", "10.000"),
        ("tomogram", "a.mrc"),
        ("tomogram", "b.mrc"),
        ("annotation", "ribosome-1"),
        ("run", "TS_2"),
        ("alignment", "default"),
        ("voxel_spacing", "10.000"),
        ("tomogram", "c.mrc"),
    ]
    annotation = next(one for one in found.entities if one.type == "annotation")
    assert [(file.path, file.shape) for file in annotation.files] == [("points/TS_1.csv", "Point")]
    assert annotation.place == "10002/TS_1/Reconstructions/VoxelSpacing10.000"
    assert annotation.steps == ("annotations", 0)
    assert [one.type for one in annotation.chain()] == ["annotation", "voxel_spacing", "run", "dataset", "deposition"]


def tomograms(sources: str, listing: Listing | None = None, **rows: dict[str, str]) -> Expansion:
    old = "  - source_glob:\n      list_glob: 'runs/{run_name}/*.mrc'\n"
    return expanded(with_text(old, sources), listing, rows or None)


def test_source_glob_matches_the_full_path_and_takes_the_name_out_of_the_file_name() -> None:
    found = tomograms(
        "  - source_glob:\n      list_glob: 'runs/{run_name}/*'\n"
        "      match_regex: 'TS_1/.*[ab]\\.mrc$'\n      name_regex: '(.*)\\.mrc'\n"
    )
    assert names(found.entities, "tomogram") == ["a", "b"]


def test_a_file_without_a_name_is_a_problem_of_its_own() -> None:
    found = tomograms("  - source_glob: {list_glob: 'runs/{run_name}/*', name_regex: '([ab])'}\n")
    assert names(found.entities, "tomogram") == ["a", "b"]
    assert remarks(found) == ["error: runs/TS_2/c.mrc: name_regex takes no name out of 'c.mrc'."]


def test_a_name_found_twice_is_a_problem_and_not_the_last_one() -> None:
    found = tomograms("  - source_glob: {list_glob: 'runs/{run_name}/*', name_regex: '.*(mrc)'}\n")
    assert [one.files[0].path for one in found.entities if one.type == "tomogram"] == [
        "runs/TS_1/a.mrc",
        "runs/TS_2/c.mrc",
    ]
    assert remarks(found) == ["error: runs/TS_1/a.mrc and runs/TS_1/b.mrc are both called 'mrc'."]


def test_a_run_found_twice_is_one_run() -> None:
    text = with_text(
        "list_glob: 'runs/*'\n      match_regex: /TS_[0-9]+$\n      name_regex: (.*)",
        "list_glob: 'runs/TS_1/*'\n      name_regex: '.*(mrc)'",
    )
    found = expanded(text)
    assert names(found.entities, "run") == ["mrc"]
    assert remarks(found) == [
        "warning: 'mrc' is found twice; runs/TS_1/a.mrc counts and runs/TS_1/b.mrc does not.",
        *["warning: It finds nothing."] * 2,
    ]


def test_a_shape_of_an_annotation_that_no_run_has_is_told() -> None:
    found = expanded(with_text("points/{run_name}.csv", "dots/{run_name}.csv"))
    assert [(one.severity, one.steps, one.sentence) for one in found.remarks] == [
        ("warning", ("annotations", 0, "sources", 0, "Point"), "It finds nothing.")
    ]


def test_two_blocks_may_use_a_name() -> None:
    block = SMALL[
        SMALL.index("- metadata:\n    authors: *authors\n    dates: *dates\n    fiducial") : SMALL.index("annotations:")
    ]
    found = expanded(with_text("annotations:\n", block + "annotations:\n"))
    assert names(found.entities, "tomogram") == ["a.mrc", "b.mrc", "a.mrc", "b.mrc", "c.mrc", "c.mrc"]
    assert {one.steps for one in found.entities if one.type == "tomogram"} == {("tomograms", 0), ("tomograms", 1)}


def test_exclude_matches_from_the_start_of_the_name() -> None:
    found = tomograms("  - source_glob: {list_glob: 'runs/{run_name}/*'}\n    exclude: ['a', 'mrc']\n")
    assert names(found.entities, "tomogram") == ["b.mrc", "c.mrc"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("{include: {run: ['1$']}}", ["a.mrc", "b.mrc"]),
        ("{exclude: {run: ['S_1']}}", ["c.mrc"]),
        ("{include: {run: ['TS'], dataset: ['^10002$']}, exclude: {run: ['2']}}", ["a.mrc", "b.mrc"]),
        ("{include: {deposition: ['^10001$'], voxel_spacing: ['10.000']}}", ["a.mrc", "b.mrc", "c.mrc"]),
        ("{include: {run: ['TS'], dataset: ['^7$']}}", []),
    ],
)
def test_parent_filters_search_in_the_names_of_parents(filters: str, expected: list[str]) -> None:
    found = tomograms(f"  - source_glob: {{list_glob: 'runs/{{run_name}}/*'}}\n    parent_filters: {filters}\n")
    assert names(found.entities, "tomogram") == expected


def test_source_multi_glob_finds_files_by_their_path() -> None:
    found = tomograms("  - source_multi_glob: {list_globs: ['runs/{run_name}/b*', 'runs/{run_name}/[ab]*']}\n")
    assert names(found.entities, "tomogram") == ["runs/TS_1/b.mrc", "runs/TS_1/a.mrc"]


def test_destination_glob_finds_what_is_ours() -> None:
    text = with_text(
        "  - literal:\n      value: [10.0]",
        "  - destination_glob:\n      list_glob: '{run_output_path}/Reconstructions/VoxelSpacing*'\n"
        "      name_regex: 'VoxelSpacing(.*)'",
    )
    listing = Listing.of(FILES, ["10002/TS_1/Reconstructions/VoxelSpacing13.48/Tomograms/100/x.json"])
    (spacing,) = [one for one in expanded(text, listing).entities if one.type == "voxel_spacing"]
    assert (spacing.name, spacing.is_ours, spacing.place) == (
        "13.480",
        True,
        "10002/TS_1/Reconstructions/VoxelSpacing13.480",
    )


def test_literals_may_be_columns_for_voxel_spacings() -> None:
    text = with_text("value: [10.0]", "value: ['float {spacing}']")
    text = with_text("  source_prefix: lab/session\n", "  source_prefix: x\n  run_data_map_file: m.csv\n", text)
    found = expanded(text, rows={"TS_1": {"spacing": "7.84"}, "TS_2": {"spacing": ""}})
    assert names(found.entities, "voxel_spacing") == ["7.840"]
    assert remarks(found) == ["error: The map says no voxel spacing for the run 'TS_2'."]
    found = expanded(text, rows={"TS_1": {"spacing": "7.84"}})
    assert remarks(found) == ["error: Nothing is called 'spacing' for the run 'TS_2'."]


def test_tomogram_header_gives_voxel_spacings() -> None:
    text = with_text("  - literal:\n      value: [10.0]", "  - tomogram_header: {list_glob: 'runs/{run_name}/*.mrc'}")
    sizes = {"runs/TS_1/a.mrc": 5.0, "runs/TS_1/b.mrc": 5.0}
    found = expanded(text, Listing.of(FILES, voxel_sizes=sizes))
    assert names(found.entities, "voxel_spacing") == ["5.000"]
    assert remarks(found) == ["error: runs/TS_2/c.mrc: the voxel size in its header is not known."]


WRITTEN = {
    "10002/TS_1/Reconstructions/VoxelSpacing10.000/Tomograms/100/tomogram_metadata.json": {"size": {"x": 4}, "raw": 1},
    "10002/TS_1/Reconstructions/VoxelSpacing10.000/Tomograms/101/tomogram_metadata.json": {"size": {"x": 5}, "raw": 1},
    "10002/TS_1/Reconstructions/VoxelSpacing5.000/Tomograms/102/tomogram_metadata.json": {"size": {"x": 4}, "raw": 1},
    "10002/TS_10/Reconstructions/VoxelSpacing10.000/Tomograms/103/tomogram_metadata.json": {"size": {"x": 4}, "raw": 1},
    "10002/TS_1/run_metadata.json": {"size": {"x": 4}, "raw": 1},
}


def test_destination_filter_finds_what_was_written_by_its_metadata() -> None:
    filters = "[{key: [size, x], value: 4}, {key: [raw], value: 1}]"
    listing = Listing.of(FILES).knowing(WRITTEN)
    text = with_text(
        "  - source_glob:\n      list_glob: 'runs/{run_name}/*.mrc'\n",
        f"  - destination_filter: {{filters: {filters}}}\n",
    )
    found = [one for one in expanded(text, listing).entities if one.type == "tomogram"]
    assert [(one.name, one.files[0].path, one.is_ours) for one in found] == [("100", next(iter(WRITTEN)), True)]


def test_destination_filter_does_not_take_a_run_for_another_whose_name_begins_so() -> None:
    text = SMALL + "tiltseries:\n- sources:\n  - destination_filter: {filters: [{key: [raw], value: 1}]}\n"
    listing = Listing.of(FILES).knowing({"10002/TS_10/TiltSeries/100/tiltseries_metadata.json": {"raw": 1}})
    assert names(expanded(text, listing).entities, "tiltseries") == []
    listing = Listing.of(FILES).knowing({"10002/TS_1/TiltSeries/100/tiltseries_metadata.json": {"raw": 1}})
    assert names(expanded(text, listing).entities, "tiltseries") == ["100"]


def test_destination_filter_needs_documents() -> None:
    text = with_text("  - literal:\n      value: [10.0]", "  - destination_filter: {filters: [{key: [a], value: 1}]}")
    assert (
        remarks(expanded(text))
        == ["error: destination_filter looks into metadata documents, and a voxel_spacing has none."] * 2
    )


def test_key_photos_are_addresses() -> None:
    text = (
        SMALL + "dataset_keyphotos:\n- sources:\n  - literal: {value: {snapshot: 'https://x/y.png', thumbnail: null}}\n"
    )
    (photo,) = [one for one in expanded(text).entities if one.type == "dataset_keyphoto"]
    assert (photo.name, photo.files[0].path) == ("snapshot", "https://x/y.png")


def test_cells_of_the_map_may_be_globs_and_names_of_runs_are_not() -> None:
    text = with_text("runs/{run_name}/*.mrc", "{where}")
    text = with_text("  source_prefix: lab/session\n", "  source_prefix: x\n  run_data_map_file: m.csv\n", text)
    found = expanded(text, rows={"TS_1": {"where": "runs/TS_1/?.mrc"}, "TS_2": {"where": "runs/TS_2/none"}})
    assert names(found.entities, "tomogram") == ["a.mrc", "b.mrc"]
    star = with_text("/TS_[0-9]+$", "/T")
    listing = Listing.of(["runs/T*/a.mrc", "runs/TS/b.mrc"])
    assert names(expanded(star, listing).entities, "tomogram") == ["a.mrc", "b.mrc"]


def test_all_files_of_one_alignment_are_one_alignment() -> None:
    text = SMALL + (
        "alignments:\n- metadata: {format: IMOD}\n  sources:\n"
        "  - source_glob: {list_glob: 'runs/{run_name}/*.xf'}\n"
        "  - source_multi_glob: {list_globs: ['runs/{run_name}/*.tlt']}\n"
    )
    listing = Listing.of([*FILES, "runs/TS_1/z.xf", "runs/TS_1/z.tlt"])
    first, second = [one for one in expanded(text, listing).entities if one.type == "alignment"]
    assert [file.path for file in first.files] == ["runs/TS_1/z.xf", "runs/TS_1/z.tlt"]
    assert (second.name, second.files, second.steps) == ("default", (), ())


def test_all_shapes_of_an_annotation_are_one_annotation() -> None:
    text = SMALL + (
        "  - SemanticSegmentationMask:\n      file_format: mrc\n      mask_label: 1\n"
        "      glob_strings: ['masks/{run_name}*.mrc', 'masks/none']\n"
    )
    listing = Listing.of([*FILES, "masks/TS_1a.mrc", "masks/TS_1b.mrc"])
    found = expanded(text, listing)
    (annotation,) = [one for one in found.entities if one.type == "annotation"]
    assert [file.shape for file in annotation.files] == ["Point", *["SemanticSegmentationMask"] * 2]
    assert remarks(found) == ["warning: 2 files fit: masks/TS_1a.mrc, masks/TS_1b.mrc, and one is expected."]
