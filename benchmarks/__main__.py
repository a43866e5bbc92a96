"""Run all benchmarks and print a table of ratios."""

import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import tifffile

from benchmarks import confined
from coverslip.derive import open_catalog
from coverslip.ingest import add
from coverslip.model import RenderSpec
from coverslip.readers import open_image
from coverslip.render import draw

ROUNDS = 7
STACK = (48, 1024, 1024)


def main() -> None:
    """Write the files, time every contestant, print seconds and ratios."""
    with tempfile.TemporaryDirectory() as folder:
        stack = _write_stack(Path(folder) / "stack.ome.tif")
        print(f"best of {ROUNDS} rounds, warm cache; stack {STACK} uint16 ({stack.stat().st_size / 2**20:.0f} MiB)\n")
        print(f"{'work':<34} {'coverslip':>11} {'peer':>11} {'ratio':>7}  peer")
        _row("metadata of an OME-TIFF", lambda: _our_metadata(stack), lambda: _peer_metadata(stack), "tifffile")
        _row("one random plane", lambda: _our_plane(stack), lambda: _peer_plane(stack), "tifffile")
        _row(
            "256 px thumbnail of the MIP",
            lambda: _our_thumbnail(stack),
            lambda: _peer_thumbnail(stack),
            "tifffile + cv2",
        )
        for row in confined.rows(stack):
            ratio = row.ours / row.limit if row.limit else 0
            print(f"{row.work:<34} {row.ours:>8.2f} ms {row.limit:>8.2f} ms {ratio:>6.2f}x  opened directly")
        _add_folder(Path(folder))


def _row(work: str, ours: Callable[[], object], peer: Callable[[], object], name: str) -> None:
    best = {"ours": float("inf"), "peer": float("inf")}
    for _ in range(ROUNDS):  # taking turns, so that a busy moment hits both
        for who, call in (("ours", ours), ("peer", peer)):
            gc.collect()
            start = time.perf_counter()
            call()
            best[who] = min(best[who], time.perf_counter() - start)
    ratio = best["ours"] / best["peer"]
    print(f"{work:<34} {best['ours'] * 1e3:>8.2f} ms {best['peer'] * 1e3:>8.2f} ms {ratio:>6.2f}x  {name}")


def _write_stack(path: Path) -> Path:
    random = np.random.default_rng(1)
    data = random.poisson(200, STACK).astype(np.uint16)
    tifffile.imwrite(path, data, ome=True, metadata={"axes": "ZYX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1})
    return path


def _our_metadata(path: Path) -> tuple[int, ...]:
    with open_image(path) as file:
        return file.images[0].metadata.shape


def _peer_metadata(path: Path) -> tuple[int, ...]:
    with tifffile.TiffFile(path) as file:
        return tuple(file.series[0].shape)


def _our_plane(path: Path) -> object:
    with open_image(path) as file:
        return file.images[0].plane(z=STACK[0] // 2)


def _peer_plane(path: Path) -> object:
    with tifffile.TiffFile(path) as file:
        return file.series[0].asarray(key=STACK[0] // 2)


def _our_thumbnail(path: Path) -> object:
    with open_image(path) as file:
        return draw(file.images[0], RenderSpec())


def _peer_thumbnail(path: Path) -> object:
    with tifffile.TiffFile(path) as file:
        projected = file.pages[0].asarray()
        for index in range(1, STACK[0]):
            np.maximum(projected, file.pages[index].asarray(), out=projected)
    low, high = np.percentile(projected, (1, 99))
    small = cv2.resize(projected.astype(np.float32), (256, 256), interpolation=cv2.INTER_AREA)
    return np.clip((small - low) / (high - low) * 255, 0, 255).astype(np.uint8)


def _add_folder(folder: Path) -> None:
    many = folder / "many"
    many.mkdir()
    plane = np.zeros((64, 64), np.uint16)
    for number in range(1000):
        tifffile.imwrite(many / f"{number:04d}.tif", plane, contiguous=False)
    with open_catalog(f"sqlite:///{folder / 'catalog.sqlite'}") as catalog:
        for title in ("coverslip add, 1,000 new TIFFs", "the same again, nothing changed"):
            start = time.perf_counter()
            report = add([many], catalog=catalog, workers=4)
            seconds = time.perf_counter() - start
            print(f"{title:<34} {seconds:>9.2f} s  {report.files_opened} opened, {report.rows_written} rows written")


if __name__ == "__main__":
    main()
