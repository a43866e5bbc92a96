"""Giving way to those whom somebody waits for."""

import os

NICENESS = 10
"""Of processes that build in the background: a server on the same machine gets nine times their share."""


def yield_to_others() -> None:
    """Let saves and reads of other processes go first, where the system knows how."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
