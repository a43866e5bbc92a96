import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from coverslip.errors import ReadError
from coverslip.readers import open_image, recognise
from coverslip.readers.numbered.names import Place, parse_name
from coverslip.readers.numbered.sets import set_of
from tests.readers.generate_numbered import noise, write_numbered

STACK = noise((2, 1, 3, 20, 30))


def reader_of(path: Path) -> str:
    found = recognise(path)
    assert found is not None
    return found.name


@pytest.mark.parametrize(
    ("stem", "place"),
    [
        ("img_t003_z12_c1", Place("img_t#_z#_c#", "tcz", (3, 1, 12), "c1")),
        ("exp_w1DAPI_s2_t10", Place("exp_\0_s2_t#", "tc", (10, 1), "DAPI")),
        ("exp_w2_s2", Place("exp_\0_s2", "c", (2,), "w2")),
        ("P_E07_s1_w11D01380B-E7DA-4C09-A343-EDA3D235D808", Place("P_E07_s1_\0", "c", (1,), "w1")),
        ("P_E07_s1_w1_thumb16F6E9D3-12E4-426F-A4BF-9AD5D23A000F", Place("P_E07_s1_\0_thumb", "c", (1,), "w1")),
        ("G3--W0002--P001--T00003--Z000--C", Place("G3--W0002--P001--T#--Z#--C", "tz", (3, 0))),
        ("A01_T0001F002L01A01Z03C02", Place("A01_T#F002L01A01Z#C#", "tcz", (1, 2, 3), "C02")),
        ("r01c02f03p04-ch2sk5fk1fl1", Place("r01c02f03p#-ch#sk#fk1fl1", "tcz", (5, 2, 4), "ch2")),
        ("time 4, slice-3", Place("time #, slice-#", "tz", (4, 3))),
        ("Position1_t00_ch01", Place("Position1_t#_ch#", "tc", (0, 1), "ch01")),
        ("img_w0002_t1", Place("img_w0002_t#", "t", (1,))),
        ("cat12", None),
        ("img0001", None),
        ("t24h", None),
        ("s3_f4_p5", None),
        ("t1_time2", None),
        ("Blot3", None),
        ("a", None),
        ("time", None),
        ("t1234567890123", None),
    ],
)
def test_what_a_name_says(stem: str, place: Place | None) -> None:
    assert parse_name(stem) == place


def test_any_file_opens_the_set(tmp_path: Path) -> None:
    paths = write_numbered(tmp_path, STACK, "a_t{t}_z{z}.tif")
    for path in paths:
        with open_image(path) as file:
            assert file.reader == "numbered"
            assert sorted(file.files) == sorted(paths)
            assert np.array_equal(file.images[0].to_numpy(), STACK)
        with open_image(path, alone=True) as file:
            assert file.images[0].metadata.shape == (1, 1, 1, 20, 30)


def test_channels_are_called_as_the_names_or_the_files_do(tmp_path: Path) -> None:
    for name in ("x_w1DAPI_s1.tif", "x_w2Cy3_s1.tif", "x_w3_s1.tif"):
        tifffile.imwrite(tmp_path / name, STACK[0, 0, 0])
    with open_image(tmp_path / "x_w2Cy3_s1.tif") as file:
        assert [channel.name for channel in file.images[0].metadata.channels] == ["DAPI", "Cy3", "w3"]


def test_sites_and_wells_are_images_of_their_own(tmp_path: Path) -> None:
    first = write_numbered(tmp_path, noise((1, 2, 1, 20, 30), seed=1), "p_A01_s1_w{c}.tif", first=1)
    other = write_numbered(tmp_path, noise((1, 2, 1, 20, 30), seed=2), "p_A01_s2_w{c}.tif", first=1)
    write_numbered(tmp_path, noise((1, 2, 1, 20, 30), seed=3), "p_B01_s1_w{c}.tif", first=1)
    with open_image(other[0]) as file:
        assert sorted(file.files) == other
        assert np.array_equal(file.images[0].to_numpy(), noise((1, 2, 1, 20, 30), seed=2))
    with open_image(first[1]) as file:
        assert sorted(file.files) == first


def test_folders_may_count_time_points_and_slices(tmp_path: Path) -> None:
    array = noise((2, 2, 3, 20, 30))
    paths = write_numbered(tmp_path, array, "TimePoint_{t}/ZStep_{z}/a_E07_s1_w{c}.tif", first=1)
    write_numbered(tmp_path, array[:, :, :1], "TimePoint_{t}/a_E07_s1_w{c}.tif", first=1)
    with open_image(paths[5]) as file:
        assert sorted(file.files) == sorted(paths)
        assert np.array_equal(file.images[0].to_numpy(), array)
    with open_image(tmp_path / "TimePoint_2" / "a_E07_s1_w2.tif") as file:
        assert np.array_equal(file.images[0].to_numpy(), array[:, :, :1])


def test_a_missing_plane_is_an_error_and_counted(tmp_path: Path) -> None:
    array = noise((5, 1, 1, 20, 30))
    paths = write_numbered(tmp_path, array, "a_t{t}.tif", first=3)
    paths[2].unlink()
    with open_image(paths[0]) as file:
        (image,) = file.images
        assert image.metadata.size_t == 5
        assert "1 of 5 planes are in no file" in (image.metadata.note or "")
        assert np.array_equal(image.plane(t=4), array[4, 0, 0])
        with pytest.raises(ReadError, match="the plane t=2 c=0 z=0 is in no file of the set"):
            image.plane(t=2)


