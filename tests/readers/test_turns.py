import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from coverslip.readers.turns import Turns

PATIENCE = 10


@pytest.mark.parametrize("is_concurrent", [True, False])
def test_reads_go_on_together_only_where_that_is_allowed(is_concurrent: bool) -> None:
    turns, inside, most = Turns(is_concurrent=is_concurrent), 0, 0
    together, count = threading.Barrier(4), threading.Lock()

    def read() -> None:
        nonlocal inside, most
        with turns:
            with count:
                inside += 1
                most = max(most, inside)
            if is_concurrent:
                together.wait(PATIENCE)  # passes only when all four are inside
            with count:
                inside -= 1

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(read) for _ in range(4)]:
            done.result(PATIENCE)
    assert most == (4 if is_concurrent else 1)


@pytest.mark.parametrize("is_concurrent", [True, False])
def test_the_end_waits_for_reads_and_comes_once(is_concurrent: bool) -> None:
    turns, begun, may_go = Turns(is_concurrent=is_concurrent), threading.Event(), threading.Event()
    order: list[str] = []

    def read() -> None:
        with turns:
            begun.set()
            assert may_go.wait(PATIENCE)
            order.append("read")

    def end() -> bool:
        is_first = turns.end()
        order.append("end")
        return is_first

    with ThreadPoolExecutor(2) as threads:
        reading = threads.submit(read)
        assert begun.wait(PATIENCE)
        ending = threads.submit(end)
        may_go.set()
        reading.result(PATIENCE)
        assert ending.result(PATIENCE)
    assert order == ["read", "end"]
    assert turns.is_over
    assert not turns.end()


@pytest.mark.parametrize("is_concurrent", [True, False])
def test_a_read_that_fails_does_not_keep_the_end_waiting(is_concurrent: bool) -> None:
    turns = Turns(is_concurrent=is_concurrent)
    with pytest.raises(ValueError, match="damaged"), turns:
        raise ValueError("damaged")
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(turns.end).result(PATIENCE)
