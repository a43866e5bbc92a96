"""Commands run in this process, which takes a tenth of the time."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from coverslip.cli import main


class Here:
    """Runs commands as a person would; answers come from stdin."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, captured: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._patch = patch
        self._captured = captured

    def __call__(self, *words: str, code: int = 0, answer: str = "") -> str:
        """Return what a command prints on stdout, then on stderr."""
        self._patch.setattr(sys, "argv", ["coverslip", *words])
        self._patch.setattr(sys, "stdin", io.StringIO(answer))
        self._captured.readouterr()
        try:
            main(list(words))
            left: object = 0
        except SystemExit as end:
            left = end.code or 0
        said = self._captured.readouterr()
        assert left == code, f"{words} left with {left}\n{said.out}\n{said.err}"
        return said.out + said.err

    def json(self, *words: str, code: int = 0) -> Any:
        """Return what a command prints as JSON; what follows was said on stderr."""
        return json.JSONDecoder().raw_decode(self(*words, "--json", code=code))[0]


@contextmanager
def commands(folder: Path, patch: pytest.MonkeyPatch, captured: pytest.CaptureFixture[str]) -> Iterator[Here]:
    """Give what runs commands with a home below a folder, in that folder; loggers are as before afterwards."""
    patch.setenv("COVERSLIP_HOME", str(folder / "home"))
    patch.chdir(folder)
    loggers = [logging.getLogger(name) for name in ("", "coverslip")]
    before = [(logger, list(logger.handlers), logger.level) for logger in loggers]
    yield Here(folder, patch, captured)
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)
