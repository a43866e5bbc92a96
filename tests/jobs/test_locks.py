"""One lock per name, none left over."""

import threading

from coverslip.jobs import KeyedLocks


def test_one_at_a_time_per_name_and_names_do_not_wait_for_each_other() -> None:
    locks = KeyedLocks()
    with locks.hold("a", 0) as first, locks.hold("b", 0) as other, locks.hold("a", 0.02) as second:
        assert (first, other, second) == (True, True, False)
        assert len(locks) == 2
    assert len(locks) == 0
    with locks.hold("a", 0) as again:
        assert again


def test_waiters_get_it_one_after_the_other() -> None:
    locks = KeyedLocks()
    inside = 0
    most = 0
    turns = 0

    def work() -> None:
        nonlocal inside, most, turns
        for _ in range(50):
            with locks.hold("a", 10) as held:
                assert held
                inside += 1
                most = max(most, inside)
                turns += 1
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, turns, len(locks)) == (1, 400, 0)
