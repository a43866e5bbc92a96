"""Both sides of an ingest, listed and read."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from coverslip.errors import InvalidRequestError, UnreadableFileError
from coverslip.ingest.deposition import check
from coverslip.ingest.deposition.preparing import Prepared, prepare
from coverslip.ingest.deposition.sides import Headers, list_paths, read_destination, source_folder
from coverslip.sources import locate
from tests.ingest.deposition.configs import SMALL, with_text
from tests.ingest.deposition.whole import FILES, RUNS, WHOLE
from tests.services.s3 import S3Server
from tests.sources.bucket import Corner, corner_of, serve_bucket


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3Server]:
    with serve_bucket() as server:
        yield server


@pytest.fixture
def corner(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Corner]:
    monkeypatch.setenv("COVERSLIP_HOME", str(tmp_path / "home"))
    with corner_of(s3_server, monkeypatch) as corner:
        yield corner


def touch(folder: Path, *names: str, text: str = "") -> Path:
    """Write files and return the folder."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def whole(folder: Path) -> Path:
    """Write the config with every type and what it finds, and return the config."""
    touch(folder / "in" / "lab", *FILES)
    (folder / "in" / "lab" / "runs.csv").write_text(RUNS)
    (folder / "c.yaml").write_text(WHOLE)
    return folder / "c.yaml"


NAMES = ("a/b.mrc", "a/c.zarr/0/0/0", "a/c.zarr/.zattrs", "d.txt", "d/NeuroglancerPrecompute/100-x-1.0_point/info")


def test_a_folder_is_listed_with_images_as_one_file(tmp_path: Path) -> None:
    touch(tmp_path, *NAMES)
    assert list_paths(tmp_path) == ("a/b.mrc", "a/c.zarr", "d.txt")
    assert list_paths(tmp_path, "a") == ("a/b.mrc", "a/c.zarr")
    assert list_paths(tmp_path, "none") == ()


@pytest.mark.service
def test_a_bucket_is_listed_in_the_same_way(corner: Corner) -> None:
    for name in NAMES:
        corner.put(name, b"x")
    assert list_paths(locate(corner.url)) == ("a/b.mrc", "a/c.zarr", "d.txt")
    assert list_paths(locate(corner.url), "a") == ("a/b.mrc", "a/c.zarr")
    assert list_paths(locate(corner.url), "none") == ()


def test_links_are_followed_and_not_in_circles(tmp_path: Path) -> None:
    touch(tmp_path / "real", "x.mrc")
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "data").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "again").symlink_to(tmp_path / "top")
    assert list_paths(tmp_path / "top") == ("data/x.mrc",)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
def test_what_cannot_be_listed_is_not_taken_for_absent(tmp_path: Path) -> None:
    touch(tmp_path, "a/b.mrc")
    (tmp_path / "a").chmod(0)
    try:
        with pytest.raises(UnreadableFileError, match="cannot be listed"):
            list_paths(tmp_path)
    finally:
        (tmp_path / "a").chmod(0o700)


def test_a_file_in_the_place_of_a_folder_cannot_be_listed(tmp_path: Path) -> None:
    touch(tmp_path, "a")
    with pytest.raises(UnreadableFileError, match="cannot be listed: Not a directory"):
        list_paths(tmp_path, "a")


@pytest.mark.parametrize("prefix", ["../x", "a/../..", "s3://other", "a\0b"])
def test_a_prefix_that_leads_out_of_the_folder_is_refused(prefix: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError):
        source_folder(tmp_path, prefix)


def test_the_source_is_the_folder_of_the_prefix_or_the_folder_itself(tmp_path: Path) -> None:
    (tmp_path / "lab" / "session").mkdir(parents=True)
    assert source_folder(tmp_path, "lab/session/") == tmp_path / "lab" / "session"
    assert source_folder(tmp_path / "lab", "lab/session") == tmp_path / "lab"
    with pytest.raises(InvalidRequestError, match="there is no folder"):
        source_folder(tmp_path / "none", "lab")


