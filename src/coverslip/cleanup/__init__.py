"""Removal of records and of bytes that are ours. Plan first, then apply."""

from coverslip.cleanup.asking import asking
from coverslip.cleanup.gc import GcPlan, announce, collect, keep_tending, plan_gc, tend
from coverslip.cleanup.planning import apply_plan, make_plan
from coverslip.cleanup.purge import plan_purge, purge
from coverslip.cleanup.removing import Removed
from coverslip.cleanup.uploads import Original, sweep_uploads

__all__ = [
    "GcPlan",
    "Original",
    "Removed",
    "announce",
    "apply_plan",
    "asking",
    "collect",
    "keep_tending",
    "make_plan",
    "plan_gc",
    "plan_purge",
    "purge",
    "sweep_uploads",
    "tend",
]
