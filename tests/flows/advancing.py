"""Builders and requests that are advanced step by step, in between what people, crashes and time do."""

from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from coverslip.errors import BuildError, CatalogError, NotFoundError, StorageError
from tests.catalog.making import BACK_OFF, LEASE
from tests.flows.changing import Change, Changing, changes, numbers
from tests.flows.cheap import KINDS, Name
from tests.flows.interleaving import Place
from tests.flows.stepping import WRITES, Actor

MOST_ACTORS = 3
"""Processes that may be under way at the same time."""
READS = ["catalog.artifact", "catalog.look_again", "catalog.get_images", "catalog.get_annotations"]
READS += ["storage.exists", "storage.read", "source.open", "source.read", "recipe.build"]
CALLS = [f"{'storage' if name in ('put', 'delete') else 'catalog'}.{name}" for name in sorted(WRITES)]
BOUNDARIES = [
    *(f"before {name}" for name in (*READS, *CALLS)),
    *(f"after {name}" for name in CALLS),
    "while waiting",
]
"""Every place between two steps of a build or of a request that waits for one."""
LATE = ("storage.read", "storage.exists", "storage.put", "catalog.finish", "catalog.look_again", "source.read")
ALL = 1000
"""Steps, more than anything takes."""

places = st.integers(1, 45) | st.sampled_from(BOUNDARIES + [one for one in BOUNDARIES if one.endswith(LATE)] * 2)
"""How far somebody goes: so many steps, or to a boundary."""


@dataclass
class Ask:
    """Somebody who has asked for an artifact, and what would be a right answer."""

    name: Name
    version: int
    right: set[bytes] = field(default_factory=set)


