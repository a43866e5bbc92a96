"""Reading a layout from a bucket: one listing, one request a document, and what cannot be read is unknown."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from coverslip.errors import UnreadableFileError
from coverslip.ingest.importing import read_layout
from coverslip.sources import locate
from tests.ingest.importing.layouts import ANNOTATION, RUN, SPACING, TOMOGRAM, put, write_layout, write_runs
from tests.services.s3 import S3Server
from tests.sources.bucket import Corner, corner_of, serve_bucket


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3Server]:
    with serve_bucket() as server:
        yield server


@pytest.fixture
def corner(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Corner]:
    with corner_of(s3_server, monkeypatch) as corner:
        yield corner


def put_layout(corner: Corner, folder: Path) -> None:
    """Copy everything below a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            corner.put(path.relative_to(folder).as_posix(), path.read_bytes())


@pytest.mark.service
def test_a_bucket_gives_what_a_folder_gives(corner: Corner, tmp_path: Path) -> None:
    here = read_layout(write_layout(tmp_path))
    put_layout(corner, tmp_path)
    there = read_layout(locate(f"{corner.url}/"))
    assert list(there.entities) == list(here.entities)
    assert there.all_problems == ()
    for identity, one in here.entities.items():
        other = there.entities[identity]
        assert (other.key, other.document, other.alignment, other.image_key) == (
            one.key,
            one.document,
            one.alignment,
            one.image_key,
        )
        assert [(file.key, file.format, file.shape) for file in other.files] == [
            (file.key, file.format, file.shape) for file in one.files
        ]


@pytest.mark.service
def test_a_hundred_runs_are_one_listing_by_pages_and_one_request_a_document(corner: Corner, tmp_path: Path) -> None:
    write_runs(tmp_path, 100)
    for number in range(850):
        put(tmp_path, f"20002/TS_0/Frames/{number}.tif", b"frame")
    put_layout(corner, tmp_path)
    found = read_layout(locate(corner.url))
    assert sum(one.type == "run" for one in found.entities.values()) == 100
    listings = [line for line in corner.proxy.asked if "list-type=2" in line]
    documents = [line for line in corner.proxy.asked if line.endswith(".json")]
    assert len(listings) == 2  # 1,052 objects, a thousand a page
    assert len(documents) == len(set(documents)) == 102
    assert len(corner.proxy.asked) == len(listings) + len(documents)


@pytest.mark.service
@pytest.mark.parametrize("status", [403, 500])
def test_a_document_that_is_refused_is_unknown_and_the_others_go_on(
    corner: Corner, tmp_path: Path, status: int
) -> None:
    put_layout(corner, write_layout(tmp_path))
    corner.proxy.refused = {TOMOGRAM: status}
    found = read_layout(locate(corner.url))
    unknown = [(problem.key, problem.kind) for problem in found.all_problems if problem.kind != "unmentioned"]
    assert unknown == [(TOMOGRAM, "unknown")]
    types = {one.type for one in found.entities.values()}
    assert "tomogram" not in types
    assert {"annotation", "alignment", "tiltseries", "run"} <= types


@pytest.mark.service
def test_which_document_an_annotation_has_is_unknown_while_one_cannot_be_read(corner: Corner, tmp_path: Path) -> None:
    write_layout(tmp_path)
    other = f"{SPACING}/Annotations/100/ribosome-1.1.json"
    put(tmp_path, other, {"annotation_object": {"name": "ribosome"}})
    put_layout(corner, tmp_path)
    corner.proxy.refused = {other: 403}
    found = read_layout(locate(corner.url))
    assert "annotation" not in {one.type for one in found.entities.values()}
    assert ("unknown", other) in [(problem.kind, problem.key) for problem in found.all_problems]


@pytest.mark.service
def test_a_listing_that_breaks_off_is_no_layout(corner: Corner, tmp_path: Path) -> None:
    put_layout(corner, write_layout(tmp_path))
    corner.proxy.cut_after = 300
    with pytest.raises(UnreadableFileError):
        read_layout(locate(corner.url))


@pytest.mark.service
def test_marks_of_empty_folders_are_no_files(corner: Corner, tmp_path: Path) -> None:
    put_layout(corner, write_layout(tmp_path))
    corner.put(f"{RUN}/Gains/", b"")
    corner.put(f"{RUN}/", b"")
    found = read_layout(locate(corner.url))
    assert found.all_problems == ()
    assert ANNOTATION in [one.key for one in found.entities.values()]
