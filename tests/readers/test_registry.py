import gzip
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from coverslip.errors import (
    CoverslipError,
    MislabelledFileError,
    MissingDependencyError,
    ReadError,
    RegionError,
    UnreadableFileError,
    UnsupportedFormatError,
)
from coverslip.model import ImageMetadata, Probe, Region
from coverslip.readers import extensions, formats, install_command, open_image, readers, recognise
from coverslip.readers.image import Image
from coverslip.readers.turns import Turns
from tests.readers.generate_czi import make_czi
from tests.readers.generate_deltavision import make_deltavision
from tests.readers.generate_dicom import make_dicom
from tests.readers.generate_imaris import make_imaris
from tests.readers.generate_lif import make_lif
from tests.readers.generate_mrc import make_mrc, write
from tests.readers.generate_nd2 import make_nd2
from tests.readers.generate_nifti import make_nifti
from tests.readers.generate_oif import make_oif
from tests.readers.generate_ome_zarr import make_ome_zarr, write_image
from tests.readers.generate_picture import make_pictures
from tests.readers.generate_tiff import make_tiff
from tests.readers.generate_video import make_video

NOBODY = 65534
ALL = [
    "czi",
    "deltavision",
    "dicom",
    "dm",
    "eer",
    "fov",
    "imaris",
    "lif",
    "mrc",
    "nd2",
    "nifti",
    "numbered",
    "oif",
    "ome-companion",
    "ome-zarr",
    "picture",
    "tiff",
    "video",
]

STRANGER = """
import importlib

from coverslip.model import ImageMetadata, Probe


class _Image:
    metadata = ImageMetadata(name="one", file_format="Stranger", size_y=2, size_x=3, dtype="uint8")

    def read(self, level, region):
        numpy = importlib.import_module("numpy")
        return numpy.ones(region.shape, {dtype!r})


class _Opened:
    def __init__(self, path):
        self.images, self.files = {images}, (path,)

    def close(self):
        pass


class _Stranger:
    name, title, extensions, package, module = "stranger", "Stranger", (".strange",), "strange-package", {module!r}

    def recognises(self, probe: Probe):
        return probe.head.startswith(b"STRANGE")

    def open(self, path):
        {opening}
        return _Opened(path)


reader = _Stranger()
"""


@contextmanager
def installed(
    folder: Path, *, module: str = "json", dtype: str = "uint8", images: str = "(_Image(),)", opening: str = "pass"
) -> Iterator[Path]:
    """Install a reader as another distribution would, for a while; gives a file that it recognises."""
    package = folder / f"site_{len(list(folder.iterdir()))}"
    info = package / "stranger-1.0.dist-info"
    info.mkdir(parents=True)
    name = f"stranger_{abs(hash(package))}"
    (package / f"{name}.py").write_text(STRANGER.format(module=module, dtype=dtype, images=images, opening=opening))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[coverslip.readers]\nstranger = {name}:reader\n")
    (package / "data.bin").write_bytes(b"STRANGE data")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(package))
        readers.cache_clear()
        try:
            yield package / "data.bin"
        finally:
            readers.cache_clear()


@contextmanager
def unprivileged() -> Iterator[None]:
    """Run as nobody while the tests run as root, to whom nothing is denied."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder below which nobody, too, can see: pytest's own are private."""
    folder = Path(tempfile.mkdtemp(prefix="coverslip-test-"))
    folder.chmod(0o755)
    yield folder
    for item in (folder, *folder.rglob("*")):
        item.chmod(0o755)
    shutil.rmtree(folder)


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_all_readers_are_found_and_described() -> None:
    assert list(readers()) == ALL
    for name, reader in readers().items():
        assert reader.name == name
        assert reader.title
        assert all(ending.startswith(".") and ending == ending.lower() for ending in reader.extensions)
        for place, ending in enumerate(reader.extensions):
            assert not ending.endswith(reader.extensions[:place]), f"{name}: {ending} comes after what it ends with"
    assert all(found.available for found in formats())
    assert {".tif", ".czi", ".nd2", ".lif", ".mrc", ".rec", ".st", ".zarr"} <= set(extensions())


