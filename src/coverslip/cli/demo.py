"""``coverslip demo [PATH...]``."""

import hashlib
import shlex
import socket
from pathlib import Path
from typing import Annotated

import typer

from coverslip.cli.add import add_with_progress, print_report
from coverslip.cli.output import amount, console
from coverslip.cli.serve import serve
from coverslip.demo import make_library
from coverslip.derive import open_catalog_of
from coverslip.errors import NotFoundError
from coverslip.settings import Settings


def run(
    paths: Annotated[
        list[Path] | None, typer.Argument(readable=False, help="Your own files or folders instead of the demo.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where the demo library and its catalog are kept.")] = Path(
        "coverslip-demo"
    ),
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; a free one if the usual is taken.")] = None,
    show: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve the page afterwards.")] = True,
) -> None:
    """Make a demo library, or take your own folder, catalog it and serve the page."""
    out = console()
    if paths:
        shown = [path.absolute() for path in paths]
        for path in shown:
            if not path.exists():
                raise NotFoundError(f"{path}: there is no such file or folder")
        name = "own-" + hashlib.sha256("\n".join(map(str, shown)).encode()).hexdigest()[:8]
    else:
        name, library = "demo", folder.absolute() / "library"
        out.print(f"Demo library: {library}")
        made = make_library(library, on_file=lambda path: out.print(f"  made {path.relative_to(library)}"))
        out.print(f"  {amount(len(made), 'file')} ready")
        shown = [library]
    settings = Settings.load(home=folder.absolute() / f"{name}-home", port=_free_port(port))
    with open_catalog_of(settings) as catalog:
        print_report(add_with_progress(shown, catalog, settings, workers=4))
    out.print(f"For other commands on this library: export COVERSLIP_HOME={shlex.quote(str(settings.home))}")
    if show:
        serve(settings)


def _free_port(wanted: int | None) -> int:
    """Return the wanted port, or the usual one when it is free, or 0 for any."""
    if wanted is not None:
        return wanted
    usual = Settings.load().port
    try:
        with socket.create_server(("127.0.0.1", usual)):
            return usual
    except OSError:
        return 0
