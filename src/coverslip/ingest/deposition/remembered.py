"""The catalog as that which remembers what ingests of one layout did."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from coverslip.catalog import Catalog
from coverslip.errors import NotFoundError, StorageError
from coverslip.ingest.decide import decide
from coverslip.ingest.deposition.ports import Lease
from coverslip.ingest.examine import Locate, OpenFile, examine
from coverslip.ingest.walk import see_file
from coverslip.model.entities import EntityChanges, EntitySeen, StepRecord
from coverslip.model.records import AssetRecord, SyncItem
from coverslip.readers import open_image, signature
from coverslip.sources import locate
from coverslip.storage import Storage


@dataclass(frozen=True, slots=True)
class CatalogLog:
    """Steps, entities and leases of one layout in the catalog.

    Parameters
    ----------
    catalog
        Where they are kept.
    destination
        The top of the layout.
    open_file
        Opens the images of the layout.
    locate
        Turns the place of an image into a path that can be opened.
    """

    catalog: Catalog
    destination: Storage
    open_file: OpenFile = open_image
    locate: Locate = locate

    @property
    def layout(self) -> str:
        """What the catalog calls the layout."""
        return self.destination.url

    def steps(self, prefix: str) -> Mapping[str, StepRecord]:
        """Return the records whose names begin with a prefix; see ``StepLog.steps``."""
        return self.catalog.steps(self.layout, prefix)

    def note(self, record: StepRecord) -> None:
        """Keep a record; see ``StepLog.note``."""
        self.catalog.note_steps(self.layout, [record])

    def take(self, name: str, seconds: float) -> Lease | None:
        """Return a lease; see ``Leases.take``."""
        token = self.catalog.take_lease(name, seconds)
        return None if token is None else CatalogLease(self.catalog, name, token, seconds)

    def sync(self, seen: Sequence[EntitySeen], above: Sequence[EntitySeen]) -> EntityChanges:
        """Write entities, and the images among their files that are new or changed; see ``EntityLog.sync``."""
        missing = {one.identity for one in above}
        missing -= (
            {one.identity for one in self.catalog.entities(self.layout, identities=missing)} if missing else set()
        )
        found = [self._as_it_lies(one) for one in above if one.identity in missing]
        if not seen and not found:
            return EntityChanges()
        parents = {one.identity for one in found}
        changes = self.catalog.sync_entities(
            self.layout,
            _parents_first([*found, *seen]),
            files=self._images(seen),
            read_by=signature(),
        )
        return replace(changes, added=tuple(one for one in changes.added if one not in parents))

    def _as_it_lies(self, one: EntitySeen) -> EntitySeen:
        """Return an entity that was there before this ingest, with its document. Whose dataset it is, nobody says."""
        document: dict[str, Any] = {}
        try:
            read = json.loads(self.destination.read(one.key))
            document = read if isinstance(read, dict) else {}
        except (NotFoundError, StorageError, ValueError, RecursionError):
            pass  # it has none, or it is a folder: it is known by its name
        owner = str(document.get("deposition_id") or "")
        return replace(one, document=document, deposition=owner, parent=None if one.type == "dataset" else one.parent)

    def _images(self, seen: Sequence[EntitySeen]) -> list[SyncItem]:
        """Return the images that the catalog does not know as they are. Their pixels are not read."""
        wanted = [f"{self.layout}/{one.image_key}" for one in seen if one.image_key]
        known: dict[str, AssetRecord] = {}
        for path in wanted:
            known |= self.catalog.assets_under(path)
        items: list[SyncItem] = []
        for path in wanted:
            file = see_file(self.locate(path))
            if decide(file, known.get(path), signature(), refresh=False) != "settled":
                items += examine(file, self.open_file, self.locate).items
        return items


@dataclass(frozen=True, slots=True)
class CatalogLease:
    """A lease in the catalog."""

    catalog: Catalog
    name: str
    token: str
    seconds: float

    def renew(self) -> bool:
        """Return whether it is still ours; see ``Lease.renew``."""
        return self.catalog.keep_lease(self.name, self.token, self.seconds)

    def release(self) -> None:
        """Give it back; see ``Lease.release``."""
        self.catalog.end_lease(self.name, self.token)


def _parents_first(entities: Sequence[EntitySeen]) -> list[EntitySeen]:
    """Return entities with parents before their children, else in the order given."""
    waiting = {one.identity: one for one in entities}
    found: dict[str, EntitySeen] = {}

    def take(one: EntitySeen) -> None:
        if one.identity in found:
            return
        if one.parent in waiting:
            take(waiting[one.parent])
        found[one.identity] = one

    for one in entities:
        take(one)
    return list(found.values())
