"""What killed processes left unfinished in the storage, removed once a day."""

import logging
import threading

from coverslip.errors import StorageError
from coverslip.storage import Storage

log = logging.getLogger(__name__)

DAY_SECONDS = 24 * 3600.0
"""How old unfinished work in the storage must be to be abandoned, and how often somebody looks for it."""


def sweep_daily(storage: Storage, should_stop: threading.Event) -> None:
    """Remove abandoned work at once and then every day, until ``should_stop`` is set."""
    while not should_stop.is_set():
        try:
            storage.sweep(DAY_SECONDS)
        except StorageError as error:
            log.warning("abandoned files of killed processes could not be removed: %s", error)
        should_stop.wait(DAY_SECONDS)