class Advancing(Changing):
    """Advances builders and requests step by step, in between does what people, crashes and time do."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.new_world())
        self.tally = place.tally
        self.actors: list[Actor] = []
        self.asks: dict[Actor, Ask] = {}
        self.may_burst = True

    @initialize()
    def begin(self) -> None:
        self.create(0, 9)
        self.create(6, 9)

    @precondition(lambda self: len(self.actors) < MOST_ACTORS)
    @rule(is_old=st.booleans(), place=places, claims=st.sampled_from([1, 3]))
    def build(self, is_old: bool, place: int | str, claims: int = 1) -> None:
        """A worker looks for something to build, with this or the previous version of the program, one or a few."""
        actor = self.new_actor("builder")
        builder = self.world.builder(actor, is_old=is_old, claims=claims)
        actor.begin(lambda: builder.build_some(should_stop=lambda: actor.must_stop))
        self.advance(actor, place)

    @precondition(lambda self: len(self.actors) < MOST_ACTORS)
    @rule(kind=st.sampled_from(sorted(KINDS)), number=numbers, seconds=st.sampled_from([90.0, 0.0]), place=places)
    def ask(self, kind: str, number: int, seconds: float, place: int | str) -> None:
        """Somebody wants to see an artifact, and waits."""
        film, annotation = self.world.films[number % 2], None
        if KINDS[kind].of == "annotation":
            film, annotation = self.world.films[0], self.pick(number)
            if annotation is None:
                return
        actor = self.new_actor("request")
        builder = self.world.builder(actor)
        self.asks[actor] = Ask((kind, film.image_id, annotation), builder.versions[kind])
        self.note_right_answers()
        actor.begin(lambda: builder.read_artifact(kind, film.image_id, seconds, annotation))
        self.advance(actor, place)

    @precondition(lambda self: self.actors)
    @rule(number=numbers, place=st.just(ALL) | places)
    def go_on(self, number: int, place: int | str) -> None:
        self.advance(self.one_of_them(number), place)

    @precondition(lambda self: len(self.actors) < MOST_ACTORS - 1)
    @rule(
        asked=st.none() | st.just("small") | st.sampled_from(sorted(KINDS)),
        place=places,
        changes=st.lists(changes, min_size=1, max_size=2),
        seconds=st.sampled_from([0.0, LEASE]),
        is_killed=st.booleans(),
    )
    def overtake(
        self, asked: str | None, place: int | str, changes: list[Change], seconds: float, is_killed: bool
    ) -> None:
        """One stands still in its build; sources change or its lease runs out, another builds; then it goes on."""
        before = tuple(self.actors)
        if asked is None:
            self.build(False, place)
        else:
            self.ask(asked, 0, 2 * LEASE, place)
        self.change(changes)
        self.let_time_pass(seconds)
        self.build(False, ALL)
        self.world.check()
        for actor in tuple(self.actors):
            if actor not in before and is_killed:
                self.kill(actor)
            elif actor not in before:
                self.advance(actor)

    @precondition(lambda self: self.actors)
    @rule(number=numbers, place=st.just(0) | places)
    def crash(self, number: int, place: int | str) -> None:
        """Kill one where it is, or further on."""
        actor = self.one_of_them(number)
        self.advance(actor, place)
        if not actor.is_done:
            self.kill(actor)

    @precondition(lambda self: self.actors)
    @rule(number=numbers, what=st.sampled_from(["beat", "recipe_fails", "has_trouble", "must_stop"]))
    def disturb(self, number: int, what: str) -> None:
        """Its claim is renewed, its recipe fails, catalog or storage do not answer it, or it is told to stop."""
        actor = self.one_of_them(number)
        if what != "beat":
            setattr(actor, what, True)
        for heartbeat in actor.heartbeats:
            heartbeat.beat()

    @rule(seconds=st.sampled_from([1.0, 2 * BACK_OFF, LEASE, LEASE]))
    def let_time_pass(self, seconds: float) -> None:
        """Let leases and back-off run out."""
        before = self.world.clock.now
        now = self.world.clock.advance(seconds)
        self.tally["leases expired"] += sum(before < hold.until <= now for hold in self.world.holds.values())

    @precondition(lambda self: not self.actors and self.may_burst)
    @rule(changes=st.lists(changes, min_size=2, max_size=5))
    def change_in_a_burst(self, changes: list[Change]) -> None:
        """However many changes come before anybody builds, each artifact that they touch is built once."""
        self.may_burst = False  # once is enough: it settles everything, which takes long
        self.settle()
        self.change(changes)
        before = self.world.records()
        stale = {name for name, one in before.items() if not one.is_fresh(self.world.versions[name[0]])}
        built = self.drain()
        assert set(built.values()) <= {1}, f"built more than once: {built}"
        assert stale <= set(built), f"not built: {stale - set(built)}"
        for name in set(built) - stale:
            assert name not in before or KINDS[name[0]].needs, f"{name} was fresh and is built"
        assert not self.drain()
        self.tally["bursts"] += 1

    def new_actor(self, what: str) -> Actor:
        self.tally[f"{what}s"] += 1
        actor = Actor(f"{what} {self.tally[f'{what}s']}")
        self.actors.append(actor)
        return actor

    def one_of_them(self, number: int) -> Actor:
        return self.actors[number % len(self.actors)]

    def advance(self, actor: Actor, place: int | str = ALL) -> None:
        """Let one of them go on until it has come to a place, has ended, or waits for another."""
        for _ in range(place if isinstance(place, int) else ALL):
            actor.step()
            self.tally["steps"] += 1
            if actor.is_done:
                self.ended(actor)
                return
            if actor.at in ("while waiting", place):
                break
        self.note_right_answers()

    def ended(self, actor: Actor) -> None:
        self.actors.remove(actor)
        ask = self.asks.pop(actor, None)
        if actor.error is not None:
            is_known = actor.had_trouble and isinstance(actor.error, (CatalogError, StorageError))
            is_answer = ask is not None and isinstance(actor.error, (BuildError, NotFoundError))
            if not (is_known or is_answer):
                raise actor.error
            self.tally["ended with an error"] += 1
        elif ask is None:
            for state in [outcome.state for outcome in actor.result] or ["nothing to build"]:
                self.tally[f"outcome {state}"] += 1
        else:
            self.note_right_answer(ask)
            assert actor.result[1] in ask.right, f"{ask.name}: {actor.result[1]!r}, not one of {ask.right}"
            self.tally["answers"] += 1

    def kill(self, actor: Actor) -> None:
        self.tally[f"crash {actor.kill()}"] += 1
        self.actors.remove(actor)
        self.asks.pop(actor, None)

    def note_right_answer(self, ask: Ask) -> None:
        """What is current while somebody waits is right, of which the other invariant makes sure."""
        record = self.world.records().get(ask.name)
        if record is not None and record.key is not None and record.is_fresh(ask.version):
            ask.right.add(self.world.contents[record.key])

    @invariant()
    def note_right_answers(self) -> None:
        for ask in self.asks.values():
            self.note_right_answer(ask)

    def teardown(self) -> None:
        for actor in tuple(self.actors):
            self.kill(actor)
        if not self.world.wrong:
            self.end()
