"""Numbers for monitoring, in the text format of Prometheus (version 0.0.4).

Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterator, Mapping
from itertools import accumulate

from coverslip.catalog import Catalog
from coverslip.derive.metrics import BuildCounts, Histogram
from coverslip.derive.why import MANY_PENDING

EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(
    catalog: Catalog, versions: Mapping[str, int], counts: BuildCounts, *, queue_depth: int | None = None
) -> str:
    """Return what is stale in the whole library, and what this process has built.

    Parameters
    ----------
    catalog
        Knows what is stale.
    versions
        Present recipe version of each kind.
    counts
        What was built.
    queue_depth
        Messages that wait; ``None`` where there is no queue, or it does not answer.

    Raises
    ------
    CatalogError
        The catalog does not answer.
    """
    return "".join(f"{line}\n" for line in _lines(catalog, versions, counts, queue_depth))


def _lines(
    catalog: Catalog, versions: Mapping[str, int], counts: BuildCounts, queue_depth: int | None
) -> Iterator[str]:
    stale = catalog.stale_by_kind(versions)
    now = catalog.now()
    since = {kind: stale[kind].oldest or now for kind in versions}
    ages = {kind: max(0.0, (now - since[kind]).total_seconds()) for kind in versions}
    over = len(catalog.most_pending(versions, over=MANY_PENDING, limit=1000))
    numbers = {kind: stale[kind].count for kind in versions}
    yield from _gauge("coverslip_stale_artifacts", "Artifacts that are not fresh", numbers)
    yield from _gauge("coverslip_oldest_stale_seconds", "How long the oldest of them has been stale", ages)
    yield from _one("coverslip_images_with_many_pending", f"Images with over {MANY_PENDING} stale artifacts", over)
    if queue_depth is not None:
        yield from _one("coverslip_queue_depth", "Messages that wait in the queue", queue_depth)
    yield from _counter("coverslip_builds_total", "Artifacts this process has built", counts.built, versions)
    yield from _counter("coverslip_build_failures_total", "Builds that failed here", counts.failed, versions)
    totals = catalog.cleanup_totals()
    yield from _head("coverslip_cleanup_rows_total", "Records that cleanups found, removed, restored ...", "counter")
    for what, number in totals.rows.items():
        yield f'coverslip_cleanup_rows_total{{what="{what}"}} {number}'
    for name, words, value in (
        ("brake_stops", "Scopes in which the brake held", totals.stops),
        ("requests", "Requests that cleanups made to ask what is there", totals.requests),
        ("seconds", "How long they asked", totals.seconds),
    ):
        yield from _head(f"coverslip_cleanup_{name}_total", words, "counter")
        yield f"coverslip_cleanup_{name}_total {value}"
    yield from _histogram("coverslip_build_seconds", "How long a build took", counts.seconds)
    yield from _histogram("coverslip_dirty_to_fresh_seconds", "From the first change to the fresh artifact", counts.lag)


def _head(name: str, words: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {words}."
    yield f"# TYPE {name} {kind}"


def _one(name: str, words: str, value: float) -> Iterator[str]:
    yield from _head(name, words, "gauge")
    yield f"{name} {value}"


def _gauge(name: str, words: str, values: Mapping[str, float]) -> Iterator[str]:
    yield from _head(name, words, "gauge")
    for kind, value in values.items():
        yield f'{name}{{kind="{kind}"}} {value}'


def _counter(name: str, words: str, values: Mapping[str, int], kinds: Mapping[str, int]) -> Iterator[str]:
    yield from _head(name, words, "counter")
    for kind in kinds:
        yield f'{name}{{kind="{kind}"}} {values.get(kind, 0)}'


def _histogram(name: str, words: str, values: Mapping[str, Histogram]) -> Iterator[str]:
    yield from _head(name, words, "histogram")
    for kind, one in sorted(values.items()):
        *sums, number = accumulate(one.counts)
        for end, value in zip(one.ends, sums, strict=True):
            yield f'{name}_bucket{{kind="{kind}",le="{end}"}} {value}'
        yield f'{name}_bucket{{kind="{kind}",le="+Inf"}} {number}'
        yield f'{name}_sum{{kind="{kind}"}} {one.total}'
        yield f'{name}_count{{kind="{kind}"}} {number}'
