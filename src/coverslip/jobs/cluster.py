"""A Dask cluster whose scheduler may be away for some time."""

import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Any

from coverslip.errors import BuildError, MissingDependencyError, SettingsError

log = logging.getLogger(__name__)

DASK = "dask://"
"""What the names of clusters begin with."""
CONNECT_SECONDS = 10
PROBE_SECONDS = 2.0
RETRY_SECONDS = 2.0
"""Between two attempts to reach a scheduler that is away."""
WATCH_SECONDS = 0.5
PARTING_SECONDS = 10.0
"""So long a worker that is told to stop waits for the cluster: what has begun there ends there by itself."""
CLOSE_SECONDS = 3.0


class Cluster(Executor):
    """Runs functions on a Dask cluster; its futures end even when the scheduler does not come back.

    Dask's own futures may never end when the connection is lost, and its client gives up after some seconds. So each
    future is our own: it ends with ``BuildError`` when the client is no longer connected, and the next ``submit`` makes
    a new client. What the cluster had claimed is free when its lease has run out.

    Parameters
    ----------
    name
        What people call it: the setting.
    address
        Host and port of the scheduler.
    should_stop
        Set when the worker is to end.

    Raises
    ------
    SettingsError
        The scheduler does not answer.
    MissingDependencyError
        distributed is not installed.
    """

    def __init__(self, name: str, address: str, should_stop: threading.Event) -> None:
        self._name, self._address, self._should_stop = name, f"tcp://{address}", should_stop
        self._lock = threading.Lock()
        self._pending: set[Future[Any]] = set()
        self._is_closed = threading.Event()
        try:
            self._client = self._connect()
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                f'{name} needs the package distributed: pip install "coverslip[cluster]"', "distributed"
            ) from error
        except (OSError, ValueError) as error:
            raise SettingsError(f"executor: no Dask scheduler answers at {name}: {error}") from error
        threading.Thread(target=self._watch, name="watch the cluster", daemon=True).start()

    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function there; while the scheduler is away, wait for it.

        Raises
        ------
        BuildError
            The worker is to end, and the scheduler is still away.
        """
        while True:
            client = self._connected()
            future: Future[T] = Future()
            with self._lock:
                self._pending.add(future)
            try:
                # not pure: two equal steps build two artifacts
                theirs = client.get_executor(pure=False).submit(fn, *args, **kwargs)
            except Exception as error:  # the client has closed since it was looked at, which Dask says in several ways
                with self._lock:
                    self._pending.discard(future)
                if client.status == "running":
                    raise
                log.debug("the Dask client has closed: %s", error)
                continue
            theirs.add_done_callback(partial(self._hand_over, future))
            return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster. What has begun there ends there."""
        self._is_closed.set()
        self._end_all("the worker has left the Dask cluster")
        _close(self._client)

    def _connect(self) -> Any:
        from distributed import Client  # noqa: PLC0415  # optional, and slow to import
        from distributed.comm.addressing import get_address_host_port  # noqa: PLC0415

        # a client that finds nobody leaves a thread behind, so somebody must be there before one is made
        with socket.create_connection(get_address_host_port(self._address), timeout=PROBE_SECONDS):
            pass
        return Client(self._address, timeout=CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]

    def _connected(self) -> Any:
        """Return a client that is connected, a new one if need be."""
        if self._client.status == "running":
            return self._client
        lost = self._client
        self._end_all(self._away())
        threading.Thread(target=_close, args=(lost,), name="close the lost client", daemon=True).start()
        while not self._should_stop.is_set():
            try:
                self._client = self._connect()
            except (OSError, ValueError, RuntimeError):
                log.warning("nothing is built now: %s", self._away())
                self._should_stop.wait(RETRY_SECONDS)
            else:
                log.info("the Dask scheduler at %s answers again", self._name)
                return self._client
        raise BuildError(self._away())

    def _hand_over(self, ours: "Future[Any]", theirs: "Future[Any]") -> None:
        with self._lock:
            self._pending.discard(ours)
        with suppress(InvalidStateError):  # it was given up meanwhile
            if theirs.cancelled():
                ours.set_exception(BuildError(self._away()))
            elif (error := theirs.exception()) is not None:
                ours.set_exception(error)
            else:
                ours.set_result(theirs.result())

    def _watch(self) -> None:
        patient_until = None
        while not self._is_closed.wait(WATCH_SECONDS):
            if self._client.status != "running":
                self._end_all(self._away())
            if self._should_stop.is_set():
                patient_until = patient_until or time.monotonic() + PARTING_SECONDS
                if time.monotonic() > patient_until:
                    self._end_all(f"the worker ends, and leaves the Dask cluster at {self._name} alone with its builds")

    def _end_all(self, words: str) -> None:
        with self._lock:
            pending, self._pending = self._pending, set()
        for future in pending:
            with suppress(InvalidStateError):
                future.set_exception(BuildError(words))

    def _away(self) -> str:
        return f"the Dask scheduler at {self._name} does not answer; what its workers had begun is free after its lease"


def _close(client: Any) -> None:
    with suppress(Exception):  # it is of no use any more, and one that has lost its scheduler ends in many ways
        client.close(timeout=CLOSE_SECONDS)
