"""Every kind of problem: where it is said to be, and what is said."""

from pathlib import Path

import pytest

from coverslip.ingest.deposition import check, check_text
from coverslip.ingest.deposition.rules import is_orcid
from tests.ingest.deposition.configs import SMALL, changed, said, with_text

CASES: list[tuple[str, str, list[str]]] = [
    (
        "      list_glob: 'runs/*'",
        "      list_glop: 'runs/*'",
        [
            "c.yaml:27: runs[0].sources[0].source_glob.list_glob: The key 'list_glob' is missing.",
            (
                "c.yaml:27: runs[0].sources[0].source_glob.list_glop: The key 'list_glop' is not known here. Did"
                " you mean 'list_glob'?"
            ),
        ],
    ),
    (
        "processing: raw",
        "processing: wat",
        [
            ("c.yaml:41: tomograms[0].metadata.processing: Expected raw, filtered or denoised, found the text 'wat'."),
        ],
    ),
    (
        "tomogram_version: 1\n",
        "tomogram_version: '1'\n",
        [
            "c.yaml:44: tomograms[0].metadata.tomogram_version: Expected a number, found the text '1'.",
        ],
    ),
    (
        "offset: {x: 0,",
        "offset: {x: 0.5,",
        [
            "c.yaml:40: tomograms[0].metadata.offset.x: Expected a whole number, found the number 0.5.",
        ],
    ),
    (
        "voxel_spacing: 10.0",
        "voxel_spacing: 0",
        [
            (
                "c.yaml:45: tomograms[0].metadata.voxel_spacing: Expected a number of at least 0.001, found the "
                "number 0."
            ),
        ],
    ),
    (
        "voxel_spacing: 10.0",
        "voxel_spacing: '{a}'",
        [
            ("c.yaml:45: tomograms[0].metadata.voxel_spacing: Expected a number, found the text '{a}'; say float {a}."),
            (
                "c.yaml:45: tomograms[0].metadata.voxel_spacing: Nothing is called 'a' here, and there is no "
                "run_data_map_file with such a column."
            ),
        ],
    ),
    (
        "is_visualization_default: true",
        "is_visualization_default: 1",
        [
            ("c.yaml:39: tomograms[0].metadata.is_visualization_default: Expected true or false, found the number 1."),
        ],
    ),
    (
        "deposition_title: Ribosomes",
        "deposition_title: 7",
        [
            "c.yaml:8: depositions[0].metadata.deposition_title: Expected text, found the number 7.",
        ],
    ),
    (
        "deposition_date: 2026-01-01",
        "deposition_date: 2026-XX-XX",
        [
            (
                "c.yaml:14: depositions[0].metadata.dates.deposition_date: Expected a date such as 2026-03-31, "
                "found the text '2026-XX-XX'. (and in 2 more places that use this anchor)"
            ),
        ],
    ),
    (
        "deposition_types: [dataset]",
        "deposition_types: dataset",
        [
            "c.yaml:10: depositions[0].metadata.deposition_types: Expected a list, found the text 'dataset'.",
        ],
    ),
    (
        "match_regex: /TS_[0-9]+$",
        "match_regex: (TS",
        [
            (
                "c.yaml:28: runs[0].sources[0].source_glob.match_regex: This is no regular expression: missing "
                "), unterminated subpattern at character 1."
            ),
        ],
    ),
    (
        "name_regex: (.*)",
        "name_regex: .*",
        [
            (
                "c.yaml:29: runs[0].sources[0].source_glob.name_regex: The name is what the first group matches,"
                " and there is no group (...)."
            ),
        ],
    ),
    (
        "'runs/*'",
        "'../runs/*'",
        [
            (
                "c.yaml:27: runs[0].sources[0].source_glob.list_glob: A glob cannot go up with '..': it starts "
                "at the source_prefix."
            ),
        ],
    ),
    (
        "'runs/*'",
        "'runs/[*'",
        [
            (
                "c.yaml:24: runs: warning: No path that list_glob finds seems to fit match_regex, name_regex and"
                " the filters."
            ),
            (
                "c.yaml:27: runs[0].sources[0].source_glob.list_glob: warning: The bracket [ is never closed, so"
                " it stands for itself."
            ),
        ],
    ),
    (
        "runs/{run_name}/*.mrc",
        "runs/{run_nam}/*.mrc",
        [
            (
                "c.yaml:48: tomograms[0].sources[0].source_glob.list_glob: Nothing is called 'run_nam' here, and"
                " there is no run_data_map_file with such a column. Did you mean 'run_name'?"
            ),
        ],
    ),
    (
        "runs/{run_name}/*.mrc",
        "runs/{}/*.mrc",
        [
            (
                "c.yaml:48: tomograms[0].sources[0].source_glob.list_glob: There is no name between the braces "
                "{}. A brace that stands for itself is written twice: {{ or }}."
            ),
        ],
    ),
    (
        "'runs/*'",
        "'{run_name}/*'",
        [
            (
                "c.yaml:27: runs[0].sources[0].source_glob.list_glob: Nothing is called 'run_name' here: runs "
                "know only what they lie in."
            ),
        ],
    ),
    (
        "value: [10.0]",
        "value: [null]",
        [
            "c.yaml:33: voxel_spacings[0].sources[0].literal.value[0]: Expected a number, found nothing.",
        ],
    ),
    (
        "value: [10.0]",
        "value: []",
        [
            "c.yaml:33: voxel_spacings[0].sources[0].literal.value: There must be at least 1 entry here.",
        ],
    ),
    (
        "  - literal:\n      value: ['10002']",
        "  - {}",
        [
            (
                "c.yaml:22: datasets[0].sources[0]: The source has no finder. Each source needs exactly one of "
                "source_glob, source_multi_glob, destination_glob, destination_filter or literal."
            ),
        ],
    ),
    (
        "value: ['10002']",
        "value: ['10002']\n    source_glob: {list_glob: 'x'}",
        [
            (
                "c.yaml:22: datasets[0].sources[0]: The source has 2 finders: literal and source_glob. Each "
                "source needs exactly one of source_glob, source_multi_glob, destination_glob, "
                "destination_filter or literal."
            ),
        ],
    ),
    (
        "glob_string: 'points",
        "glob_strings: ['x']\n      glob_string: 'points",
        [
            (
                "c.yaml:59: annotations[0].sources[0].Point: There is both of glob_string and glob_strings: one "
                "is needed."
            ),
        ],
    ),
    (
        "annotation_ingest_id: ribosome-1",
        "annotation_ingest_id: Ribosome_1",
        [
            (
                "c.yaml:51: annotations[0].metadata.annotation_ingest_id: warning: The id is the text "
                "'Ribosome_1'; it should look like 'cytosolic-ribosome-1'. Small letters and digits with hyphens"
                " between, and a number last."
            ),
        ],
    ),
    (
        "    version: 1.0\n",
        "",
        [
            "c.yaml:50: annotations[0].metadata: warning: The annotation has no version; 1.0 is taken.",
        ],
    ),
    (
        "file_format: csv",
        "file_format: cvs",
        [
            (
                "c.yaml:60: annotations[0].sources[0].Point.file_format: Expected csv, csv_with_header, tsv, "
                "mod, relion3_star, relion4_star, tomoman_relion_star or copick, found the text 'cvs'."
            ),
        ],
    ),
    (
        "deposition_id: 10001",
        "deposition_id: 10009",
        [
            (
                "c.yaml:7: depositions[0].metadata.deposition_identifier: warning: standardization_config says "
                "deposition 10009."
            ),
            (
                "c.yaml:19: depositions[0].sources[0].literal.value[0]: warning: standardization_config says "
                "deposition 10009."
            ),
        ],
    ),
    (
        "- name: Ada Example",
        "- {name: Ada, ORCID: 0000-0001-2345-6780}",
        [
            (
                "c.yaml:12: depositions[0].metadata.authors[0].ORCID: warning: '0000-0001-2345-6780' is no "
                "ORCID: its last digit does not fit the others. (and in 2 more places that use this anchor)"
            ),
        ],
    ),
    (
        "release_date: '2026-01-03'",
        "release_date: '2025-01-03'",
        [
            (
                "c.yaml:16: depositions[0].metadata.dates.release_date: warning: Released on 2025-01-03, before "
                "it was deposited on 2026-01-01. (and in 2 more places that use this anchor)"
            ),
        ],
    ),
    (
        "deposition_title: Ribosomes",
        "deposition_title: REQUIRED",
        [
            (
                "c.yaml:8: depositions[0].metadata.deposition_title: warning: The placeholder REQUIRED has not "
                "been replaced."
            ),
        ],
    ),
    (
        "match_regex: /TS_[0-9]+$",
        "match_regex: /TS_([0-9]+)+$",
        [
            (
                "c.yaml:28: runs[0].sources[0].source_glob.match_regex: warning: A repeat inside a repeated "
                "group can take forever on a name that does not fit."
            ),
        ],
    ),
    (
        "match_regex: /TS_[0-9]+$",
        "match_regex: ^never$",
        [
            (
                "c.yaml:24: runs: warning: No path that list_glob finds seems to fit match_regex, name_regex and"
                " the filters."
            ),
        ],
    ),
    (
        "- literal:\n      value: [10.0]",
        "- parent_filters: {include: {tomogram: ['x']}}\n    literal:\n      value: [10.0]",
        [
            (
                "c.yaml:32: voxel_spacings[0].sources[0].parent_filters.include.tomogram: There is no parent of "
                "type 'tomogram': voxel_spacings lie in run, dataset and deposition."
            ),
        ],
    ),
    (
        "- literal:\n      value: [10.0]",
        "- parent_filters: {include: {run: [10]}}\n    literal:\n      value: [10.0]",
        [
            (
                "c.yaml:32: voxel_spacings[0].sources[0].parent_filters.include.run[0]: Expected a regular "
                "expression, found the number 10; put it in quotes."
            ),
        ],
    ),
    (
        "tomograms:\n",
        "ctfs:\n- metadata: {format: IMOD}\n  sources:\n  - source_glob: {list_glob: 'x'}\ntomograms:\n",
        [
            "c.yaml:34: ctfs: warning: There are ctfs and no tiltseries: they belong to one.",
        ],
    ),
    (
        "  source_prefix: lab/session\n",
        "  source_prefix: lab/session\n  run_data_map_file: /etc/passwd\n",
        [
            (
                "c.yaml:5: standardization_config.run_data_map_file: A map is named by its path below the "
                "source, not by the text '/etc/passwd'."
            ),
        ],
    ),
    (
        "  source_prefix: lab/session\n",
        "  source_prefix: ../../etc\n",
        [
            ("c.yaml:4: standardization_config.source_prefix: source_prefix: '../../etc' is no path below a folder."),
        ],
    ),
    (
        "value: ['10002']",
        "value: ['../10002']",
        [
            "c.yaml:23: datasets[0].sources[0].literal.value[0]: '../10002' can be no name of a file or folder.",
        ],
    ),
    (
        "version: 1.3.0\n",
        "version: 1.3.0\ntomogramms: []\n",
        [
            "c.yaml:2: tomogramms: The key 'tomogramms' is not known here. Did you mean 'tomograms'?",
        ],
    ),
]
"""What is changed in the small config, into what, and everything that is said then."""