def test_an_unknown_file_says_what_was_seen_and_tried(tmp_path: Path) -> None:
    path = put(tmp_path / "notes.xyz", b"Dear diary, nothing new.")
    assert recognise(path) is None
    with pytest.raises(UnsupportedFormatError) as caught:
        open_image(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: no reader. First 8 bytes: b'Dear dia'.")
    assert f"Tried: {', '.join(ALL)}." in message


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"PK\x03\x04" + bytes(40), "unpack it first"),
        (gzip.compress(b"text", mtime=0), "unpack it first"),
        (b"just text", "The name says .*, the content does not"),
    ],
)
@pytest.mark.parametrize("ending", [".czi", ".nd2", ".lif", ".tif", ".ome.tiff", ".mrc", ".zarr"])
def test_content_that_is_something_else(tmp_path: Path, content: bytes, hint: str, ending: str) -> None:
    with pytest.raises(MislabelledFileError, match=hint):
        open_image(put(tmp_path / f"image{ending}", content))


@pytest.mark.parametrize("name", ["notes.xyz", "tif", "image.tif.part", "archive.zip"])
def test_a_name_that_promises_nothing_is_not_mislabelled(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.czi").mkdir()
    for path in (put(tmp_path / name, b"PK\x03\x04" + bytes(40)), put(tmp_path / "x", b""), tmp_path / "folder.czi"):
        with pytest.raises(UnsupportedFormatError) as caught:
            open_image(path)
        assert not isinstance(caught.value, MislabelledFileError)


@pytest.mark.parametrize("content", [b'{"version":3,"mappings":"A"}', b")]}'\n{}", b'\n{"version": 3}'])
def test_a_source_map_is_no_damaged_density_map(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnsupportedFormatError) as caught:
        open_image(put(tmp_path / "page.js.map", content))
    assert not isinstance(caught.value, MislabelledFileError)
    with pytest.raises(MislabelledFileError):
        open_image(put(tmp_path / "emd_1234.map", b"<html>not found"))


@pytest.mark.parametrize("ending", [".czi", ".nd2", ".lif", ".tif", ".mrc", ".zarr"])
def test_an_empty_file(tmp_path: Path, ending: str) -> None:
    path = put(tmp_path / f"image{ending}", b"")
    for call in (open_image, recognise):
        with pytest.raises(ReadError, match=r"the file is empty \(0 bytes\). Copy it again"):
            call(path)


def test_an_empty_file_that_promises_no_image_is_unknown_not_broken(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormatError, match="the file is empty"):
        open_image(put(tmp_path / "__init__.py", b""))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"nowhere\.tif: there is no such file"):
        open_image(tmp_path / "nowhere.tif")
    with pytest.raises(UnreadableFileError, match=r"below\.tif: cannot be read"):
        open_image(put(tmp_path / "file", b"x") / "below.tif")
    (tmp_path / "link.mrc").symlink_to(tmp_path / "gone.mrc")
    with pytest.raises(UnreadableFileError, match="there is no such file"):
        open_image(tmp_path / "link.mrc")


def test_a_folder_that_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "day 1").mkdir()
    write(tmp_path / "day 1" / "a.mrc", np.ones((2, 3), "i2"))
    with pytest.raises(UnsupportedFormatError, match="coverslip add"):
        open_image(tmp_path / "day 1")
    assert recognise(tmp_path / "day 1") is None


def test_a_file_without_permission(open_folder: Path) -> None:
    path = write(open_folder / "secret.mrc", np.ones((2, 3), "i2"))
    assert recognise(path) is not None
    path.chmod(0)
    with unprivileged(), pytest.raises(UnreadableFileError, match=r"secret\.mrc: permission denied"):
        open_image(path)


def test_folders_and_chunks_without_permission(open_folder: Path) -> None:
    path = write_image(open_folder / "secret.zarr", np.ones((8, 8), "u1"), "yx")
    assert recognise(path) is not None
    chunk = path / "0" / "0" / "0"
    with open_image(path) as file:
        # A chunk that may not be read is no missing chunk: it must not come out as the fill value.
        chunk.chmod(0)
        with unprivileged(), pytest.raises(UnreadableFileError, match="Permission denied"):
            file.images[0].plane()
    (path / ".zattrs").chmod(0)
    with unprivileged(), pytest.raises(UnreadableFileError, match="Permission denied"):
        open_image(path)
    path.chmod(0)
    with unprivileged(), pytest.raises(UnreadableFileError, match=r"secret\.zarr: the folder cannot be looked into"):
        open_image(path)
    open_folder.chmod(0)
    with unprivileged(), pytest.raises(UnreadableFileError, match="permission denied"):
        open_image(path)


