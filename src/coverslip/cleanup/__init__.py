"""Removal of records and of bytes that are ours. Plan first, then apply."""

from coverslip.cleanup.purge import plan_purge, purge

__all__ = ["plan_purge", "purge"]
