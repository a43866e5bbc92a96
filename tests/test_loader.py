"""The async facade: published examples with only their imports changed, and what is promised beyond them."""

import ast
import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile

from coverslip import ImageLoader, ThumbnailGenerator, open_image, render
from coverslip.errors import InvalidRequestError, ReadError, RegionError, StorageError, UnsupportedFormatError
from coverslip.loader import Picture
from coverslip.model import RenderSpec
from tests.api.tiffs import stack_pixels, write_series, write_stack

USAGE = """
from coverslip import ImageLoader
from coverslip import ThumbnailGenerator
from coverslip import ImageMetadata

# Initialize loader
loader = ImageLoader()

# Get metadata without loading image
metadata: ImageMetadata = await loader.get_metadata("sample.tif")

print(f"Dimensions: {metadata.size_x} x {metadata.size_y} x {metadata.size_z}")
print(f"Voxel size: {metadata.get_voxel_size_micrometers()}")
print(f"Memory size: {metadata.get_memory_size_mb():.2f} MB")
print(f"Use lazy loading: {metadata.should_use_lazy_loading()}")

# Load image data
image_data, metadata = await loader.load_image(
    "sample.tif",
    lazy=True,  # Force lazy loading
)

# Generate thumbnail
thumb_gen = ThumbnailGenerator()
thumbnail = await thumb_gen.generate_thumbnail(
    image_data,
    size=(512, 512),
)
await thumb_gen.save_thumbnail(thumbnail, "thumbnail.png")

# Generate MIP
mip = await thumb_gen.generate_mip_thumbnail(
    image_data,
    size=(1024, 1024),
    axis=0,  # Z projection
)
"""


