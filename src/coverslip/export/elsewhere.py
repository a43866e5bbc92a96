"""Work in other processes, or on a Dask cluster."""

import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from coverslip.export.request import Effort


@contextmanager
def executor_of(
    effort: Effort, should_stop: threading.Event, *, given: Executor | None = None
) -> Iterator[Executor | None]:
    yield given
