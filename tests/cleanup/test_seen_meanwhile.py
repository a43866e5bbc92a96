"""A cleanup and an import of the same layout: what one of them saw, the other does not remove."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import pytest

from coverslip.catalog import Catalog
from coverslip.cleanup import apply_plan, make_plan
from coverslip.cleanup.existence_remote import NOTHING
from coverslip.cleanup.planning import Asked, excluding_others
from coverslip.errors import ConflictError
from coverslip.model.entities import EntitySeen
from coverslip.model.removal import Scope
from tests.catalog.conftest import catalog, clock, emptied_postgresql, empty_sqlite, new_catalog, server, url
from tests.catalog.making import Clock
from tests.cleanup.test_planning import Noted, annotation, fill

__all__ = ["catalog", "clock", "emptied_postgresql", "empty_sqlite", "new_catalog", "server", "url"]


class Returning(Noted):
    """Asks a layout, and before the second answer is used a document is back and an import has seen it."""

    def __init__(self, catalog: Catalog, layout: str, seen: EntitySeen, then: Callable[[], None]) -> None:
        super().__init__()
        self.catalog, self.layout, self.seen, self.then = catalog, layout, seen, then

    def __call__(
        self, layout: str, keys: Collection[str], prefixes: Collection[str], only_with: Mapping[str, str] = NOTHING
    ) -> Asked:
        answers = super().__call__(layout, keys, prefixes, only_with)
        if len(self.keys) == 2:
            self.then()
            changes = self.catalog.sync_entities(self.layout, [self.seen])
            assert changes.unchanged == (self.seen.identity,)
        return answers


@pytest.mark.parametrize("is_late", [False, True], ids=["at once", "after standing still for two minutes"])
def test_what_an_import_saw_between_the_look_and_the_removal_stays(
    catalog: Catalog, clock: Clock, tmp_path: Path, is_late: bool
) -> None:
    layout = fill(catalog, tmp_path)

    def then() -> None:
        clock.advance(120 if is_late else 0)

    look = Returning(catalog, layout, annotation("a", "a.ndjson", "shared.ndjson"), then)
    plan = make_plan(catalog, Scope("annotation", layout=layout), look, actor="ada")
    with pytest.raises(ConflictError, match="Nothing was removed"):
        apply_plan(catalog, plan.id, look, actor="ada")
    assert [one.name for one in catalog.entities(type="annotation")] == ["a", "b", "c"]
    again = make_plan(catalog, Scope("annotation", layout=layout), Noted(), actor="ada")
    assert len(apply_plan(catalog, again.id, Noted(), actor="ada").removed) == 2


def test_what_is_unchanged_is_not_written_when_nobody_cleans(catalog: Catalog, tmp_path: Path) -> None:
    layout = fill(catalog, tmp_path)
    seen = annotation("a", "a.ndjson", "shared.ndjson")
    catalog.sync_entities(layout, [seen])
    with excluding_others(catalog, ["elsewhere"]):
        catalog.sync_entities(layout, [seen])
    assert catalog.entities(identities=[seen.identity])[0].revision == 1
