"""Globs, regular expressions, and names made up for them."""

import re

import pytest

from coverslip.ingest.deposition.listing import Listing
from coverslip.ingest.deposition.patterns import PatternError, check_glob, check_name_regex, compiled, may_take_forever
from coverslip.ingest.deposition.samples import sample_of_glob, sample_of_regex

PATHS = ["a/x.mrc", "a/y.mrc", "a/.hidden.mrc", "a/b/x.mrc", "a/b/c/x.mrc", "a/[1].mrc", "z.mrc"]


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("*", ["a", "z.mrc"]),
        ("a/?.mrc", ["a/x.mrc", "a/y.mrc"]),
        ("a/*.mrc", ["a/.hidden.mrc", "a/[1].mrc", "a/x.mrc", "a/y.mrc"]),
        ("a/[!._y[]*.mrc", ["a/x.mrc"]),
        ("a/**/x.mrc", ["a/b/c/x.mrc", "a/b/x.mrc", "a/x.mrc"]),
        ("a/[[]1].mrc", ["a/[1].mrc"]),
        ("/a//b/", ["a/b"]),
        ("nothing/*", []),
    ],
)
def test_globs(glob: str, expected: list[str]) -> None:
    assert list(Listing.of(PATHS).glob(glob)) == expected


def test_source_and_destination_are_apart() -> None:
    listing = Listing.of(["a"], ["b"])
    assert listing.glob("*") == ("a",)
    assert listing.glob("*", at_destination=True) == ("b",)


@pytest.mark.parametrize("glob", ["", " ", "../x", "a/../b", "a\0b"])
def test_globs_that_cannot_work(glob: str) -> None:
    with pytest.raises(PatternError):
        check_glob(glob)


@pytest.mark.parametrize("glob", ["/a", "a//b", "a[1", "a**", " a", "./a"])
def test_globs_that_are_odd(glob: str) -> None:
    assert check_glob(glob)


@pytest.mark.parametrize("glob", ["a", "*", "a/**/b", "[!._]*x", "a[1]b"])
def test_globs_that_are_well(glob: str) -> None:
    assert check_glob(glob) == ""


@pytest.mark.parametrize("pattern", ["(", "a{99999999999999}", "(?<!a*)b", "(" * 3000 + ")" * 3000, "x" * 200_000])
def test_what_is_no_regular_expression(pattern: str) -> None:
    with pytest.raises(PatternError):
        compiled(pattern)


def test_a_name_needs_a_group() -> None:
    with pytest.raises(PatternError, match="no group"):
        check_name_regex(r"\(.*")
    check_name_regex("(.*)")


@pytest.mark.parametrize(
    ("pattern", "slow"),
    [
        ("(a+)+$", True),
        ("(?:x*,)*", True),
        ("((a|b)*c)+", True),
        ("(.*){2,}", True),
        ("(.*)", False),
        (r".*\.(mrc|rec)$", False),
        (r"[(*]+(a)\+*", False),
        ("(ab)+", False),
    ],
)
def test_repeats_in_repeats(pattern: str, slow: bool) -> None:
    assert may_take_forever(pattern) is slow


@pytest.mark.parametrize(
    "pattern",
    [
        *("(.*)", r"\.rec$", r"/TS_\d\d$", r"TS_\d{1,2}$", r".*/rawdata/[^\._].*\.(mrc|st|ali)$", r"/(\d{8}_.*)$"),
        *("^a(b|c)d?$", "(?P<n>x+)y", "(?:ab|c)d", r"[\d_]+x", r"[]a]b", r"a\.b\\c"),
        *("sma2022-04-28-.*|sma2022-03-21-.*", "(snapshot|thumbnail)\\.(png|jpg)$", "(?i)abc", "a{3}b{2,}"),
        *("/[^.][^/]*_Align\\.mrc$", ".*$(?<!(10014|10015))"),
    ],
)
def test_a_sample_matches_its_expression(pattern: str) -> None:
    assert re.search(pattern, sample_of_regex(pattern))


def test_a_sample_has_the_name_asked_for() -> None:
    for pattern in (r"(.*)_bin8_align.rec", r"(.*?)_.*?_T4SS.mod", r"x(.*)\.zarr"):
        found = re.match(pattern, sample_of_regex(pattern, group="TS7"))
        assert found is not None
        assert found[1] == "TS7"


@pytest.mark.parametrize("part", ["*", "a*b", "10???", "[!._]*_mask.mrc", "[abc]x", "a[1", "TS_[0-9]*"])
def test_a_sample_fits_its_glob(part: str) -> None:
    name = sample_of_glob(part, "x")
    assert Listing.of([name]).glob(part) == (name,)


@pytest.mark.parametrize("pattern", ["(" * 900, "a{", "a{x}", "[", "[^", "\\", "(?P<", "(?", "a|", "{3}"])
def test_a_sample_of_anything_is_no_exception(pattern: str) -> None:
    assert isinstance(sample_of_regex(pattern), str)
    assert isinstance(sample_of_glob(pattern, "x"), str)
