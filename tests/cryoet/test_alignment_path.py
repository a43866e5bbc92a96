"""One form for all the ways in which an alignment is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverslip.cryoet.alignment_path import normalised

KEY = "10000/TS_1/Alignments/100/alignment_metadata.json"


@pytest.mark.parametrize("layout", ["", "s3://portal", "s3://portal/", "/data/portal", "https://files.example.org/v1"])
@pytest.mark.parametrize(
    "path",
    [
        KEY,
        f"s3://portal/{KEY}",
        f"S3://portal/{KEY}",
        f"s3://staging/prefix/{KEY}",
        f"https://files.example.org/{KEY}",
        f"https://files.example.org/v1/{KEY}",
        f"HTTPS://Files.Example.org/{KEY}?versionId=abc#top",
        f"http://s3.example.org/portal/{KEY}",
        f"file:///data/portal/{KEY}",
        f"/data/portal/{KEY}",
        f"/{KEY}",
        f"portal/{KEY}",
        f"test-public-bucket/{KEY}",
        f"./{KEY}",
        f"{KEY}/",
        KEY.replace("/", "//"),
        KEY.replace("Alignments", "./Alignments"),
        KEY.replace("Alignments", "Tomograms/../Alignments"),
        f"https://files.example.org/{KEY.replace('_', '%5F')}",
        f"https://files.example.org/{KEY.replace('/', '%2F')}",
    ],
)
def test_a_document_in_its_place_has_one_form(path: str, layout: str) -> None:
    assert normalised(path, layout) == KEY


@pytest.mark.parametrize(
    ("path", "layout", "expected"),
    [
        # what does not end as an alignment's document does: below the top of the layout, where it lies in it
        ("s3://portal/top/TS_1/a.json", "s3://portal/top", "TS_1/a.json"),
        ("s3://portal/top/TS_1/a.json", "s3://portal/top/", "TS_1/a.json"),
        ("https://files.example.org/top/TS_1/a.json", "s3://portal/top", "TS_1/a.json"),
        ("https://s3.example.org/portal/top/TS_1/a.json", "s3://portal/top", "TS_1/a.json"),
        ("portal/top/TS_1/a.json", "s3://portal/top", "TS_1/a.json"),
        ("top/TS_1/a.json", "s3://portal/top", "TS_1/a.json"),
        ("TS_1/a.json", "s3://portal/top", "TS_1/a.json"),
        ("/data/layout/TS_1/a.json", "/data/layout", "TS_1/a.json"),
        ("layout/TS_1/a.json", "/data/layout", "TS_1/a.json"),
        ("/elsewhere/TS_1/a.json", "/data/layout", "elsewhere/TS_1/a.json"),
        ("/data/layout2/TS_1/a.json", "/data/layout", "data/layout2/TS_1/a.json"),
        ("foo", "s3://portal", "foo"),
        ("foo", "", "foo"),
        # only addresses are decoded: a file may be called like this
        ("TS%5F1/a.json", "", "TS%5F1/a.json"),
        ("s3://portal/TS%5F1/a.json", "", "TS_1/a.json"),
        ("what?/a.json", "", "what?/a.json"),
        # names are case-sensitive
        ("ts_1/A.json", "", "ts_1/A.json"),
    ],
)
def test_anything_else_is_named_from_the_top_of_its_layout_on(path: str, layout: str, expected: str) -> None:
    assert normalised(path, layout) == expected


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        ".",
        "s3://portal",
        "../secret.json",
        "10000/../../secret.json",
        "https://files.example.org/%2e%2e/secret.json",
        "https://files.example.org/%FF%FE",
        "10000/TS\x001/a.json",
        "10000/TS_1/a.json\n",
        "https://files.example.org/TS%00/a.json",
        "x/" * 3000,
    ],
)
def test_what_is_no_path_matches_nothing(path: str) -> None:
    assert normalised(path, "s3://portal") == ""


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_text_is_an_error_and_every_form_is_plain(path: str, layout: str) -> None:
    parts = normalised(path, layout).split("/")
    assert parts == [""] or not {"", ".", ".."} & set(parts)


def test_other_alignments_stay_others() -> None:
    forms = {normalised(f"{dataset}/{run}/Alignments/{number}/alignment_metadata.json")
             for dataset in (1, 2) for run in ("a", "b") for number in (100, 101)}  # fmt: skip
    assert len(forms) == 8
