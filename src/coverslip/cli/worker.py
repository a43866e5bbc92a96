"""``coverslip worker``."""

from typing import Annotated

import typer

from coverslip.cli.building import MetricsPort, open_builder, showing_metrics, tend, until_told_to_stop
from coverslip.cli.output import amount, console
from coverslip.cli.yielding import yield_to_others
from coverslip.derive import Builder, keep_building, open_executor, ringing, start_sweeping
from coverslip.settings import Settings


def run(
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", "--threads", min=1, max=64, help="Artifacts built at the same time.")
    ] = None,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks for stale artifacts.")] = 2.0,
    max_batch: Annotated[
        int | None, typer.Option(min=1, help="Artifacts built in one interval, at most. Left out: all there are.")
    ] = None,
    metrics_port: MetricsPort = None,
    until_done: Annotated[bool, typer.Option(help="Leave when nothing is left to build.")] = False,
) -> None:
    """Build artifacts that are out of date, until Ctrl-C. Any number of workers may run.

    They leave the processor to servers on the same machine. Where builds run is the setting `executor`: threads,
    processes, or a Dask cluster.
    """
    settings = Settings.load()
    with open_builder(settings) as (catalog, builder), ringing(catalog, settings.queue_url) as queue:
        if until_done:
            count = _drain(builder)
            console().print(f"{amount(count, 'artifact')} built or tried; nothing is left that can be tried now.")
            return
        stop = until_told_to_stop()
        number = concurrency or settings.workers
        yield_to_others()
        counts = None if settings.executor == "threads" else builder.metrics.record
        with (
            showing_metrics(metrics_port, builder, queue),
            open_executor(settings, builder, number, stop) as (executor, step),
        ):
            console().print("Coverslip worker: waiting for artifacts to build (Ctrl-C stops it)")
            start_sweeping(builder, stop)
            tend(builder, settings, stop)
            keep_building(
                step,
                executor,
                concurrency=number,
                interval=interval,
                max_batch=max_batch,
                should_stop=stop,
                on_outcome=counts,
            )


def _drain(builder: Builder) -> int:
    count = 0
    while outcomes := builder.build_some():
        count += len(outcomes)
    return count
