"""Everything a person looks at that is made from an image: which kinds there are, and building them once."""

from coverslip.derive.answering import answer_queue, ringing
from coverslip.derive.batch import Batch, Pending, pending, process_batch
from coverslip.derive.builder import Builder
from coverslip.derive.combined import combined_name, combined_pixels
from coverslip.derive.drawn import KEY_IMAGE
from coverslip.derive.executors import open_executor
from coverslip.derive.exposition import EXPOSITION_TYPE, exposition
from coverslip.derive.kind import Inputs, Kind, OpenSource, Subject
from coverslip.derive.kinds import BY_CHOICE, KINDS, VERSIONS, open_catalog, open_catalog_of
from coverslip.derive.metrics import BuildMetrics
from coverslip.derive.opportunistic import Opportunistic
from coverslip.derive.outcome import Outcome, retry_delay
from coverslip.derive.periodic import build_all, keep_building, run_builder, start_sweeping
from coverslip.derive.serving import current, previous
from coverslip.derive.sources import GivenUp, InterruptibleImage
from coverslip.derive.uses import Uses
from coverslip.derive.viewing import NEUROGLANCER_STATE, kind_of_shape
from coverslip.derive.why import Why, pending_warnings, why

__all__ = [
    "BY_CHOICE",
    "EXPOSITION_TYPE",
    "KEY_IMAGE",
    "KINDS",
    "NEUROGLANCER_STATE",
    "VERSIONS",
    "Batch",
    "BuildMetrics",
    "Builder",
    "GivenUp",
    "Inputs",
    "InterruptibleImage",
    "Kind",
    "OpenSource",
    "Opportunistic",
    "Outcome",
    "Pending",
    "Subject",
    "Uses",
    "Why",
    "answer_queue",
    "build_all",
    "combined_name",
    "combined_pixels",
    "current",
    "exposition",
    "keep_building",
    "kind_of_shape",
    "open_catalog",
    "open_catalog_of",
    "open_executor",
    "pending",
    "pending_warnings",
    "previous",
    "process_batch",
    "retry_delay",
    "ringing",
    "run_builder",
    "start_sweeping",
    "why",
]
