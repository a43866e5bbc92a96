"""``add``: what it catalogs, what it notices, and what it leaves alone."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zarr

from coverslip.catalog import Catalog
from coverslip.derive import VERSIONS
from coverslip.errors import BudgetError, NotFoundError, ReadError, UnsupportedFormatError
from coverslip.ingest import AddItem, AddReport, add, add_upload
from coverslip.readers import ImageFile, open_image
from tests.files import write_folder, write_tiff
from tests.ingest.conftest import open_catalog
from tests.readers.generate_fov import pixels, write_field


def run(catalog: Catalog, *paths: Path, refresh: bool = False) -> AddReport:
    return add(paths, catalog=catalog, workers=2, refresh=refresh)


def test_everything_in_a_folder_is_catalogued_once(catalog: Catalog, folder: Path) -> None:
    write_folder(folder / "a" / "b", 5)
    write_folder(folder / "c", 3)
    told: list[AddItem] = []
    report = add([folder], catalog=catalog, workers=3, on_item=told.append)
    assert report.outcomes == {"added": 8}
    assert (report.files_seen, report.files_opened, report.images) == (8, 8, 8)
    assert catalog.list_images().total == 8
    assert sorted(item.path for item in told) == sorted(str(path) for path in folder.rglob("*.tif"))


def test_a_second_run_opens_no_file_and_writes_no_row(catalog: Catalog, folder: Path) -> None:
    write_folder(folder, 4)
    (folder / "notes.txt").write_text("not an image")
    (folder / "empty.tif").touch()
    run(catalog, folder)
    report = run(catalog, folder)
    assert (report.files_opened, report.rows_written) == (0, 0)
    assert report.outcomes == {"unchanged": 4, "unknown": 1, "broken": 1}
    assert [Path(item.path).name for item in report.broken] == ["empty.tif"]


def test_a_changed_file_is_noticed_and_its_artifacts_become_stale(catalog: Catalog, folder: Path) -> None:
    path, other = write_folder(folder, 2)
    run(catalog, folder)
    before = {image.path: image for image in catalog.list_images().images}
    write_tiff(path, seed=99, shape=(32, 80))
    report = run(catalog, folder)
    after = {image.path: image for image in catalog.list_images().images}
    assert report.outcomes == {"changed": 1, "unchanged": 1}
    assert after[str(path)].id == before[str(path)].id
    assert after[str(path)].metadata.shape == (1, 1, 1, 32, 80)
    assert after[str(path)].revision == before[str(path)].revision + 1
    assert after[str(other)].revision == before[str(other)].revision
    assert catalog.artifact("thumbnail", after[str(path)].id).wanted == 2
    assert catalog.artifact("thumbnail", after[str(other)].id).wanted == 1


def test_a_file_that_was_only_touched_marks_nothing(catalog: Catalog, folder: Path) -> None:
    path = write_tiff(folder / "a.tif")
    run(catalog, folder)
    os.utime(path, ns=(1, 1_700_000_000_000_000_000))
    report = run(catalog, folder)
    image = catalog.list_images().images[0]
    assert report.outcomes == {"touched": 1}
    assert (image.revision, catalog.artifact("thumbnail", image.id).wanted) == (1, 1)
    assert run(catalog, folder).files_opened == 0


def test_a_same_size_change_is_noticed_by_time_and_checksum(catalog: Catalog, folder: Path) -> None:
    path = write_tiff(folder / "a.tif", seed=1)
    run(catalog, folder)
    size = path.stat().st_size
    write_tiff(path, seed=2)
    os.utime(path, ns=(1, 1_700_000_000_000_000_000))
    assert path.stat().st_size == size
    assert run(catalog, folder).outcomes == {"changed": 1}


def test_a_missing_file_is_reported_and_kept_and_found_again(catalog: Catalog, folder: Path, tmp_path: Path) -> None:
    path, _ = write_folder(folder, 2)
    run(catalog, folder)
    shutil.move(path, tmp_path / "elsewhere.tif")
    report = run(catalog, folder)
    assert report.missing == [str(path)]
    images = catalog.list_images()
    assert images.total == 2
    assert [image.missing_since is not None for image in images.images if image.path == str(path)] == [True]
    again = run(catalog, folder)
    assert (again.missing, again.rows_written) == ([str(path)], 0)
    shutil.move(tmp_path / "elsewhere.tif", path)
    assert run(catalog, folder).outcomes == {"found": 1, "unchanged": 1}
    assert all(image.missing_since is None for image in catalog.list_images().images)


def test_a_whole_folder_that_is_gone_is_missing(catalog: Catalog, folder: Path) -> None:
    write_folder(folder / "day1", 3)
    run(catalog, folder)
    shutil.rmtree(folder)
    report = run(catalog, folder)
    assert len(report.missing) == 3
    assert catalog.list_images().total == 3


def test_a_path_that_never_was_is_an_error(catalog: Catalog, folder: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no such file or folder"):
        run(catalog, folder / "nowhere")


def test_a_folder_that_cannot_be_listed_is_unknown_not_missing() -> None:
    with acting_as_nobody() as (home, owner), open_catalog(home) as catalog:
        write_folder(home / "images" / "closed", 3)
        assert run(catalog, home / "images").outcomes == {"added": 3}
        _chmod(home / "images" / "closed", 0o000, owner)
        report = run(catalog, home / "images")
        _chmod(home / "images" / "closed", 0o755, owner)
        assert [item.path for item in report.unreadable] == [str(home / "images" / "closed")]
        assert report.missing == []
        assert all(image.missing_since is None for image in catalog.list_images().images)


@contextmanager
def acting_as_nobody() -> Iterator[tuple[Path, int]]:
    """Yield a folder for everybody and the user we really are, acting as a user whom permissions bind."""
    owner = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        home.chmod(0o777)
        try:
            if owner == 0:
                os.seteuid(65534)
            yield home, owner
        finally:
            os.seteuid(owner)


def _chmod(path: Path, mode: int, owner: int) -> None:
    acting = os.geteuid()
    os.seteuid(owner)
    path.chmod(mode)
    os.seteuid(acting)


def test_a_broken_file_does_not_stop_the_walk(catalog: Catalog, folder: Path) -> None:
    good = write_tiff(folder / "b.tif")
    (folder / "a.tif").write_bytes(b"II*\0garbage that is no TIFF directory")
    (folder / "c.tif").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    report = run(catalog, folder)
    assert report.outcomes["added"] == 1
    assert {Path(item.path).name for item in report.broken} == {"a.tif", "c.tif"}
    assert all(str(folder) in (item.reason or "") for item in report.broken)
    assert [image.filename for image in catalog.list_images().images] == ["b.tif"]
    assert catalog.counts(VERSIONS).broken == 2


def test_a_broken_file_that_was_mended_is_read(catalog: Catalog, folder: Path) -> None:
    path = folder / "a.tif"
    path.write_bytes(b"II*\0no")
    run(catalog, folder)
    write_tiff(path)
    run(catalog, folder)
    assert catalog.list_images().total == 1
    assert catalog.counts(VERSIONS).broken == 0


def test_a_file_that_lies_about_its_ending_is_read_by_its_content(catalog: Catalog, folder: Path) -> None:
    write_tiff(folder / "a.tif").rename(folder / "a.czi")
    assert run(catalog, folder).outcomes == {"added": 1}
    assert catalog.list_images().images[0].metadata.file_format == "TIFF"


@pytest.mark.parametrize("content", [b"version https://git-lfs.github.com/spec/v1\n", b"just some text"])
def test_a_name_that_promises_an_image_makes_other_content_broken(
    catalog: Catalog, folder: Path, content: bytes
) -> None:
    (folder / "run7.nd2").write_bytes(content)
    (folder / "run7.txt").write_bytes(content)
    report = run(catalog, folder)
    assert report.outcomes == {"broken": 1, "unknown": 1}
    assert str(folder / "run7.nd2") in (report.broken[0].reason or "")
    assert not report.is_sound


def test_a_file_that_could_not_be_looked_at_is_tried_again() -> None:
    with acting_as_nobody() as (home, owner), open_catalog(home) as catalog:
        path = write_tiff(home / "images" / "a.tif")
        write_tiff(home / "images" / "b.tif", seed=1)
        run(catalog, home / "images")
        for turn in ("known", "changed"):
            if turn == "changed":
                write_tiff(path, seed=5)
            _chmod(path, 0o000, owner)
            report = run(catalog, home / "images")
            assert [item.path for item in report.unreadable] == ([str(path)] if turn == "changed" else [])
            assert catalog.counts(VERSIONS).broken == 0
            assert all(image.missing_since is None for image in catalog.list_images().images)
            _chmod(path, 0o666, owner)
        assert run(catalog, home / "images").outcomes == {"changed": 1, "unchanged": 1}


def test_a_link_whose_target_is_gone_is_missing(catalog: Catalog, folder: Path, tmp_path: Path) -> None:
    target = write_tiff(tmp_path / "elsewhere" / "a.tif")
    (folder / "link.tif").symlink_to(target)
    run(catalog, folder)
    target.unlink()
    assert run(catalog, folder).missing == [str(folder / "link.tif")]


def test_names_of_any_bytes_are_kept(catalog: Catalog, folder: Path) -> None:
    names = [b"new\nline.tif", b"br[acket]*.tif", b"caf\xe9.tif", "日本.tif".encode(), b"%_.tif"]
    for seed, name in enumerate(names):
        write_tiff(folder / "x.tif", seed).rename(folder / os.fsdecode(name))
    assert run(catalog, folder).outcomes == {"added": 5}
    assert run(catalog, folder).outcomes == {"unchanged": 5}
    assert {os.fsencode(Path(image.path).name) for image in catalog.list_images().images} == set(names)


def test_hidden_files_and_the_own_home_are_left_out(catalog: Catalog, folder: Path) -> None:
    write_tiff(folder / "seen.tif")
    write_tiff(folder / ".hidden.tif")
    write_tiff(folder / ".cache" / "deep.tif")
    write_tiff(folder / "home" / "artifact.tif")
    report = add([folder], catalog=catalog, skip=[folder / "home"])
    assert report.files_seen == 1


def test_links_back_to_a_parent_end(catalog: Catalog, folder: Path) -> None:
    write_tiff(folder / "a" / "x.tif")
    (folder / "a" / "up").symlink_to(folder)
    (folder / "dangling.tif").symlink_to(folder / "nothing.tif")
    assert run(catalog, folder).outcomes == {"added": 1}


def test_overlapping_paths_are_walked_once(catalog: Catalog, folder: Path) -> None:
    path, _ = write_folder(folder, 2)
    report = run(catalog, folder, path, folder / ".." / folder.name)
    assert report.files_seen == 2


def test_a_pipe_is_not_opened(catalog: Catalog, folder: Path) -> None:
    os.mkfifo(folder / "pipe.tif")
    assert run(catalog, folder).files_seen == 0
    assert [item.path for item in run(catalog, folder / "pipe.tif").unreadable] == [str(folder / "pipe.tif")]


def test_a_zarr_folder_is_one_image_and_its_chunks_are_watched(catalog: Catalog, folder: Path) -> None:
    array = write_zarr(folder)
    assert run(catalog, folder).outcomes == {"added": 1}
    assert run(catalog, folder).outcomes == {"unchanged": 1}
    array[0, 0] = 9
    assert run(catalog, folder).outcomes == {"changed": 1}
    shutil.rmtree(folder / "cells.ome.zarr")
    assert run(catalog, folder).missing == [str(folder / "cells.ome.zarr")]


def test_a_stopped_run_keeps_what_it_read_and_marks_nothing_missing(catalog: Catalog, folder: Path) -> None:
    write_folder(folder, 6)
    run(catalog, folder)
    (folder / "image_000.tif").unlink()
    write_folder(folder / "more", 30)
    asked = iter([False] * 10 + [True] * 100)
    report = add([folder], catalog=catalog, workers=1, should_stop=lambda: next(asked))
    assert report.stopped
    assert report.missing == []
    assert catalog.list_images().total == 6 + 10
    assert run(catalog, folder).outcomes["added"] == 20


def test_an_upload_is_catalogued_or_refused_without_a_trace(catalog: Catalog, folder: Path) -> None:
    image = add_upload(catalog, write_tiff(folder / "up.tif"))[0]
    assert (image.origin, image.filename, image.metadata.shape) == ("uploaded", "up.tif", (1, 1, 1, 48, 64))
    (folder / "bad.tif").write_bytes(b"II*\0broken")
    with pytest.raises(ReadError):
        add_upload(catalog, folder / "bad.tif")
    (folder / "what.bin").write_bytes(b"what is this")
    with pytest.raises(UnsupportedFormatError):
        add_upload(catalog, folder / "what.bin")
    assert catalog.list_images().total == 1
    assert catalog.counts(VERSIONS).assets == 1


def test_an_uploaded_file_is_not_reported_missing_by_add(catalog: Catalog, folder: Path) -> None:
    add_upload(catalog, write_tiff(folder / "up.tif"))
    write_tiff(folder / "mine.tif")
    (folder / "up.tif").unlink()
    assert run(catalog, folder).missing == []


def test_what_is_read_again_as_it_was_is_no_change(catalog: Catalog, folder: Path) -> None:
    write_folder(folder, 3)
    run(catalog, folder)
    report = run(catalog, folder, refresh=True)
    assert (report.files_opened, report.outcomes) == (3, {"unchanged": 3})
    assert {image.revision for image in catalog.list_images().images} == {1}
    assert {catalog.artifact("thumbnail", image.id).wanted for image in catalog.list_images().images} == {1}


def test_a_folder_that_is_read_again_is_marked(catalog: Catalog, folder: Path) -> None:
    write_zarr(folder)  # its checksum is that of the listing, which says nothing of the content
    run(catalog, folder)
    assert run(catalog, folder, refresh=True).outcomes == {"changed": 1}


def test_the_folder_around_a_piece_is_opened_as_everything_else_is(catalog: Catalog, folder: Path) -> None:
    field = write_field(folder / "FOV1" / "TIFs", pixels(4)).parent
    piece = field / "TIFs" / "CD4.tif"

    def refuse(path: Path) -> ImageFile:
        if path == field:
            raise BudgetError(f"{path}: too much", budget="members")
        return open_image(path)

    add([piece], catalog=catalog, workers=1, open_file=refuse)
    assert [image.path for image in catalog.list_images().images] == [str(piece)]


def test_the_image_around_a_piece_may_be_two_folders_up(catalog: Catalog, folder: Path) -> None:
    field = write_field(folder / "FOV1" / "TIFs", pixels(4)).parent
    write_field(field / "TIFs" / "TIFs", pixels(4, seed=1))  # makes a field of TIFs, of which the piece is none
    run(catalog, field / "TIFs" / "CD4.tif")
    assert [image.path for image in catalog.list_images().images] == [str(field)]


def write_zarr(folder: Path) -> Any:
    group = zarr.open_group(folder / "cells.ome.zarr", mode="w", zarr_format=3)
    array = group.create_array("0", shape=(8, 8), chunks=(4, 4), dtype="uint16")
    array[:] = 7
    axes: Any = [{"name": name, "type": "space"} for name in "yx"]
    datasets: Any = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1]}]}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    return array