def test_the_content_decides_not_the_ending(tmp_path: Path) -> None:
    volume = np.arange(24, dtype="i2").reshape(2, 3, 4)
    tifffile.imwrite(tmp_path / "tiff.tif", volume[0])
    write(tmp_path / "mrc.mrc", volume)
    for name, called, reader in (
        ("tiff.tif", "a.mrc", "tiff"),
        ("mrc.mrc", "a.tif", "mrc"),
        ("mrc.mrc", "b.czi", "mrc"),
    ):
        shutil.copy(tmp_path / name, tmp_path / called)
        with open_image(tmp_path / called) as file:
            assert file.reader == reader
            assert np.array_equal(file.images[0].plane(), volume[0])
    write_image(tmp_path / "folder.nd2", np.ones((8, 8), "u1"), "yx")
    with open_image(str(tmp_path / "folder.nd2")) as file:
        assert file.reader == "ome-zarr"


def test_every_reader_leaves_the_files_of_all_others_alone(tmp_path: Path) -> None:
    made = {
        "czi": make_czi,
        "deltavision": make_deltavision,
        "dicom": make_dicom,
        "imaris": make_imaris,
        "lif": make_lif,
        "mrc": make_mrc,
        "nd2": make_nd2,
        "nifti": make_nifti,
        "oif": make_oif,
        "ome-zarr": make_ome_zarr,
        "picture": make_pictures,
        "tiff": make_tiff,
        "video": make_video,
    }
    for owner, make in made.items():
        (tmp_path / owner).mkdir()
        for path in make(tmp_path / owner):
            head = b"" if path.is_dir() else path.read_bytes()[:4096]
            probe = Probe(path=path, size=len(head) and path.stat().st_size, head=head, is_folder=path.is_dir())
            assert [name for name, reader in readers().items() if reader.recognises(probe)] == [owner], path


def test_a_strangers_reader_is_found_by_its_entry_point(tmp_path: Path) -> None:
    with installed(tmp_path) as path:
        assert "stranger" in readers()
        with open_image(path) as file:
            assert file.reader == "stranger"
            assert file.images[0].read(0, Region(x=(1, 3))).tolist() == [[[[[1, 1], [1, 1]]]]]
            assert repr(file) == "<ImageFile 'data.bin' read by stranger, 1 image(s)>"
            assert repr(file.images[0]) == "<Image 'one' T1 C1 Z1 Y2 X3 uint8>"
    assert "stranger" not in readers()


def test_a_missing_package_is_named_with_the_command_that_mends_it(tmp_path: Path) -> None:
    with installed(tmp_path, module="module_that_is_not_there") as path:
        with pytest.raises(MissingDependencyError, match="pip install strange-package") as caught:
            open_image(path)
        assert caught.value.package == "strange-package"
        assert str(path) in str(caught.value)
        found = next(item for item in formats() if item.reader == "stranger")
        assert (found.available, found.package) == (False, "strange-package")


def test_a_package_of_an_extra_is_installed_by_the_extra() -> None:
    assert install_command("pydicom") == 'pip install "coverslip[formats]" (or just: pip install pydicom)'
    assert install_command("oiffile") == 'pip install "coverslip[formats]" (or just: pip install oiffile)'
    assert install_command("tifffile") == "pip install tifffile"


def test_every_package_of_a_reader_can_be_installed_by_its_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = put(tmp_path / "scan.dcm", bytes(128) + b"DICM")
    monkeypatch.setattr(readers()["dicom"], "module", "module_that_is_not_there", raising=True)
    with pytest.raises(MissingDependencyError, match=r'pip install "coverslip\[formats\]"') as caught:
        open_image(path)
    assert caught.value.package == "pydicom"
    assert [item.reader for item in formats() if not item.available] == ["dicom"]
    assert [item.reader for item in formats() if item.experimental] == ["eer", "imaris"]
    missing = next(item for item in formats() if not item.available)
    assert missing.reason == "the package 'pydicom' is not installed"
    assert missing.install == install_command("pydicom")


