"""How commands speak: sentences on stdout, progress and errors on stderr, exit codes from one table."""

from rich.console import Console

from coverslip.errors import (
    CatalogError,
    ConflictError,
    CoverslipError,
    ImageLoadError,
    InvalidRequestError,
    NotFoundError,
    RegionError,
    SettingsError,
    StorageError,
)

EXIT_CODES: dict[type[CoverslipError], int] = {
    SettingsError: 2,
    InvalidRequestError: 2,
    RegionError: 2,
    ImageLoadError: 1,
    NotFoundError: 3,
    ConflictError: 4,
    CatalogError: 5,
    StorageError: 5,
    CoverslipError: 1,
}
"""Exit code of each branch of the error tree; the most specific entry counts."""


def console(*, stderr: bool = False) -> Console:
    """Return a console; markup and highlighting are off, because file names may hold brackets."""
    return Console(stderr=stderr, markup=False, highlight=False, soft_wrap=True)


def one_line(text: str) -> str:
    """Return text that any terminal can show on one line: what cannot be printed is spelled as an escape."""
    escaped = (
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode("ascii") for char in text
    )
    return "".join(escaped)


def exit_code(error: CoverslipError) -> int:
    """Return the exit code for an error."""
    return next(EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES)


def say_error(error: CoverslipError) -> None:
    """Print an error as one sentence, without a traceback."""
    console(stderr=True).print(f"coverslip: {one_line(str(error))}")


def amount(count: int, noun: str) -> str:
    """Return ``"1 file"`` or ``"2 files"``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def size_text(count: float) -> str:
    """Return a number of bytes for people: ``"1.5 MiB"``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
