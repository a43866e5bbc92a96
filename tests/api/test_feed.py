import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from typing import Any

from coverslip.api.feed import KEPT, EventFeed
from coverslip.errors import CatalogError
from coverslip.model.records import Event


class Log:
    """Events in memory; counts how often somebody looks."""

    def __init__(self, count: int = 0) -> None:
        self.events = [made(seq) for seq in range(1, count + 1)]
        self.looks = 0
        self.away = False

    def add(self, count: int = 1) -> None:
        start = self.last_event() + 1
        self.events += [made(seq) for seq in range(start, start + count)]

    def events_after(self, seq: int, limit: int = 500) -> Sequence[Event]:
        self.looks += 1
        if self.away:
            raise CatalogError("away")
        return [event for event in self.events if event.seq > seq][:limit]

    def last_event(self) -> int:
        return self.events[-1].seq if self.events else 0


def made(seq: int) -> Event:
    return Event(seq, "image.added", f"image {seq}", {})


def reset(newest: int) -> Event:
    return Event(newest, "reset", "", {})


def play(test: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test

    asyncio.run(bounded())


async def take(stream: AsyncGenerator[Event], count: int) -> list[int]:
    return [(await anext(stream)).seq for _ in range(count)]


async def one(stream: AsyncGenerator[Event]) -> Event | None:
    return await anext(stream, None)


class Running:
    """A feed whose loop runs for the time of an ``async with`` statement."""

    def __init__(self, log: Log) -> None:
        self.feed = EventFeed(log, every_seconds=0.01)

    async def __aenter__(self) -> EventFeed:
        self._task = asyncio.create_task(self.feed.run())
        return self.feed

    async def __aexit__(self, *_: object) -> None:
        self.feed.close()
        self._task.cancel()


def test_a_listener_hears_what_happens_from_now_on() -> None:
    async def test() -> None:
        log = Log(5)
        async with Running(log) as feed:
            stream = feed.follow(5, on_gap=reset)
            first = asyncio.create_task(one(stream))
            await asyncio.sleep(0.05)
            log.add(3)
            assert await first == made(6)
            assert await take(stream, 2) == [7, 8]
            await stream.aclose()

    play(test())


def test_a_listener_that_comes_back_hears_what_it_missed_in_order() -> None:
    async def test() -> None:
        log = Log(2000)
        async with Running(log) as feed:
            stream = feed.follow(3, on_gap=reset)
            early = await take(stream, 1000)
            log.add(500)
            assert early + await take(stream, 1497) == list(range(4, 2501))
            await stream.aclose()

    play(test())


def test_a_slow_listener_misses_nothing() -> None:
    async def test() -> None:
        log = Log()
        async with Running(log) as feed:
            quick, slow = feed.follow(0, on_gap=reset), feed.follow(0, on_gap=reset)
            log.add()
            assert await take(slow, 1) == [1]
            for _ in range(4):
                log.add(KEPT // 2)
                await take(quick, KEPT // 2)
            assert await take(slow, 2 * KEPT) == list(range(2, 2 * KEPT + 2))
            await quick.aclose()
            await slow.aclose()

    play(test())


def test_a_gap_is_told() -> None:
    async def test() -> None:
        log = Log(10)
        del log.events[:4]
        async with Running(log) as feed:
            for after in (2, 99):
                stream = feed.follow(after, on_gap=reset)
                assert await anext(stream) == reset(10)
                await stream.aclose()
            stream = feed.follow(4, on_gap=reset)
            assert await take(stream, 2) == [5, 6]
            await stream.aclose()

    play(test())


def test_a_gap_in_the_middle_of_a_stream_is_told() -> None:
    async def test() -> None:
        log = Log(5)
        async with Running(log) as feed:
            quick, late = feed.follow(5, on_gap=reset), feed.follow(3, on_gap=reset)
            assert await take(late, 1) == [4]
            waiting = asyncio.create_task(one(quick))
            while feed._listeners < 2:
                await asyncio.sleep(0.01)
            log.add(2 * KEPT)
            del log.events[:KEPT]
            newest = log.last_event()
            assert await waiting == reset(newest)
            assert [await anext(late) for _ in range(2)] == [made(5), reset(newest)]
            log.add(2)
            for stream in (quick, late):
                assert await take(stream, 2) == [newest + 1, newest + 2]
                await stream.aclose()

    play(test())


def test_one_look_serves_everybody_and_nobody_looks_for_nobody() -> None:
    async def test() -> None:
        log = Log(1)
        async with Running(log) as feed:
            await asyncio.sleep(0.1)
            assert log.looks == 0
            streams = [feed.follow(1, on_gap=reset) for _ in range(20)]
            waiting = [asyncio.create_task(one(stream)) for stream in streams]
            await asyncio.sleep(0.2)
            looks = log.looks
            log.add()
            assert await asyncio.gather(*waiting) == [made(2)] * 20
            assert looks <= 25
            for stream in streams:
                await stream.aclose()
            await asyncio.sleep(0.3)
            looks = log.looks
            await asyncio.sleep(0.1)
            assert log.looks == looks

    play(test())


def test_a_catalog_that_is_away_for_a_while_costs_only_time() -> None:
    async def test() -> None:
        log = Log(1)
        async with Running(log) as feed:
            stream = feed.follow(1, on_gap=reset)
            waiting = asyncio.create_task(one(stream))
            while not log.looks:
                await asyncio.sleep(0.01)
            log.away = True
            log.add(2)
            await asyncio.sleep(0.05)
            assert not waiting.done()
            log.away = False
            assert await waiting == made(2)
            assert await take(stream, 1) == [3]
            await stream.aclose()

    play(test())


def test_closing_ends_every_stream() -> None:
    async def test() -> None:
        async with Running(Log(1)) as feed:
            streams = [feed.follow(1, on_gap=reset) for _ in range(3)]
            waiting = [asyncio.create_task(one(stream)) for stream in streams]
            await asyncio.sleep(0.05)
            feed.close()
            assert await asyncio.gather(*waiting) == [None] * 3

    play(test())
