"""Numbers, and whether the catalog can be written."""

from collections.abc import Mapping

from sqlalchemy import Connection, and_, func, or_, select, update

from coverslip.catalog.annotation_tables import Annotation
from coverslip.catalog.entity_tables import Entity
from coverslip.catalog.marks import is_stale
from coverslip.catalog.part import Part
from coverslip.catalog.tables import Artifact, Asset, Image
from coverslip.errors import CatalogError
from coverslip.model.records import CatalogCounts, StaleCount

_IS_MISSING = or_(Image.missing_since.is_not(None), Asset.missing_since.is_not(None))
_IS_SHOWN = Image.deleted_at.is_(None)


class Health(Part):
    """How the catalog is."""

    def counts(self, versions: Mapping[str, int]) -> CatalogCounts:
        """Return the numbers of the catalog.

        Missing files are not counted among the broken and unknown ones. Artifacts are those of images that are
        neither deleted nor missing, so "no stale ones" is what a worker can reach.

        Parameters
        ----------
        versions
            Present recipe version of each kind; an artifact built by an older one is stale.
        """
        with self._database.reading() as connection:
            return CatalogCounts(
                **_count_images(connection), **_count_assets(connection), **self._count_artifacts(connection, versions)
            )

    def stale_by_kind(self, versions: Mapping[str, int]) -> dict[str, StaleCount]:
        """Return how many artifacts of each kind are stale, and since when the oldest of them is.

        Ignored ones and those of deleted or missing images do not count; those that failed do.
        """
        since = func.min(Artifact.marked_at).filter(Artifact.built < Artifact.wanted)
        wanted = (
            select(Artifact.kind, func.count().label("number"), since.label("since"))
            .select_from(Artifact)
            .join(Image, Image.id == Artifact.image_id)
            .join(Asset, Asset.id == Image.asset_id)
            .outerjoin(Annotation, Annotation.id == Artifact.annotation_id)
            .outerjoin(Entity, Entity.id == Artifact.entity_id)
            .where(_IS_SHOWN, ~_IS_MISSING, Annotation.deleted_at.is_(None), Entity.deleted_at.is_(None))
            .where(Artifact.kind.in_(list(versions)), is_stale(versions), Artifact.ignored_at.is_(None))
            .group_by(Artifact.kind)
        )
        none = {kind: StaleCount(0, None) for kind in versions}
        with self._database.reading() as connection:
            return none | {row.kind: StaleCount(row.number, row.since) for row in connection.execute(wanted)}

    def check(self) -> None:
        """Return when the catalog can be written. Nothing is written.

        Raises
        ------
        CatalogError
            It cannot, and why.
        """
        path = self._database.address.path
        if path is not None and not path.exists():
            raise CatalogError(f"the catalog {self._database.address.shown} was removed while it was open")
        with self._database.writing() as connection:
            connection.execute(update(Asset).where(Asset.id == "").values(size=0))

    def _count_artifacts(self, connection: Connection, versions: Mapping[str, int]) -> dict[str, int]:
        stale = is_stale(versions)
        wanted = (
            select(
                func.count().filter(~stale).label("artifacts_fresh"),
                func.count().filter(stale).label("artifacts_stale"),
                func.count().filter(and_(stale, Artifact.error.is_not(None))).label("artifacts_failed"),
                func.count().filter(Artifact.lease_until > self._clock()).label("artifacts_building"),
            )
            .select_from(Artifact)
            .join(Image, Image.id == Artifact.image_id)
            .join(Asset, Asset.id == Image.asset_id)
            .outerjoin(Annotation, Annotation.id == Artifact.annotation_id)
            .outerjoin(Entity, Entity.id == Artifact.entity_id)
            .where(_IS_SHOWN, ~_IS_MISSING, Annotation.deleted_at.is_(None), Entity.deleted_at.is_(None))
        )
        return dict(connection.execute(wanted).one()._mapping)


def _count_images(connection: Connection) -> dict[str, int]:
    is_deleted = and_(Image.deleted_at.is_not(None), Image.purged_at.is_(None))
    wanted = (
        select(
            func.count().filter(_IS_SHOWN).label("images"),
            func.count().filter(_IS_SHOWN, _IS_MISSING).label("images_missing"),
            func.count().filter(is_deleted).label("images_deleted"),
        )
        .select_from(Image)
        .join(Asset, Asset.id == Image.asset_id)
    )
    return dict(connection.execute(wanted).one()._mapping)


def _count_assets(connection: Connection) -> dict[str, int]:
    is_there = Asset.missing_since.is_(None)
    wanted = select(
        func.count().label("assets"),
        func.count().filter(Asset.state == "broken", is_there).label("broken"),
        func.count().filter(Asset.state == "unknown", is_there).label("unknown"),
    ).select_from(Asset)
    return dict(connection.execute(wanted).one()._mapping)