def test_the_small_config_is_valid() -> None:
    checked = check_text(SMALL, "c.yaml")
    assert said(checked) == []
    assert checked.config is not None
    assert checked.config.tomograms is not None
    counts = dict(checked.example)
    assert set(counts) == {"deposition", "dataset", "run", "alignment", "voxel_spacing", "tomogram", "annotation"}
    assert set(counts.values()) == {1}


@pytest.mark.parametrize(("old", "new", "expected"), CASES)
def test_what_is_wrong_and_where(old: str, new: str, expected: list[str]) -> None:
    assert said(changed(old, new)) == expected


def test_all_problems_are_said_at_once() -> None:
    text = with_text("processing: raw", "processing: wat")
    text = with_text("method_type: manual", "method_typ: manual", text)
    text = with_text("{run_name}.csv", "{ts}.csv", text)
    text = with_text("value: [10.0]", "value: [ten]", text)
    checked = check_text(text, "c.yaml")
    assert [problem.line for problem in checked.errors] == [33, 41, 51, 56, 61]
    assert checked.config is None


def test_an_annotation_has_a_shape_once_unless_filters_tell_them_apart() -> None:
    second = "  - Point:\n      file_format: csv\n      glob_string: 'more/{run_name}.csv'\n"
    (problem,) = said(check_text(SMALL + second, "c.yaml"))
    assert problem.startswith("c.yaml:62: annotations[0].sources[1].Point: The annotation has a Point already")
    filtered = second + "    parent_filters: {include: {dataset: ['^10002$']}}\n"
    assert said(check_text(SMALL + filtered, "c.yaml")) == []


