"""``coverslip queue-worker``."""

from typing import Annotated

import typer

from coverslip.cli.building import MetricsPort, open_builder, showing_metrics, tend, until_told_to_stop
from coverslip.cli.output import console
from coverslip.cli.yielding import yield_to_others
from coverslip.derive import answer_queue, ringing, start_sweeping
from coverslip.errors import SettingsError
from coverslip.settings import Settings


def run(
    concurrency: Annotated[int | None, typer.Option(min=1, max=64, help="Messages answered at the same time.")] = None,
    interval: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two looks at the catalog without any message.")
    ] = 30.0,
    metrics_port: MetricsPort = None,
) -> None:
    """Build what messages in the queue tell of, until Ctrl-C. Any number of queue workers may run.

    They also look into the catalog by themselves, so a queue that is away or was emptied loses nothing.
    """
    settings = Settings.load()
    if not settings.queue_url:
        raise SettingsError("queue_url: there is no queue; set COVERSLIP_QUEUE_URL, such as redis://localhost:6379/0")
    with open_builder(settings) as (catalog, builder), ringing(catalog, settings.queue_url) as queue:
        assert queue is not None, "the settings name one"
        stop = until_told_to_stop()
        yield_to_others()
        console().print("Coverslip queue worker: waiting for messages (Ctrl-C stops it)")
        if queue.depth() is None:
            console(stderr=True).print(
                f"coverslip: the queue does not answer; what is stale is looked for every {interval:g} seconds"
            )
        start_sweeping(builder, stop)
        tend(builder, settings, stop)
        number = concurrency or settings.workers
        with showing_metrics(metrics_port, builder, queue):
            answer_queue(builder, queue, threads=number, interval=interval, should_stop=stop)