def test_few_planes_of_a_large_grid_are_no_set(tmp_path: Path) -> None:
    for name in ("a_t0_c0_z0", "a_t0_c1_z2", "a_t3_c0_z2"):
        tifffile.imwrite(tmp_path / f"{name}.tif", STACK[0, 0, 0])
    assert reader_of(tmp_path / "a_t0_c0_z0.tif") == "tiff"


def test_numbers_may_go_up_in_steps(tmp_path: Path) -> None:
    for t in (0, 15, 30, 45):
        tifffile.imwrite(tmp_path / f"a_time{t}.tif", STACK[0, 0, 0] + np.uint16(t))
    with open_image(tmp_path / "a_time0.tif") as file:
        assert file.images[0].metadata.size_t == 4
        assert np.array_equal(file.images[0].plane(t=3), STACK[0, 0, 0] + 45)


@pytest.mark.parametrize("spoil", ["size", "type", "pages", "ome", "twice", "alone"])
def test_files_that_do_not_belong_together_stay_apart(tmp_path: Path, spoil: str) -> None:
    plane = STACK[0, 0, 0]
    tifffile.imwrite(tmp_path / "a_t1.tif", plane)
    if spoil == "alone":
        tifffile.imwrite(tmp_path / "b_t2.tif", plane)
    elif spoil == "twice":
        tifffile.imwrite(tmp_path / "a_t01.tif", plane)
        tifffile.imwrite(tmp_path / "a_t2.tif", plane)
    else:
        odd = {"size": plane[:9], "type": plane.astype("u1"), "pages": STACK[0, 0], "ome": plane}[spoil]
        tifffile.imwrite(tmp_path / "a_t2.tif", odd, ome=spoil == "ome", photometric="minisblack")
    assert reader_of(tmp_path / "a_t1.tif") == "tiff"


def test_the_planes_of_an_oif_stay_planes(tmp_path: Path) -> None:
    paths = write_numbered(tmp_path / "a.oif.files", STACK, "s_C001Z{z:03d}T{t:03d}.tif", first=1)
    assert reader_of(paths[0]) == "tiff"


def test_a_damaged_file_is_an_error_where_it_is_read(tmp_path: Path) -> None:
    paths = write_numbered(tmp_path, noise((8, 1, 1, 20, 30)), "a_t{t}.tif")
    paths[3].write_bytes(paths[3].read_bytes()[:300])
    with open_image(paths[0]) as file:
        (image,) = file.images
        with pytest.raises(ReadError, match=r"a_t3\.tif"):
            image.plane(t=3)
        assert image.plane(t=4).shape == (20, 30)


def test_a_folder_is_looked_through_once_for_all_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for t in range(0, 400, 2):  # a set, and as many files that nearly are
        (tmp_path / f"a_t{t}.tif").write_bytes(b"II*\0")
        (tmp_path / f"b{t}_t1.tif").write_bytes(b"II*\0")
    paths = sorted(tmp_path.iterdir())
    os.utime(tmp_path, (1_700_000_000, 1_700_000_000))
    listed: list[object] = []
    real = os.scandir

    def counting(folder: str) -> Any:
        listed.append(folder)
        return real(folder)

    monkeypatch.setattr(os, "scandir", counting)
    for path in paths:
        set_of(path)
    assert listed.count(str(tmp_path)) == 1


@pytest.mark.samples
@pytest.mark.parametrize("place", ["mitocheck-series", "imagexpress"])
def test_real_sets_as_tifffile_reads_their_files(samples: Path, place: str) -> None:
    if place == "mitocheck-series":
        paths = sorted((samples / "tiff" / place).iterdir())
        axis = 0
    else:
        folders = (samples / "tiff" / place).rglob("ZStep_*")
        ordered = sorted(folders, key=lambda folder: int(folder.name[6:]))
        paths = [next(path for path in folder.iterdir() if "thumb" not in path.name) for folder in ordered]
        axis = 2
    wanted = np.stack([tifffile.imread(path) for path in paths])
    for path in paths:
        with open_image(path) as file:
            found = file.images[0].to_numpy()
            assert set(file.files) == set(paths)
        assert found.shape[axis] == len(paths)
        assert np.array_equal(found.reshape(wanted.shape), wanted)


def test_links_that_lead_out_of_the_folder_are_left_out_and_said(tmp_path: Path) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    stack = noise((8, 1, 1, 20, 30))
    paths = write_numbered(home, stack, "a_t{t}.tif")
    away.mkdir()
    paths[7].rename(away / "other.tif")
    paths[7].symlink_to(away / "other.tif")
    paths[3].rename(home / "kept.tif")
    paths[3].symlink_to("kept.tif")
    with open_image(paths[0]) as file:
        assert file.images[0].metadata.shape == (7, 1, 1, 20, 30)
        assert np.array_equal(file.images[0].to_numpy(), stack[:7])
        assert paths[7] not in file.files
        assert "1 link that leads to another folder left out: a_t7.tif" in (file.images[0].metadata.note or "")
    with open_image(paths[7]) as file:  # named by the person
        assert file.reader == "tiff"
        assert np.array_equal(file.images[0].to_numpy(), stack[7:])


def test_folders_of_a_set_that_lead_away_are_left_out_and_a_linked_home_is_not(tmp_path: Path) -> None:
    stack = noise((1, 1, 5, 20, 30))
    paths = write_numbered(tmp_path / "home", stack, "ZStep_{z}/a_w1.tif")
    paths[4].parent.rename(tmp_path / "away")
    paths[4].parent.symlink_to(tmp_path / "away")
    (tmp_path / "link").symlink_to("home")
    with open_image(tmp_path / "link" / "ZStep_0" / "a_w1.tif") as file:
        assert np.array_equal(file.images[0].to_numpy(), stack[:, :, :4])
        assert "left out: a_w1.tif" in (file.images[0].metadata.note or "")
