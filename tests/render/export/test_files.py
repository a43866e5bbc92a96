"""Files are decoded by other libraries: Pillow, tifffile, PDFium and an XML parser."""

import base64
import io
import json
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pypdfium2
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from coverslip.errors import ExportError
from coverslip.model import Region
from coverslip.model.export import Caption, ChannelLook, ColorBar, ExportSpec, FileForm, Legend, MaskLook, ScaleBar
from coverslip.render.export import (
    ContactSheet,
    Figure,
    Fov,
    PdfGallery,
    RawImage,
    Window,
    encode_figure,
    figure_of,
    flatten,
    raw_image,
    tiles_of,
    whole,
    write_raw,
    write_tiles,
)
from tests.render.export.fields import IMMUNE, Array, fov_of

PROVENANCE = {"Software": "Coverslip", "Source": "FOV1 µ", "Note": "β"}
FORMS: tuple[FileForm, ...] = ("png", "jpeg", "webp", "tiff", "ome-tiff", "svg", "pdf")
SVG = "{http://www.w3.org/2000/svg}"


def figure(**more: Any) -> Figure:
    spec = ExportSpec(
        markers=IMMUNE, masks=(MaskLook(mask="whole_cell"),), scale_bar=ScaleBar(color="#ff00ff"), dpi=254, **more
    )
    fov = fov_of(120, 160, pixel_um=(0.5, 0.39))
    return figure_of(fov, spec, whole(fov.size))


def picture_of(data: bytes) -> tuple[Array, Any]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB")), dict(image.info) | {"exif": image.getexif()}


def pages(data: bytes) -> Any:
    return pypdfium2.PdfDocument(data)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_figure_gives_the_same_bytes(form: FileForm) -> None:
    assert encode_figure(figure(), form, PROVENANCE) == encode_figure(figure(), form, PROVENANCE)


def test_a_png_has_all_pixels_its_density_and_how_it_was_made() -> None:
    pixels, info = picture_of(encode_figure(figure(), "png", PROVENANCE))
    np.testing.assert_array_equal(pixels, flatten(figure()))
    assert info["dpi"] == pytest.approx((254, 254), abs=0.02)
    assert {name: info[name] for name in PROVENANCE} == PROVENANCE


def test_a_jpeg_is_close_and_has_its_density() -> None:
    pixels, info = picture_of(encode_figure(figure(), "jpeg", {"Software": "Coverslip"}))
    assert np.abs(pixels.astype(int) - flatten(figure())).mean() < 6
    assert info["dpi"] == (254, 254)
    assert info["comment"] == b"Software: Coverslip"


def test_a_webp_is_close_and_has_its_density() -> None:
    pixels, info = picture_of(encode_figure(figure(), "webp", PROVENANCE))
    assert pixels.shape == flatten(figure()).shape
    assert info["exif"][282] == 254
    assert info["exif"][296] == 2


@pytest.mark.parametrize("form", ["tiff", "ome-tiff"])
def test_a_tiff_has_all_pixels_its_density_and_the_size_of_a_pixel(form: FileForm) -> None:
    with tifffile.TiffFile(io.BytesIO(encode_figure(figure(downsample=2), form, PROVENANCE))) as file:
        np.testing.assert_array_equal(file.asarray(), flatten(figure(downsample=2)))
        tags = file.pages.first.tags
        assert tags["XResolution"].value[0] / tags["XResolution"].value[1] == 254
        assert tags["ResolutionUnit"].value == 2
        if form == "tiff":
            said = json.loads(file.pages.first.description)
            assert (said["PhysicalSizeX"], said["PhysicalSizeY"], said["Note"]) == (0.78, 1.0, "β")
            return
        assert file.ome_metadata is not None
        pixels = ET.fromstring(file.ome_metadata).find(".//{*}Pixels")
        assert pixels is not None
        assert (pixels.get("PhysicalSizeX"), pixels.get("PhysicalSizeY")) == ("0.78", "1.0")
        assert "FOV1 µ" in file.ome_metadata


