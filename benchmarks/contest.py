"""Contestants take turns at one piece of work; what becomes of it is a row of the table."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks.conditions import is_quick, rounds
from benchmarks.row import Row, take_turns

OURS = "coverslip"
LIMIT = "limit"

type Contestants = Mapping[str, Callable[[], object]]
type Tiles = Callable[[int, int, int], object]
"""Reads a tile: slice, first row, first column."""


def timed(work: str, contestants: Contestants, *, within: float, of: str, usual_rounds: int = 9, note: str = "") -> Row:
    """Return a row in milliseconds. ``of`` is a contestant, or ``best library`` for the fastest peer."""
    found = {name: float(f"{ms:.3g}") for name, ms in take_turns(contestants, rounds(usual_rounds)).items()}
    ours, limit, peers = found.pop(OURS), found.pop(LIMIT, None), found
    bar, named = _bar(limit, peers, of, min)
    reached = bar is not None and ours <= within * bar
    said = f"within {within:g}x of {named}"
    return Row(work=work, ours=ours, unit="ms", limit=limit, peers=peers, goal=said, reached=reached, note=note)


def counted(
    work: str,
    contestants: Contestants,
    *,
    count: int | Mapping[str, int],
    times: float,
    of: str | float,
    usual_rounds: int = 5,
    note: str = "",
) -> Row:
    """Return a row in pieces per second: one call of a contestant does ``count`` of them."""
    found = {
        name: float(f"{(count if isinstance(count, int) else count[name]) / ms * 1e3:.3g}")
        for name, ms in take_turns(contestants, rounds(usual_rounds)).items()
    }
    ours, limit, peers = found.pop(OURS), found.pop(LIMIT, None), found
    if isinstance(of, str):
        bar, named = _bar(limit, peers, of, max)
        said = f"at least {times:.2g}x {named}"
    else:
        bar, said = of, f"at least {of:,.0f}/s"
    reached = bar is not None and ours >= times * bar
    return Row(work=work, ours=ours, unit="/s", limit=limit, peers=peers, goal=said, reached=reached, note=note)


def _bar(
    limit: float | None, peers: Mapping[str, float], of: str, best: Callable[..., float]
) -> tuple[float | None, str]:
    """Return the number to compare with, and what it is called."""
    if of == LIMIT:
        return limit, "the limit"
    if of == "best library":
        return (best(peers.values()), "the best library") if peers else (None, "the best library")
    return peers.get(of), of


def tiles(
    read: Tiles, count: int, shape: tuple[int, int, int], *, side: int = 256, threads: int = 1, grid: int = 1
) -> Callable[[], object]:
    """Return work that reads random tiles of a stack, the same ones for every contestant.

    Parameters
    ----------
    read
        Called with slice, row and column.
    count
        How many; all threads together.
    shape
        Z, Y, X of the stack.
    side
        Of a tile in pixels.
    threads
        That read at the same time.
    grid
        Tiles begin at multiples of this.
    """

    def some(seed: int) -> None:
        dice = np.random.default_rng(seed)
        for _ in range(count // threads):
            z, y, x = (int(v) for v in dice.integers(0, (shape[0], shape[1] - side + 1, shape[2] - side + 1)))
            read(z, y - y % grid, x - x % grid)

    if threads == 1:
        return lambda: some(1)
    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(some, range(threads)))


RESIDENT = """
import threading, time, sys
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6
{setup}
import gc; gc.collect()
idle = top = resident()
is_over = False
def watch():
    global top
    while not is_over:
        top = max(top, resident())
        time.sleep(0.0005)
watcher = threading.Thread(target=watch); watcher.start()
{work}
is_over = True
watcher.join()
print(idle, top)
"""


def memory(setup: str, work: str) -> tuple[float, float] | None:
    """Return resident megabytes of a child process before the work and at its highest; ``None`` without ``/proc``.

    ``ru_maxrss`` is not used: a child inherits its parent's.
    """
    if sys.platform != "linux":
        return None
    code = RESIDENT.format(setup=setup, work=work)
    idle, top = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()[
        -2:
    ]
    return float(idle), float(top)


def few(usual: int) -> int:
    """Return how many pieces one call does, few in the quick form."""
    return max(8, usual // 20) if is_quick() else usual
