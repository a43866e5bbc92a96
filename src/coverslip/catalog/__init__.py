"""The only place that knows SQL. Rows of files, images, annotations and artifacts become frozen records at its border.

``Catalog`` is the front door; ``docs/catalog.md`` explains the tables.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Self

from coverslip.catalog.address import parse_address
from coverslip.catalog.annotations import Annotations
from coverslip.catalog.artifacts import Artifacts
from coverslip.catalog.assets import Assets
from coverslip.catalog.audit import Audit
from coverslip.catalog.backing_up import Backups
from coverslip.catalog.candidates import Candidates
from coverslip.catalog.claims import Claims
from coverslip.catalog.database import Database, utc_now
from coverslip.catalog.dependents import Dependents
from coverslip.catalog.entities import Entities, Steps
from coverslip.catalog.entity_lists import EntityLists
from coverslip.catalog.events import Events
from coverslip.catalog.exports import Exports
from coverslip.catalog.forgetting import Forgetting
from coverslip.catalog.health import Health
from coverslip.catalog.image_removals import ImageCandidates
from coverslip.catalog.images import Images
from coverslip.catalog.keeping import Keeping
from coverslip.catalog.marks import Kinds, add_missing_artifacts, missing_artifacts
from coverslip.catalog.opening import must_be_there, prepare
from coverslip.catalog.places import QuickPlaces
from coverslip.catalog.plan_pages import PlanPages
from coverslip.catalog.purging import Purges
from coverslip.catalog.removals import Removals
from coverslip.catalog.sync import Sync
from coverslip.catalog.views import Views
from coverslip.catalog.waiting import Waiting
from coverslip.model.entities import EntityKinds

__all__ = ["Catalog"]


class Catalog(
    Assets,
    Sync,
    Images,
    Annotations,
    Entities,
    EntityLists,
    Steps,
    Candidates,
    ImageCandidates,
    Dependents,
    Removals,
    Purges,
    PlanPages,
    Audit,
    Backups,
    Views,
    Artifacts,
    Claims,
    Waiting,
    Keeping,
    Forgetting,
    Events,
    Exports,
    Health,
    QuickPlaces,
):
    """An open catalog. Safe to use from many threads; every method is one short transaction.

    A context manager. Methods raise ``CatalogError`` when the database refuses or cannot be reached.
    """

    @classmethod
    def open(
        cls,
        url: str,
        *,
        versions: Mapping[str, int],
        annotation_versions: Mapping[str, int] | None = None,
        entity_kinds: EntityKinds | None = None,
        clock: Callable[[], datetime] = utc_now,
        must_exist: bool = False,
    ) -> Self:
        """Return the catalog at an address, created or brought up to date first.

        Parameters
        ----------
        url
            ``sqlite:///path`` or ``postgresql://user:password@host/name``.
        versions
            Present recipe version of each kind of artifact that every image has. No default: who opens a catalog
            without a kind would add images without that kind's rows. ``derive.open_catalog`` knows them all.
        annotation_versions
            The same for the kinds that every annotation has.
        entity_kinds
            Which kinds entities have, and which follow their changes and those of annotations.
        clock
            Tells the time, aware. Machines that share a catalog need clocks that agree within a lease.
        must_exist
            Whether a catalog has to be there: nothing is created then.

        Raises
        ------
        NotFoundError
            There is none, and there has to be.
        CatalogError
            It cannot be reached or written, is of another program, or was written by a newer Coverslip.
        """
        database = Database(parse_address(url), clock)
        try:
            if must_exist:
                must_be_there(database)
            prepare(database)
            catalog = cls(database, versions, annotation_versions, entity_kinds)
            catalog._complete()
        except BaseException:
            database.close()
            raise
        return catalog

    @property
    def url(self) -> str:
        """The address, without a password: safe to show."""
        return self._database.address.shown

    def now(self) -> datetime:
        """Return the time that leases, back-off and tombstones are compared with; aware."""
        return self._clock()

    def when_marked(self, tell: Callable[[frozenset[str]], None] | None) -> None:
        """Have somebody told, after each transaction that made something stale, of which images; ``""`` is any.

        Told in the thread that made the change, so it must return at once and raise nothing.
        """
        self._database.on_marked = tell

    def close(self) -> None:
        """Close every connection. Safe to call twice."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _complete(self) -> None:
        """Give images and annotations the artifacts of kinds that came with this version."""
        kinds = Kinds(self._kinds, self._annotation_kinds)
        with self._database.reading() as connection:
            is_complete = not missing_artifacts(connection, kinds, self._clock())
        if not is_complete:
            with self._database.writing() as connection:
                add_missing_artifacts(connection, kinds, self._clock())
