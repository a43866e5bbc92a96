"""The conformance suite: subclass ``ReaderTests``, say how to make files, inherit every promise of the interfaces."""

import json
import random
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import psutil
import pytest

from coverslip.errors import CoverslipError, RegionError
from coverslip.model import ImageMetadata, Region
from coverslip.readers import Image, open_image, recognise

if TYPE_CHECKING:
    from numpy.random import Generator

    from coverslip.model.protocols import Array

SEED = 20_240_229
REGIONS = 40
THREADS = 8
PLANES = 24
INNER_FILES = 8
"""How many files inside a folder are damaged, one at a time."""
DRAIN_SECONDS = 2.0
"""Where one chunk is damaged, zarr's own threads may still be reading its neighbours for a moment."""


class ReaderTests:
    """Tests that every reader passes, ours or a stranger's.

    The files should be small and different: every pixel type, byte order, compression and axis order the reader
    claims to know, and pixels that differ everywhere, so that a swapped plane is seen.
    """

    reader_name: ClassVar[str]
    """Name of the entry point that must recognise the files."""
    magic_bytes: ClassVar[int] = 16
    """How much of the beginning of a file is left alone when the rest is replaced by garbage."""

    def files(self, folder: Path) -> Mapping[Path, "Sequence[Array]"]:
        """Make files and return, for each one to open, the arrays of its images in canonical axes."""
        raise NotImplementedError

    @pytest.fixture(scope="class", name="made")
    @classmethod
    def _made(cls, tmp_path_factory: pytest.TempPathFactory) -> "Mapping[Path, Sequence[Array]]":
        """Return the files, made once for all tests of the class."""
        made = cls().files(tmp_path_factory.mktemp("files"))
        assert made, "files() must make at least one file"
        assert all(array.ndim in (5, 6) for arrays in made.values() for array in arrays), "axes are T, C, Z, Y, X (, S)"
        return made

    def test_content_is_recognised(self, made: "Mapping[Path, Sequence[Array]]") -> None:
        """The content is recognised by this reader and no other."""
        for path in made:
            reader = recognise(path)
            assert reader is not None, f"{path} is not recognised"
            assert reader.name == self.reader_name

    def test_content_is_recognised_under_a_false_name(
        self, made: "Mapping[Path, Sequence[Array]]", tmp_path: Path
    ) -> None:
        """So it is when the name says something else."""
        for number, path in enumerate(made):
            reader = recognise(_copy(path, tmp_path / f"{number}", "content.dat"))
            assert reader is not None, f"{path} is not recognised when it is called content.dat"
            assert reader.name == self.reader_name

    def test_metadata_tells_shape_and_type(self, made: "Mapping[Path, Sequence[Array]]") -> None:
        """Shape and type are known from opening alone."""
        for path, arrays in made.items():
            with open_image(path) as file:
                assert _outline(file.images) == [(array.shape, array.dtype.name) for array in arrays], path
                assert all(image.metadata.levels[0].size_x == image.metadata.size_x for image in file.images)

    def test_metadata_outlives_the_file_and_is_a_json_document(self, made: "Mapping[Path, Sequence[Array]]") -> None:
        """Metadata stays when the file is closed and survives a trip through JSON."""
        for path in made:
            with open_image(path) as file:
                images = file.images
            for image in images:
                meta = image.metadata
                assert ImageMetadata.model_validate_json(meta.model_dump_json()) == meta, path
                assert isinstance(meta.vendor, dict)
                json.dumps(meta.vendor, allow_nan=False)
                assert meta.name
                assert meta.file_format

    def test_every_file_it_reads_is_listed(self, made: "Mapping[Path, Sequence[Array]]") -> None:
        """The opened file and every other one of its set are listed."""
        for path in made:
            with open_image(path) as file:
                assert path in file.files
                assert all(item.exists() for item in file.files)

    def test_whole_images(self, made: "Mapping[Path, Sequence[Array]]") -> None:
        """``to_numpy`` gives the pixels that were written."""
        for path, arrays in made.items():
            with open_image(path) as file:
                for image, array in zip(file.images, arrays, strict=True):
                    _assert_equal(image.to_numpy(), array, path)

    def test_planes(self, made: "Mapping[Path, Sequence[Array]]") -> None:
        """Every plane is the one that was asked for."""
        for path, image, array in _images(made):
            for t, c, z in _some_planes(array.shape):
                _assert_equal(image.plane(t=t, c=c, z=z), array[t, c, z], path)

    def test_regions_equal_slices(self, made: "Mapping[Path, Sequence[Array]]") -> None:
        """Any box equals the same slice of the whole."""
        dice = np.random.default_rng(SEED)
        for path, image, array in _images(made):
            for _ in range(REGIONS):
                region = _random_region(dice, array.shape)
                _assert_equal(image.read(0, region), array[region.slices], f"{path} {region}")

    def test_regions_fill_memory_that_was_used_before(self, made: "Mapping[Path, Sequence[Array]]") -> None:
        """``read_into`` gives the same pixels as ``read``, and refuses an array of another shape or type."""
        dice = np.random.default_rng(SEED)
        for path, image, array in _images(made):
            for _ in range(5):
                region = _random_region(dice, array.shape)
                out = np.full(array[region.slices].shape, 1, array.dtype.newbyteorder("="))
                image.read_into(out, 0, region)
                _assert_equal(out, array[region.slices], f"{path} {region}")
            with pytest.raises(RegionError):
                image.read_into(np.empty((*array.shape, 7), array.dtype))

    def test_levels(self, made: "Mapping[Path, Sequence[Array]]") -> None:
        """Levels get no larger, have the promised shape, and are cut like the whole."""
        dice = np.random.default_rng(SEED)
        for path, image, _ in _images(made):
            finer = image.metadata.levels[0]
            for level, size in enumerate(image.metadata.levels):
                assert size.size_z <= finer.size_z, path
                assert size.size_y <= finer.size_y, path
                assert size.size_x <= finer.size_x, path
                finer, whole = size, image.to_numpy(level)
                assert whole.shape == image.metadata.level_shape(level), path
                for _ in range(5):
                    region = _random_region(dice, whole.shape)
                    _assert_equal(image.read(level, region), whole[region.slices], f"{path} level {level} {region}")

    def test_outside_is_a_region_error(self, made: "Mapping[Path, Sequence[Array]]") -> None:
        """Nothing outside the image is invented."""
        for path, image, array in _images(made):
            for axis, length in zip("tczyx", array.shape, strict=False):
                for span in ((0, length + 1), (length, length + 1), (-1, length), (0, 0), (length, 0)):
                    with pytest.raises(RegionError):
                        image.read(0, replace(Region(), **{axis: span}))
            for level in (-1, len(image.metadata.levels)):
                with pytest.raises(RegionError):
                    image.read(level)
            with pytest.raises(RegionError):
                image.plane(t=array.shape[0])
            assert path.exists()

    def test_threads_get_their_own_planes(self, made: "Mapping[Path, Sequence[Array]]") -> None:
        """Eight threads on one file get the planes and the regions they asked for."""
        for path, image, array in _images(made):

            def look(seed: int, image: Image = image, array: "Array" = array, path: Path = path) -> None:
                planes = list(_some_planes(array.shape))
                random.Random(seed).shuffle(planes)  # noqa: S311  # an order, not a secret
                for t, c, z in planes:
                    _assert_equal(image.plane(t=t, c=c, z=z), array[t, c, z], path)
                dice = np.random.default_rng(seed)
                for _ in range(REGIONS // THREADS):
                    region = _random_region(dice, array.shape)
                    _assert_equal(image.read(0, region), array[region.slices], f"{path} {region}")

            with ThreadPoolExecutor(THREADS) as threads:
                list(threads.map(look, range(THREADS)))

    def test_closing_releases_everything_and_may_be_repeated(self, made: "Mapping[Path, Sequence[Array]]") -> None:
        """After closing, twice, no handle is left."""
        for path in made:
            file = open_image(path)
            try:
                for image in file.images:
                    image.plane()
            finally:
                file.close()
            file.close()
            assert _open_below(path.parent) == []
            assert _mapped_below(path.parent) == []

    def test_a_truncated_file_is_refused_or_right(self, made: "Mapping[Path, Sequence[Array]]", tmp_path: Path) -> None:
        """A file cut short never gives wrong pixels, fewer pixels or a foreign exception."""
        for number, (path, arrays) in enumerate(made.items()):
            copy = _copy(path, tmp_path / f"{number}", path.name)
            for target in _to_damage(copy):
                content = target.read_bytes()
                for cut in _cuts(len(content)):
                    target.write_bytes(content[:cut])
                    _assert_right_or_refused(copy, arrays, f"{target} cut from {len(content)} to {cut} bytes")
                target.write_bytes(content)

    def test_garbage_is_refused_or_right(self, made: "Mapping[Path, Sequence[Array]]", tmp_path: Path) -> None:
        """Nor does one whose content is garbage behind a good beginning."""
        dice = random.Random(SEED)  # noqa: S311  # repeatable garbage
        for number, (path, arrays) in enumerate(made.items()):
            copy = _copy(path, tmp_path / f"{number}", path.name)
            for target in _to_damage(copy):
                content = target.read_bytes()
                # Inside a folder, other bytes in an uncompressed chunk of the same length are nobody's fault.
                keep, more = (self.magic_bytes, 0) if target == copy else (0, 1)
                target.write_bytes(content[:keep] + dice.randbytes(max(0, len(content) - keep) + more))
                _assert_right_or_refused(copy, arrays, f"{target} with garbage")
                target.write_bytes(content)


def _images(made: "Mapping[Path, Sequence[Array]]") -> "Iterator[tuple[Path, Image, Array]]":
    """Return every image of every file, open, with its array."""
    for path, arrays in made.items():
        with open_image(path) as file:
            for image, array in zip(file.images, arrays, strict=True):
                yield path, image, array


def _outline(images: Sequence[Image]) -> list[tuple[tuple[int, ...], str]]:
    return [(image.metadata.shape, image.metadata.dtype) for image in images]


def _assert_equal(found: "Array", expected: "Array", place: object) -> None:
    assert found.shape == expected.shape, place
    assert found.dtype == expected.dtype.newbyteorder("="), place
    assert found.dtype.isnative, place
    nan = expected.dtype.kind in "fc"
    assert np.array_equal(found, expected, equal_nan=nan), f"{place}: wrong pixels"


def _assert_right_or_refused(path: Path, arrays: "Sequence[Array]", place: str) -> None:
    """Open and read a damaged file: one of our errors is fine, the right pixels are, nothing else is."""
    try:
        with open_image(path) as file:
            outline = _outline(file.images)
            assert outline == [(array.shape, array.dtype.name) for array in arrays], f"{place}: opens as {outline}"
            for image, array in zip(file.images, arrays, strict=True):
                _assert_equal(image.to_numpy(), array, place)
    except CoverslipError:
        pass
    assert _open_below(path.parent) == [], place


def _some_planes(shape: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return all planes of a small image, a fixed choice of a larger one."""
    planes = [(t, c, z) for t, c, z in np.ndindex(*shape[:3])]
    return planes if len(planes) <= PLANES else random.Random(SEED).sample(planes, PLANES)  # noqa: S311


def _random_region(dice: "Generator", shape: Sequence[int]) -> Region:
    spans = {}
    for axis, length in zip("tczyx", shape, strict=False):
        start = int(dice.integers(0, length))
        spans[axis] = (start, int(dice.integers(start, length)) + 1)
    return Region(**spans)


def _copy(path: Path, folder: Path, name: str) -> Path:
    """Return a copy under another name, with the other files of its set beside it."""
    folder.mkdir(parents=True)
    if path.is_dir():
        return Path(shutil.copytree(path, folder / name))
    with open_image(path) as file:
        others = [item for item in file.files if item != path and item.parent == path.parent]
    for item in others:
        shutil.copyfile(item, folder / item.name)
    return Path(shutil.copyfile(path, folder / name))


def _to_damage(path: Path) -> list[Path]:
    """Return the file itself, or some files of a folder."""
    if path.is_file():
        return [path]
    inner = sorted(item for item in path.rglob("*") if item.is_file())
    return random.Random(SEED).sample(inner, min(INNER_FILES, len(inner)))  # noqa: S311  # a fixed choice


def _cuts(size: int) -> list[int]:
    return sorted(cut for cut in {0, 1, 100, size // 4, size // 2, size * 9 // 10, size - 1} if 0 <= cut < size)


def _open_below(folder: Path) -> list[str]:
    """Return what this process still holds open below a folder."""
    process, deadline = psutil.Process(), time.monotonic() + DRAIN_SECONDS
    while True:
        left = [item.path for item in process.open_files() if Path(item.path).is_relative_to(folder)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.01)


def _mapped_below(folder: Path) -> list[str]:
    """Return what this process still has mapped into memory below a folder, where the system tells."""
    process = psutil.Process()
    maps = process.memory_maps() if hasattr(process, "memory_maps") else []
    return [item.path for item in maps if Path(item.path).is_relative_to(folder)]
