from pathlib import Path

import numpy as np
import pytest

from coverslip.readers import places
from coverslip.readers.places import read_at


def test_bytes_at_a_place_and_the_position_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "LIMIT", 7)  # several reads
    (tmp_path / "a").write_bytes(bytes(range(100)))
    out = np.zeros((3, 5), "<u2")
    with (tmp_path / "a").open("rb") as stream:
        assert read_at(stream.fileno(), 10, out) == 30
        assert stream.tell() == 0
    assert out.tobytes() == bytes(range(10, 40))


def test_where_the_file_ends_fewer_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(10))
    with (tmp_path / "a").open("rb") as stream:
        assert read_at(stream.fileno(), 4, np.zeros(20, np.uint8)) == 6
        assert read_at(stream.fileno(), 40, np.zeros(20, np.uint8)) == 0


def test_a_part_of_an_array_cannot_be_filled(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(10))
    with (tmp_path / "a").open("rb") as stream, pytest.raises(ValueError, match="C-contiguous"):
        read_at(stream.fileno(), 0, np.zeros((4, 4), np.uint8)[:, :2])
