"""What files may cost: honest files pass, however well their blackness packs, and files that lie do not."""

import bz2
import gzip
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from coverslip import open_image
from coverslip.errors import BudgetError, ReadError, RegionError
from coverslip.model import Budgets
from coverslip.readers.budgets import HARMLESS_BYTES, budgets, check_piece, check_xml_bytes, within
from tests.readers.generate_czi import ZSTD0, Block
from tests.readers.generate_czi import write as write_czi
from tests.readers.generate_mrc import make_mrc
from tests.readers.generate_nd2 import write as write_nd2
from tests.readers.generate_nd2 import write_legacy, xml
from tests.readers.generate_nifti import make_nifti

BLACK: NDArray[np.uint8] = np.zeros((9000, 8000), np.uint8)
assert BLACK.nbytes > HARMLESS_BYTES


def is_black(path: Path) -> bool:
    """Return whether a file opens and its first and last rows are read as zeros."""
    with open_image(path) as file:
        image = file.images[0]
        assert image.metadata.shape[3:5] == BLACK.shape
        return not image.plane().any()


@pytest.mark.parametrize("compression", [None, "deflate", "lzw", "zstd", "lzma", "packbits", "jpeg"])
@pytest.mark.parametrize("strip", [9000, 8999], ids=["one strip", "a strip and a row"])
def test_black_tiffs(compression: str | None, strip: int, tmp_path: Path) -> None:
    options = {} if compression is None else {"compression": compression}
    tifffile.imwrite(tmp_path / "a.tif", BLACK, rowsperstrip=strip, **options)  # type: ignore[arg-type]
    assert is_black(tmp_path / "a.tif")


def test_codecs_without_a_bound_have_that_of_the_budget(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, BLACK, rowsperstrip=9000, compression="lerc")
    with (
        open_image(path) as file,
        pytest.raises(BudgetError, match=r"strip 0 of page 0 unpacks .* times as many; 50,000 may") as told,
    ):
        file.images[0].plane()
    assert told.value.budget == "ratio"
    assert str(told.value).startswith(f"{path}: ")
    with open_image(path, Budgets(ratio=10_000_000)) as file:
        assert not file.images[0].plane().any()


def test_other_black_files(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), BLACK)
    cv2.imwrite(str(tmp_path / "a.jpg"), BLACK)
    write_czi(tmp_path / "a.czi", [Block(BLACK, "YX", {}, compression=ZSTD0)])
    write_nd2(tmp_path / "a.nd2", [BLACK[:, :, None].astype("u2")], [], names=("black",), is_packed=True)
    for name in ("a.png", "a.jpg", "a.czi", "a.nd2"):
        assert is_black(tmp_path / name), name


@pytest.mark.parametrize("compressor", ["blosc", "gzip", "zstd"])
def test_black_zarr(compressor: str, tmp_path: Path) -> None:
    codec = {"blosc": BloscCodec(), "gzip": GzipCodec(), "zstd": ZstdCodec()}
    group = zarr.create_group(tmp_path / "a.zarr")
    array = group.create_array("0", shape=BLACK.shape, chunks=BLACK.shape, dtype="u1", compressors=[codec[compressor]])
    array[:] = BLACK
    array[0, 0] = 1  # or nothing would be stored
    axes: list[Any] = [{"name": name, "type": "space"} for name in "yx"]
    datasets: list[Any] = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1]}]}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    with open_image(tmp_path / "a.zarr") as file:
        assert int(file.images[0].plane().sum()) == 1
    with (
        open_image(tmp_path / "a.zarr", Budgets(plane_bytes=1 << 20)) as file,
        pytest.raises(BudgetError, match=r"a chunk of \[9000, 8000\] unpacks to 72,000,000 bytes; 1,048,576 may be"),
    ):
        file.images[0].plane()


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_black_volumes(ending: str, pack: object, tmp_path: Path) -> None:
    assert callable(pack)
    source = next(path for path in make_mrc(tmp_path) if path.suffix == ".mrc")
    head = bytearray(source.read_bytes()[:1024])
    struct.pack_into("<4i", head, 0, 8000, 9000, 1, 0)
    struct.pack_into("<3i", head, 28, 8000, 9000, 1)
    struct.pack_into("<i", head, 92, 0)
    (tmp_path / f"a.mrc{ending}").write_bytes(pack(bytes(head) + BLACK.tobytes()))
    path = tmp_path / f"a.mrc{ending}"
    if ending == ".bz2":  # which packs zeros without a bound
        with pytest.raises(BudgetError, match=r"the file unpacks .* times as many; 50,000 may be"):
            open_image(path)
        with open_image(path, Budgets(ratio=1_000_000)) as file:
            assert not file.images[0].plane().any()
    else:
        assert is_black(path)


def test_a_black_nifti(tmp_path: Path) -> None:
    head = bytearray(next(path for path in make_nifti(tmp_path) if path.suffix == ".nii").read_bytes()[:352])
    order = "<" if head[:4] == b"\x5c\x01\0\0" else ">"
    struct.pack_into(f"{order}8h", head, 40, 2, 8000, 9000, 1, 1, 1, 1, 1)
    struct.pack_into(f"{order}2h", head, 70, 2, 8)
    struct.pack_into(f"{order}f", head, 108, 352)
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(bytes(head) + BLACK.tobytes()))
    with open_image(tmp_path / "a.nii.gz") as file:
        assert not file.images[0].plane().any()


