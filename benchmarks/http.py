"""Serving over HTTP: stored chunks, slices as PNG, virtual chunks. Servers and client share the processors.

``python3 -m benchmarks.http`` prints these rows alone.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr

from benchmarks import http_load as load
from benchmarks.conditions import is_quick
from benchmarks.row import Row, take_turns
from coverslip.derive import open_catalog
from coverslip.ingest import add
from coverslip.model import Region
from coverslip.readers import open_image

SIDE = 1024
CHUNK = 154
"""Side of a chunk of 16-bit pixels that has 47 KB."""
SAMPLES = Path(os.environ.get("COVERSLIP_SAMPLES", Path(__file__).resolve().parents[2] / "shared" / "samples"))


def rows() -> list[Row]:
    """Measure every row."""
    return list(_measured())


def _planes() -> int:
    """Return the number of planes of the stack, few in the quick form; 250 are 500 MB."""
    return 24 if is_quick() else 250


def _measured() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name).resolve()
        data = folder / "data"
        data.mkdir()
        chunks = _write_store(data / "stored.ome.zarr")
        _write_stack(data / "stack.tif")
        virtual = _virtual_files(data)
        with open_catalog(f"sqlite:///{folder / 'home' / 'catalog.sqlite'}") as catalog:
            add([data, *virtual], catalog=catalog)
        ours = stack.enter_context(load.coverslip(folder / "home"))
        ids = load.image_ids(ours)
        for path in (data / "stack.tif", *virtual):
            yield _virtual_chunk(ours, path, ids[path.name])
        yield _stored_chunks(folder, data, ours, ids["stored.ome.zarr"], chunks)
        yield from _slices(folder, data, ours, ids["stack.tif"])


def _stored_chunks(folder: Path, data: Path, ours: str, image_id: str, chunks: list[str]) -> Row:
    plain = [f"/stored.ome.zarr/{key}" for key in chunks]
    through = [f"/api/images/{image_id}/zarr/{key}" for key in chunks]
    with ExitStack() as stack:
        contestants = {
            "coverslip": (ours, through),
            "raw ASGI route, uvicorn": (stack.enter_context(load.uvicorn("raw", data)), plain),
            "Starlette StaticFiles": (stack.enter_context(load.uvicorn("static", data)), plain),
        }
        if find_spec("granian"):
            contestants["raw ASGI route, granian"] = (stack.enter_context(load.granian("raw", data)), plain)
        if load.NGINX:
            behind = stack.enter_context(load.coverslip(folder / "home", COVERSLIP_ACCEL_REDIRECT=f"{data}=/stored"))
            front = stack.enter_context(load.nginx(folder / "nginx", data, behind))
            load.per_second(behind, through[:1], folder)
            contestants["nginx"] = (front, plain)
            contestants["coverslip, handed over to nginx"] = (front, through)
        found = load.in_turns(contestants, folder)
    mine, raw = found.pop("coverslip"), found["raw ASGI route, uvicorn"]
    return Row(
        work="stored OME-Zarr chunks of 47 KB, 8 connections, one worker",
        ours=mine,
        unit="/s",
        limit=found.pop("nginx", None),
        peers=found,
        goal="20,000/s or 0.7x the raw route",
        reached=mine >= 20_000 or mine >= 0.7 * raw,
        note=f"{mine / raw:.2f}x the raw route; the limit is nginx with the bare files",
    )


def _slices(folder: Path, data: Path, ours: str, image_id: str) -> Iterator[Row]:
    with load.uvicorn("slices", data) as peer:
        for width in (1024, 256):
            yield from _slices_of(folder, ours, peer, image_id, width)


def _slices_of(folder: Path, ours: str, peer: str, image_id: str, width: int) -> Iterator[Row]:
    """Compare slices of one width: drawn anew each time, and sent before."""
    size = f"width={width}&height={width}"
    # every address asks for other percentiles, so that nothing is ever in a cache
    fresh = [f"/api/images/{image_id}/slice/{n * 7 % _planes()}?{size}&contrast=p1.{n:06d}:99" for n in range(60_000)]
    same = [f"/api/images/{image_id}/slice/{n}?{size}" for n in range(20)]
    # eight whole files at a time would need 4 GB: one connection, its rate
    whole = 1e3 / load.milliseconds(peer, [f"/whole/{n}?width={width}" for n in (3, 9, 20)])
    page = load.per_second(peer, [f"/page/{n}?width={width}" for n in range(0, _planes(), 7)], folder)
    drawn = load.per_second(ours, fresh, folder)
    for path in same:
        load.milliseconds(ours, [path])
    again = load.in_turns({"again": (ours, same)}, folder)["again"]
    picture = f"slice as PNG, {width} x {width}, 500 MB TIFF, 8 connections"
    peers = {"tifffile + FastAPI, whole file per request, one connection": whole, "the same, one page": page}
    yield Row(
        work=f"{picture}, drawn anew",
        ours=drawn,
        unit="/s",
        peers=peers,
        goal="100x an API that reads the whole file (zstack-analyzer)",
        reached=drawn >= 100 * whole,
        note=f"{drawn / whole:.0f}x; zstack-analyzer is not on PyPI, the peer is written in its way",
    )
    yield Row(
        work=f"{picture}, sent before",
        ours=again,
        unit="/s",
        peers=peers,
        goal="5,000/s",
        reached=again >= 5000,
        note="of 20 slices in turn, from memory",
    )


def _virtual_chunk(ours: str, path: Path, image_id: str) -> Row:
    """Compare the first chunk of each plane over HTTP, on one connection, with reading its pixels."""
    with open_image(path) as file:
        image = file.images[0]
        meta = image.metadata
        thick = min(512, meta.size_z) if meta.size_y == 1 else 1  # an xz scan has its planes along Z
        depths = range(-(-meta.size_z // thick))
        places = [(t, c, z) for t in range(meta.size_t) for c in range(meta.size_c) for z in depths][:200]
        y, x = (0, min(512, meta.size_y)), (0, min(512, meta.size_x))
        regions = [
            Region((t, t + 1), (c, c + 1), (z * thick, min((z + 1) * thick, meta.size_z)), y, x) for t, c, z in places
        ]

        def read_all() -> None:
            for region in regions:
                image.read(0, region)

        reading = take_turns({"read": read_all})["read"] / len(regions)
    prefix = f"/api/images/{image_id}/zarr/0/c"
    paths = [f"{prefix}/{t}/{c}/{z}/0/0" for t, c, z in places]
    paths *= -(-200 // len(paths))
    load.milliseconds(ours, paths[:20])
    served = load.milliseconds(ours, paths)
    return Row(
        work=f"virtual OME-Zarr chunk of {path.name}",
        ours=served,
        unit="ms",
        limit=reading,
        goal="the read plus 2 ms",
        reached=served <= reading + 2,
        note="level 0, one connection; the limit is the read in one process",
    )


def _virtual_files(data: Path) -> list[Path]:
    """Return a CZI, an ND2 and a LIF of the sample files, where there are any."""
    wanted = ("czi/CD_s_1_t_3_c_2_z_5.czi", "nd2/example-pbmc.nd2", "lif/LeicaLASX*.lif")
    found = [next(iter(sorted(SAMPLES.glob(pattern))), None) for pattern in wanted]
    copies = []
    for path in found:
        if path is not None:
            link = data.parent / path.name
            link.symlink_to(path)
            copies.append(link)
    return copies


def _write_stack(path: Path) -> None:
    random = np.random.default_rng(1)
    noise = random.poisson(200, (8, SIDE, SIDE)).astype(np.uint16)
    y, x = np.mgrid[:SIDE, :SIDE]
    cell = (1500 * np.exp(-((y - 500) ** 2 + (x - 500) ** 2) / 2e4)).astype(np.uint16)
    planes = (noise[z % 8] + np.roll(cell, 3 * z, 1) for z in range(_planes()))
    with tifffile.TiffWriter(path) as file:
        file.write(
            planes, shape=(_planes(), SIDE, SIDE), dtype="uint16", photometric="minisblack", metadata={"axes": "ZYX"}
        )


def _write_store(path: Path) -> list[str]:
    """Write an OME-Zarr 0.5 image of chunks that are not compressed; return their keys."""
    shape = (1, 2, 16, 2 * CHUNK, 2 * CHUNK)
    group = zarr.open_group(str(path), mode="w", zarr_format=3)
    pixels = np.random.default_rng(1).integers(0, 4000, shape, np.uint16)
    array: Any = group.create_array("0", shape=shape, chunks=(1, 1, 1, CHUNK, CHUNK), dtype="uint16", compressors=None)
    array[...] = pixels
    kinds = ("time", "channel", "space", "space", "space")
    axes = [{"name": name, "type": kind} for name, kind in zip("tczyx", kinds, strict=True)]
    scale = [{"type": "scale", "scale": [1.0] * 5}]
    multiscale: Any = {"name": "stored", "axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
    return [f"0/c/0/{c}/{z}/{y}/{x}" for c in range(2) for z in range(16) for y in range(2) for x in range(2)]


def _print() -> None:
    print("| work | ours | limit | peers | goal | reached | note |\n|---|---|---|---|---|---|---|")
    for row in _measured():
        peers = "; ".join(f"{name} {_number(value, row.unit)}" for name, value in row.peers.items())
        limit = "" if row.limit is None else _number(row.limit, row.unit)
        reached = "yes" if row.reached else "no"
        print(
            f"| {row.work} | {_number(row.ours, row.unit)} | {limit} | {peers} | {row.goal} | {reached} | {row.note} |"
        )


def _number(value: float, unit: str) -> str:
    return f"{value:,.0f}/s" if unit == "/s" and value >= 20 else f"{value:,.2f}{unit if unit == '/s' else ' ' + unit}"


if __name__ == "__main__":
    _print()
