"""Files nobody vouches for, opened and read in processes that may be killed. To their callers they are open files."""

from coverslip.confined.opener import Opener
from coverslip.confined.pool import Pool

__all__ = ["Opener", "Pool"]