@pytest.mark.parametrize("form", ["png", "tiff", "ome-tiff", "pdf"])
def test_pictures_are_compressed_where_that_saves_room_and_stored_where_it_does_not(form: FileForm) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (200, 300, 3), np.uint8)
    stored = encode_figure(Figure(noise, 300, 200), form)
    assert noise.nbytes <= len(stored) < 1.02 * noise.nbytes + 3000
    flat = np.repeat(noise[:, ::50], 50, axis=1)
    assert len(encode_figure(Figure(flat, 300, 200), form)) < flat.nbytes / 10
    for made, pixels in ((stored, noise), (encode_figure(Figure(flat, 300, 200), form), flat)):
        if form == "pdf":
            (image,) = pages(made)[0].get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])
            found = np.asarray(image.get_bitmap().to_pil().convert("RGB"))
        else:
            found = picture_of(made)[0]
        np.testing.assert_array_equal(found, pixels)


def test_an_svg_has_the_picture_as_it_is_and_bar_and_label_as_vectors() -> None:
    made = figure(caption=Caption(template="{fov} <&> \x01"))
    root = ET.fromstring(encode_figure(made, "svg", PROVENANCE))
    assert root.get("width") == f"{made.width / 254:.6g}in"
    image = root.find(f"{SVG}image")
    assert image is not None
    pixels, _ = picture_of(base64.b64decode(image.attrib["{http://www.w3.org/1999/xlink}href"].split(",")[1]))
    np.testing.assert_array_equal(pixels, made.pixels)
    (bar,) = [one for one in root.findall(f"{SVG}rect") if one.get("fill") == "#ff00ff"]
    assert made.bar is not None
    assert bar.get("width") == str(made.bar.drawn)
    texts = [one.text for one in root.findall(f"{SVG}text")]
    assert texts == [made.bar.label, "FOV1 <&> "]


def test_a_pdf_has_its_true_size_the_picture_and_text_as_text() -> None:
    made = figure()
    document = pages(encode_figure(made, "pdf", PROVENANCE))
    page = document[0]
    assert page.get_size() == pytest.approx((160 / 254 * 72, 120 / 254 * 72), abs=0.01)
    assert made.bar is not None
    assert made.bar.label in page.get_textpage().get_text_range()
    (image,) = page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])
    np.testing.assert_array_equal(np.asarray(image.get_bitmap().to_pil().convert("RGB")), made.pixels)
    assert "FOV1 µ" in document.get_metadata_dict()["Subject"]


def test_the_bar_of_a_pdf_is_as_long_as_it_says() -> None:
    made = figure()
    assert made.bar is not None
    picture = np.asarray(pages(encode_figure(made, "pdf", {}))[0].render(scale=254 / 72 * 8).to_pil().convert("RGB"))
    hit = (np.abs(picture.astype(int) - (255, 0, 255)) < 40).all(axis=2)
    ends = [np.flatnonzero(np.diff(np.pad(row.astype(int), 1))) for row in hit]
    longest = max((one[1::2] - one[::2]).max(initial=0) for one in ends)
    assert longest / 8 == pytest.approx(made.bar.drawn, abs=0.3)
    assert abs(longest / 8 * 0.39 - made.bar.length_um) <= 0.5 * 0.39 + 0.3 * 0.39


@pytest.mark.parametrize("form", FORMS)
def test_pictures_of_one_pixel_and_of_odd_sides_are_files(form: FileForm) -> None:
    for window in (Window(3, 3, 4, 4), Window(0, 0, 7, 3)):
        data = encode_figure(figure_of(fov_of(), ExportSpec(markers=IMMUNE), window), form)
        assert len(data) > 50
        if form not in {"svg", "pdf"}:
            assert picture_of(data)[0].shape == (window.height, window.width, 3)


def test_what_is_too_large_for_a_format_is_an_error() -> None:
    fov = Fov("F", {}, {"m": np.zeros((1, 17_000), np.uint8)})
    with pytest.raises(ExportError, match="does not fit"):
        encode_figure(figure_of(fov, ExportSpec(), whole(fov.size)), "webp")


@pytest.mark.parametrize("side", [16, 48, 512])
@pytest.mark.parametrize("downsample", [1, 3])
@pytest.mark.parametrize("resampling", ["nearest", "area"])
def test_tiles_together_are_the_picture(side: int, downsample: int, resampling: Any) -> None:
    spec = ExportSpec(
        markers=IMMUNE,
        downsample=downsample,
        resampling=resampling,
        masks=(
            MaskLook(mask="whole_cell", thickness=4, alpha=0.5),
            MaskLook(mask="whole_cell", mode="fill", alpha=0.2),
        ),
        scale_bar=ScaleBar(),
        legend=Legend(backing="#202020"),
        dpi=200,
    )
    fov = fov_of(150, 230, pixel_um=(0.5, 0.5))
    window = Window(5, 7, 217, 149)
    stream = io.BytesIO()
    write_tiles(stream, tiles_of(fov, spec, window, side), PROVENANCE, ome=True)
    stream.seek(0)
    with tifffile.TiffFile(stream) as file:
        np.testing.assert_array_equal(file.asarray(), flatten(figure_of(fov, spec, window)))
        assert file.pages.first.tile == (side, side)
        assert file.is_ome


