"""``coverslip doctor``."""

import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from importlib.resources import files

import typer
from rich.console import Console

from coverslip.cli.output import console
from coverslip.derive import open_catalog_of
from coverslip.errors import CoverslipError
from coverslip.readers import formats
from coverslip.settings import Settings
from coverslip.storage import open_storage


def run() -> None:
    """Say what is installed, which readers work and whether catalog and storage can be written.

    Exit code 1 when something has to be mended; a format whose package is not installed is a choice.
    """
    out = console()
    out.print(f"coverslip {version('coverslip')}, Python {platform.python_version()} ({sys.executable})")
    settings = Settings.load()
    out.print(f"home      {settings.home}")
    _readers(out)
    sound = (
        _check(out, f"catalog   {_shown(settings)}", lambda: _check_catalog(settings)),
        _check(out, f"storage   {settings.artifacts_url}", lambda: open_storage(settings.artifacts_url).check()),
    )
    page = (files("coverslip") / "web_dist" / "index.html").is_file()
    out.print(f"{'ok ' if page else 'no '} web page{'' if page else ': not built. Run python3 dev.py setup'}")
    raise typer.Exit(0 if all([*sound, page]) else 1)


def _readers(out: Console) -> None:
    for entry in formats():
        endings = " ".join(entry.extensions)
        state = f"{entry.reason}: {entry.install}" if entry.reason else f"{entry.package} {version(entry.package)}"
        note = " (experimental)" if entry.experimental else ""
        out.print(f"{'ok ' if entry.available else 'no '} reader {entry.reader:<11} {state:<22} {endings}{note}")


def _check(out: Console, title: str, check: Callable[[], None]) -> bool:
    try:
        check()
    except CoverslipError as error:
        out.print(f"no  {title}: {error}")
        return False
    out.print(f"ok  {title} can be written")
    return True


def _check_catalog(settings: Settings) -> None:
    with open_catalog_of(settings) as catalog:
        catalog.check()


def _shown(settings: Settings) -> str:
    return "in the database of COVERSLIP_DATABASE_URL" if settings.database_url else settings.catalog_url
