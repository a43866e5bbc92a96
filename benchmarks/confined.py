"""What it costs that a file is opened and read in a confined process."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

from benchmarks.row import Row, take_turns
from coverslip.confined import Pool
from coverslip.model import Budgets
from coverslip.readers import ImageFile, open_image

Open = Callable[[Path], ImageFile]


def rows(stack: Path) -> list[Row]:
    """Return the rows of a stack of at least 16 planes: opening it, and one plane of the open file."""
    with Pool(1, Budgets(memory_bytes=4 << 30)) as pool:
        opened = take_turns(
            {"direct": lambda: _metadata(open_image, stack), "ours": lambda: _metadata(pool.open_image, stack)}
        )
        with open_image(stack) as direct, pool.open_image(stack) as confined:
            planes = count()
            read = take_turns(
                {
                    "direct": lambda: direct.images[0].plane(z=next(planes) % 16),
                    "ours": lambda: confined.images[0].plane(z=next(planes) % 16),
                },
                rounds=33,
            )
    return [_row("metadata, confined", opened, 10.0), _row("one plane, confined", read, 2.0)]


def _metadata(opener: Open, stack: Path) -> object:
    with opener(stack) as file:
        return file.images[0].metadata


def _row(work: str, taken: dict[str, float], most: float) -> Row:
    return Row(
        work=work,
        ours=taken["ours"],
        unit="ms",
        limit=taken["direct"],
        goal=f"at most {most:g} ms more than direct",
        reached=taken["ours"] - taken["direct"] <= most,
    )
