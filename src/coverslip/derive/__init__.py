"""Everything a person looks at that is made from an image: which kinds there are, and building them once."""

from coverslip.derive.builder import Builder, Outcome, retry_delay
from coverslip.derive.kinds import KINDS, VERSIONS, Kind, OpenSource
from coverslip.derive.serving import current

__all__ = ["KINDS", "VERSIONS", "Builder", "Kind", "OpenSource", "Outcome", "current", "retry_delay"]
