"""Who runs a command, and what this person may remove."""

import getpass

from coverslip.model.removal import Permit, anything

PERMIT: Permit = anything
"""Asked for every row: whoever can run commands on this machine can write its catalog, and may remove everything."""


def actor() -> str:
    """Return the name of who runs this; empty where the system has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
