"""The command line: one module per command, loaded only when it is the one asked for."""

import logging
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import version
from io import TextIOWrapper

import typer

from coverslip.cli.output import console, exit_code, say_error
from coverslip.cli.saying import NotAgain
from coverslip.errors import CoverslipError

COMMANDS = {
    "add": "Catalog image files where they lie.",
    "audit": "Show and check the log of what was removed.",
    "backup": "Write a copy of the catalog.",
    "clean": "Remove records whose documents are gone from their layout.",
    "convert": "Write an image of any format as an OME-Zarr folder.",
    "delete": "Hide images; restore undoes it.",
    "demo": "Make a demo library, or take your own folder, and show it in the browser.",
    "doctor": "Say what is installed, which readers work and what can be written.",
    "export": "Make pictures of fields of view, cells and regions in bulk.",
    "gc": "Remove artifacts that are superseded or, over a limit, not used for longest.",
    "import": "Catalog what lies in the CryoET Data Portal's layout already.",
    "info": "Show what is known about an image file without reading its pixels.",
    "ingest": "Check, plan and write depositions of electron tomography that YAML describes.",
    "purge": "Remove for good what was deleted some time ago.",
    "queue-worker": "Build what messages in the queue tell of.",
    "rebuild": "Make artifacts stale, so that they are built anew.",
    "restore": "Bring deleted images back.",
    "rois": "List, add, tag, remove and exchange regions of interest.",
    "serve": "Serve the web page and the HTTP API.",
    "status": "Show what the catalog holds and what waits to be built.",
    "undo": "Bring back what a cleanup or an import removed.",
    "thumbnail": "Draw a picture of an image file.",
    "worker": "Build artifacts that are out of date.",
}
"""Name and one line of help of every command; the module of the same name has its ``run``, or an ``app`` of several."""

MODULES = {"import": "importing"}
"""Modules of commands whose names are words of Python."""

BATCHES = ("coverslip.derive.batch", "coverslip.derive.periodic")
"""The loggers of which information is shown too: a line for each batch that was built."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code.

    A command is imported only when it is the one asked for: numpy, zarr, SQLAlchemy and FastAPI together take two
    seconds, which help and typing errors should not cost.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files need not be text
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = words[0] if words else "--help"
    if name in ("--help", "-h", "help"):
        console().print(_help())
    elif name == "--version":
        console().print(f"coverslip {version('coverslip')}")
    elif name in COMMANDS:
        _run(name, words[1:])
    else:
        close = get_close_matches(name, COMMANDS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else " `coverslip --help` lists them."
        console(stderr=True).print(f"coverslip: there is no command {name!r}.{hint}")
        sys.exit(2)


def _run(name: str, words: list[str]) -> None:
    from coverslip.cli.acting import actor  # noqa: PLC0415  # as above: pydantic comes with it
    from coverslip.model.speaking import Who, speaking  # noqa: PLC0415

    _speak_for_ourselves()
    module = import_module(f"coverslip.cli.{MODULES.get(name, name).replace('-', '_')}")
    command: typer.Typer = getattr(module, "app", None) or typer.Typer(add_completion=False)
    if not hasattr(module, "app"):
        command.command()(module.run)
    try:
        with speaking(Who(actor() or Who().actor, f"coverslip {name}")):
            command(args=words, prog_name=f"coverslip {name}")
    except CoverslipError as error:
        say_error(error)
        sys.exit(exit_code(error))


def _speak_for_ourselves() -> None:
    """Show our own warnings only: tifffile writes hundreds of lines about one damaged file, which `add` says in one."""
    logging.getLogger().addHandler(logging.NullHandler())
    ours = logging.StreamHandler()
    ours.setFormatter(logging.Formatter("coverslip: %(message)s"))
    ours.addFilter(NotAgain())
    logger = logging.getLogger("coverslip")
    logger.addHandler(ours)
    logger.setLevel(logging.WARNING)
    for name in BATCHES:
        logging.getLogger(name).setLevel(logging.INFO)


def _help() -> str:
    lines = [f"  {name:<12} {text}" for name, text in sorted(COMMANDS.items())]
    return "\n".join(
        [
            "Usage: coverslip COMMAND [ARGUMENTS]",
            "",
            "Open, catalog and look at microscopy and cryo-ET images.",
            "",
            *lines,
            "",
            "coverslip COMMAND --help says more. Settings: environment COVERSLIP_... or coverslip.toml.",
        ]
    )
