"""Defects known of viewers of FOV folders when they export, each with a test that ours has none of it."""

import io

import numpy as np
import pytest
from PIL import Image

from coverslip.errors import (
    ExportError,
    MissingAnnotationError,
    MissingChannelError,
    MissingMaskError,
    OutsideImageError,
)
from coverslip.model.export import AnnotationLook, ChannelLook, ExportSpec, MarkerSet, MaskLook, ScaleBar
from coverslip.model.rois import Roi
from coverslip.render.export import (
    Fov,
    Window,
    encode_figure,
    figure_of,
    flatten,
    raw_image,
    render_crop_to_array,
    render_fov_to_array,
    render_roi_to_array,
    whole,
)
from tests.render.export.fields import IMMUNE, fov_of


def test_small_crops_at_300_dpi_have_their_scale_bar() -> None:
    fov = fov_of(200, 200, pixel_um=(0.39, 0.39))
    spec = ExportSpec(markers=IMMUNE, dpi=300)
    barred = spec.model_copy(update={"scale_bar": ScaleBar()})
    figure = figure_of(fov, barred, Window(36, 36, 164, 164))
    assert figure.bar is not None
    assert figure.bar.length_um == 2
    without = render_crop_to_array(fov, spec, center_xy=(100, 100), size_px=128)
    assert (flatten(figure) != without).any()
    assert flatten(figure).shape == without.shape


@pytest.mark.parametrize(("downsample", "length"), [(1, 20), (2, 20), (4, 20)])
def test_the_downsampling_counts_once_in_a_scale_bar(downsample: int, length: float) -> None:
    fov = Fov("map", {}, {"m": np.zeros((8, 1024), np.uint8)}, pixel_um=(0.39, 0.39))
    figure = figure_of(fov, ExportSpec(downsample=downsample, scale_bar=ScaleBar(label=False)), whole(fov.size))
    assert figure.bar is not None
    assert figure.bar.length_um == length
    assert figure.bar.pixels * 0.39 * downsample == pytest.approx(length)


