"""The log of a command that runs for long: the same trouble once a minute, everything else always."""

import logging

from coverslip.cli.saying import MOST_KEPT, PAUSE_SECONDS, NotAgain


def line(text: str, level: int = logging.WARNING, error: Exception | None = None) -> logging.LogRecord:
    trouble = None if error is None else (type(error), error, None)
    return logging.LogRecord("coverslip.jobs", level, __file__, 1, text, None, trouble)


def test_the_same_warning_is_said_once_a_minute() -> None:
    seconds = [0.0]
    shown = NotAgain(lambda: seconds[0]).filter
    away = "nothing is built now: the catalog cannot be used: Connection refused"
    assert [shown(line(away)) for _ in range(3)] == [True, False, False]
    assert shown(line("something else"))
    seconds[0] = PAUSE_SECONDS
    assert [shown(line(away)) for _ in range(2)] == [True, False]


def test_information_and_other_errors_are_always_said() -> None:
    shown = NotAgain(lambda: 0.0).filter
    assert all(shown(line("3 artifacts built", logging.INFO)) for _ in range(3))
    words = ("one", "one", "two")
    found = [shown(line("a step failed", logging.ERROR, ZeroDivisionError(word))) for word in words]
    assert found == [True, False, True]


def test_it_remembers_no_more_than_it_may() -> None:
    quiet = NotAgain(lambda: 0.0)
    assert all(quiet.filter(line(f"file {number} is damaged")) for number in range(3 * MOST_KEPT))
    assert len(quiet._said) == MOST_KEPT