def test_of_a_large_plane_only_what_a_tile_shows_is_asked_for() -> None:
    asked: list[tuple[int, int]] = []

    class Watched:
        shape, dtype = (1000, 1000), np.dtype(np.uint16)

        def __getitem__(self, key: tuple[slice, slice]) -> Array:
            rows, columns = (len(range(1000)[one]) for one in key)
            asked.append((rows, columns))
            return np.zeros((rows, columns), np.uint16)

    fov = Fov("F", {name: Watched() for name in ("DAPI", "CD45", "CD3", "PanCK")}, {"whole_cell": Watched()})
    spec = ExportSpec(markers=IMMUNE, masks=(MaskLook(mask="whole_cell", thickness=3),))
    assert sum(1 for _ in tiles_of(fov, spec, whole(fov.size), 256)) == 16
    assert max(max(size) for size in asked) <= 256 + 2 * 3


@pytest.mark.parametrize(
    "more",
    [
        {"caption": Caption()},
        {"pad": True},
        {"legend": Legend(place="right")},
        {"color_bar": ColorBar()},
        {"isolate": "whole_cell"},
    ],
)
def test_what_has_no_place_in_tiles_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ExportError, match="tiles") as caught:
        tiles_of(fov_of(), ExportSpec(markers=IMMUNE, **more), Window(0, 0, 50, 50))
    assert not caught.value.recoverable


def raw_file(image: RawImage, *, ome: bool = True) -> io.BytesIO:
    stream = io.BytesIO()
    write_raw(stream, image, PROVENANCE, ome=ome)
    stream.seek(0)
    return stream


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "uint32"])
def test_raw_crops_keep_values_and_type(dtype: str) -> None:
    fov = fov_of(dtype=dtype, pixel_um=(0.5, 0.39))
    looks = [ChannelLook(channel="CD45"), ChannelLook(channel="DAPI")]
    image = raw_image(fov, looks, Window(10, 20, 42, 37))
    with tifffile.TiffFile(raw_file(image)) as file:
        found = file.asarray()
        assert found.dtype == dtype
        np.testing.assert_array_equal(found[1], np.asarray(fov.channels["DAPI"])[20:37, 10:42])
        assert file.ome_metadata is not None
        root = ET.fromstring(file.ome_metadata)
        assert [one.get("Name") for one in root.iter() if one.tag.endswith("}Channel")] == ["CD45", "DAPI"]
        pixel = root.find(".//{*}Pixels")
        assert pixel is not None
        assert (pixel.get("PhysicalSizeX"), pixel.get("PhysicalSizeXUnit")) == ("0.39", "µm")


def test_raw_crops_can_have_their_labels_and_keep_their_size_at_an_edge() -> None:
    fov, looks = fov_of(), [ChannelLook(channel="DAPI")]
    image = raw_image(fov, looks, Window(-4, -6, 12, 10), masks=["whole_cell"], pad=True)
    pixels = image.read(0, Region())[0, :, 0]
    assert pixels.shape == (2, 16, 16)
    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels[1, 6:, 4:], np.asarray(fov.masks["whole_cell"])[:10, :12])
    assert not pixels[:, :6].any()
    assert raw_image(fov, looks, Window(-4, -6, 12, 10)).read(0, Region()).shape == (1, 1, 1, 10, 12)


