import hashlib
import json
import random
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from coverslip.errors import ReadError
from coverslip.model import ImageMetadata
from coverslip.readers import open_image, recognise
from tests.readers.generate_video import Array, make_video, write

FRAMES = np.random.default_rng(1).integers(0, 256, (13, 32, 48, 3)).astype("u1")


def metadata(path: Path) -> ImageMetadata:
    with open_image(path) as file:
        return file.images[0].metadata


def decoded(path: Path) -> list[Array]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_what_the_container_says(tmp_path: Path) -> None:
    meta = metadata(write(tmp_path / "a.mp4", FRAMES, "libx264rgb", "rgb24", rate=20))
    assert (meta.size_t, meta.time_increment_s, meta.source_axes) == (13, 0.05, "TYXS")
    assert (meta.file_format, meta.format_variant) == ("MP4", "h264")
    assert "gbrp" in (meta.note or "")
    gray = metadata(write(tmp_path / "b.avi", FRAMES[..., 0], "ffv1", "gray"))
    assert (gray.file_format, gray.samples, gray.source_axes, gray.note) == ("AVI", 1, "TYX", None)


def encode(path: Path, codec: str, pixel_format: str, given: str, frames: Array, times: list[int]) -> Path:
    """Write frames with times in milliseconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = Fraction(1, 1000)
        for pixels, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format=given)
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_variable_frame_rate(tmp_path: Path) -> None:
    times = [0, 40, 80, 200, 240, 900, 940, 980, 1500, 1540, 1600, 1700, 2000]
    for name, codec, given in (("a.mov", "png", "rgb24"), ("b.mp4", "libx264rgb", "rgb24")):
        path = encode(tmp_path / name, codec, "rgb24", given, FRAMES, times)
        wanted = decoded(path)
        with open_image(path) as file:
            image = file.images[0]
            for place in (7, 2, 12, 0, 11, 5, 6, 1):
                assert np.array_equal(image.plane(t=place), wanted[place])
            meta = image.metadata
        assert meta.size_t == 13
        assert ("not evenly spaced" if "x264" in codec else "0.04 to 0.66 s apart") in (meta.note or "")
        if codec == "png":
            assert meta.time_increment_s == pytest.approx(2 / 12)
            assert meta.vendor["frame_times_s"] == pytest.approx([time / 1000 for time in times])


def test_what_is_left_out_is_noted(tmp_path: Path) -> None:
    even = list(range(0, 13 * 40, 40))
    alpha = np.dstack([FRAMES.reshape(-1, 48, 3), np.full((13 * 32, 48), 90, "u1")]).reshape(13, 32, 48, 4)
    path = encode(tmp_path / "a.mov", "png", "rgba", "rgba", alpha, even)
    assert np.array_equal(decoded(path)[3], FRAMES[3])
    with open_image(path) as file:
        assert np.array_equal(file.images[0].plane(t=3), FRAMES[3])
        assert file.images[0].metadata.time_increment_s == 0.04
        assert "transparency was left out" in (file.images[0].metadata.note or "")
    deep = FRAMES[..., 0].astype("u2") * 257
    path = encode(tmp_path / "b.mov", "png", "gray16be", "gray16le", deep, even)
    with open_image(path) as file:
        assert np.array_equal(file.images[0].to_numpy()[:, 0, 0], deep)
        assert file.images[0].metadata.note is None
    meta = metadata(encode(tmp_path / "c.mp4", "libx264", "yuv420p10le", "rgb24", FRAMES, even))
    assert meta.note == "colours converted from yuv420p10le by the decoder; 10 bits were made 8"


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_noted_and_not_applied(tmp_path: Path, degrees: int) -> None:
    path = write(tmp_path / "a.mp4", FRAMES, "libx264rgb", "rgb24")
    straight = decoded(path)
    assert metadata(path).vendor["rotation_degrees"] == 0
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40
    turn = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    a, b, c, d = (number << 16 for number in turn)
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    with av.open(str(path)) as container:  # FFmpeg counts the other way round
        assert next(container.decode(video=0)).rotation % 360 == 360 - degrees
    with open_image(path) as file:
        assert np.array_equal(file.images[0].plane(t=4), straight[4])
        assert f"should be turned by {degrees} degrees clockwise" in (file.images[0].metadata.note or "")
        assert file.images[0].metadata.vendor["rotation_degrees"] == degrees


@pytest.mark.parametrize("name", ["reordered.mp4", "reordered.avi", "png.mov"])
def test_frames_in_any_order(tmp_path: Path, name: str) -> None:
    path, (array,) = next((path, arrays) for path, arrays in make_video(tmp_path).items() if path.name == name)
    places = list(range(len(array))) * 3
    random.Random(6).shuffle(places)
    with open_image(path) as file:
        for place in places:
            assert np.array_equal(file.images[0].plane(t=place), array[place, 0, 0]), place


@pytest.mark.parametrize("ending", ["avi", "mp4", "mov"])
def test_no_cut_file_is_opened(tmp_path: Path, ending: str) -> None:
    content = write(tmp_path / f"a.{ending}", FRAMES, "png", "rgb24").read_bytes()
    for cut in range(16, len(content) - 1, len(content) // 23):
        (tmp_path / f"b.{ending}").write_bytes(content[:cut])
        with pytest.raises(ReadError, match=r"truncated|finished"):
            open_image(tmp_path / f"b.{ending}")


def test_a_frame_whose_bytes_are_lost_is_an_error(tmp_path: Path) -> None:
    content = bytearray(write(tmp_path / "a.mov", FRAMES, "png", "rgb24").read_bytes())
    third = [place for place in range(len(content)) if content.startswith(b"\x89PNG", place)][2]
    content[third + 200 : third + 1000] = bytes(800)
    (tmp_path / "b.mov").write_bytes(content)
    with open_image(tmp_path / "b.mov") as file:
        image = file.images[0]
        with pytest.raises(ReadError):
            image.plane(t=2)
        assert np.array_equal(image.plane(t=1), FRAMES[1])
        assert np.array_equal(image.plane(t=5), FRAMES[5])


def test_a_file_without_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), "f4"), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(ReadError, match="no video"):
        open_image(tmp_path / "a.mp4")


def test_a_playlist_leads_nowhere(tmp_path: Path) -> None:
    write(tmp_path / "secret.mp4", FRAMES, "libx264rgb", "rgb24")
    (tmp_path / "a.mp4").write_text("ffconcat version 1.0\nfile secret.mp4\n")
    assert recognise(tmp_path / "a.mp4") is None
    listed = b"#EXTM3U\n#EXTINF:1,\nsecret.mp4\n"
    (tmp_path / "b.mp4").write_bytes(struct.pack(">I4s4s4x", 16, b"ftyp", b"isom") + listed)
    with pytest.raises(ReadError):
        open_image(tmp_path / "b.mp4")


@pytest.mark.parametrize("brand", [b"heic", b"avif", b"jp2 "])
def test_stills_are_no_videos(tmp_path: Path, brand: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(struct.pack(">I4s4s4x", 16, b"ftyp", brand) + bytes(64))
    assert recognise(tmp_path / "a.mp4") is None


@pytest.mark.samples
def test_real_videos_are_as_pyav_decodes_them(samples: Path) -> None:
    facts = json.loads((samples / "facts.json").read_text())["files"]
    paths = sorted((samples / "video").iterdir())
    assert len(paths) == 7
    for path in paths:
        known = facts[f"video/{path.name}"]["av"]
        theirs = decoded(path)
        with open_image(path) as file:
            assert file.reader == "video"
            image = file.images[0]
            assert image.metadata.size_t == known["frames_decoded"] == len(theirs), path
            assert [image.metadata.size_x, image.metadata.size_y] == known["size"]
            digest = hashlib.sha256(image.plane().tobytes()).hexdigest()
            assert digest == known["frame0_rgb24"]["sha256_c_order_le"], path
            for place in random.Random(1).sample(range(len(theirs)), min(9, len(theirs))):
                assert np.array_equal(image.plane(t=place), theirs[place]), (path, place)
            top, bottom = (int(part) for part in known["avg_rate"].split("/"))
            assert image.metadata.time_increment_s == pytest.approx(bottom / top)
