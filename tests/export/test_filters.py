import numpy as np
import pytest

from coverslip.errors import InvalidRequestError
from coverslip.export.filters import parse

COLUMNS = {
    "area": np.array([10.0, 50.0, np.nan, 90.0]),
    "label": np.array([1, 2, 3, 4]),
    "cluster": np.array(["immune", "tumour", None, "immune"], object),
    "centroid-0": np.array([1.0, 2.0, 3.0, 4.0]),
}


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("area > 10", [1, 3]),
        ("area != 50", [0, 2, 3]),
        ('cluster == "immune" and area > 50', [3]),
        ("cluster == 'immune' | label == 2", [0, 1, 3]),
        ("not (label in [1, 4])", [1, 2]),
        ("label not in [1, 4]", [1, 2]),
        ('cluster in ["tumour"]', [1]),
        ('cluster != "immune"', [1, 2]),
        ('cluster contains "mm"', [0, 3]),
        ("cluster is empty", [2]),
        ("area is not empty & !(label == 1)", [1, 3]),
        ("`centroid-0` >= 2.5e0", [2, 3]),
        ("`centroid-0` < label", []),
        ("label <= area", [0, 1, 3]),
        ("label == 1 or label == 2 and area == 0", [0]),
    ],
)
def test_an_expression_chooses_rows(expression: str, rows: list[int]) -> None:
    predicate, _ = parse(expression)
    assert np.flatnonzero(predicate(COLUMNS)).tolist() == rows


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "expected the name of a column, found its end"),
        ("area >", "character 7"),
        ("area > 10 label", "expected the end"),
        ("__import__('os').system('true')", "no meaning|expected"),
        ("area > (10)", "expected"),
        ("label in []", "a number or a text"),
        ("area == @x", "no meaning from character 9"),
        ("(" * 60 + "area > 1" + ")" * 60, "nested 50 deep"),
        ("a" * 10_001, "at most 10000 characters"),
    ],
)
def test_what_is_no_expression_is_refused_with_its_place(expression: str, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        parse(expression)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("size > 1", "no column 'size'; it has: area, label"),
        ('area == "x"', "holds numbers and cannot be compared with a text"),
        ("cluster > 1", "holds text and cannot be compared with a number"),
        ("cluster == area", "one is text, one is numbers"),
    ],
)
def test_a_column_that_does_not_fit_is_refused(expression: str, words: str) -> None:
    predicate, _ = parse(expression)
    with pytest.raises(InvalidRequestError, match=words):
        predicate(COLUMNS)


def test_columns_that_are_asked_for_are_known() -> None:
    assert parse("a > 1 and `b c` == d")[1] == {"a", "b c", "d"}
