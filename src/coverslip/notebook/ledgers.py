"""Where the jobs of notebooks are kept, and those of a folder that can be gone on with."""

import time
from pathlib import Path

from coverslip.catalog import Catalog
from coverslip.export.ledger import Ledger
from coverslip.export.notes import LEASE_SECONDS
from coverslip.model.exporting import ExportJob
from coverslip.settings import Settings

WAIT_SECONDS = 0.2
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

    Those that run are among them: their process may have been killed a moment ago. A ledger that holds one job alone,
    and cannot list any, has none.
    """
    if not folder or not isinstance(ledger, Catalog):
        return []
    return [job for job in ledger.exports(MOST_JOBS) if job.output_dir == folder and job.succeeded < job.total]


def wait_until_free(ledger: Ledger, job_id: str) -> None:
    """Wait for a job whose process may have been killed: that is known when its right to the job has run out.

    Raises
    ------
    NotFoundError
        There is no such job.
    """
    until = time.monotonic() + LEASE_SECONDS + 1
    while ledger.export(job_id).state in {"running", "cancelling"} and time.monotonic() < until:
        time.sleep(WAIT_SECONDS)
