"""The confined process: opens and reads what it is asked to, within its budgets.

It ends when its owner does, when the line makes no sense, and by the alarm where one request takes far too long.
"""

import json
import logging
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from coverslip.confined.wire import MAX_DOCUMENT_BYTES, LineLostError, document_of, receive, send
from coverslip.errors import BudgetError, CoverslipError, ReadError
from coverslip.model import Budgets, Region
from coverslip.readers import Image, ImageFile, load, open_image

GRACE_SECONDS = 5.0
"""How much later than its owner the process gives up by itself."""


def serve(line: socket.socket) -> None:
    """Answer requests until the line is closed."""
    files: dict[str, ImageFile] = {}
    while True:
        asked, _ = receive(line)
        for token in asked.get("drop", ()):
            if (file := files.pop(token, None)) is not None:
                file.close()
        limits = Budgets.model_validate(asked["budgets"])
        bound(limits)
        payload = None
        try:
            if asked["do"] == "open":
                answer = opened(files, asked, limits)
            elif asked["do"] == "rows":
                answer = rows(files, asked)
            elif asked["do"] == "read":
                pixels = read(files, asked)
                answer, payload = {}, memoryview(pixels.reshape(-1).view("u1"))
            else:
                answer = {}
        except CoverslipError as error:
            answer = document_of(out_of_memory(error, asked, limits))
        except MemoryError as error:
            answer = document_of(out_of_memory(error, asked, limits))
        signal.setitimer(signal.ITIMER_REAL, 0)
        send(line, answer, payload)


def opened(files: dict[str, ImageFile], asked: dict[str, Any], limits: Budgets) -> dict[str, Any]:
    """Open a file and return what is known about it."""
    file = files[asked["token"]] = open_image(asked["path"], limits)
    return {
        "reader": file.reader,
        "files": [str(path) for path in file.files],
        "images": [described(image) for image in file.images],
    }


def described(image: Image) -> dict[str, Any]:
    """Return what is known about an image and its label images."""
    return {
        "metadata": image.metadata.model_dump(mode="json"),
        "chunks": [image.chunk(level) for level in range(len(image.metadata.levels))],
        "labels": [described(label) for label in image.labels],
    }


def read(files: dict[str, ImageFile], asked: dict[str, Any]) -> Any:
    """Return pixels, C-contiguous."""
    image = files[asked["token"]].images[asked["image"]]
    if asked["label"] is not None:
        image = image.labels[asked["label"]]
    t, c, z, y, x = ((start, stop) for start, stop in asked["region"])
    return image.read(asked["level"], Region(t, c, z, y, x))


def rows(files: dict[str, ImageFile], asked: dict[str, Any]) -> dict[str, Any]:
    """Return the rows of the cell table of an image, if they are not too many for one message."""
    image = files[asked["token"]].images[asked["image"]]
    answer = {"rows": image.rows()}
    size = len(json.dumps(answer))
    if size > MAX_DOCUMENT_BYTES:
        raise ReadError(
            f"{asked['path']}: the rows of its cell table are too many for a confined process: {size:,} bytes; "
            f"{MAX_DOCUMENT_BYTES:,} may be. Split the table, or open the file with COVERSLIP_CONFINE=uploads"
        )
    return answer


def out_of_memory(error: BaseException, asked: dict[str, Any], limits: Budgets) -> CoverslipError:
    """Return the error that says so where memory was what ran out; other errors of ours as they are."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, MemoryError):
        cause = cause.__cause__
    if cause is None and isinstance(error, CoverslipError):
        return error
    path = Path(asked["path"])
    return BudgetError(f"{path}: it takes too much memory", budget="memory_bytes", allowed=limits.memory_bytes)


def bound(limits: Budgets) -> None:
    """Allow this process so much more memory than it has, and so much time for what comes next.

    Counted is memory of its own, not files that libraries map.
    """
    signal.setitimer(signal.ITIMER_REAL, limits.seconds + GRACE_SECONDS)
    table = Path("/proc/self/statm")
    if limits.memory_bytes is not None and table.exists():
        used = int(table.read_text(encoding="ascii").split()[5]) * os.sysconf("SC_PAGE_SIZE")
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        wanted = used + limits.memory_bytes
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def lock_down() -> None:
    """Give up what opening files does not need: the working folder, core dumps, and the network where that is allowed.

    Before that everything is found that is imported later.
    """
    sys.path[:] = [os.path.abspath(place) for place in sys.path]  # noqa: PTH100  # text, as it was
    load()
    os.chdir("/")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    if hasattr(os, "unshare"):
        with suppress(OSError):  # only root may, and not in every container
            os.unshare(os.CLONE_NEWNET)


def main() -> None:
    """Serve the line whose number is the first argument."""
    logging.getLogger().addHandler(logging.NullHandler())  # libraries write hundreds of lines about one damaged file
    lock_down()
    with suppress(LineLostError), socket.socket(fileno=int(sys.argv[1])) as line:
        send(line, {})
        serve(line)


if __name__ == "__main__":
    main()
