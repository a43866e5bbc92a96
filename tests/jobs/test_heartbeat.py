"""A claim is renewed while work runs, and losing it is noticed."""

import logging
import threading
import time

import pytest

from coverslip.errors import CatalogError
from coverslip.jobs import Heartbeat

NAME = "artifact-1"


class Beats:
    """Counts beats and answers from a script; the last answer is repeated."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.answers = list(answers)
        self.count = 0
        self.enough = threading.Event()

    def __call__(self) -> bool:
        answer = self.answers[min(self.count, len(self.answers) - 1)]
        self.count += 1
        if self.count >= 3:
            self.enough.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_it_beats_until_the_work_ends() -> None:
    beats = Beats(True)
    with Heartbeat(NAME, beats, 0.01) as heartbeat:
        assert beats.enough.wait(10)
        assert not heartbeat.lost
    ended = beats.count
    time.sleep(0.05)
    assert beats.count == ended


def test_a_lost_claim_is_noticed_and_beaten_no_more() -> None:
    beats = Beats(True, False, True)
    with Heartbeat(NAME, beats, 0.01) as heartbeat:
        deadline = time.monotonic() + 10
        while not heartbeat.lost and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.05)
        assert heartbeat.lost
        assert beats.count == 2


def test_trouble_with_the_catalog_is_not_a_loss(caplog: pytest.LogCaptureFixture) -> None:
    beats = Beats(CatalogError("database is locked"), True)
    with caplog.at_level(logging.WARNING), Heartbeat(NAME, beats, 0.01) as heartbeat:
        assert beats.enough.wait(10)
    assert not heartbeat.lost
    assert "database is locked" in caplog.text


def test_short_work_never_beats_and_does_not_wait() -> None:
    beats = Beats(True)
    started = time.monotonic()
    with Heartbeat(NAME, beats, 30):
        pass
    assert time.monotonic() - started < 5
    assert beats.count == 0


def test_it_stops_when_the_work_fails() -> None:
    beats = Beats(True)
    with pytest.raises(ZeroDivisionError), Heartbeat(NAME, beats, 0.01):
        raise ZeroDivisionError
    assert not [thread for thread in threading.enumerate() if thread.name == "heartbeat artifact-1"]
