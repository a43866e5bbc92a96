"""What it costs that a file is opened and read in a confined process."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

from benchmarks import files
from benchmarks.conditions import rounds
from benchmarks.row import Row, take_turns
from coverslip.confined import Pool
from coverslip.model import Budgets
from coverslip.readers import ImageFile, open_image

Open = Callable[[Path], ImageFile]


SIDE = 1024
"""Of the planes: 2 MB of 16 bits."""
COUNT = 16


def rows() -> list[Row]:
    """Return two rows: opening a stack, and one plane of the open file."""
    stack = files.small_planes(COUNT, SIDE)
    with Pool(1, Budgets(memory_bytes=4 << 30)) as pool:
        _metadata(pool.open_image, stack)  # the process itself is started once
        opened = take_turns(
            {"direct": lambda: _metadata(open_image, stack), "ours": lambda: _metadata(pool.open_image, stack)},
            rounds(15),
        )
        with open_image(stack) as direct, pool.open_image(stack) as confined:
            planes = count()
            read = take_turns(
                {
                    "direct": lambda: direct.images[0].plane(z=next(planes) % COUNT),
                    "ours": lambda: confined.images[0].plane(z=next(planes) % COUNT),
                },
                rounds=rounds(99),
            )
    return [_row("metadata, confined", opened, 10.0), _row("one plane of 2 MB, confined", read, 2.0)]


def _metadata(opener: Open, stack: Path) -> object:
    with opener(stack) as file:
        return file.images[0].metadata


def _row(work: str, taken: dict[str, float], most: float) -> Row:
    return Row(
        work=work,
        ours=float(f"{taken['ours']:.3g}"),
        unit="ms",
        limit=float(f"{taken['direct']:.3g}"),
        goal=f"at most {most:g} ms more than in the own process",
        reached=taken["ours"] - taken["direct"] <= most,
        note="limit: the same in the own process",
    )
