"""``coverslip worker``."""

from typing import Annotated

import typer

from coverslip.cli.building import MetricsPort, open_builder, showing_metrics, tend, until_told_to_stop
from coverslip.cli.output import amount, console
from coverslip.cli.yielding import yield_to_others
from coverslip.derive import build_all, keep_building, open_executor, ringing, start_sweeping
from coverslip.errors import InvalidRequestError
from coverslip.settings import Settings


def run(
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", "--threads", min=1, max=64, help="Artifacts built at the same time.")
    ] = None,
    interval: Annotated[
        float,
        typer.Option(
            min=0.1, help="Seconds between two looks for stale artifacts. With --until-done there is one look."
        ),
    ] = 2.0,
    max_batch: Annotated[
        int | None,
        typer.Option(
            min=1, help="Artifacts built in one interval, at most. Left out: all there are. Not with --until-done."
        ),
    ] = None,
    metrics_port: MetricsPort = None,
    until_done: Annotated[bool, typer.Option(help="Leave when nothing is left to build.")] = False,
) -> None:
    """Build artifacts that are out of date, until Ctrl-C. Any number of workers may run.

    They leave the processor to servers on the same machine. Where builds run is the setting `executor`: threads,
    processes, or a Dask cluster.
    """
    if until_done and max_batch is not None:
        raise InvalidRequestError("--until-done goes without --max-batch: it builds all there are")
    settings = Settings.load()
    with open_builder(settings) as (catalog, builder), ringing(catalog, settings.queue_url) as queue:
        stop = until_told_to_stop()
        number = concurrency or settings.workers
        yield_to_others()
        if until_done:
            with open_executor(settings, builder, number, stop) as (executor, step):
                count = len(build_all(step, executor, concurrency=number, should_stop=stop))
            end = "stopped before the end" if stop.is_set() else "nothing is left that can be tried now"
            console().print(f"{amount(count, 'artifact')} built or tried; {end}.")
            return
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
