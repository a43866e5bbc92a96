"""``coverslip status``."""

from dataclasses import asdict
from typing import Annotated

import typer

from coverslip.catalog import Catalog
from coverslip.cli.output import amount, console, one_line
from coverslip.derive import VERSIONS, Builder, open_catalog_of, pending_warnings, ringing
from coverslip.derive import why as explained
from coverslip.settings import Settings
from coverslip.storage import Storage, open_storage


def run(
    broken: Annotated[int, typer.Option(min=0, help="How many broken files to list.")] = 10,
    why: Annotated[str | None, typer.Option(help="Explain one artifact: its id.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show what the catalog holds and what waits to be built."""
    settings = Settings.load()
    with open_catalog_of(settings) as catalog:
        if why is not None:
            _say_why(catalog, open_storage(settings.artifacts_url), why, as_json=as_json)
            return
        counts = catalog.counts(VERSIONS)
        problems = catalog.problems(broken)
        warnings = pending_warnings(catalog, VERSIONS)
        place = catalog.url
        with ringing(catalog, settings.queue_url) as queue:
            depth = None if queue is None else queue.depth()
    out = console()
    if as_json:
        files = [{"path": asset.path, "reason": asset.reason} for asset in problems]
        out.print_json(
            data={"catalog": place, **asdict(counts), "queue_depth": depth, "problems": files, "warnings": warnings}
        )
        return
    out.print(f"catalog    {place}")
    out.print(f"images     {counts.images:,} ({counts.images_missing:,} missing, {counts.images_deleted:,} deleted)")
    out.print(f"files      {counts.assets:,} ({counts.broken:,} broken, {counts.unknown:,} of unknown formats)")
    out.print(
        f"artifacts  {counts.artifacts_fresh:,} fresh, {counts.artifacts_stale:,} stale "
        f"({counts.artifacts_building:,} being built, {counts.artifacts_failed:,} failed and waiting to be tried again)"
    )
    if not counts.images and not counts.assets:
        out.print(
            "           nothing is in it yet: `coverslip add FOLDER` adds files; COVERSLIP_HOME says which catalog"
        )
    if settings.queue_url:
        waiting = "does not answer; nothing is lost" if depth is None else f"{amount(depth, 'message')} waiting"
        out.print(f"queue      {waiting}")
    for warning in warnings:
        out.print(f"warning    {warning}")
    for asset in problems:
        out.print(f"  broken: {one_line(asset.reason or asset.path)}")


def _say_why(catalog: Catalog, storage: Storage, artifact_id: str, *, as_json: bool) -> None:
    """Say which change made an artifact stale, when, and what happens next."""
    settings = Settings.load()
    found = explained(Builder(catalog, storage, lease_seconds=settings.lease_seconds), artifact_id)
    record, annotation = found.artifact, found.annotation
    lines = {
        "artifact": record.id,
        "kind": record.kind,
        "of": f"image {record.image_id}, {found.image.filename}",
        "state": f"{found.state}: has seen {record.built} of {record.wanted} changes",
        "since": None if found.since is None else f"{found.since:%Y-%m-%d %H:%M:%S} UTC",
        "cause": found.cause,
        "error": record.error,
        "next": found.next,
    }
    if annotation is not None:
        frames = annotation.frames
        lines["of"] = f"annotation {annotation.id}, frames {frames.first} to {frames.last} along {frames.axis}"
        lines["image"] = f"{record.image_id}, {found.image.filename}"
    out = console()
    if as_json:
        out.print_json(data=lines)
        return
    for name, text in lines.items():
        if text is not None:
            out.print(f"{name:<9} {one_line(text)}")
