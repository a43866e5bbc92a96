from typing import Any

import pytest

from coverslip.catalog import Catalog
from coverslip.model.entities import EntitySeen

LAYOUT = "/data/layout"


def entity(type_: str, identity: str, parent: str | None, deposition: str = "") -> EntitySeen:
    return EntitySeen(type_, identity, parent, name=identity.rsplit("/", 1)[-1], deposition=deposition)


ALL = [
    entity("dataset", "datasets/1", None),
    entity("run", "datasets/1/runs/TS_1", "datasets/1"),
    entity("tiltseries", "datasets/1/runs/TS_1/tiltseries/0", "datasets/1/runs/TS_1", "7"),
    entity("dataset", "datasets/10", None),
    entity("run", "datasets/10/runs/Ä_50%", "datasets/10", "8"),
]


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    catalog.sync_entities(LAYOUT, ALL)
    return catalog


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"type": "run"}, [2, 5]),
        ({"run": "TS_1"}, [2, 3]),
        ({"run": "datasets/1/runs/TS_1"}, [2, 3]),
        ({"run": "2"}, [2, 3]),
        ({"run": "²"}, []),
        ({"run": "9" * 30}, []),
        ({"dataset": "1"}, [1, 2, 3]),
        ({"dataset": "1", "run": "2", "type": "tiltseries"}, [3]),
        ({"deposition": "8"}, [5]),
        ({"parent_id": 1}, [2]),
        ({"q": "ts_"}, [2, 3]),
        ({"q": "50%"}, [5]),
        ({"q": "5_%"}, []),
        ({"q": "\\"}, []),
        ({"after": 3}, [4, 5]),
        ({"after": 2**70}, []),
        ({"limit": 2}, [1, 2]),
    ],
)
def test_entities_are_found_in_the_order_of_their_numbers(
    filled: Catalog, choice: dict[str, Any], expected: list[int]
) -> None:
    names = [one.identity for one in ALL]
    found = [names.index(one.identity) + 1 for one in filled.find_entities(**_numbers(filled, choice))]
    assert found == expected


def _numbers(catalog: Catalog, choice: dict[str, Any]) -> dict[str, Any]:
    """Return a choice with the numbers that the entities have here in place of their places in the list."""
    first = catalog.find_entities()[0].id - 1
    if choice.get("run") == "2":
        return choice | {"run": str(first + 2)}
    return {name: value + first if name in {"parent_id", "after"} else value for name, value in choice.items()}


def test_children_are_counted_by_type(filled: Catalog) -> None:
    dataset, run, series, *_ = filled.find_entities()
    assert filled.count_children(dataset.id) == {"run": 1}
    assert filled.count_children(run.id) == {"tiltseries": 1}
    assert filled.count_children(series.id) == {}