def run[T](what: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(what)


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_data").mkdir()
    write_stack(tmp_path / "test_data" / "sample.tif")
    return write_stack(tmp_path / "sample.tif")


def test_the_usage_example(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    code = compile(USAGE, "usage", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    run(eval(code, names))
    assert capsys.readouterr().out.splitlines() == [
        "Dimensions: 60 x 40 x 5",
        "Voxel size: (0.065, 0.065, 0.2)",
        "Memory size: 0.05 MB",
        "Use lazy loading: False",
    ]
    saved = cv2.imread(str(sample.with_name("thumbnail.png")))
    assert saved is not None
    np.testing.assert_array_equal(saved[..., ::-1], names["thumbnail"].to_numpy())
    np.testing.assert_array_equal(names["mip"].to_numpy(), names["thumbnail"].to_numpy())
    assert names["mip"].to_numpy().any()


# the unit tests of the example, called as they are


async def load_tiff_as_published() -> None:
    loader = ImageLoader()
    metadata = await loader.get_metadata("test_data/sample.tif")
    assert metadata.size_x > 0
    assert metadata.size_y > 0
    assert metadata.file_format == "TIFF"


async def unsupported_format_as_published() -> None:
    loader = ImageLoader()
    with pytest.raises(UnsupportedFormatError):
        await loader.get_metadata("test.xyz")


@pytest.mark.usefixtures("sample")
@pytest.mark.parametrize("published", [load_tiff_as_published, unsupported_format_as_published])
def test_the_unit_tests_of_the_example(published: Any) -> None:
    run(published())


@pytest.mark.usefixtures("no_open_handles")
@pytest.mark.parametrize("lazy", [None, False, True])
def test_one_time_point_of_one_image(tmp_path: Path, lazy: bool | None) -> None:
    pixels = np.random.default_rng(0).integers(0, 99, (3, 2, 4, 8, 9)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, ome=True, metadata={"axes": "TCZYX"})
    data, meta = run(ImageLoader().load_image(tmp_path / "a.ome.tif", lazy=lazy, timepoint=2))
    assert isinstance(data, np.ndarray) is (lazy is not True)
    assert meta.shape == pixels.shape
    np.testing.assert_array_equal(np.asarray(data), pixels[2])


def test_large_images_are_lazy_by_themselves(tmp_path: Path) -> None:
    path = tmp_path / "large.tif"
    tifffile.memmap(path, shape=(3, 16384, 16384), dtype=np.uint16, photometric="minisblack", bigtiff=True)
    data, meta = run(ImageLoader().load_image(path))
    assert meta.should_use_lazy_loading()
    assert not isinstance(data, np.ndarray)
    assert data.shape == (1, 3, 16384, 16384)


def test_positions(tmp_path: Path) -> None:
    path = write_series(tmp_path / "many.ome.tif", 3)
    loader = ImageLoader()
    assert run(loader.get_metadata(path)).name == "Position 0"
    assert run(loader.get_metadata(path, position=2)).name == "Position 2"
    data, meta = run(loader.load_image(path, position=1))
    assert meta.name == "Position 1"
    assert np.asarray(data).max() == 1001


@pytest.mark.parametrize("choice", [{"position": 1}, {"position": -1}, {"timepoint": 1}, {"timepoint": -1}])
@pytest.mark.parametrize("lazy", [False, True])
def test_what_does_not_exist_is_refused(sample: Path, choice: dict[str, int], lazy: bool) -> None:
    with pytest.raises(RegionError, match="does not exist; there are 1"):
        run(ImageLoader().load_image(sample, lazy=lazy, **choice))


def test_a_missing_file_of_a_known_kind_is_a_read_error(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="no such file"):
        run(ImageLoader().get_metadata(tmp_path / "a.tif"))
    with pytest.raises(UnsupportedFormatError, match=r"no such file, and no reader knows the ending '\.xyz'"):
        run(ImageLoader().get_metadata(tmp_path / "a.xyz"))


def test_with_metadata_an_array_is_drawn_like_its_file(sample: Path) -> None:
    data, meta = run(ImageLoader().load_image(sample))
    made = ThumbnailGenerator()
    with open_image(sample) as file:
        image = file.images[0]
        for picture, choice in (
            (made.generate_thumbnail(data, metadata=meta), {}),
            (
                made.generate_thumbnail(data, (30, 30), 2, (1,), metadata=meta),
                {"width": 30, "height": 30, "z": 2, "channels": (1,)},
            ),
            (made.generate_mip_thumbnail(data, axis=2, metadata=meta), {"width": 512, "height": 512, "axis": 2}),
            (made.generate_multi_view_thumbnail(data, metadata=meta), {"width": 768, "layout": "multiview"}),
        ):
            expected = render.draw(image, RenderSpec.model_validate(choice))
            np.testing.assert_array_equal(run(picture).to_numpy(), expected)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_multi_view_has_true_proportions_with_metadata_and_cubes_without(sample: Path, lazy: bool) -> None:
    data, meta = run(ImageLoader().load_image(sample, lazy=lazy))
    made = ThumbnailGenerator()
    depth = {}
    for known in (None, meta):
        picture = run(made.generate_multi_view_thumbnail(data, (400, 400), metadata=known)).to_numpy()
        depth[known is None] = int(picture[:, 70:120].any(axis=(1, 2)).sum())
    assert depth == {True: 5, False: round(5 * 0.2 / 0.065)}


def test_without_normalizing_the_whole_range_is_shown() -> None:
    made = ThumbnailGenerator()
    for dtype, full in (("uint8", 255), ("uint16", 65535), ("float32", 1)):
        plane = (np.linspace(0, 0.5, 64).reshape(8, 8) * full).astype(dtype)
        grey = run(made.generate_thumbnail(plane, normalize=False)).to_numpy()
        np.testing.assert_allclose(grey[..., 0], plane / full * 255, atol=1)
        assert run(made.generate_thumbnail(plane)).to_numpy().max() == 255


def test_planes_stacks_and_colour() -> None:
    made = ThumbnailGenerator()
    stack = stack_pixels()[:, 0]
    flat = run(made.generate_thumbnail(stack.max(axis=0))).to_numpy()
    np.testing.assert_array_equal(run(made.generate_thumbnail(stack)).to_numpy(), flat)
    np.testing.assert_array_equal(run(made.generate_thumbnail(stack[None])).to_numpy(), flat)
    color = np.random.default_rng(0).integers(0, 255, (1, 2, 8, 9, 3)).astype(np.uint8)
    shown = run(made.generate_thumbnail(color, z_slice=1))
    np.testing.assert_array_equal(shown.to_numpy(), color[0, 1])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros(5), "expected an array"),
        (np.zeros((1, 1, 2, 3, 4, 3)), "expected an array"),
        (np.zeros((1, 1, 2, 3, 9)), "expected an array"),
        (np.zeros((0, 4)), "no picture can be made"),
        (np.full((4, 4), "a"), "no picture can be made"),
        ("x", "expected a NumPy or dask array, this is str"),
        (None, "expected a NumPy or dask array, this is NoneType"),
        ([[1, 2], [3, 4]], "expected a NumPy or dask array, this is list"),
        (np.ndarray, "expected a NumPy or dask array, this is type"),
    ],
)
def test_arrays_that_are_no_image_are_refused(data: Any, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        run(ThumbnailGenerator().generate_thumbnail(data))
    with pytest.raises(InvalidRequestError, match=words):
        run(ThumbnailGenerator().generate_thumbnail(data, normalize=False))
    with pytest.raises(InvalidRequestError, match=words):
        run(ThumbnailGenerator().generate_mip_thumbnail(data))


def test_metadata_of_another_image_are_refused(sample: Path) -> None:
    data, meta = run(ImageLoader().load_image(sample))
    with pytest.raises(InvalidRequestError, match=r"describe \(2, 5, 40, 60\), the array is \(2, 4, 40, 60\)"):
        run(ThumbnailGenerator().generate_thumbnail(data[:, :4], metadata=meta))


def test_choices_that_make_no_sense_are_refused() -> None:
    made, data = ThumbnailGenerator(), np.zeros((2, 3, 8, 8), np.uint8)
    for size in ((0, 5), (5, 8193)):
        with pytest.raises(InvalidRequestError, match="size"):
            run(made.generate_thumbnail(data, size))
    with pytest.raises(InvalidRequestError, match="axis 3"):
        run(made.generate_mip_thumbnail(data, axis=3))
    choices: list[dict[str, Any]] = [
        {"z_slice": 3},
        {"z_slice": -1},
        {"channels": [2]},
        {"channels": [-1]},
        {"channels": []},
    ]
    for choice in choices:
        with pytest.raises(RegionError):
            run(made.generate_thumbnail(data, **choice))


def test_a_picture_is_an_array_and_a_file(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (6, 9, 3)).astype(np.uint8)
    picture = Picture(pixels)
    assert picture.size == (9, 6)
    np.testing.assert_array_equal(np.asarray(picture), pixels)
    assert np.array(picture, dtype=float).dtype == float
    assert np.asarray(picture) is not picture.to_numpy()
    assert picture._repr_png_().startswith(b"\x89PNG")
    made = ThumbnailGenerator()
    for ending, start in ((".PNG", b"\x89PNG"), (".webp", b"RIFF"), (".jpg", b"\xff\xd8"), (".jpeg", b"\xff\xd8")):
        path = run(made.save_thumbnail(picture, tmp_path / f"a{ending}"))
        assert path.read_bytes().startswith(start)
    (tmp_path / "plain").write_bytes(b"")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    with pytest.raises(InvalidRequestError, match=r"pictures end in \.png"):
        picture.save(tmp_path / "a.gif")
    with pytest.raises(StorageError, match="cannot be written"):
        picture.save(tmp_path / "nowhere" / "a.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(StorageError, match="cannot be written"):
        picture.save(tmp_path / "folder.png")
    assert [found.name for found in tmp_path.iterdir() if found.name.startswith(".")] == []


def test_an_event_loop_is_not_blocked(sample: Path) -> None:
    async def many() -> int:
        loader, made = ImageLoader(), ThumbnailGenerator()
        loaded = await asyncio.gather(*[loader.load_image(sample, lazy=True) for _ in range(8)])
        pictures = await asyncio.gather(*[made.generate_thumbnail(data) for data, _ in loaded])
        return len({picture.to_numpy().tobytes() for picture in pictures})

    assert run(many()) == 1
