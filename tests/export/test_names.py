import pytest

from coverslip.errors import InvalidRequestError
from coverslip.export.names import distinct, fields_of, fill, safe
from coverslip.model import Cell


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{fov}_{label:05}", "FOV1_00042"),
        ("{fov}/{label}", "FOV1/42"),
        ("{cluster}", "CD4_T_cell_Treg"),
        ("{area}", "136"),
        ("{nothing}", "none"),
        ("{centroid-0}", "3.956"),
        ("../{fov}", "_/FOV1"),
        ("a*b {fov}", "a_b_FOV1"),
        ("{dots}", "_"),
        ("{device}", "_con"),
        ("{greek}", "Ω-3"),
    ],
)
def test_a_template_becomes_a_name(template: str, name: str) -> None:
    values: dict[str, Cell] = {
        "fov": "FOV1",
        "label": 42,
        "cluster": "CD4 T cell/Treg",
        "area": 136.0,
        "nothing": None,
        "centroid-0": 3.956,
        "dots": "..",
        "device": "con",
        "greek": "Ω-3",
    }
    assert fill(template, values) == name


@pytest.mark.parametrize("template", ["", "{fov", "{}", "{fov!r}", "{fov.__class__[0]}", "{fov:>10}", "{fov:99}"])
def test_what_is_no_template_is_refused(template: str) -> None:
    with pytest.raises(InvalidRequestError):
        fields_of(template)


def test_a_name_that_no_item_has_is_refused_with_those_it_has() -> None:
    with pytest.raises(InvalidRequestError, match=r"asks for \{marker\}; there are: fov, label"):
        fill("{marker}", {"fov": "A", "label": 1})


def test_names_that_differ_in_case_or_composition_alone_are_told_apart() -> None:
    assert distinct(["a", "A", "b", "a", "a_2", "e\u0301", "\u00e9"]) == [
        *("a", "A_3", "b", "a_4", "a_2", "e\u0301", "\u00e9_2"),
    ]


def test_long_names_are_cut_and_stay_apart() -> None:
    one, other = (fill("{text}", {"text": "ä" * 200 + end}) for end in "xy")
    assert len(one.encode()) <= 180
    assert one != other


def test_every_other_character_becomes_an_underscore() -> None:
    assert safe('a/b\\c:d*e?f"g<h>i|j\nk\0l') == "a_b_c_d_e_f_g_h_i_j_k_l"
