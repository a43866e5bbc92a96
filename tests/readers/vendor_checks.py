"""What the CZI, ND2 and LIF readers must all do, on files with known pixels."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import coverslip
from coverslip import Region
from coverslip.errors import ReadError, UnsupportedFormatError

Array = np.ndarray[Any, np.dtype[Any]]
Made = Mapping[Path, Sequence[Array]]


def check_pixels(made: Made) -> None:
    """Every image comes out as it went in: shape, type, values."""
    for path, images in made.items():
        with coverslip.open_image(path) as file:
            assert [image.metadata.shape for image in file.images] == [expected.shape for expected in images], path
            for image, expected in zip(file.images, images, strict=True):
                pixels = image.to_numpy()
                assert pixels.dtype == expected.dtype == np.dtype(image.metadata.dtype), path
                np.testing.assert_array_equal(pixels, expected, err_msg=f"{path.name} {image.metadata.name}")


def check_regions(made: Made) -> None:
    """Any part of an image equals that part of the whole."""
    dice = np.random.default_rng(3)
    for path, images in made.items():
        with coverslip.open_image(path) as file:
            for image, expected in zip(file.images, images, strict=True):
                for _ in range(12):
                    spans = [sorted(dice.choice(n + 1, 2, replace=False).tolist()) for n in expected.shape[:5]]
                    region = Region(*((first, stop) for first, stop in spans))
                    np.testing.assert_array_equal(
                        image.read(0, region), expected[region.slices], err_msg=f"{path} {region}"
                    )


def check_truncation(made: Made, folder: Path) -> None:
    """A file that is cut off is refused, or gives the pixels it still holds; it never gives others, and it ends."""
    cut = folder / "cut"
    reasons = []
    for path, images in made.items():
        whole = path.read_bytes()
        for share in (0.1, 0.5, 0.9, 0.99):
            cut = folder / f"cut{path.suffix}"
            cut.write_bytes(whole[: int(len(whole) * share)])
            try:
                with coverslip.open_image(cut) as file:
                    for image, expected in zip(file.images, images, strict=True):
                        np.testing.assert_array_equal(image.to_numpy(), expected)
            except (ReadError, UnsupportedFormatError) as error:
                reasons.append(str(error))
    assert len(reasons) >= len(made) * 3
    assert all(str(cut) in reason for reason in reasons)


def check_threads(path: Path, expected: Sequence[Array]) -> None:
    """Eight threads reading random planes of one open file get the same pixels as one."""
    with coverslip.open_image(path) as file:
        dice = np.random.default_rng(5)
        wanted = [
            (i, *(int(dice.integers(n)) for n in expected[i].shape[:3])) for i in dice.integers(len(expected), size=300)
        ]

        def read(place: tuple[int, int, int, int]) -> bytes:
            i, t, c, z = place
            return file.images[i].plane(t=t, c=c, z=z).tobytes()

        with ThreadPoolExecutor(8) as pool:
            planes = list(pool.map(read, wanted))
    assert planes == [expected[i][t, c, z].tobytes() for i, t, c, z in wanted]


def expected_files(samples: Path, reader: str) -> dict[str, list[dict[str, Any]]]:
    """Return what is known of the real files of one reader, by relative path."""
    document = json.loads((samples / "expected.json").read_text())
    return {path: facts["images"] for path, facts in document.items() if facts.get("reader") == reader}


def check_expected(path: Path, images: Sequence[dict[str, Any]]) -> None:
    """A real file comes out as an independent reader gave it: shape, type, digests, channel names, pixel sizes."""
    with coverslip.open_image(path) as file:
        assert len(file.images) == len(images)
        for image, facts in zip(file.images, images, strict=True):
            meta = image.metadata
            pixels = image.to_numpy()
            assert (list(pixels.shape), pixels.dtype.name) == (facts["canonical_shape"], facts["dtype"])
            last = image.plane(t=meta.size_t - 1, c=meta.size_c - 1, z=meta.size_z - 1)
            digests = [digest(array) for array in (pixels, image.plane(), last)]
            assert digests == [facts["whole_sha256"], facts["plane_000_sha256"], facts["last_plane_sha256"]]
            assert {channel.name for channel in meta.channels} <= set(facts.get("channel_names", _names(meta)))
            x, y, _ = meta.get_voxel_size_micrometers()
            if "pixel_size_um_yx" in facts:
                assert [y, x] == (facts["pixel_size_um_yx"] or [None, None])
            if "pixel_size_um" in facts:
                assert (x, y) == (facts["pixel_size_um"]["x"], facts["pixel_size_um"]["y"])


def check_threads_by_digest(path: Path) -> None:
    """Eight threads reading random planes of a real file get what one thread gets."""
    with coverslip.open_image(path) as file:
        serial = [image.to_numpy() for image in file.images]
    check_threads(path, serial)


def digest(array: Array) -> str:
    """Return the SHA-256 of an array in C order, little-endian."""
    return hashlib.sha256(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()).hexdigest()


def _names(meta: coverslip.ImageMetadata) -> list[str]:
    return [channel.name for channel in meta.channels]
