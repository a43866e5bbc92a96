"""The views of runs, built after everything is in: each once, and said why."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from coverslip.derive.builder import Builder
from coverslip.derive.viewing.key_photos import KEY_PHOTOS
from coverslip.derive.viewing.states import NEUROGLANCER_STATE
from coverslip.errors import BuildError, NotFoundError
from coverslip.model.entities import EntityRecord
from coverslip.model.records import ArtifactRecord

VIEWS = (NEUROGLANCER_STATE, *(kind.name for kind in KEY_PHOTOS))
"""What a tomogram is seen in, what others are made from before those."""


@dataclass(frozen=True, slots=True)
class ViewBuilt:
    """One view or precompute that was stale."""

    kind: str
    identity: str
    """Of the tomogram or annotation."""
    number: int
    """Its public number."""
    state: Literal["built", "failed"]
    cause: str
    """The latest change that it had not seen, in words."""
    changes: int
    """How many changes one build stands for."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ViewsReport:
    """What became of the views of some runs."""

    views: tuple[ViewBuilt, ...] = ()
    """What was stale."""
    fresh: Mapping[str, int] = field(default_factory=dict)
    """How many had nothing to see that they had not seen, by kind."""
    unshown: tuple[str, ...] = ()
    """Annotations whose alignment no tomogram of their run has: nothing shows them."""
    unfollowed: tuple[str, ...] = ()
    """Tomograms whose views stay as they were, although annotations changed, because a setting says so."""
    imageless: tuple[str, ...] = ()
    """Tomograms whose image is not in the catalog."""
    is_stopped: bool = False
    seconds: float = 0.0

    @property
    def built(self) -> tuple[ViewBuilt, ...]:
        """What was built."""
        return tuple(one for one in self.views if one.state == "built")

    @property
    def failed(self) -> tuple[ViewBuilt, ...]:
        """What could not be built; each is a row of the catalog with its reason, and is tried again."""
        return tuple(one for one in self.views if one.state == "failed")

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "built": [asdict(one) for one in self.built],
            "failed": [asdict(one) for one in self.failed],
            "coalesced": sum(one.changes - 1 for one in self.built),
            "skipped": {
                "fresh": dict(self.fresh),
                "no tomogram shares the alignment": list(self.unshown),
                "annotations are not followed": list(self.unfollowed),
                "the image is not in the catalog": list(self.imageless),
            },
            "stopped": self.is_stopped,
            "seconds": round(self.seconds, 3),
        }


def _everything(_identity: str) -> bool:
    return True


def _go_on() -> bool:
    return False


def refresh_views(
    builder: Builder,
    layout: str,
    runs: Collection[str] | None = None,
    *,
    changed: Collection[str] = (),
    follows: Callable[[str], bool] = _everything,
    should_stop: Callable[[], bool] = _go_on,
    on_view: Callable[[ViewBuilt], None] = lambda view: None,
) -> ViewsReport:
    """Build every precompute, viewer state and key photo of some runs that is stale.

    Each is claimed as workers claim: others may build some meanwhile, and what they built is fresh here.

    Parameters
    ----------
    builder
        Builds them.
    layout
        As the catalog calls it.
    runs
        Identities of runs; all of the layout where left out.
    changed
        Identities of entities that just changed: which annotations a setting keeps from changing anything is said.
    follows
        Whether views follow the annotations of what has an identity; ``EntityKinds.follows``.
    should_stop
        Asked between two reads; when true, what is not built stays stale.
    on_view
        Told of each that was built or failed.

    Raises
    ------
    CatalogError
        The catalog does not answer.
    """
    began = time.monotonic()
    work = _Refreshing(builder, should_stop, on_view)
    changed = frozenset(changed)
    for run in runs_of(builder, layout, runs):
        if work.is_stopped:
            break
        work.refresh(builder.catalog.entities(layout, under=run), changed, follows)
    return ViewsReport(
        tuple(work.views),
        dict(sorted(work.fresh.items())),
        tuple(work.unshown),
        tuple(work.unfollowed),
        tuple(work.imageless),
        work.is_stopped,
        time.monotonic() - began,
    )


def runs_of(builder: Builder, layout: str, runs: Collection[str] | None) -> list[str]:
    """Return the identities of runs, each once; those of the whole layout where none are given."""
    if runs is None:
        return [one.identity for one in builder.catalog.entities(layout, type="run")]
    return list(dict.fromkeys(runs))


@dataclass(slots=True)
class _Refreshing:
    builder: Builder
    should_stop: Callable[[], bool]
    on_view: Callable[[ViewBuilt], None]
    views: list[ViewBuilt] = field(default_factory=list)
    fresh: Counter[str] = field(default_factory=Counter)
    unshown: list[str] = field(default_factory=list)
    unfollowed: list[str] = field(default_factory=list)
    imageless: list[str] = field(default_factory=list)
    is_stopped: bool = False

    def refresh(
        self, entities: Collection[EntityRecord], changed: Collection[str], follows: Callable[[str], bool]
    ) -> None:
        """Build what is stale of one run, annotations before the tomograms that show them."""
        annotations = {one.id: one for one in entities if one.type == "annotation"}
        tomograms = [one for one in entities if one.type == "tomogram"]
        shown = self.builder.catalog.images_showing(annotations)
        self.unshown += [one.identity for one in annotations.values() if one.id not in shown]
        # precomputes that are built mark what shows them: what is said is the change that was there before
        first = {
            (record.kind, record.image_id): record
            for one in tomograms
            if one.image_id is not None
            for record in self._records(one.image_id)
        }
        for record in self.builder.catalog.artifacts_of_entities(shown):
            if record.kind in self.builder.kinds and record.entity_id is not None:
                self._build(record, annotations[record.entity_id])
        passed_over = {
            image_id
            for number, images in shown.items()
            if annotations[number].identity in changed and not follows(annotations[number].identity)
            for image_id in images
        }
        for tomogram in tomograms:
            if tomogram.image_id is None:
                self.imageless.append(tomogram.identity)
                continue
            before = len(self.views)
            for record in self._records(tomogram.image_id):
                self._build(record, tomogram, first.get((record.kind, record.image_id)))
            if len(self.views) == before and tomogram.image_id in passed_over:
                self.unfollowed.append(tomogram.identity)

    def _records(self, image_id: str) -> Iterator[ArtifactRecord]:
        """Yield the views of a tomogram, each as it is once those before it are built."""
        for kind in VIEWS:
            if kind in self.builder.kinds and not self.is_stopped:
                try:
                    yield self.builder.wanted(kind, image_id)
                except NotFoundError:
                    return  # deleted just now

    def _build(self, record: ArtifactRecord, entity: EntityRecord, before: ArtifactRecord | None = None) -> None:
        """Build an artifact that is stale; ``before`` is how it stood when its run began."""
        if self.is_stopped or self.should_stop():
            self.is_stopped = True
            return
        if record.is_fresh(self.builder.versions[record.kind]):
            self.fresh[record.kind] += 1
            return
        stale = before if before is not None and before.built < before.wanted else record
        changes = max(1, stale.wanted - stale.built)
        cause = stale.cause if stale.built < stale.wanted else "the recipe is newer"
        error = None
        try:
            self.builder.build_until(record, self.should_stop)
        except NotFoundError:
            return
        except BuildError as reason:
            if self.should_stop():
                self.is_stopped = True
                return
            error = str(reason)
        what: Literal["built", "failed"] = "built" if error is None else "failed"
        view = ViewBuilt(record.kind, entity.identity, entity.id, what, cause, changes, error)
        self.views.append(view)
        self.on_view(view)
