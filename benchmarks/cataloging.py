"""``coverslip add``: 1,000 new files, then the same again."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import tifffile

from benchmarks.conditions import folder, is_quick
from benchmarks.row import Row
from coverslip.derive import open_catalog
from coverslip.ingest import add


def rows() -> list[Row]:
    """Return two rows; there is no peer, and the goal is what a person waits for without wondering."""
    count = 100 if is_quick() else 1000
    with TemporaryDirectory(dir=folder()) as place:
        many = Path(place) / "many"
        many.mkdir()
        for number in range(count):
            tifffile.imwrite(many / f"{number:04d}.tif", np.zeros((64, 64), np.uint16), contiguous=False)
        seconds = []
        with open_catalog(f"sqlite:///{place}/catalog.sqlite") as catalog:
            for _ in range(2):
                start = time.perf_counter()
                add([many], catalog=catalog, workers=4)
                seconds.append(time.perf_counter() - start)
    works = (f"coverslip add, {count:,} new TIFFs", "the same again, nothing changed")
    return [
        Row(
            work=work,
            ours=float(f"{taken * 1e3:.3g}"),
            unit="ms",
            goal=f"within {bar:,} ms",
            reached=taken * 1e3 <= bar,
        )
        for work, taken, bar in zip(works, seconds, (10_000, 1_000), strict=True)
    ]
