"""Work that takes one step at a time: threads of which exactly one runs, each stopping at every boundary."""

import threading
from collections.abc import Callable
from typing import Any

from coverslip.derive.held import HeldClaims, Pace
from coverslip.errors import CatalogError, CoverslipError, StorageError
from tests.catalog.making import Clock

PATIENCE_SECONDS = 60.0
"""A step takes milliseconds; one that takes so long waits for something that will never happen."""

WRITES = {"claim", "finish", "fail", "release", "want", "mark", "distrust", "put", "delete"}
"""Calls after which there is a boundary too: what they did is done, and nobody has been told."""


class Killed(BaseException):
    """The process is gone. Whatever code still runs because of this reaches neither catalog nor storage."""


class _Present(threading.local):
    actor: "Actor | None" = None


_PRESENT = _Present()


def present() -> "Actor | None":
    """Return whose thread this is; ``None`` in the thread of the test."""
    return _PRESENT.actor


class Actor:
    """A process that builds or asks, as far as it matters here: it goes on only when told, and may be killed.

    Parameters
    ----------
    name
        For messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.at = "start"
        """The boundary at which it stands."""
        self.is_done = False
        self.is_killed = False
        self.must_stop = False
        """Whether somebody has asked it to give up, as when a worker is stopped."""
        self.recipe_fails = False
        self.has_trouble = False
        """Whether its next call to the catalog or the storage is answered with an error."""
        self.had_trouble = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.heartbeats: list[Heartbeat] = []
        self._turn, self._back = threading.Lock(), threading.Lock()
        self._turn.acquire()
        self._back.acquire()
        self._work: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def begin(self, work: Callable[[], object]) -> None:
        """Give it something to do; it stands before that."""
        self._work = work
        self._thread.start()

    def step(self) -> None:
        """Let it run to its next boundary, or to its end."""
        self._turn.release()
        if not self._back.acquire(timeout=PATIENCE_SECONDS):
            raise AssertionError(f"{self.name} did not come to another boundary after {self.at!r}")
        if self.is_done:
            self._thread.join()

    def kill(self) -> str:
        """End it where it stands, and return where that was."""
        self.is_killed = True
        self.step()
        assert self.is_done
        return self.at

    def stop_at(self, boundary: str) -> None:
        """Wait for the next turn. Called in its own thread."""
        if self.is_killed:
            raise Killed
        self.at = boundary
        self._back.release()
        self._turn.acquire()
        if self.is_killed:
            raise Killed

    def takes_trouble(self) -> bool:
        """Return whether this very call goes wrong."""
        self.had_trouble |= self.has_trouble
        has, self.has_trouble = self.has_trouble, False
        return has

    def _run(self) -> None:
        _PRESENT.actor = self
        self._turn.acquire()
        try:
            if not self.is_killed:
                self.result = self._work()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001  the test looks at it
            self.error = error
        finally:
            self.is_done = True
            self._back.release()


class Stepped:
    """A catalog or a storage as an actor has it: each call waits for its turn.

    Parameters
    ----------
    actor
        Who calls.
    name
        First part of the names of the boundaries.
    target
        What is called.
    around
        Does the call, and notes what is to be noted of it.
    """

    def __init__(
        self, actor: Actor, name: str, target: Any, around: Callable[[str, Callable[[], Any], tuple[Any, ...]], Any]
    ) -> None:
        self._actor, self._name, self._target, self._around = actor, name, target, around

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._target, name)
        if not callable(real) or name == "now":
            return real

        def call(*args: Any, **more: Any) -> Any:
            def do() -> Any:
                return real(*args, **more)

            if present() is not self._actor:  # a sign of life, given by the test
                return self._around(name, do, args)
            self._stop(f"before {self._name}.{name}")
            result = self._around(name, do, args)
            if name in WRITES:
                self._stop(f"after {self._name}.{name}")
            return result

        return call

    def _stop(self, boundary: str) -> None:
        self._actor.stop_at(boundary)
        if self._actor.takes_trouble():
            error: type[CoverslipError] = CatalogError if self._name == "catalog" else StorageError
            raise error(f"trouble {boundary}")


class Heartbeat:
    """In the place of ``jobs.Heartbeat``: gives a sign of life when the test says so, not by the clock of the wall."""

    def __init__(self, _name: str, beat: Callable[[], bool], _every_seconds: float, _first_seconds: float) -> None:
        self._beat = beat
        self.lost = False

    def __enter__(self) -> "Heartbeat":
        actor = present()
        if actor is not None:
            actor.heartbeats.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        actor = present()
        if actor is not None:
            actor.heartbeats.remove(self)

    def beat(self) -> None:
        """Do what one turn of the real one does; while the builder writes something down, that one waits."""
        held: HeldClaims = self._beat.__self__  # type: ignore[attr-defined]  # a method of it
        if not held._guard.locked():
            self.lost = self.lost or not self._beat()


class Steady(Pace):
    """Claims so many at once, however long builds take."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def note(self, number: int, seconds: float) -> None:
        """Keep it."""


class Time:
    """In the place of ``time`` in the builder: goes by the clock of the test; who sleeps waits for a turn."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def monotonic(self) -> float:
        return self._clock.now.timestamp()

    def sleep(self, seconds: float) -> None:
        actor = present()
        if actor is None:
            self._clock.advance(seconds)
        else:
            actor.stop_at("while waiting")
