"""Who runs a command, and what this person may remove."""

import getpass
import re
import sys
from collections.abc import Sequence

from coverslip.cli.output import one_line
from coverslip.model.removal import Permit, anything

PERMIT: Permit = anything
"""Asked for every row: whoever can run commands on this machine can write its catalog, and may remove everything."""


_PASSWORD = re.compile(r"(://[^/\s:@]*):[^/\s@]*@")


def command(words: Sequence[str] | None = None) -> str:
    """Return the command as it was given, without the passwords of addresses: it is kept with plans and in the log."""
    given = sys.argv[1:] if words is None else words
    return one_line(_PASSWORD.sub(r"\1:***@", " ".join(["coverslip", *given])))


def actor() -> str:
    """Return the name of who runs this; empty where the system has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
