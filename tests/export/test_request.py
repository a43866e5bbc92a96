"""What is said of a request that makes no sense."""

from pathlib import Path
from typing import Any

import pytest

from coverslip.errors import InvalidRequestError
from coverslip.export import Job


@pytest.mark.parametrize(
    ("markers", "overrides", "said"),
    [
        (
            {"name": "given", "channels": [{"channel": "DNA", "color": "blu", "low": 0, "high": 225}]},
            {},
            (
                "the marker set makes no sense: channels.0.color: 'blu' is no colour: expected a name such as blue, "
                "or #rrggbb"
            ),
        ),
        (
            "Two",
            {"raw": True},
            "the output: pixels as they are go into tiff, ome-tiff, ome-zarr, not into png",
        ),
        ("Two", {"executor": "gpu"}, "the effort: executor: 'gpu' is not what it may be"),
    ],
)
def test_what_makes_no_sense_is_one_plain_sentence(
    images: Path, tmp_path: Path, markers: Any, overrides: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        Job("fov", images, markers, tmp_path, overrides=overrides)
    assert str(caught.value) == said
