"""Looking for stale records and images now and then. Each look leaves a plan to be reviewed; nothing is removed."""

import logging
import threading
from typing import Literal

from coverslip.catalog import Catalog
from coverslip.cleanup.asking import asking
from coverslip.cleanup.planning import Look, make_plan
from coverslip.errors import CoverslipError
from coverslip.model.removal import IMAGE, RECORD, CleanupPlan, Scope
from coverslip.settings import Settings
from coverslip.sources import RemoteRules

log = logging.getLogger(__name__)

KINDS: tuple[Literal["record", "image"], ...] = ("record", "image")
CHORES = {RECORD: "cleanup check", IMAGE: "cleanup check of images"}
"""What is looked at, and the name of looking at it."""
LEASE_SECONDS = 1800.0
"""When another process may look, should this one be killed: a look at a large bucket takes minutes."""
LOOK_SECONDS = 300.0
"""How often a process asks whether it is time."""
ACTOR = "periodic check"


def check_for_stale(
    catalog: Catalog, look: Look, *, every_hours: float, of: Literal["record", "image"] = "record"
) -> CleanupPlan | None:
    """Return a plan for all stale records of a catalog when it is time for one, and nobody else looks; else ``None``.

    With ``of="image"`` it is one for all images whose files are gone.

    Raises
    ------
    CatalogError
        The catalog does not answer.
    ConflictError
        A cleanup of one of the layouts is under way.
    """
    if not every_hours or not _has_any(catalog, of):
        return None
    token = catalog.claim_chore(CHORES[of], every_seconds=every_hours * 3600, lease_seconds=LEASE_SECONDS)
    if token is None:
        return None
    plan = make_plan(catalog, Scope(of, everything=True), look, actor=ACTOR, command=ACTOR)
    catalog.finish_chore(CHORES[of], token)
    return plan


def _has_any(catalog: Catalog, of: str) -> bool:
    return bool(catalog.list_images(limit=1).total if of == IMAGE else catalog.count_entities())


def keep_checking(catalog: Catalog, settings: Settings, should_stop: threading.Event) -> None:
    """Look for stale records now and then until ``should_stop`` is set. What goes wrong is logged, and tried again."""
    look = asking(RemoteRules.of(settings))
    while not should_stop.is_set():
        for of in KINDS:
            try:
                plan = check_for_stale(catalog, look, every_hours=settings.cleanup_check_hours, of=of)
            except CoverslipError as error:
                log.warning("stale %ss were not looked for: %s", of, error)
            else:
                if plan is not None and (plan.removals or plan.stops):
                    log.warning("%d %ss are stale: coverslip clean %ss --plan %s", len(plan.removals), of, of, plan.id)
        should_stop.wait(LOOK_SECONDS)
