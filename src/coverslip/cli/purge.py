"""``coverslip purge``."""

from collections.abc import Sequence
from typing import Annotated

import typer

from coverslip.catalog import Catalog
from coverslip.cleanup import Removed, plan_purge, plan_sweep, purge, sweep_artifacts, sweep_uploads
from coverslip.cli.output import EXIT_CODES, amount, console, one_line, size_text
from coverslip.derive import open_catalog
from coverslip.errors import StorageError
from coverslip.model.records import ImageRecord
from coverslip.settings import Settings
from coverslip.storage import Storage, StoredObject, open_storage


def run(
    older_than_days: Annotated[float, typer.Option(min=0, help="Only what was deleted longer ago than this.")] = 30.0,
    yes: Annotated[bool, typer.Option("--yes", help="Really remove; without it only says what would go.")] = False,
) -> None:
    """Remove for good what was deleted some time ago: uploaded originals and artifacts, never files added in place.

    Artifacts that nothing refers to any more go too. Exit code 5 when something could not be removed.
    """
    settings = Settings.load()
    out = console()
    with open_catalog(settings.catalog_url) as catalog:
        storage = open_storage(settings.artifacts_url)
        plan = plan_purge(catalog, older_than_days=older_than_days)
        for image in plan:
            kept = "" if image.origin == "uploaded" else "; its file was added in place and stays"
            out.print(f"  {image.id}  {one_line(image.filename)} ({size_text(image.size_bytes)}){kept}")
        if not yes:
            out.print(
                f"{_amounts(plan, plan_sweep(catalog, storage))} would be purged. Nothing was removed; --yes removes."
            )
            return
        removed = purge(catalog, storage, settings.uploads_folder, plan)
        removed += Removed(sweep_uploads(catalog, settings.uploads_folder))
        unused, swept = _sweep(catalog, storage)
    removed += swept
    out.print(f"{_amounts(plan, unused)} purged, {amount(removed.files, 'file')} removed.")
    if removed.problems:
        for problem in removed.problems:
            console(stderr=True).print(f"coverslip: {one_line(problem)}")
        raise typer.Exit(EXIT_CODES[StorageError])


def _sweep(catalog: Catalog, storage: Storage) -> tuple[Sequence[StoredObject], Removed]:
    try:
        unused = plan_sweep(catalog, storage)
    except StorageError as error:
        return (), Removed(0, (str(error),))
    return unused, sweep_artifacts(storage, unused)


def _amounts(images: Sequence[ImageRecord], unused: Sequence[StoredObject]) -> str:
    artifacts = f" and {amount(len(unused), 'unused artifact')} ({size_text(sum(item.size for item in unused))})"
    return amount(len(images), "image") + (artifacts if unused else "")
