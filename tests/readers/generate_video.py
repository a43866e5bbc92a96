"""Small videos that lose nothing, written by PyAV, with the frames they hold."""

from pathlib import Path
from typing import Any

import av
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def make_video(folder: Path) -> dict[Path, list[Array]]:
    """Write the files and return their images as T, C, Z, Y, X (and S)."""
    dice = np.random.default_rng(13)
    made: dict[Path, list[Array]] = {}
    colors = dice.integers(0, 256, (11, 32, 48, 3)).astype("u1")
    grays = dice.integers(0, 256, (9, 34, 46)).astype("u1")
    deep = dice.integers(0, 65536, (5, 34, 46)).astype("u2")
    for name, codec, pixel_format, frames in (
        ("raw.avi", "rawvideo", "bgr24", colors),
        ("png.mov", "png", "rgb24", colors),
        ("reordered.mp4", "libx264rgb", "rgb24", colors),
        ("reordered.avi", "libx264rgb", "rgb24", colors),
        ("grey.avi", "ffv1", "gray", grays),
        ("grey16.avi", "ffv1", "gray16le", deep),
    ):
        made[write(folder / name, frames, codec, pixel_format)] = [frames[:, None, None]]
    return made


def write(path: Path, frames: Array, codec: str, pixel_format: str, rate: int = 25) -> Path:
    """Write frames of shape T, Y, X (and S)."""
    given = {"u1": "gray", "u2": "gray16le"}[f"u{frames.dtype.itemsize}"] if frames.ndim == 3 else "rgb24"
    with av.open(str(path), "w") as container:
        options = {"qp": "0", "g": "4", "bf": "2", "preset": "veryfast"} if codec.startswith("libx264") else {}
        stream = container.add_stream(codec, rate=rate, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixel_format
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format=given)))
        container.mux(stream.encode(None))
    return path
