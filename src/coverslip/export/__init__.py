"""Pictures of fields of view, cells and regions in bulk: plan, run, and files with a manifest of how each was made."""

from coverslip.export.batch import export_fovs_batch
from coverslip.export.checks import DryRun, Planned
from coverslip.export.job import Job
from coverslip.export.library import dataset_items
from coverslip.export.notes import Stop
from coverslip.export.plan import Plan, plan
from coverslip.export.request import CellChoice, Effort, Gallery, Output, Request, RoiChoice
from coverslip.export.run import run

__all__ = [
    "CellChoice",
    "DryRun",
    "Effort",
    "Gallery",
    "Job",
    "Output",
    "Plan",
    "Planned",
    "Request",
    "RoiChoice",
    "Stop",
    "dataset_items",
    "export_fovs_batch",
    "plan",
    "run",
]
