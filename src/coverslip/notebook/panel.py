"""What both widgets are made of: a page module from this package, messages by name, work in threads."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import anywidget

from coverslip.errors import CoverslipError
from coverslip.notebook.desk import Desk, Hop

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
MAX_TEXT = 2000
"""Characters of an error that are shown."""


def page_module(*names: str) -> str:
    """Return ES modules of this package as one: a page gets its module as text, and can import no other file."""
    return "\n".join((STATIC / name).read_text("utf-8") for name in names)


def in_words(error: BaseException) -> str:
    """Return an error as a sentence for a person."""
    text = str(error) or type(error).__name__
    said = text if isinstance(error, CoverslipError) else f"{type(error).__name__}: {text}"
    return said[:MAX_TEXT]


class Panel(anywidget.AnyWidget):
    """A widget whose messages are commands, each done in a thread unless it is quick.

    The kernel is never blocked: handlers only note what is wanted, and what threads find is set and sent by the
    kernel's loop. Without a page, and without a loop, all of it works the same.
    """

    _is_made = False
    """Whether there is anything to let go of: widgets are closed when they are collected, half-made ones too."""

    def __init__(self, **traits: Any) -> None:
        self._hop = Hop()
        self._desk = Desk(type(self).__name__)
        self._heard: object = None
        self._is_showing = False
        super().__init__(**traits)
        self.on_msg(self._hear)
        self._is_made = True

    def settle(self, timeout: float = 60.0) -> bool:
        """Wait until what was asked for is done, at most so many seconds; return whether that is so. Not for jobs."""
        found = self._desk.wait(timeout, meanwhile=self._hop.drain)
        self._hop.drain()
        return found

    def close(self) -> None:
        """Take the widget off the page and let go of its files and threads. A job that runs goes on."""
        if self._is_made:
            self._desk.close()
            self._let_go()
        super().close()

    def _let_go(self) -> None:
        """Let go of files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _commands(self) -> Mapping[str, Callable[[Mapping[str, Any]], None]]:
        """What a page may ask for, by name; each takes the message."""
        return {}

    def _hear(self, _widget: object, content: object, _buffers: object) -> None:
        """Take a message of a page: ``{"do": name, ...}``. What makes no sense is answered, never raised."""
        name = content.get("do") if isinstance(content, dict) else None
        command = self._commands.get(name) if isinstance(name, str) else None
        if command is None or not isinstance(content, dict):
            self._say({"is": "error", "text": f"there is no command {str(name)[:100]!r}"})
            return
        try:
            command(content)
        except (CoverslipError, ValueError, TypeError, LookupError) as error:
            self._say({"is": "error", "to": name, "text": in_words(error)})

    def _hear_value(self, value: object, known: object, take: Callable[[Any], None]) -> None:
        """Take a value that came with a command.

        A page synchronises a trait a little later while the kernel is busy, and commands do not wait for it: so they
        bring the value along. When it comes once more, something may have changed it meanwhile: see ``_is_late``.
        """
        if isinstance(value, dict) and value != known:
            take(value)
            self._heard = value

    def _show_value(self, name: str, value: object) -> None:
        """Set a trait that pages change too, and take that for no change of theirs."""
        self._is_showing = True
        try:
            setattr(self, name, value)
        finally:
            self._is_showing = False

    def _is_late(self, value: object) -> bool:
        """Return whether a value that was synchronised just now came with a command already."""
        heard, self._heard = self._heard, None
        return heard is not None and value == heard

    def _put(self, **values: Any) -> None:
        """Set traits, in the thread of the loop."""
        self._hop.post(lambda: self._set(values))

    def _set(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            setattr(self, name, value)

    def _say(self, content: Mapping[str, Any], *buffers: bytes) -> None:
        """Send a message, in the thread of the loop."""
        self._hop.post(lambda: self.send(dict(content), list(buffers)))