def test_a_package_that_lacks_another_one_is_named_too(tmp_path: Path) -> None:
    with installed(tmp_path, opening="import codec_that_is_not_there.fast") as path:
        with pytest.raises(MissingDependencyError, match="pip install codec_that_is_not_there") as caught:
            open_image(path)
        assert caught.value.package == "codec_that_is_not_there"


@pytest.mark.parametrize(
    "raised", ["KeyError('Dimensions')", "MemoryError()", "RecursionError()", "OSError('no errno')", "OSError(22, 'x')"]
)
def test_whatever_a_reader_raises_becomes_a_read_error(tmp_path: Path, raised: str) -> None:
    with installed(tmp_path, opening=f"raise {raised}") as path, pytest.raises(ReadError) as caught:
        open_image(path)
    assert str(caught.value).startswith(f"{path}: opening")
    assert not isinstance(caught.value, UnreadableFileError)


@pytest.mark.parametrize(
    "opening",
    [
        "raise OSError(5, 'I/O error')",
        "import errno; raise OSError(errno.ESTALE, 'Stale file handle')",
        "import errno; raise OSError(errno.ETIMEDOUT, 'Connection timed out')",
        "raise OSError(24, 'Too many open files')",
        "raise RuntimeError('library') from PermissionError(13, 'Permission denied')",
        "from coverslip.errors import ReadError; raise ReadError(f'{path}: no luck') from OSError(5, 'I/O error')",
        "from coverslip.errors import ReadError; raise ReadError('no luck') from OSError(5, 'I/O error')",
        "path.unlink(); path.open()",
    ],
)
def test_a_disk_in_trouble_says_nothing_about_the_file(tmp_path: Path, opening: str) -> None:
    with installed(tmp_path, opening=opening) as path, pytest.raises(UnreadableFileError, match=r"data\.bin: "):
        open_image(path)


def test_a_part_that_a_file_names_and_that_is_missing_is_damage(tmp_path: Path) -> None:
    with installed(tmp_path, opening="path.with_name('other.bin').open()") as path:
        with pytest.raises(ReadError, match=r"other\.bin") as caught:
            open_image(path)
        assert not isinstance(caught.value, UnreadableFileError)


def test_what_a_reader_raises_is_in_the_log_with_its_place(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="coverslip.readers")
    with installed(tmp_path, opening="path.misspelled()") as path, pytest.raises(ReadError, match="AttributeError"):
        open_image(path)
    assert "path.misspelled()" in caplog.text
    assert {record.levelname for record in caplog.records} == {"DEBUG"}


def test_a_reader_that_breaks_its_promises_is_caught(tmp_path: Path) -> None:
    with installed(tmp_path, dtype="uint16") as path, open_image(path) as file:
        image = file.images[0]
        with pytest.raises(ReadError, match="the metadata promises"):
            image.to_numpy()
    with installed(tmp_path, images="()") as path, pytest.raises(ReadError, match="holds no image"):
        open_image(path)


@pytest.mark.samples
def test_no_bad_sample_raises_anything_but_our_errors(samples: Path) -> None:
    bad = [path for path in (samples / "bad").rglob("*") if path.is_file() and "broken_v05" not in str(path)]
    assert len(bad) > 15
    for path in bad:
        reason = _reason(path)
        assert reason is None or path.name in reason, f"{path}: the message does not name it: {reason}"


def _reason(path: Path) -> str | None:
    """Return why a file cannot be read, if so."""
    try:
        with open_image(path) as file:
            for image in file.images:
                image.to_numpy()
    except CoverslipError as error:
        return str(error)
    return None


class Huge:
    """An image whose pixels nobody could hold."""

    metadata = ImageMetadata(name="huge", file_format="TIFF", size_y=1 << 22, size_x=1 << 22, dtype="uint8")

    def read(self, level: int, region: Region) -> Any:
        raise AssertionError(f"nobody may ask for {region}")


def test_more_than_the_machine_holds_is_refused_before_it_is_allocated(tmp_path: Path) -> None:
    image = Image(Huge(), tmp_path / "huge.tif", Turns(is_concurrent=False), open_image, 0)
    with pytest.raises(RegionError, match=r"huge\.tif: these pixels need 16384\.0 GiB at once"):
        image.read()
