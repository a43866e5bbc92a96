"""Bytes of our own that no record refers to: artifacts, and what is left of uploads. Nobody else's are ever removed."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from coverslip.catalog import Catalog
from coverslip.cleanup.gc import GcPlan, announce, collect, plan_gc
from coverslip.cleanup.removing import Removed
from coverslip.cleanup.uploads import ABANDONED_SECONDS, sweep_uploads
from coverslip.errors import ConflictError, StorageError
from coverslip.model.removal import AT_LEAST, SHARE, Permit, Whose, anything
from coverslip.storage import Storage, abandoned, reason_of


@dataclass(frozen=True, slots=True)
class OwnFile:
    """Something of ours that no record refers to."""

    place: str
    size: int
    """In bytes."""
    kind: Literal["artifact", "part", "upload"]
    """``part``: what is left of an upload or purge that was killed. ``upload``: a whole original without a record and
    without a mark that says it may go. It stays: it may be of a catalog that was put back to an earlier time."""

    @property
    def may_go(self) -> bool:
        """Whether it can be removed without losing anything that anybody gave."""
        return self.kind != "upload"


@dataclass(frozen=True, slots=True)
class ArtifactPlan:
    """Artifacts that nothing refers to, and those that no recipe makes any more."""

    collected: GcPlan
    kinds: Mapping[str, int]
    """Kinds without a recipe, and how many rows of each."""
    rows: int
    """Rows of artifacts in all."""

    def held(self, allow: int = 0) -> str:
        """Return why the brake holds all of it; empty where it does not.

        Parameters
        ----------
        allow
            A number that was reviewed: if no more rows and objects go in all, they go.
        """
        objects, going = len(self.collected.superseded), sum(self.kinds.values())
        if objects + going <= allow:
            return ""
        stored = objects + self.collected.kept
        for number, of, what in ((objects, stored, "stored artifacts"), (going, self.rows, "rows of artifacts")):
            if number >= AT_LEAST and number > SHARE * of:
                return f"{number:,} of {of:,} {what} would be removed, more than {SHARE:.0%}"
        return ""


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """What of ours no record refers to."""

    files: tuple[OwnFile, ...]
    artifacts: ArtifactPlan
    """The artifacts among them, with the brake: they go by the same way as those that are removed by themselves."""

    @property
    def going(self) -> tuple[OwnFile, ...]:
        """Those that may go."""
        return tuple(one for one in self.files if one.may_go)


def plan_artifacts(
    catalog: Catalog,
    storage: Storage,
    recipes: Collection[str],
    *,
    grace_seconds: float,
    actor: str = "",
    permitted: Permit = anything,
) -> ArtifactPlan:
    """Return the artifacts that would be removed; nothing is touched.

    Parameters
    ----------
    catalog, storage
        What belongs together.
    recipes
        Kinds that can be made.
    grace_seconds
        What was written within this time is left alone.
    actor, permitted
        Tells whether the actor may remove a kind, or an object. The others are not told.

    Raises
    ------
    StorageError
        The storage cannot be listed as a whole.
    """
    counts = catalog.count_artifacts()
    kinds = {
        kind: number
        for kind, number in sorted(counts.items())
        if kind not in recipes and permitted(actor, Whose("artifact", 0, kind, storage.url))
    }
    found = plan_gc(catalog, storage, grace_seconds=grace_seconds)
    superseded = tuple(one for one in found.superseded if permitted(actor, Whose("artifact", 0, one.key, storage.url)))
    collected = GcPlan(superseded, (), found.kept_bytes, 0, found.other_catalogs, found.kept)
    return ArtifactPlan(collected, kinds, sum(counts.values()))


def remove_artifacts_of(
    catalog: Catalog, storage: Storage, plan: ArtifactPlan, *, actor: str, command: str = "", allow: int = 0
) -> tuple[int, Removed]:
    """Remove what was planned; return how many rows went, and what became of the bytes.

    The bytes of rows that go now have been used until now: they go with the next collection after the time of grace.

    Raises
    ------
    ConflictError
        The brake holds: nothing was removed.
    """
    held = plan.held(allow)
    if held:
        raise ConflictError(f"the brake holds: {held}. Nothing was removed; allow the number that was reviewed")
    rows = catalog.forget_kinds(plan.kinds, actor=actor, command=command) if plan.kinds else {}
    announce(catalog, storage)
    return sum(rows.values()), collect(catalog, storage, plan.collected)


def own_files(
    catalog: Catalog,
    storage: Storage,
    uploads_folder: Path,
    *,
    grace_seconds: float,
    actor: str = "",
    permitted: Permit = anything,
    after_seconds: float = ABANDONED_SECONDS,
) -> OwnFiles:
    """Return what of ours no record refers to: artifacts first, then what lies in the folder of uploads.

    Raises
    ------
    StorageError
        One of the two cannot be listed as a whole.
    """

    def may(one: OwnFile) -> bool:
        return permitted(actor, Whose("file", 0, one.place, storage.url))

    plan = plan_gc(catalog, storage, grace_seconds=grace_seconds)
    stored = [(one, OwnFile(f"{storage.url}/{one.key}", one.size, "artifact")) for one in plan.superseded]
    stored = [(item, one) for item, one in stored if may(one)]
    try:
        uploads = [one for one in _uploads(catalog, uploads_folder, after_seconds) if may(one)]
    except OSError as error:
        raise StorageError(f"{uploads_folder}: cannot be listed: {reason_of(error)}") from error
    collected = GcPlan(tuple(item for item, _ in stored), (), plan.kept_bytes, 0, plan.other_catalogs, plan.kept)
    return OwnFiles((*(one for _, one in stored), *uploads), ArtifactPlan(collected, {}, 0))


def remove_own_files(
    catalog: Catalog,
    storage: Storage,
    uploads_folder: Path,
    own: OwnFiles,
    *,
    actor: str,
    command: str = "",
    allow: int = 0,
) -> Removed:
    """Remove those of some files that may go and that no record refers to by now.

    Raises
    ------
    ConflictError
        The brake holds: nothing was removed.
    """
    _, removed = remove_artifacts_of(catalog, storage, own.artifacts, actor=actor, command=command, allow=allow)
    if any(one.kind == "part" for one in own.files):
        removed += Removed(sweep_uploads(catalog, uploads_folder))
    return removed


def _uploads(catalog: Catalog, folder: Path, after_seconds: float) -> Iterator[OwnFile]:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.suffix in {".part", ".pending"}:
            with abandoned(path, after_seconds) as is_free:
                if is_free:
                    yield OwnFile(str(path), path.stat().st_size, "part")
        elif path.is_dir() and not path.is_symlink() and not _is_known(catalog, path):
            size = sum(one.stat().st_size for one in path.iterdir() if one.is_file())
            yield OwnFile(str(path), size, "upload")


def _is_known(catalog: Catalog, home: Path) -> bool:
    """Return whether a record or a mark speaks of an uploaded original."""
    return home.with_name(f"{home.name}.pending").exists() or bool(catalog.assets_under(str(home)))
