"""Damage is repeatable, and damage."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz.corpus import Seed, generated, make_mutant
from fuzz.mutate import DAMAGES, mutate

TEXT = b"<Image SizeX='128' SizeY='64'>" + bytes(range(256)) * 8
OTHER = bytes(reversed(range(256))) * 3


@pytest.mark.parametrize("name", DAMAGES)
def test_every_kind_of_damage_changes_bytes_and_is_repeatable(name: str) -> None:
    damage = DAMAGES[name][1]
    once = [damage(TEXT, OTHER, random.Random(n)) for n in range(50)]
    assert once == [damage(TEXT, OTHER, random.Random(n)) for n in range(50)]
    assert len(set(once)) > 20
    assert sum(changed != TEXT for changed in once) > 40


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("content", [b"", b"1", b"12", b"1\x00"])
def test_tiny_files_can_be_damaged_too(name: str, content: bytes) -> None:
    for n in range(50):
        damaged = DAMAGES[name][1](content, b"", random.Random(n))
        assert len(damaged) <= 10 * len(content)


@pytest.mark.parametrize("name", ["bits flipped", "an integer replaced", "a number in digits replaced"])
def test_fields_are_changed_in_place(name: str) -> None:
    assert {len(DAMAGES[name][1](TEXT, OTHER, random.Random(n))) for n in range(50)} == {len(TEXT)}


@pytest.mark.parametrize("encode", [lambda text: text.encode(), lambda text: text.encode("utf-16-le")])
def test_numbers_in_text_become_other_numbers(encode: Callable[[str], bytes]) -> None:
    text = encode("<Dim NumberOfElements='0512'/>")
    damaged = [DAMAGES["a number in digits replaced"][1](text, b"", random.Random(n)) for n in range(200)]
    assert encode("<Dim NumberOfElements='9999'/>") in damaged
    assert encode("<Dim NumberOfElements='-999'/>") in damaged
    assert encode("<Dim NumberOfElements='0000'/>") in damaged


def test_what_was_done_is_told() -> None:
    told = {name for n in range(200) for name in mutate(TEXT, OTHER, random.Random(n))[1].split(", ")}
    assert told == set(DAMAGES)


def test_a_mutant_depends_on_its_numbers_alone(tmp_path: Path) -> None:
    first, second = (generated(tmp_path / name, ["oif"]) for name in "ab")

    def digests(seeds: list[Seed], seed: int) -> list[str]:
        return [make_mutant(seeds, seed, n).digest for n in range(20)]

    assert digests(first, 1) == digests(second, 1)
    assert digests(first, 1) != digests(first, 2)


def test_a_set_of_files_is_mutated_as_a_whole(tmp_path: Path) -> None:
    seeds = {seed.name.name: seed for seed in generated(tmp_path / "made", ["oif", "ome-zarr"])}
    assert len(seeds["series.oif"].parts) > 8
    folder = seeds["plane_v04.ome.zarr"]
    mutant = make_mutant([folder], 0, 0)
    assert mutant.write(tmp_path / "mutant").is_dir()
    written = {path.relative_to(tmp_path / "mutant").as_posix() for path in (tmp_path / "mutant").rglob("*")}
    assert {part.as_posix() for part in folder.parts} <= written
    changed = [part for part in folder.parts if mutant.parts[part] != (folder.root / part).read_bytes()]
    assert len(changed) == 1
    assert mutant.damage.startswith(f"{changed[0]}: ")
