"""The conformance suite on all readers, and every reader against independent ones on real files."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coverslip.readers import recognise
from coverslip.testing import ReaderTests, check_against_expected
from tests.readers.generate_companion import make_companions
from tests.readers.generate_czi import make_czi
from tests.readers.generate_deltavision import make_deltavision
from tests.readers.generate_dicom import make_dicom
from tests.readers.generate_dm import make_dm
from tests.readers.generate_eer import make_eer
from tests.readers.generate_fov import make_fields
from tests.readers.generate_imaris import make_imaris
from tests.readers.generate_lif import make_lif
from tests.readers.generate_mrc import make_mrc
from tests.readers.generate_nd2 import make_nd2
from tests.readers.generate_nifti import make_nifti
from tests.readers.generate_numbered import make_numbered
from tests.readers.generate_oif import make_oif
from tests.readers.generate_ome_zarr import make_ome_zarr
from tests.readers.generate_picture import make_pictures
from tests.readers.generate_series import make_series
from tests.readers.generate_slide import make_slides
from tests.readers.generate_tiff import make_tiff
from tests.readers.generate_video import make_video

Array = np.ndarray[Any, np.dtype[Any]]


class TestCzi(ReaderTests):
    reader_name = "czi"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_czi(folder)


class TestLif(ReaderTests):
    reader_name = "lif"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_lif(folder)


class TestMrc(ReaderTests):
    reader_name = "mrc"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_mrc(folder)


class TestNd2(ReaderTests):
    reader_name = "nd2"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_nd2(folder)


class TestOmeZarr(ReaderTests):
    reader_name = "ome-zarr"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_ome_zarr(folder)


class TestTiff(ReaderTests):
    reader_name = "tiff"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_tiff(folder)


class TestDeltaVision(ReaderTests):
    reader_name = "deltavision"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_deltavision(folder)


class TestDicom(ReaderTests):
    reader_name = "dicom"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_dicom(folder)


class TestCompanion(ReaderTests):
    reader_name = "ome-companion"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_companions(folder)


class TestFov(ReaderTests):
    reader_name = "fov"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_fields(folder)


class TestNumbered(ReaderTests):
    reader_name = "numbered"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_numbered(folder)

    def test_content_is_recognised_under_a_false_name(
        self, made: Mapping[Path, Sequence[Array]], tmp_path: Path
    ) -> None:
        """The name is what makes a file one of a set; without it, it is the TIFF that it is."""
        for number, path in enumerate(made):
            copy = tmp_path / f"{number}" / "content.dat"
            copy.parent.mkdir()
            shutil.copyfile(path, copy)
            reader = recognise(copy)
            assert reader is not None
            assert reader.name == "tiff"


class TestDicomSeries(ReaderTests):
    reader_name = "dicom"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_series(folder)


class TestDicomSlide(ReaderTests):
    reader_name = "dicom"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_slides(folder)


class TestDm(ReaderTests):
    reader_name = "dm"
    magic_bytes = 64

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_dm(folder)


class TestEer(ReaderTests):
    reader_name = "eer"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_eer(folder)


class TestImaris(ReaderTests):
    reader_name = "imaris"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_imaris(folder)


class TestNifti(ReaderTests):
    reader_name = "nifti"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_nifti(folder)


class TestOif(ReaderTests):
    reader_name = "oif"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_oif(folder)


class TestPicture(ReaderTests):
    reader_name = "picture"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_pictures(folder)


class TestVideo(ReaderTests):
    reader_name = "video"

    def files(self, folder: Path) -> Mapping[Path, Sequence[Array]]:
        return make_video(folder)


@pytest.mark.samples
@pytest.mark.parametrize("reader", ["czi", "lif", "mrc", "nd2", "ome-zarr", "tiff"])
def test_real_files_are_as_expected(reader: str, samples: Path, record_property: Callable[[str, object], None]) -> None:
    report = check_against_expected(samples, reader)
    record_property("oracle", report.line)
    assert report.right
    assert report.wrong == ()
    assert report.refused == ()
