"""Everything a person looks at that is made from an image: which kinds there are, and building them once."""

from coverslip.derive.batch import Batch, Pending, pending, process_batch
from coverslip.derive.builder import Builder
from coverslip.derive.combined import combined_name, combined_pixels
from coverslip.derive.drawn import KEY_IMAGE
from coverslip.derive.kind import Inputs, Kind, OpenSource, Subject
from coverslip.derive.kinds import BY_CHOICE, KINDS, VERSIONS, open_catalog
from coverslip.derive.outcome import Outcome, retry_delay
from coverslip.derive.serving import current, previous
from coverslip.derive.sources import GivenUp, InterruptibleImage
from coverslip.derive.uses import Uses
from coverslip.derive.why import Why, pending_warnings, why

__all__ = [
    "BY_CHOICE",
    "KEY_IMAGE",
    "KINDS",
    "VERSIONS",
    "Batch",
    "Builder",
    "GivenUp",
    "Inputs",
    "InterruptibleImage",
    "Kind",
    "OpenSource",
    "Outcome",
    "Pending",
    "Subject",
    "Uses",
    "Why",
    "combined_name",
    "combined_pixels",
    "current",
    "open_catalog",
    "pending",
    "pending_warnings",
    "previous",
    "process_batch",
    "retry_delay",
    "why",
]
