"""A load generator for where there is no ``wrk``: 8 connections in one process. Prints what ``wrk`` prints last."""

import asyncio
import itertools
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.http_load import CONNECTIONS


async def _ask(netloc: str, paths: "itertools.cycle[str]", deadline: float) -> int:
    host, _, port = netloc.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 22)
    answers = 0
    while time.monotonic() < deadline:
        writer.write(f"GET {next(paths)} HTTP/1.1\r\nHost: {netloc}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(int(lengths[0].split(b":")[1]))
        if status != 200:
            print("Non-2xx")
        answers += 1
    writer.close()
    return answers


async def _main(address: str, listing: str, seconds: float) -> None:
    paths = itertools.cycle(Path(listing).read_text().split())
    start = time.monotonic()
    netloc = urlsplit(address).netloc
    counts = await asyncio.gather(*(_ask(netloc, paths, start + seconds) for _ in range(CONNECTIONS)))
    print(f"Requests/sec: {sum(counts) / (time.monotonic() - start):.1f}")


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
