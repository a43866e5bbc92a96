"""How work is held and repeated: heartbeats for leases, threads for steps. Knows no task."""

from coverslip.jobs.heartbeat import Heartbeat
from coverslip.jobs.locks import KeyedLocks
from coverslip.jobs.workers import run_workers

__all__ = ["Heartbeat", "KeyedLocks", "run_workers"]
