"""Where the jobs of notebooks are kept, and those of a folder that can be gone on with."""

from pathlib import Path

from coverslip.catalog import Catalog
from coverslip.export.ledger import Ledger
from coverslip.model.exporting import ExportJob
from coverslip.settings import Settings

MOST_JOBS = 1000
"""The newest ones, among which those of a folder are looked for."""


def usual_ledger(*, make: bool = True) -> Catalog | None:
    """Return the catalog that the settings name, as the command line has it.

    Parameters
    ----------
    make
        Whether a catalog that is a file is made where there is none; otherwise that is ``None``.

    Raises
    ------
    CatalogError
        It cannot be opened.
    SettingsError
        The settings make no sense.
    """
    from coverslip.derive import open_catalog_of  # noqa: PLC0415  # slow to import, and often not needed

    settings = Settings.load()
    place = settings.catalog_url.removeprefix("sqlite:///")
    if not make and place != settings.catalog_url and not Path(place).exists():
        return None
    return open_catalog_of(settings)


def kept_jobs(ledger: Ledger, folder: str) -> list[ExportJob]:
    """Return jobs whose files go to a folder and of which some are still missing, the newest first.

    A ledger that holds one job alone, and cannot list any, has none.
    """
    if not folder or not isinstance(ledger, Catalog):
        return []
    found = (job for job in ledger.exports(MOST_JOBS) if job.output_dir == folder)
    return [job for job in found if job.state not in {"running", "cancelling"} and job.succeeded < job.total]