def test_an_ingest_id_stands_once_in_a_file() -> None:
    block = SMALL[SMALL.index("- metadata:\n    annotation_ingest_id") :]
    (problem,) = said(check_text(SMALL + block, "c.yaml"))
    assert problem == (
        "c.yaml:63: annotations[1].metadata.annotation_ingest_id: The id 'ribosome-1' stands in line 51 already."
    )


def test_a_tilt_range_is_in_order() -> None:
    text = SMALL + "tiltseries:\n- metadata:\n    tilt_range: {min: 60, max: -60}\n  sources: []\n"
    (problem,) = [one for one in said(check_text(text, "c.yaml")) if "smallest" in one]
    assert problem.startswith("c.yaml:64: tiltseries[0].metadata.tilt_range: The smallest tilt, 60, is above")


@pytest.mark.parametrize("text", ["7", "- a\n- b\n", "just words"])
def test_what_is_no_mapping_is_no_config(text: str) -> None:
    assert said(check_text(text, "c.yaml")) == ["c.yaml:1: A config is a mapping of sections."]


def test_an_empty_mapping_lacks_every_section_that_is_needed() -> None:
    missing = [problem.path for problem in check_text("{}", "c.yaml").problems]
    assert missing == ["datasets", "depositions", "runs", "standardization_config", "version", "voxel_spacings"]


def test_problems_are_bounded() -> None:
    checked = check_text("annotations:\n" + "- 1\n" * 3000, "c.yaml")
    assert len(checked.problems) == 1001
    assert checked.problems[-1].sentence == "And 2,006 problems more."


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    checked = check(tmp_path / "none.yaml")
    assert not checked.is_readable
    assert "It cannot be opened: No such file or directory." in said(checked)[0]
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: caf\xe9\n")
    assert said(check(tmp_path / "latin.yaml")) == [f"{tmp_path}/latin.yaml:2: This is no UTF-8 text."]
    (tmp_path / "large.yaml").write_bytes(b"#" * (5 * 1024 * 1024))
    assert "larger than 4 MiB" in said(check(tmp_path / "large.yaml"))[0]
    assert not check(tmp_path).is_readable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0000-0002-1825-0097", True),
        ("0000-0002-1694-233X", True),
        ("0000-0002-1825-0098", False),
        ("0000-XXXXXX", False),
    ],
)
def test_the_check_digit_of_an_orcid(text: str, expected: bool) -> None:
    assert is_orcid(text) is expected