def test_a_document_that_cannot_be_read_keeps_its_number_and_is_said(tmp_path: Path) -> None:
    folder = "10002/TS_1/Alignments"
    touch(tmp_path, f"{folder}/100/alignment_metadata.json", text="{")
    touch(tmp_path, f"{folder}/101/alignment_metadata.json", text="[]")
    held = read_destination(tmp_path)
    assert held.known.taken == {folder: {100, 101}}
    assert [problem.partition(": ")[0] for problem in held.problems] == list(held.keys)


def test_voxel_sizes_are_read_from_headers_when_they_are_asked_for(tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "a.mrc") as mrc:
        mrc.set_data(np.zeros((2, 3, 4), np.float32))
        mrc.voxel_size = 13.48
    (tmp_path / "b.mrc").write_bytes(b"no volume")
    headers = Headers(tmp_path)
    assert len(headers) == 0
    assert headers["a.mrc"] == 13.48
    assert "b.mrc" not in headers
    assert "none.mrc" not in headers
    assert list(headers) == ["a.mrc"]


def test_a_voxel_spacing_comes_from_the_header_of_a_tomogram(tmp_path: Path) -> None:
    text = with_text(
        "  - literal:\n      value: [10.0]\n", "  - tomogram_header: {list_glob: 'runs/{run_name}/*.mrc'}\n", SMALL
    )
    (tmp_path / "c.yaml").write_text(text)
    folder = tmp_path / "in" / "lab" / "session" / "runs" / "TS_1"
    folder.mkdir(parents=True)
    with mrcfile.new(folder / "a.mrc") as mrc:
        mrc.set_data(np.zeros((2, 3, 4), np.float32))
        mrc.voxel_size = 7.84
    prepared = prepare(check(tmp_path / "c.yaml"), tmp_path / "in", tmp_path / "out")
    (tomogram,) = [one for one in prepared.plan.targets if one.entity.type == "tomogram"]
    assert tomogram.folder == "10002/TS_1/Reconstructions/VoxelSpacing7.840/Tomograms/100"


def write_documents(prepared: Prepared, out: Path) -> None:
    """Write documents as an ingest would leave them, as far as numbers go."""
    for one in prepared.plan.steps:
        if one.recipe == "document":
            said = {**one.options["metadata"], **one.options["derived"]}
            said["deposition_id"] = one.options["deposition_id"]
            touch(out, one.outputs[0], text=json.dumps(said))


def test_a_second_plan_finds_the_numbers_of_the_first(tmp_path: Path) -> None:
    checked = check(whole(tmp_path), folder=tmp_path / "in")
    first = prepare(checked, tmp_path / "in", tmp_path / "out")
    assert (first.is_whole, first.held.keys, first.left_alone) == (True, (), {})
    write_documents(first, tmp_path / "out")
    touch(tmp_path / "out", "30001/TS_9/run_metadata.json", text='{"deposition_id": 1}')
    touch(tmp_path / "out", "40000/dataset_metadata.json", text='{"deposition_id": 1}')
    second = prepare(checked, tmp_path / "in", tmp_path / "out")
    assert second.plan == first.plan
    assert second.left_alone == {"datasets/30001/runs/TS_9": "30001/TS_9/run_metadata.json"}


@pytest.mark.service
def test_buckets_on_both_sides_give_the_same_plan(corner: Corner, tmp_path: Path) -> None:
    local = prepare(check(whole(tmp_path), folder=tmp_path / "in"), tmp_path / "in", tmp_path / "out")
    corner.put_tree(tmp_path / "in")
    root = locate(f"{corner.url}/in")
    checked = check(tmp_path / "c.yaml", folder=root)
    assert checked.is_valid
    assert prepare(checked, root, locate(f"{corner.url}/out")).plan == local.plan