@settings(deadline=None)
@given(st.integers(-5, 40), st.integers(-5, 40), st.integers(6, 20), st.integers(6, 20), st.booleans())
def test_a_raw_window_read_in_parts_is_what_it_is_as_a_whole(x: int, y: int, wide: int, high: int, pad: bool) -> None:
    fov = fov_of()
    image = raw_image(fov, [ChannelLook(channel="DAPI")], Window(x, y, x + wide, y + high), pad=pad)
    whole = image.read(0, Region())[0, 0, 0]
    plane = np.pad(np.asarray(fov.channels["DAPI"]), 10)[y + 10 : y + high + 10, x + 10 : x + wide + 10]
    if pad:
        np.testing.assert_array_equal(whole, plane)
    height, width = whole.shape
    parts = [image.read(0, Region(y=(row, row + 1), x=(width // 2, width)))[0, 0, 0, 0] for row in range(height)]
    np.testing.assert_array_equal(np.array(parts), whole[:, width // 2 :])


@pytest.mark.parametrize(("dtype", "ome"), [("int64", True), ("float16", True), ("complex64", False)])
def test_types_that_a_tiff_does_not_have_are_refused(dtype: str, ome: bool) -> None:
    image = raw_image(fov_of(dtype=dtype), [ChannelLook(channel="DAPI")], Window(0, 0, 9, 9))
    with pytest.raises(ExportError, match=f"no pixels of the type {dtype}"):
        raw_file(image, ome=ome)


@pytest.mark.parametrize("dtype", ["int64", "float16", "float64"])
def test_plain_tiffs_have_more_types(dtype: str) -> None:
    image = raw_image(fov_of(dtype=dtype), [ChannelLook(channel="DAPI")], Window(0, 0, 9, 9))
    found = tifffile.imread(raw_file(image, ome=False))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, image.read(0, Region())[0, 0, 0])


def gallery(count: int, **more: Any) -> bytes:
    stream = io.BytesIO()
    with PdfGallery(stream, **more) as made:
        for number in range(count):
            made.add(figure(), f"ROI {number} of FOV1 (Immune) β" if number % 2 else f"ROI {number}")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("count", "rows", "columns", "expected"), [(0, 2, 2, 1), (1, 1, 1, 1), (5, 1, 1, 5), (9, 2, 2, 3), (24, 6, 4, 1)]
)
def test_galleries_have_the_pages_they_need(count: int, rows: int, columns: int, expected: int) -> None:
    document = pages(gallery(count, rows=rows, columns=columns, title="Immune cells"))
    assert len(document) == expected
    images = [len(list(page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))) for page in document]
    captions = "".join(page.get_textpage().get_text_range() for page in document)
    assert sum(images) >= count
    assert all(f"ROI {number}" in captions for number in range(0, count, 2))
    assert captions.count("10 µm") + captions.count("5 µm") == count
    assert captions.count("Immune cells") == (expected if count else 0)


def test_items_of_a_gallery_do_not_overlap_and_lie_on_the_page() -> None:
    page = pages(gallery(6, rows=3, columns=2))[0]
    boxes = sorted(one.get_bounds() for one in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))
    boxes = [box for box in boxes if box[3] - box[1] > 30]
    assert len(boxes) == 6
    for index, (left, bottom, right, top) in enumerate(boxes):
        assert left >= 0
        assert bottom >= 0
        assert right <= 595.3
        assert top <= 841.9
        for other in boxes[index + 1 :]:
            assert other[0] >= right or other[2] <= left or other[1] >= top or other[3] <= bottom


def test_a_gallery_of_many_pages_has_them_all_and_keeps_little() -> None:
    class Counted(io.RawIOBase):
        written = 0

        def write(self, data: Any) -> int:
            self.written += len(data)
            return len(data)

    tiny = figure_of(fov_of(), ExportSpec(markers=IMMUNE), Window(0, 0, 4, 4))
    stream, kept = Counted(), io.BytesIO()
    for target in (stream, kept):
        with PdfGallery(target, rows=1, columns=1) as made:  # type: ignore[arg-type]
            for number in range(1000):
                made.add(tiny, str(number))
    assert stream.written == len(kept.getvalue())
    document = pages(kept.getvalue())
    assert len(document) == 1000
    assert "999" in document[999].get_textpage().get_text_range()


def test_items_that_do_not_fit_onto_a_page_are_refused() -> None:
    with pytest.raises(ExportError, match="do not fit"):
        PdfGallery(io.BytesIO(), rows=200, columns=1)


def test_a_contact_sheet_is_complete_in_itself_and_safe() -> None:
    stream = io.BytesIO()
    with ContactSheet(stream, title="<Sheet>") as sheet:
        sheet.add(figure(), 'a "b" <script>', href="FOV1 a.png")
        sheet.add(figure())
        with pytest.raises(ExportError, match="no address"):
            sheet.add(figure(), href="javascript:alert(1)")
    text = stream.getvalue().decode()
    assert "<script>" not in text
    assert "<title>&lt;Sheet&gt;</title>" in text
    assert '<a href="FOV1 a.png">' in text
    data = text.split("base64,")[1].split('"')[0]
    np.testing.assert_array_equal(picture_of(base64.b64decode(data))[0], flatten(figure()))
