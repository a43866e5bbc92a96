"""Whether an error says that a file could not be looked at, rather than what is in it."""

import errno
import os
from pathlib import Path

from coverslip.errors import UnreadableFileError

SAYS_NOTHING = frozenset(
    getattr(errno, name)
    for name in (
        *("EACCES", "EPERM", "EIO", "EBUSY", "EAGAIN", "EINTR", "EMFILE", "ENFILE", "ENOMEM", "ENOSPC", "EDQUOT"),
        *("ESTALE", "ENODEV", "ENXIO", "ENOMEDIUM", "EREMOTEIO", "ETIMEDOUT", "ENOTCONN", "ECONNRESET"),
        *("ECONNABORTED", "ECONNREFUSED", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH"),
    )
    if hasattr(errno, name)
)
"""Error numbers of a disk, a network or a process in trouble; what is in the file they do not tell."""


def could_not_look(error: BaseException | None, path: Path) -> bool:
    """Return whether an error, or what it was raised from, says that the file could not be looked at.

    A file that is not there counts only where it is the opened one: a part that the file names and that is missing
    is damage.
    """
    while error is not None:
        if isinstance(error, UnreadableFileError):
            return True
        if isinstance(error, OSError):
            vanished = isinstance(error, FileNotFoundError) and not os.path.exists(path)  # noqa: PTH110  # never raises
            if vanished or error.errno in SAYS_NOTHING:
                return True
        error = error.__cause__
    return False
