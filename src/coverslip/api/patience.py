"""How long a request is worked on: one deadline for all its waiting and drawing, and a client that may go away."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio

from coverslip.errors import BuildError

LOOK_SECONDS = 0.5
"""How often somebody looks whether the client is still there."""

HasGone = Callable[[], Awaitable[bool]]
"""Whether nobody waits for the answer any more."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one request is worked on, its waiting for a turn included."""

    deadline: float
    """On the monotonic clock."""
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when the client has gone."""

    @property
    def seconds_left(self) -> float:
        """What is left; 0 when the time is up."""
        return max(0.0, self.deadline - time.monotonic())

    def is_over(self) -> bool:
        """Return whether to stop."""
        return self.gone.is_set() or time.monotonic() >= self.deadline


async def stays() -> bool:
    """Return that the client is there."""
    return False


@asynccontextmanager
async def turn(gate: asyncio.Lock | anyio.CapacityLimiter, patience: Patience) -> AsyncIterator[None]:
    """Hold a gate for the time of a ``with`` statement.

    Raises
    ------
    BuildError
        It did not become free in time.
    """
    try:
        with anyio.fail_after(patience.seconds_left):
            await gate.acquire()
    except TimeoutError as error:
        raise BuildError("many pictures are being made at the moment; ask again in a few seconds") from error
    try:
        yield
    finally:
        gate.release()


@asynccontextmanager
async def watching(patience: Patience, has_gone: HasGone) -> AsyncIterator[None]:
    """Notice, for the time of a ``with`` statement, that the client has gone."""
    watchers: list[asyncio.Task[None]] = []

    async def watch() -> None:
        while not await has_gone():
            await asyncio.sleep(LOOK_SECONDS)
        patience.gone.set()

    # most of what is watched is over before the first look, and then costs no task
    first = asyncio.get_running_loop().call_later(LOOK_SECONDS, lambda: watchers.append(asyncio.create_task(watch())))
    try:
        yield
    finally:
        first.cancel()
        for watcher in watchers:
            watcher.cancel()
