"""Removal of records and of bytes that are ours. Plan first, then apply."""

from coverslip.cleanup.purge import Removed, plan_purge, plan_sweep, purge, sweep_artifacts
from coverslip.cleanup.uploads import Original, sweep_uploads

__all__ = ["Original", "Removed", "plan_purge", "plan_sweep", "purge", "sweep_artifacts", "sweep_uploads"]
