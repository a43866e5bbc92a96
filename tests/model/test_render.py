"""Choices of a picture as values."""

from typing import Any

import pytest

from coverslip.model import RenderSpec


@pytest.mark.parametrize(
    ("choice", "digest"),
    [
        ({}, "5e23373a2308029a"),
        ({"width": 512, "z": 3, "channels": (0, 2)}, "19fc99eaea60ce8f"),
        ({"projection": "max", "t": 1, "low": 0.5}, "dea7e147376d74c6"),
    ],
)
def test_digests_stay_what_they_were_before_there_were_more_options(choice: dict[str, Any], digest: str) -> None:
    assert RenderSpec(**choice).digest == digest


def test_every_option_changes_the_digest() -> None:
    other: dict[str, Any] = {
        "width": 10,
        "height": 10,
        "t": 1,
        "z": 1,
        "projection": "std",
        "channels": (1,),
        "low": 2,
        "high": 98,
        "axis": 1,
        "contrast": ({"low": 0, "high": 1},),
        "gamma": 0.5,
        "luts": ("fire",),
        "blend": "alpha",
        "layout": "multiview",
        "crop": {"x": 0, "y": 0, "width": 5, "height": 5},
    }
    assert set(other) == set(RenderSpec.model_fields)
    digests = {RenderSpec.model_validate({name: value}).digest for name, value in other.items()}
    assert len(digests | {RenderSpec().digest}) == len(other) + 1


def test_choices_come_back_from_json() -> None:
    spec = RenderSpec.model_validate({"contrast": ({"low": 1, "high": 2},), "luts": ("red",), "axis": 2, "gamma": 2})
    again = RenderSpec.model_validate_json(spec.model_dump_json())
    assert again == spec
    assert again.digest == spec.digest


@pytest.mark.parametrize("other", [{"axis": 1}, {"layout": "multiview"}])
def test_a_crop_is_for_views_from_above(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="single views along z"):
        RenderSpec.model_validate({"crop": {"x": 0, "y": 0, "width": 5, "height": 5}, **other})
