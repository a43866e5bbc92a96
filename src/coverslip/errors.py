"""Every exception Coverslip raises on purpose, in one tree.

::

    CoverslipError
    ├── ImageLoadError                a file cannot be opened or read as an image
    │   ├── UnsupportedFormatError    no reader knows this kind of file
    │   │   └── MislabelledFileError  its name promises a format that we know, its content is something else
    │   ├── MissingDependencyError    a reader knows it, but its package is not installed
    │   └── ReadError (OSError)       the file is damaged, incomplete or unreadable
    │       ├── BudgetError           it costs more pixels, memory, time ... than one file may
    │       └── UnreadableFileError   it could not be looked at (now): says *unknown*, never *damaged*
    │           ├── RefusedAddressError   its address is not one that may be opened here; nothing was asked of it
    │           └── BusyError             nobody was free to look at it; the same request may well succeed soon
    ├── RegionError (ValueError)      a request lies outside the image
    ├── NotFoundError (LookupError)   no such image, artifact or record: a complete answer, not a guess
    ├── ConflictError                 the request contradicts what is there now
    │   └── RevisionConflictError     somebody else saved first; carries what is there now
    ├── TooLargeError                 the request is above a configured limit
    ├── InvalidRequestError (ValueError)   the request itself makes no sense
    ├── BuildError                    a derived artifact could not be built (now)
    ├── ExportError                   an item of an export cannot be made; says whether the others still can
    │   ├── MissingPartError (LookupError)   it asks for something that its field of view does not have
    │   │   ├── MissingFieldError        the field of view itself
    │   │   ├── MissingChannelError      a channel
    │   │   ├── MissingMaskError         a mask
    │   │   └── MissingAnnotationError   an annotation
    │   ├── OutsideImageError (ValueError)   its region has no pixel of the image, or no pixel at all
    │   └── ScaleBarError (ValueError)   no true scale bar can be drawn: the pixel size is unknown, or no length fits
    ├── CatalogError                  the database refused, is too new, or cannot be reached
    ├── StorageError (OSError)        bytes could not be listed, read or written: an *unknown*, never an *absent*
    └── SettingsError (ValueError)    a setting is wrong; the message names it

``api`` turns this tree into HTTP answers and ``cli`` into exit codes, each in one table.
"""

from collections.abc import Sequence


class CoverslipError(Exception):
    """Base of every error that Coverslip raises on purpose."""


class ImageLoadError(CoverslipError):
    """A file cannot be opened or read as an image."""


class UnsupportedFormatError(ImageLoadError):
    """No reader knows this kind of file."""


class MislabelledFileError(UnsupportedFormatError):
    """The name of the file promises a format, its content is something else.

    A Git LFS pointer, a web page, an archive, garbage: somebody believes that an image is here, and it is not.
    """


class MissingDependencyError(ImageLoadError):
    """The reader for this file needs a package that is not installed.

    Parameters
    ----------
    message
        One sentence that names the file and the command that mends it.
    package
        The distribution to install, as ``pip`` knows it.
    """

    def __init__(self, message: str, package: str) -> None:
        super().__init__(message)
        self.package = package


class ReadError(ImageLoadError, OSError):
    """The file is damaged, incomplete or unreadable."""


class BudgetError(ReadError):
    """The file asks for more than one file may cost: it is hostile or damaged, or the budget is too small for it.

    Parameters
    ----------
    message
        What it asks for; allowance and setting are added.
    budget
        Name of the field of ``Budgets``: ``"ratio"``. The setting is ``COVERSLIP_BUDGET_RATIO``.
    asked
        What the file asks for; ``None`` where it was stopped before anybody knew.
    allowed
        What it may have.
    """

    def __init__(self, message: str, *, budget: str, asked: float | None = None, allowed: float | None = None) -> None:
        limit = "" if allowed is None else f"; {allowed:,} may be"
        super().__init__(f"{message}{limit}. If the file is right, raise COVERSLIP_BUDGET_{budget.upper()}")
        self.budget = budget
        self.asked = asked
        self.allowed = allowed

    def about(self, path: object) -> "BudgetError":
        """Return the same error with the file named at its beginning."""
        return self.reworded(f"{path}: {self}")

    def reworded(self, text: str) -> "BudgetError":
        """Return an error about the same budget with another text."""
        other = BudgetError("", budget=self.budget, asked=self.asked, allowed=self.allowed)
        other.args = (text,)
        return other


