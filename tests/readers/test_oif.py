import hashlib
import json
import os
from pathlib import Path

import numpy as np
import oiffile
import pytest

from coverslip.derive import open_catalog
from coverslip.errors import ReadError
from coverslip.ingest import add
from coverslip.model import ImageMetadata
from coverslip.readers import open_image, recognise
from tests.readers.generate_oif import make_oif, sections, text, write

PIXELS = np.random.default_rng(1).integers(0, 4000, (1, 2, 1, 3, 66, 70)).astype("u2")
LENGTHS = {"C": 2, "Z": 3}


def metadata(path: Path) -> ImageMetadata:
    with open_image(path) as file:
        return file.images[0].metadata


def test_agrees_with_oiffile(tmp_path: Path) -> None:
    for path, (array,) in make_oif(tmp_path).items():
        with oiffile.OifFile(path) as file:
            axes, theirs = file.axes, file.asarray()
        place = [axes.index(code) for code in "TCLZYX" if code in axes]
        assert np.array_equal(theirs.transpose(place).reshape(array.shape), array), path


def test_what_the_settings_say(tmp_path: Path) -> None:
    meta = metadata(write(tmp_path / "a.oib", "XYCZ", LENGTHS, PIXELS))
    assert meta.get_voxel_size_micrometers() == pytest.approx((0.25, 0.25, 0.6))
    assert [channel.name for channel in meta.channels] == ["CHS1", "CHS2"]
    first = meta.channels[0]
    assert (first.excitation_wavelength_nm, first.emission_wavelength_nm, first.dye) == (488, 510, "EGFP")
    assert meta.objective is not None
    assert (meta.objective.magnification, meta.objective.numerical_aperture) == (60, 1.35)
    assert meta.objective.working_distance_um == 150
    assert meta.microscope is not None
    assert (meta.microscope.manufacturer, meta.microscope.model) == ("Olympus", "FLUOVIEW FV1000")
    assert meta.acquired_at is not None
    assert meta.acquired_at.isoformat() == "2021-03-04T05:06:07"
    assert (meta.source_axes, meta.file_format) == ("ZCYX", "OIB")
    movie = np.zeros((4, 1, 1, 1, 66, 70), "u1")
    assert metadata(write(tmp_path / "b.oib", "XYT", {"T": 4}, movie)).time_increment_s == 1.0


def test_spectral_axes_become_channels(tmp_path: Path) -> None:
    pixels = np.arange(6 * 66 * 70, dtype="u2").reshape(1, 2, 3, 1, 66, 70)
    with open_image(write(tmp_path / "a.oib", "XYLC", {"L": 3, "C": 2}, pixels)) as file:
        meta = file.images[0].metadata
        assert [channel.name for channel in meta.channels][2:4] == ["CHS1 lambda 2", "CHS2 lambda 0"]
        assert "C outermost: L" in (meta.note or "")
        assert np.array_equal(file.images[0].plane(c=4), pixels[0, 1, 1, 0])


def test_a_missing_plane_is_an_error_never_black(tmp_path: Path) -> None:
    for ending in ("oib", "oif"):
        path = write(tmp_path / f"a.{ending}", "XYCZ", LENGTHS, PIXELS, leave_out=("s_C002Z003.tif",))
        with open_image(path) as file:
            image = file.images[0]
            assert image.metadata.size_z == 3
            assert "1 planes are missing" in (image.metadata.note or "")
            assert np.array_equal(image.plane(c=1, z=1), PIXELS[0, 1, 0, 1])
            with pytest.raises(ReadError, match=r"plane t=0 c=1 z=2 is missing"):
                image.plane(c=1, z=2)


def test_the_planes_of_an_oif_are_its_parts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.oif", "XYCZ", LENGTHS, PIXELS)
    folder = tmp_path / "a.oif.files"
    with open_image(path) as file:
        assert min(file.files) == path
        assert len([item for item in file.files if item.suffix == ".tif"]) == 6
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as catalog:
        report = add([path, folder], catalog=catalog)
        assert (report.images, report.outcomes["added"], report.broken) == (1, 1, [])
        assert report.outcomes["part"] == len(list(folder.glob("*.tif")))
        assert add([path, folder], catalog=catalog).files_opened == 0
        plane = folder / "s_C001Z002.tif"
        plane.write_bytes((folder / "s_C001Z001.tif").read_bytes())
        assert add([path, folder], catalog=catalog).outcomes["changed"] == 1
        (image,) = catalog.list_images().images
        assert (image.path, image.revision) == (str(path), 2)


