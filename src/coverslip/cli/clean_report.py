"""How a plan of a cleanup is shown: as text, grouped by what contains its rows, and as JSON."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from coverslip.cli.output import amount, one_line, size_text
from coverslip.model.removal import CleanupPlan, Group, Kept, Removal

SHOWN = 50
"""Rows of one sort that are printed; ``--json`` has all."""
NOUNS = {
    "record": ("record", "records"),
    "annotation": ("annotation", "annotations"),
    "tomogram": ("tomogram", "tomograms"),
    "alignment": ("alignment", "alignments"),
    "tiltseries": ("tilt series", "tilt series"),
    "frame": ("record of frames", "records of frames"),
    "gain": ("gain", "gains"),
    "identified_object": ("record of identified objects", "records of identified objects"),
    "image": ("image", "images"),
}


def counted(count: int, type_: str) -> str:
    """Return a number of records of a type in words."""
    one, many = NOUNS.get(type_, (type_, f"{type_}s"))
    return f"{count:,} {one if count == 1 else many}"


def report(plan: CleanupPlan) -> Iterator[str]:
    """Yield the lines of a report."""
    kind, counts = plan.scope.type, plan.counts
    end = ":" if plan.removals else "."
    yield f"Found {counted(len(plan.removals), kind)} to remove of {counts.get('rows', 0):,} looked at{end}"
    for group, rows in groupby(plan.removals, key=lambda one: one.group):
        yield from _group(plan, group, list(rows))
    if plan.removals:
        yield f"Along with them go {_along(plan.removals)}."
    yield from _kept("Unknown, so left alone", plan.unknown)
    yield from _kept("Incomplete: the document is there and files are not; left alone", plan.incomplete)
    yield from _some("In the layout and not in the catalog", plan.orphans, one_line)
    yield from _some("The brake holds", plan.stops, lambda stop: one_line(str(stop)))
    seconds = counts.get("milliseconds", 0) / 1000
    yield f"Asked with {amount(counts.get('requests', 0), 'request')} in {seconds:.1f} s. This is plan {plan.id}."


def document(plan: CleanupPlan) -> dict[str, Any]:
    """Return a plan for JSON."""
    found = asdict(plan)
    for removal, one in zip(found["removals"], plan.removals, strict=True):
        removal["path"] = one.path
    for name in ("created_at", "applied_at", "undone_at"):
        time = getattr(plan, name)
        found[name] = None if time is None else time.isoformat()
    return found


def _group(plan: CleanupPlan, group: Group, rows: Sequence[Removal]) -> Iterator[str]:
    place = [
        f"{word} {one_line(name)}" + (f" ({number})" if number else "")
        for word, name, number in (
            ("dataset", group.dataset, group.dataset_id),
            ("run", group.run, group.run_id),
            ("voxel spacing", group.spacing, group.number),
        )
        if name
    ]
    held = " - held by the brake" if group in plan.stopped else ""
    yield f"  {', '.join(place) or one_line(group.layout)}: {counted(len(rows), group.type or plan.scope.type)}{held}"
    for one in rows[:SHOWN]:
        yield f"    - {one.type.replace('_', ' ')} {one.label}: {one_line(one.path)}"
        more = [_along([one]), *one.dependents, *([one.reason] if one.reason != "absent" else [])]
        yield f"      {'; '.join(more)}"
        if one.depending:
            yield f"      depending on it: {_depending(one)}"
    if len(rows) > SHOWN:
        yield f"    ... and {len(rows) - SHOWN:,} more; --json has all"


def _depending(one: Removal) -> str:
    """Return what depends on a row, by name."""
    more = [f"and {one.more_depending:,} more"] if one.more_depending else []
    return ", ".join([*(one_line(str(dependent)) for dependent in one.depending), *more])


def _along(rows: Sequence[Removal]) -> str:
    shapes, files, authors, links = (
        amount(sum(getattr(one, name) for one in rows), noun)
        for name, noun in (("shapes", "shape"), ("files", "file"), ("authors", "author"), ("links", "link"))
    )
    size = sum(one.bytes for one in rows)
    if all(one.image_id for one in rows):
        return f"{size_text(size)} of artifacts"
    return f"{shapes}, {files}, {authors}, {links}, {size_text(size)} of artifacts"


def _kept(title: str, rows: Sequence[Kept]) -> Iterator[str]:
    return _some(title, rows, lambda one: one_line(f"{one.type} {one.label}: {one.layout}/{one.key}: {one.why}"))


def _some[T](title: str, rows: Sequence[T], words: Callable[[T], str]) -> Iterator[str]:
    if rows:
        yield f"{title}: {len(rows):,}"
    for one in rows[:SHOWN]:
        yield f"  - {words(one)}"
    if len(rows) > SHOWN:
        yield f"  ... and {len(rows) - SHOWN:,} more; --json has all"
