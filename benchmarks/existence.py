"""Which of many keys are in a bucket: ours, one request for each key, and a bare listing, on a real S3-protocol server.

The server is on this machine: a request costs a millisecond, where one across a network costs thirty. So the number of
requests says more than the time.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import obstore
from obstore.store import S3Store

from benchmarks.conditions import is_quick, rounds
from benchmarks.row import Row, take_turns
from coverslip.cleanup.existence import Existence, look
from coverslip.sources import RemoteRules, locate
from tests.services.s3 import S3Server, serve_s3

BUCKET = "layouts"
RUNS = 100
SAMPLED = 1_000
"""Keys of which each is asked for; the time is multiplied."""
TIMES, TIMES_FEWER = 10, 50
"""How much faster than a request for each key it should be, and how many fewer requests it should take."""


def rows() -> list[Row]:
    """Return a row for keys that are all there, and one of which a tenth is not."""
    count = 2_000 if is_quick() else 100_000
    keys = [
        f"10001/TS_{number % RUNS}/Reconstructions/VoxelSpacing10.000/Annotations/{100 + number}/membrane-1.0.json"
        for number in range(count)
    ]
    stale = set(keys[::10])
    with serve_s3() as server, environment(server.environment):
        server.make_bucket(BUCKET)
        fill(server, [key for key in keys if key not in stale], "some")
        fill(server, keys, "all")
        return [
            _row(server, keys, "all", f"{count:,} annotations, all there"),
            _row(server, keys, "some", f"{count:,} annotations, 10 % absent"),
        ]


def _row(server: S3Server, keys: list[str], prefix: str, work: str) -> Row:
    top = locate(f"s3://{BUCKET}/{prefix}", RemoteRules((), Path("/nowhere"), 0))
    last: list[Existence] = []
    client = server.client()
    sample = keys[:: max(1, len(keys) // SAMPLED)]

    def ours() -> None:
        last[:] = [look(top, keys)]

    def head_each() -> None:
        for key in sample:
            with suppress(client.exceptions.ClientError):  # 404
                client.head_object(Bucket=BUCKET, Key=f"{prefix}/{key}")

    def list_all() -> int:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
        return sum(len(page.get("Contents", ())) for page in pages)

    contestants: Mapping[str, Callable[[], object]] = {"ours": ours, "HEAD": head_each, "list": list_all}
    taken = take_turns(contestants, rounds(3))
    client.close()
    taken["HEAD"] *= len(keys) / len(sample)
    [found] = last
    assert found.is_complete
    assert len(found.absent) == (0 if prefix == "all" else len(keys[::10]))
    is_fast = taken["ours"] * TIMES <= taken["HEAD"] and found.requests * TIMES_FEWER <= len(keys)
    return Row(
        work=work,
        ours=float(f"{taken['ours']:.3g}"),
        unit="ms",
        peers={
            f"boto3, HEAD each ({len(sample):,} measured)": float(f"{taken['HEAD']:.3g}"),
            "boto3, one bare listing": float(f"{taken['list']:.3g}"),
        },
        goal=f"{TIMES} times as fast as HEAD each, with {TIMES_FEWER} times fewer requests",
        reached=is_fast,
        note=f"{taken['HEAD'] / taken['ours']:.0f} times as fast as HEAD each; {found.requests:,} requests instead of "
        f"{len(keys):,}",
    )


def fill(server: S3Server, keys: list[str], prefix: str) -> None:
    """Write small objects below a prefix."""
    store = S3Store(
        BUCKET,
        endpoint=server.url,
        access_key_id=server.access_key,
        secret_access_key=server.secret_key,
        region="us-east-1",
        client_options={"allow_http": True},
    )
    begun = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        for _ in pool.map(lambda key: obstore.put(store, f"{prefix}/{key}", b"{}", use_multipart=False), keys):
            pass
    print(f"  {len(keys):,} objects written in {time.monotonic() - begun:.0f} s", flush=True)


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment for the time of a ``with`` statement."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
