"""Looking for stale records now and then. Each look leaves a plan that somebody reviews; nothing is removed."""

import logging
import threading

from coverslip.catalog import Catalog
from coverslip.cleanup.asking import asking
from coverslip.cleanup.planning import Look, make_plan
from coverslip.errors import CoverslipError
from coverslip.model.removal import RECORD, CleanupPlan, Scope
from coverslip.settings import Settings
from coverslip.sources import RemoteRules

log = logging.getLogger(__name__)

CHORE = "cleanup check"
LEASE_SECONDS = 1800.0
"""When another process may look, should this one be killed: a look at a large bucket takes minutes."""
LOOK_SECONDS = 300.0
"""How often a process asks whether it is time."""
ACTOR = "periodic check"


def check_for_stale(catalog: Catalog, look: Look, *, every_hours: float) -> CleanupPlan | None:
    """Return a plan for all stale records of a catalog when it is time for one, and nobody else looks; else ``None``.

    Raises
    ------
    CatalogError
        The catalog does not answer.
    ConflictError
        A cleanup of one of the layouts is under way.
    """
    if not every_hours or not catalog.count_entities():
        return None
    token = catalog.claim_chore(CHORE, every_seconds=every_hours * 3600, lease_seconds=LEASE_SECONDS)
    if token is None:
        return None
    plan = make_plan(catalog, Scope(RECORD, everything=True), look, actor=ACTOR, command=ACTOR)
    catalog.finish_chore(CHORE, token)
    return plan


def keep_checking(catalog: Catalog, settings: Settings, should_stop: threading.Event) -> None:
    """Look for stale records now and then until ``should_stop`` is set. What goes wrong is logged, and tried again."""
    look = asking(RemoteRules.of(settings))
    while not should_stop.is_set():
        try:
            plan = check_for_stale(catalog, look, every_hours=settings.cleanup_check_hours)
        except CoverslipError as error:
            log.warning("stale records were not looked for: %s", error)
        else:
            if plan is not None and (plan.removals or plan.stops):
                log.warning("%d records are stale: coverslip clean records --plan %s", len(plan.removals), plan.id)
        should_stop.wait(LOOK_SECONDS)
