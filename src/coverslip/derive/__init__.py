"""Everything a person looks at that is made from an image: which kinds there are, and building them once."""

from coverslip.derive.builder import Builder, Outcome, retry_delay
from coverslip.derive.kinds import BY_CHOICE, KINDS, VERSIONS, Kind, OpenSource, open_catalog
from coverslip.derive.serving import current
from coverslip.derive.sources import GivenUp, InterruptibleImage
from coverslip.derive.uses import Uses

__all__ = [
    "BY_CHOICE",
    "KINDS",
    "VERSIONS",
    "Builder",
    "GivenUp",
    "InterruptibleImage",
    "Kind",
    "OpenSource",
    "Outcome",
    "Uses",
    "current",
    "open_catalog",
    "retry_delay",
]