def test_a_picture_at_any_step_shows_the_whole_field() -> None:
    plane = np.zeros((64, 64), np.uint8)
    plane[-8:, -8:] = 1
    markers = MarkerSet(name="m", channels=(ChannelLook(channel="A"),))
    for downsample in (1, 2, 4):
        picture = render_fov_to_array(Fov("F", {"A": plane}), ExportSpec(markers=markers, downsample=downsample))
        assert picture.shape[:2] == (64 // downsample, 64 // downsample)
        assert picture[-8 // downsample :, -8 // downsample :].all()
        assert picture.any(axis=2).sum() == (8 // downsample) ** 2


@pytest.mark.parametrize("name", ["CD", "cd3", "Anti-CD3", "CD3 ", "CD30"])
def test_a_channel_is_found_by_its_exact_name_only(name: str) -> None:
    fov = Fov("FOV1", {"CD3": np.ones((2, 2)), "CD31": np.ones((2, 2))})
    spec = ExportSpec(markers=MarkerSet(name="m", channels=(ChannelLook(channel=name),)))
    with pytest.raises(MissingChannelError, match=r"'FOV1' has no channel '.*'; there are: CD3, CD31") as caught:
        render_fov_to_array(fov, spec)
    assert caught.value.missing == (name,)
    assert caught.value.recoverable


def test_of_two_channels_with_like_names_the_right_one_is_shown() -> None:
    fov = Fov("F", {"CD3": np.zeros((2, 2)), "Anti-CD3": np.ones((2, 2))})
    spec = ExportSpec(markers=MarkerSet(name="m", channels=(ChannelLook(channel="Anti-CD3"),)))
    assert (render_fov_to_array(fov, spec) == 255).all()


def test_an_alias_counts_where_the_name_itself_is_not_there() -> None:
    look = ChannelLook(channel="CD3", aliases=("CD3e", "Anti-CD3"))
    spec = ExportSpec(markers=MarkerSet(name="m", channels=(look,)))
    both = Fov("F", {"CD3": np.ones((1, 1)), "CD3e": np.zeros((1, 1))})
    assert render_fov_to_array(both, spec).max() == 255
    assert render_fov_to_array(Fov("F", {"Anti-CD3": np.ones((1, 1)), "CD3e": np.zeros((1, 1))}), spec).max() == 0


def test_no_other_channel_is_looked_at() -> None:
    class Planes(dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]):
        def __getitem__(self, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
            assert name == "CD3"
            return np.ones((2, 2))

    fov = Fov("F", Planes.fromkeys(["CD3", "Anti-CD3", "CD31"]))  # type: ignore[arg-type]
    spec = ExportSpec(markers=MarkerSet(name="m", channels=(ChannelLook(channel="CD3"),)))
    assert (render_fov_to_array(fov, spec) == 255).all()


@pytest.mark.parametrize("downsample", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("corner", [0, 1, 2, 3, 5])
def test_image_and_masks_are_in_register_at_every_corner_and_step(downsample: int, corner: int) -> None:
    labels = np.zeros((64, 64), np.uint16)
    labels[17:40, 11:50] = 5
    fov = Fov("F", {"A": labels}, {"m": labels}, {"r": (labels > 0).astype(np.uint8)})
    markers = MarkerSet(name="m", channels=(ChannelLook(channel="A", color="red", high=5),))
    fill = MaskLook(mask="m", mode="fill", color="blue", alpha=0.5)
    spec = ExportSpec(markers=markers, masks=(fill,), downsample=downsample)
    for padded in (False, True):
        window = Window(corner - 3, corner, corner + 57, corner + 60)
        picture = render_fov_to_array(fov, spec.model_copy(update={"pad": padded}), region=window)
        np.testing.assert_array_equal(picture[..., 0] > 0, picture[..., 2] > 0)
        assert picture[..., 0].any()


REGIONS = {
    "right": (100, 120, 5, 10),
    "left": (-20, 0, 5, 10),
    "below": (5, 10, 57, 80),
    "empty": (5, 5, 5, 10),
    "all zero": (0, 0, 0, 0),
    "turned around": (10, 5, 5, 10),
}


@pytest.mark.parametrize("edges", REGIONS.values(), ids=REGIONS)
@pytest.mark.parametrize("pad", [False, True])
def test_a_region_without_a_pixel_of_the_image_is_an_error(edges: tuple[int, ...], pad: bool) -> None:
    left, right, upper, lower = edges
    roi = Roi(roi_id="r", name="edge", x_min=left, x_max=right, y_min=upper, y_max=lower)
    with pytest.raises(OutsideImageError, match=r"edge|FOV1") as caught:
        render_roi_to_array(fov_of(), ExportSpec(markers=IMMUNE, pad=pad), roi=roi)
    assert caught.value.recoverable


def test_a_region_without_edges_is_an_error_and_not_the_whole_field() -> None:
    with pytest.raises(OutsideImageError, match="has no edges"):
        render_roi_to_array(fov_of(), ExportSpec(markers=IMMUNE), roi=Roi(roi_id="r"))


@pytest.mark.parametrize("center", [(200.0, 10.0), (-40.0, 10.0), (float("nan"), 3.0), (3.0, float("inf"))])
def test_a_crop_around_a_place_outside_is_an_error(center: tuple[float, float]) -> None:
    with pytest.raises(OutsideImageError):
        render_crop_to_array(fov_of(), ExportSpec(markers=IMMUNE), center_xy=center, size_px=64)
    with pytest.raises(OutsideImageError):
        raw_image(fov_of(), [], Window(90, 0, 95, 10))


def test_cells_and_image_are_in_register_at_negative_edges() -> None:
    labels = np.zeros((30, 30), int)
    labels[:6, :9] = 3
    fov = Fov("F", {"A": labels}, {"m": labels})
    markers = MarkerSet(name="m", channels=(ChannelLook(channel="A", color="red", high=3),))
    spec = ExportSpec(markers=markers, masks=(MaskLook(mask="m", mode="fill", color="blue", alpha=0.5),))
    roi = Roi(roi_id="r", x_min=-7.6, x_max=20.2, y_min=-3.5, y_max=14.1)
    picture = render_roi_to_array(fov, spec, roi=roi)
    assert picture.shape == (15, 21, 3)
    assert (picture[:6, :9] == (127, 0, 127)).all()
    assert picture.any(axis=2).sum() == 54


def test_files_say_how_large_they_are_and_how_they_were_made() -> None:
    figure = figure_of(fov_of(pixel_um=(0.5, 0.5)), ExportSpec(markers=IMMUNE, dpi=600), Window(0, 0, 50, 50))
    for form in ("png", "jpeg", "tiff"):
        with Image.open(io.BytesIO(encode_figure(figure, form, {"Software": "Coverslip"}))) as image:
            assert image.info["dpi"] == pytest.approx((600, 600), abs=0.1)
            assert "Coverslip" in str(image.info) or "Coverslip" in str(dict(image.getexif()))


def test_missing_masks_and_annotations_are_named() -> None:
    with pytest.raises(MissingMaskError, match="no mask 'nuclear'; there are: whole_cell"):
        render_fov_to_array(fov_of(), ExportSpec(masks=(MaskLook(mask="nuclear"),)))
    with pytest.raises(MissingAnnotationError, match="no annotation 'x'; there are: region"):
        render_fov_to_array(fov_of(), ExportSpec(annotation=AnnotationLook(annotation="x")))


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (np.zeros((5, 5), int), r"\(5, 5\), the field of view is \(57, 83\)"),
        (np.zeros((57, 83)), "float64; labels are whole numbers"),
        (np.zeros((1, 57, 83), int), "expected rows and columns"),
        (np.zeros((57, 0), int), "expected rows and columns"),
    ],
)
def test_bad_masks_fail_their_item_alone(mask: np.ndarray[tuple[int, ...], np.dtype[np.int64]], said: str) -> None:
    fov = Fov("FOV1", fov_of().channels, {"m": mask})
    with pytest.raises(ExportError, match=said) as caught:
        render_fov_to_array(fov, ExportSpec(markers=IMMUNE, masks=(MaskLook(mask="m"),)))
    assert caught.value.recoverable


def test_channels_that_are_no_numbers_or_not_there_at_all_are_errors() -> None:
    spec = ExportSpec(markers=MarkerSet(name="m", channels=(ChannelLook(channel="A"),)))
    with pytest.raises(ExportError, match="complex128, not real numbers"):
        render_fov_to_array(Fov("F", {"A": np.ones((2, 2), complex)}), spec)
    with pytest.raises(ExportError, match="neither a channel nor a mask"):
        render_fov_to_array(Fov("F", {}), ExportSpec())
