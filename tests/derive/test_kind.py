"""Kinds that cannot be built are refused before anything is."""

from collections.abc import Sequence

import pytest

from coverslip.derive import KINDS
from coverslip.derive.kind import Of, by_name, dependents_of
from tests.derive.lab import Lab, Recipe


def kinds(**needs: Sequence[str]) -> list[Recipe]:
    return [Recipe(name=name, needs=tuple(needed)) for name, needed in needs.items()]


def test_what_needs_what_is_known() -> None:
    found = by_name(kinds(a=(), b=("a",), c=("a", "b")))
    assert dependents_of(found) == {"a": ("b", "c"), "b": ("c",), "c": ()}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (kinds(a=("a",)), "circle: a -> a"),
        (kinds(a=("b",), b=("c",), c=("a",)), "circle: a -> b -> c -> a"),
        (kinds(a=("z",)), "'a' needs 'z', which does not exist"),
        ([Recipe(name="a"), Recipe(name="a")], "two kinds 'a'"),
    ],
)
def test_what_cannot_be_built_is_refused(wrong: list[Recipe], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        by_name(wrong)


def test_a_view_of_an_image_is_not_made_of_many_annotations(lab: Lab) -> None:
    of: Of = "annotation"
    wrong = {"a": Recipe(name="a", of=of), "b": Recipe(name="b", needs=("a",))}
    with pytest.raises(ValueError, match="'b' is of images and needs 'a'"):
        lab.builder_of(wrong)


def test_every_kind_we_have_can_be_built() -> None:
    assert dict(KINDS) == by_name(KINDS.values())
    assert KINDS["combined-small"].needs == ("combined",)