def test_a_plane_on_its_own_is_a_plain_tiff(tmp_path: Path) -> None:
    write(tmp_path / "a.oif", "XYCZ", LENGTHS, PIXELS)
    with open_image(tmp_path / "a.oif.files" / "s_C001Z001.tif") as file:
        assert file.reader == "tiff"
        assert np.array_equal(file.images[0].plane(), PIXELS[0, 0, 0, 0])


def test_nothing_outside_the_folder_is_opened(tmp_path: Path) -> None:
    inside = tmp_path / "library"
    inside.mkdir()
    path = write(inside / "a.oif", "XYCZ", LENGTHS, PIXELS)
    folder = inside / "a.oif.files"
    secret = folder / "s_C001Z001.tif"
    os.rename(secret, tmp_path / "secret.tif")  # noqa: PTH104
    secret.symlink_to(tmp_path / "secret.tif")
    with open_image(path) as file:
        assert secret not in file.files
        with pytest.raises(ReadError, match="is missing"):
            file.images[0].plane()
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ReadError, match="no folder"):
        open_image(path)
    folder.unlink()
    with pytest.raises(ReadError, match=r"no folder 'a\.oif\.files' beside it"):
        open_image(path)


@pytest.mark.parametrize(
    ("section", "keys", "reason"),
    [
        ("Axis Parameter Common", {"AxisOrder": '"XTC"'}, "no line scans"),
        ("Axis Parameter Common", {"AxisOrder": '"XYXY"'}, "describe no image"),
        ("Axis Parameter Common", {"AxisOrder": '""'}, "describe no image"),
        ("Axis 3 Parameters Common", {"AxisCode": '"Z"', "MaxSize": 2_000_000_000}, "planes"),
        ("Axis 0 Parameters Common", {"AxisCode": '"X"', "MaxSize": 69}, "is no plane of this image"),
    ],
)
def test_settings_that_make_no_sense(tmp_path: Path, section: str, keys: dict[str, object], reason: str) -> None:
    path = write(tmp_path / "a.oif", "XYCZ", LENGTHS, PIXELS)
    settings = {**sections("XYCZ", LENGTHS, PIXELS), section: keys}
    path.write_bytes(text(settings))
    with pytest.raises(ReadError, match=reason), open_image(path) as file:
        file.images[0].plane()


def test_tables_larger_than_the_file_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.oib", "XYCZ", LENGTHS, PIXELS)
    content = bytearray(path.read_bytes())
    content[72:76] = b"\xff\xff\xff\x7f"  # two thousand million tables of tables
    path.write_bytes(content)
    with pytest.raises(ReadError, match="the tables of the compound file"):
        open_image(path)


def test_other_compound_files_and_settings_are_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.oib", "XYCZ", LENGTHS, PIXELS)
    content = path.read_bytes().replace("OibInfo".encode("utf-16-le"), "WrdInfo".encode("utf-16-le"))
    (tmp_path / "letter.doc").write_bytes(content)
    assert recognise(tmp_path / "letter.doc") is None
    (tmp_path / "s_C001.pty").write_bytes(text({"Acquisition Parameters Common": {"a": 1}, "Axis 0 Parameters": {}}))
    assert recognise(tmp_path / "s_C001.pty") is None


@pytest.mark.samples
@pytest.mark.parametrize("name", ["oib/test.oib", "derived/oif/Cell 1 mitoEGFP.oif"])
def test_real_files_are_as_oiffile_reads_them(samples: Path, name: str) -> None:
    facts = json.loads((samples / "facts.json").read_text())["files"][name]["oiffile"]
    with open_image(samples / name) as file:
        assert file.reader == "oif"
        image = file.images[0]
        meta = image.metadata
        assert meta.shape == (1, 3, 1, 256, 256)
        assert hashlib.sha256(image.to_numpy().tobytes()).hexdigest() == facts["whole"]["sha256_c_order_le"]
        assert hashlib.sha256(image.plane().tobytes()).hexdigest() == facts["first_plane"]["sha256_c_order_le"]
    assert [channel.name for channel in meta.channels] == [item["CH Name"] for item in facts["channels"]][:3]
    assert [channel.excitation_wavelength_nm for channel in meta.channels] == [488, 543, 543]
    assert meta.get_voxel_size_micrometers() == (0.177, 0.177, None)
    assert meta.objective is not None
    assert meta.objective.name == "UPLFLN 40X NA:0.75"
