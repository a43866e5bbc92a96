"""Removal of records and of bytes that are ours. Plan first, then apply."""

from coverslip.cleanup.asking import asking
from coverslip.cleanup.gc import GcPlan, announce, collect, keep_tending, plan_gc, tend
from coverslip.cleanup.loose import Loose, LooseFile, loose_files
from coverslip.cleanup.own import (
    ArtifactPlan,
    OwnFile,
    OwnFiles,
    own_files,
    plan_artifacts,
    remove_artifacts_of,
    remove_own_files,
)
from coverslip.cleanup.periodic import check_for_stale, keep_checking
from coverslip.cleanup.planning import apply_plan, make_plan
from coverslip.cleanup.purge import plan_purge, purge
from coverslip.cleanup.removing import Removed
from coverslip.cleanup.uploads import Original, sweep_uploads

__all__ = [
    "ArtifactPlan",
    "GcPlan",
    "Loose",
    "LooseFile",
    "Original",
    "OwnFile",
    "OwnFiles",
    "Removed",
    "announce",
    "apply_plan",
    "asking",
    "check_for_stale",
    "collect",
    "keep_checking",
    "keep_tending",
    "loose_files",
    "make_plan",
    "own_files",
    "plan_artifacts",
    "plan_gc",
    "plan_purge",
    "purge",
    "remove_artifacts_of",
    "remove_own_files",
    "sweep_uploads",
    "tend",
]
