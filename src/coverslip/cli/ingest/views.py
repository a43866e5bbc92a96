"""The views of what was ingested: built at the end of an ingest, published, and told of."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from coverslip.cli.output import amount, one_line, size_text
from coverslip.settings import Settings
from coverslip.sources import RemoteRules, locate

if TYPE_CHECKING:
    from coverslip.catalog import Catalog
    from coverslip.confined import Opener
    from coverslip.derive.publication import PublishedItem, PublishReport
    from coverslip.derive.viewing.refreshing import ViewBuilt, ViewsReport
    from coverslip.storage import Storage

SORTS = ("viewer state", "key photo", "precompute")
"""What kinds are called in a sum of them."""
SHOWN = 20
"""Annotations that nothing shows which are named; ``--json`` has all."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What became of the views of some runs."""

    views: "ViewsReport"
    published: "PublishReport | None" = None

    @property
    def is_stopped(self) -> bool:
        """Whether somebody stopped it."""
        return self.views.is_stopped or (self.published is not None and self.published.is_stopped)

    @property
    def is_whole(self) -> bool:
        """Whether nothing failed."""
        failed = len(self.views.failed) + (len(self.published.failed) if self.published is not None else 0)
        return failed == 0 and not self.is_stopped

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        published = None if self.published is None else self.published.document()
        return {"views": self.views.document(), "published": published}

    def lines(self) -> Iterator[str]:
        """Yield the sum of it, in sentences."""
        yield from _views_lines(self.views)
        if self.published is not None:
            yield from _published_lines(self.published)


def refresh(
    settings: Settings,
    catalog: "Catalog",
    opener: "Opener",
    layout: str,
    runs: Collection[str],
    *,
    changed: Collection[str] = (),
    publish_to: "Storage | None" = None,
    https_prefix: str | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda line: None,
) -> Refreshed:
    """Build the views of some runs that are stale, and publish them.

    Parameters
    ----------
    settings
        Say where artifacts are, and what follows annotations.
    catalog, opener
        Open.
    layout
        As the catalog calls it.
    runs
        Identities.
    changed
        Identities of what the ingest added or changed.
    publish_to
        The top of the layout; nothing is published where left out.
    https_prefix
        The address that the top is read at; states are not published without it.
    should_stop
        Asked between two reads.
    say
        Told of each view and each thing published that was new, in a line.

    Raises
    ------
    CatalogError, StorageError
        The catalog or the storage of artifacts cannot be opened.
    InvalidRequestError
        The address is none.
    """
    from coverslip.cleanup import announce  # noqa: PLC0415  this and what follows bring numpy and SQLAlchemy along
    from coverslip.derive import Builder  # noqa: PLC0415
    from coverslip.derive.kinds import entity_kinds_of  # noqa: PLC0415
    from coverslip.derive.publishing import publish  # noqa: PLC0415
    from coverslip.derive.viewing.refreshing import refresh_views  # noqa: PLC0415
    from coverslip.storage import open_storage  # noqa: PLC0415

    storage = open_storage(settings.artifacts_url)
    announce(catalog, storage)
    builder = Builder(
        catalog,
        storage,
        lease_seconds=settings.lease_seconds,
        open_file=opener.open_image,
        locate=partial(locate, rules=RemoteRules.of(settings)),
    )
    views = refresh_views(
        builder,
        layout,
        runs,
        changed=changed,
        follows=entity_kinds_of(settings).follows,
        should_stop=should_stop,
        on_view=lambda view: say(_view_line(view)),
    )
    if publish_to is None or views.is_stopped:
        return Refreshed(views)
    published = publish(
        builder,
        publish_to,
        layout,
        top=https_prefix,
        runs=runs,
        should_stop=should_stop,
        on_item=lambda item: say(_item_line(item)) if item.outcome != "unchanged" else None,
    )
    return Refreshed(views, published)


def _view_line(view: "ViewBuilt") -> str:
    of = f"{view.kind} of {view.identity} ({view.number})"
    if view.state == "failed":
        return f"failed    {of}: {view.error}"
    more = f", {amount(view.changes, 'change')} at once" if view.changes > 1 else ""
    return f"built     {of}: {view.cause}{more}"


def _item_line(item: "PublishedItem") -> str:
    said = item.reason or f"{amount(item.objects, 'object')}, {size_text(item.bytes)}"
    return f"{'failed' if item.outcome == 'failed' else 'published':<9} {item.what} of {item.identity}: {said}"


def _views_lines(views: "ViewsReport") -> Iterator[str]:
    counts = Counter(_sort_of(one.kind) for one in views.built)
    coalesced = sum(one.changes - 1 for one in views.built)
    built = ", ".join(amount(counts[sort], sort) for sort in SORTS if counts[sort]) or "none was stale"
    fresh = sum(views.fresh.values())
    yield (
        f"views: {built}; {amount(coalesced, 'change')} coalesced; {fresh:,} were fresh, {len(views.failed):,} failed; "
        f"in {views.seconds:.1f} s"
    )
    if views.unshown:
        shown = ", ".join(views.unshown[:SHOWN])
        more = f" and {len(views.unshown) - SHOWN:,} more" if len(views.unshown) > SHOWN else ""
        yield one_line(
            f"no tomogram shares the alignment of {amount(len(views.unshown), 'annotation')}, which nothing shows: "
            f"{shown}{more}"
        )
    if views.unfollowed:
        yield (
            f"{amount(len(views.unfollowed), 'tomogram')} keep the views they had: annotations are not followed here; "
            f"coverslip rebuild --kind neuroglancer_state --run RUN makes new ones"
        )
    if views.imageless:
        yield f"{amount(len(views.imageless), 'tomogram')} without an image in the catalog have no views"


def _sort_of(kind: str) -> str:
    if kind == "neuroglancer_state":
        return SORTS[0]
    return SORTS[1] if kind.startswith("key-photo-") else SORTS[2]


def _published_lines(published: "PublishReport") -> Iterator[str]:
    counts = published.counts
    objects = sum(one.objects for one in published.items)
    size = size_text(sum(one.bytes for one in published.items))
    yield (
        f"published: {counts.get('written', 0):,} written ({amount(objects, 'object')}, {size}), "
        f"{counts.get('unchanged', 0):,} unchanged, {counts.get('failed', 0):,} failed; in {published.seconds:.1f} s"
    )
