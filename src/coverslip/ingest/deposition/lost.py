"""Sources that were ingested and are gone: what tells of them stays as it is, instead of shrinking. Pure.

A glob that finds nothing any more is no wish to remove something. Who wants that says so.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from coverslip.ingest.deposition import identities
from coverslip.ingest.deposition.entities import ENTITIES
from coverslip.ingest.deposition.noted import Noted
from coverslip.ingest.deposition.plan import Plan
from coverslip.ingest.deposition.ports import StepLog
from coverslip.ingest.deposition.problems import Remark
from coverslip.ingest.deposition.schema import Config

TELLING: Mapping[str, tuple[str, ...]] = {
    "collection_metadata": ("frame", "tiltseries"),
    "frame": ("tiltseries",),
    "rawtilt": ("tiltseries",),
    "ctf": ("tiltseries",),
    "tiltseries": ("alignment",),
    "tomogram": ("alignment",),
}
"""Which documents of a run tell of an entity of the run beside its own."""
_DEPOSITION = "(?P<deposition>[^/,]+)"
TYPES: Mapping[str, re.Pattern[str]] = {
    kind: re.compile(pattern)
    for kind, pattern in {
        "collection_metadata": "collection_metadata",
        "frame": "frames",
        "gain": "gains/[^/]+",
        "tiltseries": f"tiltseries/{_DEPOSITION}",
        "rawtilt": f"tiltseries/{_DEPOSITION}/rawtilt",
        "ctf": f"tiltseries/{_DEPOSITION}/ctf/[^/]+",
        "alignment": f"alignments/{_DEPOSITION}",
        "identified_object": f"identified_objects/{_DEPOSITION}",
        "tomogram": f"spacings/[^/]+/tomograms/[^/]+,{_DEPOSITION}",
        "annotation": f"spacings/[^/]+/annotations/{_DEPOSITION}/(?P<ingest_id>[^/]+)/[^/]+",
    }.items()
}
"""Below a run, see ``identities``."""
SOURCE = "source:"


@dataclass(frozen=True, slots=True)
class Lost:
    """A step that was done, that the config still asks for, and that has no source any more."""

    step: Noted
    run: str
    """Identity."""
    identity: str
    type: str
    path: str
    """The first source that is gone."""


def lost_steps(noted: Iterable[Noted], plan: Plan, config: Config, there: Collection[str]) -> list[Lost]:
    """Return the steps of the runs of a plan that have no source any more.

    Parameters
    ----------
    noted
        What is remembered of steps.
    plan
        What the config finds now.
    config
        What it asks for.
    there
        Every path at the source.
    """
    planned = {step.name for step in plan.steps} | plan.unselected
    runs = {target.identity: target.is_written for target in plan.targets if target.entity.type == "run"}
    found = []
    for one in noted:
        identity, _, what = one.name.partition("#")
        run = "/".join(identity.split("/")[:4])
        recipe = what.partition(":")[0]
        if one.name in planned or run not in runs or recipe == "document":
            continue
        kind, deposition, ingest_id = _parsed(identity.removeprefix(f"{run}/"))
        if not kind or not _is_asked(config, kind, ingest_id, one.shape):
            continue
        is_ours = runs[run] if deposition is None else deposition == str(config.standardization_config.deposition_id)
        gone = next((path for path in _sources(one) if path not in there), None)
        if is_ours and gone is not None:
            found.append(Lost(one, run, identity, kind, gone))
    return found


def forget(lost: Iterable[Lost], log: StepLog) -> None:
    """Let go of sources that are gone: what was made of them is there, and nobody asks for the sources any more.

    Raises
    ------
    CatalogError
        It is not kept.
    """
    for one in lost:
        log.note(replace(one.step, inputs={}).record())


def hold_back(plan: Plan, lost: Iterable[Lost]) -> Plan:
    """Return a plan that leaves alone what tells of lost sources, and says so."""
    held: set[str] = set()
    remarks: dict[str, Remark] = {}
    for one in lost:
        held.add(one.identity)
        for target in plan.targets:
            is_of_run = target.identity.startswith(f"{one.run}/")
            if is_of_run and target.is_written and target.entity.type in TELLING.get(one.type, ()):
                held.add(target.identity)
        section = ENTITIES[one.type].section
        sentence = f"{one.path} was ingested and is gone: what was made of it, and what tells of it, stays as it is."
        hint = "Bring it back, or let go of it with --let-go."
        remarks.setdefault(one.path, Remark("error", (section,), sentence, hint))
    if not held:
        return plan
    targets = tuple(replace(target, is_written=False) if target.identity in held else target for target in plan.targets)
    steps = tuple(step for step in plan.steps if step.target not in held)
    return replace(plan, targets=targets, steps=steps, remarks=(*plan.remarks, *remarks.values()))


def _sources(noted: Noted) -> Iterator[str]:
    for key in noted.inputs:
        path = key.removeprefix(SOURCE)
        if path != key and "://" not in path:
            yield path


def _parsed(identity: str) -> tuple[str, str | None, str]:
    """Return the type of an entity of a run, its deposition if its identity has one, and its ingest id."""
    for kind, pattern in TYPES.items():
        if match := pattern.fullmatch(identity):
            said = match.groupdict()
            return kind, said.get("deposition"), said.get("ingest_id", "")
    return "", None, ""


def _is_asked(config: Config, kind: str, ingest_id: str, shape: str) -> bool:
    blocks = getattr(config, ENTITIES[kind].section) or ()
    if kind != "annotation":
        return bool(blocks)
    own = [block for block in blocks if identities.part(block.metadata.annotation_ingest_id) == ingest_id]
    return any(getattr(source, shape, None) is not None for block in own for source in block.sources)
