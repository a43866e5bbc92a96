"""What others serve with, as small as it can be written. Each is an ASGI app over the folder ``PEER_FOLDER``."""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from fastapi import FastAPI
from numpy.typing import NDArray
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

FOLDER = os.environ.get("PEER_FOLDER", ".")


async def raw(scope: Scope, _receive: Receive, send: Send) -> None:
    """Send a file with ``os.pread`` and nothing else: no guard, no ETag, no range."""
    if scope["type"] != "http":
        return
    descriptor = os.open(FOLDER + scope["path"], os.O_RDONLY)
    try:
        size = os.fstat(descriptor).st_size
        data = os.pread(descriptor, size, 0)
    finally:
        os.close(descriptor)
    headers = [(b"content-length", str(size).encode()), (b"content-type", b"application/octet-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": data})


static = StaticFiles(directory=FOLDER, check_dir=False)

slices = FastAPI()
"""A slice API as people write it: open the file, read, stretch, resize, encode."""


@slices.get("/page/{z}")
def of_one_page(z: int, width: int = 1024) -> Response:
    """Read one page."""
    return _picture(tifffile.imread(Path(FOLDER) / "stack.tif", key=z), width)


@slices.get("/whole/{z}")
def of_the_whole_file(z: int, width: int = 1024) -> Response:
    """Read the whole file for one slice, as zstack-analyzer does; that package is not on PyPI."""
    return _picture(tifffile.imread(Path(FOLDER) / "stack.tif")[z], width)


def _picture(plane: NDArray[Any], width: int) -> Response:
    low, high = np.percentile(plane, (1, 99))
    grey = np.clip((plane.astype(np.float32) - low) / max(high - low, 1) * 255, 0, 255).astype(np.uint8)
    if width < grey.shape[1]:
        grey = np.asarray(cv2.resize(grey, (width, width), interpolation=cv2.INTER_AREA), np.uint8)
    _, data = cv2.imencode(".png", grey)
    return Response(data.tobytes(), media_type="image/png")
