"""Sources that were repaired after their items had failed: a job that tries again takes them as they are now."""

from collections.abc import Iterable
from dataclasses import replace

from coverslip.errors import CoverslipError, ImageLoadError
from coverslip.export.facts import SourceFacts, facts_of
from coverslip.export.ledger import Ledger, items_of
from coverslip.export.plan import Plan
from coverslip.export.sources import OpenFile, fingerprint
from coverslip.model.exporting import ExportItem

NAMED = 5
"""Items that are named; the manifest has the numbers of all."""


def take_repaired(
    plan: Plan, job_id: str, ledger: Ledger, *, open_file: OpenFile, every: bool = False
) -> tuple[Plan, tuple[str, ...]]:
    """Return a plan whose repaired sources are those that are there now, and say of which items that is not true.

    Sources are meant of which an item failed because they could not be read. Their new fingerprints are written down
    with the job; the old ones stay beside them, with the numbers of the items that were drawn from them.

    Parameters
    ----------
    plan, job_id, ledger
        The job; nobody works on it.
    open_file
        Opens image files.
    every
        Sources of all items that are not there are meant, whatever they failed of, and the cell table too.

    Raises
    ------
    CatalogError
        It cannot be written down.
    """
    meant = set(_meant(items_of(ledger, job_id), every=every))
    new = {number: _as_it_is(plan.sources[number], open_file) for number in meant}
    new = {number: seen for number, seen in new.items() if seen.fingerprint != plan.sources[number].fingerprint}
    tables = dict(plan.tables)
    if every and plan.cell_table is not None:
        tables |= fingerprint([plan.cell_table])
    if not new and tables == plan.tables:
        return plan, ()
    drawn: dict[int, list[ExportItem]] = {number: [] for number in new}
    for item in items_of(ledger, job_id, state="ok"):
        if item.planned.document["source"] in drawn and item.result is not None and not item.result.is_kept:
            drawn[item.planned.document["source"]].append(item)
    said = []
    for number, items in sorted(drawn.items()):
        old = plan.sources[number]
        note = {"fingerprint": old.document["fingerprint"], "items": [item.planned.number for item in items]}
        new[number] = replace(new[number], before=(*old.before, note))
        if items:
            names = ", ".join(item.planned.name for item in items[:NAMED]) + (" ..." if len(items) > NAMED else "")
            said.append(
                f"{old.source.fov} has changed; drawn from it as it was before: {names} ({len(items):,} in all)"
            )
    made = replace(plan, sources=tuple(new.get(n, one) for n, one in enumerate(plan.sources)), tables=tables)
    ledger.revise_export(job_id, made.document)
    return made, tuple(said)


def _meant(items: Iterable[ExportItem], *, every: bool) -> Iterable[int]:
    """Yield the places of sources of which an item could not be read, or is not there."""
    for item in items:
        failed = item.result is not None and item.result.error_type in READ_ERRORS
        if item.state != "ok" and (every or failed):
            yield item.planned.document["source"]


def _as_it_is(facts: SourceFacts, open_file: OpenFile) -> SourceFacts:
    """Return a source with the fingerprint that it has now; as it was where that cannot be known."""
    try:
        if facts.fingerprint:
            seen = fingerprint(facts.paths)
            return replace(facts, fingerprint={path: tuple(one) for path, one in seen.items()})
        if facts.source.mosaic is None:
            found = facts_of(facts.source, open_file)
            return replace(facts, fingerprint=found.fingerprint, error=found.error)
    except CoverslipError:  # its items fail again, and say why
        pass
    return facts


def _kinds(kind: type[Exception]) -> Iterable[str]:
    yield kind.__name__
    for one in kind.__subclasses__():
        yield from _kinds(one)


READ_ERRORS = frozenset(_kinds(ImageLoadError))
"""Names of the classes of errors that a repaired file may not have any more."""