class UnreadableFileError(ReadError):
    """The file could not be looked at: permission, an I/O error, it vanished. Says nothing about its content."""


class RefusedAddressError(UnreadableFileError):
    """A remote address that may not be opened: not on the list, private, or a kind nobody reads. Nothing was sent."""


class BusyError(UnreadableFileError):
    """No process was free to look at the file, or none could be started: the state of the server, not of the file."""


class RegionError(CoverslipError, ValueError):
    """A requested region, plane or level lies outside the image."""


class NotFoundError(CoverslipError, LookupError):
    """No such image, artifact or record."""


class ConflictError(CoverslipError):
    """The request contradicts the present state."""


class RevisionConflictError(ConflictError):
    """What is to be changed is not any more what its editor saw.

    Parameters
    ----------
    message
        One sentence for a person.
    current
        The record as it is now (a frozen value of ``model``).
    """

    def __init__(self, message: str, current: object) -> None:
        super().__init__(message)
        self.current = current


class TooLargeError(CoverslipError):
    """The request is above a configured limit."""


class InvalidRequestError(CoverslipError, ValueError):
    """The request itself makes no sense.

    Parameters
    ----------
    message
        One sentence for a person.
    errors
        All problems at once, each with its place, such as ``"width: expected 1 to 4096, found 0"``.
    """

    def __init__(self, message: str, errors: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class BuildError(CoverslipError):
    """A derived artifact could not be built, or not within the time allowed.

    Parameters
    ----------
    message
        What happened, in one sentence.
    retryable
        Whether the same request may well succeed soon. ``False`` when the source itself cannot be drawn; the error
        that said so is the ``__cause__`` where it happened in the same call.
    """

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class ExportError(CoverslipError):
    """An item of an export cannot be made.

    Parameters
    ----------
    message
        One sentence for a person.
    recoverable
        Whether it is about this item alone, so that the rest of the export goes on. ``False``: every item would fail
        for the same reason, and the export ends. Neither is mended by trying the item again.
    """

    def __init__(self, message: str, *, recoverable: bool = True) -> None:
        super().__init__(message)
        self.recoverable = recoverable


class MissingPartError(ExportError, LookupError):
    """An item asks for something that its field of view does not have.

    Parameters
    ----------
    message
        One sentence for a person.
    missing
        The names asked for that are not there.
    recoverable
        As in ``ExportError``.
    """

    def __init__(self, message: str, missing: Sequence[str] = (), *, recoverable: bool = True) -> None:
        super().__init__(message, recoverable=recoverable)
        self.missing = tuple(missing)


class MissingFieldError(MissingPartError):
    """There is no such field of view."""


class MissingChannelError(MissingPartError):
    """The field of view has no channel of this name, nor of one of its aliases."""


class MissingMaskError(MissingPartError):
    """The field of view has no mask of this name."""


class MissingAnnotationError(MissingPartError):
    """The field of view has no annotation of this name."""


class OutsideImageError(ExportError, ValueError):
    """The region asked for has no pixel of the image, or no pixel at all."""


class ScaleBarError(ExportError, ValueError):
    """No true scale bar can be drawn: the size of a pixel is unknown, or no length fits."""


class CatalogError(CoverslipError):
    """The database refused, cannot be reached, or was written by a newer version."""


class StorageError(CoverslipError, OSError):
    """Bytes could not be listed, read or written. Says *unknown*, never *absent*."""


class SettingsError(CoverslipError, ValueError):
    """A setting is wrong; the message names the setting and its source."""