def test_a_strip_cannot_promise_what_no_codec_could_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((16, 16), "u1"), compression="deflate", rowsperstrip=16)
    with tifffile.TiffFile(path) as file:
        tags = [file.pages.first.tags[name] for name in ("ImageWidth", "ImageLength", "RowsPerStrip")]
        places = {tag.valueoffset: "<H" if tag.dtype == 3 else "<I" for tag in tags}
    data = bytearray(path.read_bytes())
    for place, form in places.items():
        struct.pack_into(form, data, place, 60_000)
    path.write_bytes(data)
    with open_image(path) as file, pytest.raises(ReadError, match=r"strip 0 of page 0 promises 3600000000 bytes"):
        file.images[0].plane()
    with open_image(path, Budgets(plane_bytes=1 << 20)) as file, pytest.raises(BudgetError, match="3,600,000,000"):
        file.images[0].plane()


@pytest.mark.parametrize("name", ["pixels", "pages"])
def test_what_a_file_may_promise(name: str, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 16, 16), "u1"), photometric="minisblack", compression="zlib")
    setting = f"COVERSLIP_BUDGET_{name.upper()}"
    with pytest.raises(BudgetError, match=rf"a\.tif: .*; 2 may be\. If the file is right, raise {setting}$") as told:
        open_image(tmp_path / "a.tif", Budgets(**{name: 2}))
    assert (told.value.budget, told.value.allowed) == (name, 2)
    assert told.value.asked == {"pixels": 768, "pages": 3}[name]


def test_budgets_hold_for_the_reads_of_a_file_and_for_lazy_arrays(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((64, 64), "u1"), compression="zlib")
    with open_image(tmp_path / "a.tif", Budgets(memory_bytes=100)) as file:
        with pytest.raises(RegionError, match="Read a smaller region"):
            file.images[0].plane()
        with pytest.raises(RegionError, match="Read a smaller region"):
            np.asarray(file.images[0].to_dask())
    assert budgets() == Budgets()
    with within(Budgets(xml_bytes=5)), pytest.raises(BudgetError, match="an XML document of 6 bytes; 5 may be"):
        check_xml_bytes(6)
    assert budgets() == Budgets()


def test_small_pieces_hurt_nobody() -> None:
    check_piece(HARMLESS_BYTES, 1, 1, "a strip")
    with pytest.raises(ReadError, match="a strip promises"):
        check_piece(HARMLESS_BYTES + 1, 1, 1, "a strip")


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
)
BOMB += ']><x name="&j;">&j;</x>'


def test_document_types_in_an_nd2_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.readers.generate_nd2.xml", lambda content: BOMB.encode() + xml(content))
    write_nd2(tmp_path / "a.nd2", [np.zeros((3, 4, 1), "u1")], [], names=("GFP",), version="2.1")
    with pytest.raises(ReadError, match="declares a document type; Nikon's never do"):
        open_image(tmp_path / "a.nd2")


def test_document_types_in_a_legacy_nd2_are_refused(tmp_path: Path) -> None:
    path = write_legacy(tmp_path / "a.nd2", [np.zeros((32, 48), "u2")], "GFP")
    data = path.read_bytes()
    start = b"<variant><T runtype='double' value='1'/>"
    path.write_bytes(data.replace(start, b"<!DOCTYPE x><a/>".ljust(len(start)), 1))
    with pytest.raises(ReadError, match="the document 'VCAL' declares a document type"):
        open_image(path)


@pytest.mark.parametrize("code", [700, 34683, 51023, 65000])
def test_document_types_in_any_tag_of_a_tiff_are_refused(code: int, tmp_path: Path) -> None:
    tag = (code, 1 if code == 700 else 2, len(BOMB) + 1, BOMB.encode() + b"\0", True)
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((16, 16), "u1"), extratags=[tag])
    with pytest.raises(ReadError, match=f"tag {code} declares a document type"):
        open_image(tmp_path / "a.tif")


def test_links_of_a_zarr_are_not_followed_out_of_it(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(range(64)))
    group = zarr.create_group(tmp_path / "a.zarr")
    for name in ("0", "1"):
        group.create_array(name, shape=(8, 8), chunks=(8, 8), dtype="u1", compressors=None)[:] = 7
    datasets: list[Any] = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1]}]}]
    axes: list[Any] = [{"name": name, "type": "space"} for name in "yx"]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    chunk = tmp_path / "a.zarr" / "0" / "c" / "0" / "0"
    chunk.unlink()
    chunk.symlink_to(secret)
    with open_image(tmp_path / "a.zarr") as file, pytest.raises(ReadError, match="a link leads out of the folder"):
        file.images[0].plane()
    (tmp_path / "a.zarr" / "1").rename(tmp_path / "elsewhere")
    (tmp_path / "a.zarr" / "1").symlink_to(tmp_path / "elsewhere")
    datasets[0]["path"] = "1"
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    with pytest.raises(ReadError, match="a link leads out of the folder"):
        open_image(tmp_path / "a.zarr")
    (tmp_path / "link.zarr").symlink_to(tmp_path / "a.zarr")  # the image itself may be one
    (tmp_path / "a.zarr" / "1").unlink()
    (tmp_path / "elsewhere").rename(tmp_path / "a.zarr" / "1")
    with open_image(tmp_path / "link.zarr") as file:
        assert file.images[0].plane().min() == 7
