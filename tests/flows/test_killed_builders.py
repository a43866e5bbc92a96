"""Server, worker, queue worker and Dask worker killed while they build, and somebody annotates all the time.

In each phase one of them alone builds, so that a claim which nobody finishes is that of the one that was killed. In the
last phase all of them build and are killed at any instant. Then nobody is killed any more, and everything has to be
right.
"""

import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import httpx
import psutil
import pytest

from coverslip.catalog import Catalog
from coverslip.derive import KINDS, VERSIONS, Subject, open_catalog
from coverslip.storage import open_storage
from tests.flows.annotators import Annotator, Changer, Reader
from tests.flows.builders import SECONDS, Ground, ground
from tests.flows.recipes import by_recipe
from tests.flows.watched_films import FRAMES, RANGES, Film, Noise

pytestmark = [pytest.mark.kill, pytest.mark.service]

ON_DEMAND = ("combined-max", "combined-std", "combined-small")
NONE: Mapping[str, str] = MappingProxyType({})
THREADS = 4
"""Builds at the same time in one process, at most."""


@dataclass(frozen=True)
class Plan:
    """How many are killed."""

    in_a_build: int
    """Of each builder, while it has a claim that it never finishes."""
    anywhere: int
    """Of each builder, at any instant."""
    together: int
    """Of all, while all build."""
    alone_seconds: float
    """How long a builder is left alone at most before it is killed in a build."""
    servers: tuple[Mapping[str, str], ...]
    """Settings of servers."""
    workers: tuple[Mapping[str, str], ...]
    """Settings of workers."""


IN_PAUSES = {"queue_url": "", "opportunistic": "true"}
AT_ONCE = {"queue_url": "", "opportunistic": "false"}
SHORT = Plan(2, 0, 4, 0.2, (IN_PAUSES,), (NONE,))
LONG = Plan(26, 6, 96, 1.5, (IN_PAUSES, AT_ONCE), ({"executor": "threads"}, {"executor": "processes"}))


class Kills:
    """Kills builders and counts."""

    def __init__(self, place: Ground, others: tuple[Annotator, Reader, Changer], plan: Plan) -> None:
        self.place = place
        self.others = others
        self.plan = plan
        self.chance = random.Random(5)
        self.all: Counter[str] = Counter()
        self.in_a_build: Counter[str] = Counter()

    def phases(self, name: str, *variants: Mapping[str, str]) -> None:
        """Kill one builder again and again, which is the only one that builds by itself."""
        for settings in variants:
            for _ in range(self.plan.anywhere // len(variants)):
                self.place.start(name, **settings)
                time.sleep(self.chance.uniform(0.2, 3.0))
                self.kill(name)
            goal = self.in_a_build[name] + self.plan.in_a_build // len(variants)
            most = self.all[name] + 4 * self.plan.in_a_build
            while self.in_a_build[name] < goal:
                assert self.all[name] < most, (
                    f"of {most} times that the {name} was killed it was hardly ever in a build"
                )
                self.place.start(name, **settings)
                self.place.wait_for_a_claim(name)
                time.sleep(self.chance.uniform(0, self.plan.alone_seconds))
                with self.place.asking:  # what the server builds for those who ask is not this builder's
                    self.place.wait_for_a_claim(name)
                    time.sleep(self.chance.choice((0, self.chance.uniform(0, 0.1))))
                    left = self.kill(name)
                    time.sleep(0.25)  # what it sent to the catalog before it died has arrived by now
                    self.in_a_build[name] += bool(left & self.place.held())

    def kill(self, name: str) -> frozenset[str]:
        """Kill a builder and look at what it leaves; return the claims among that."""
        left = self.place.kill(name)
        self.all[name] += 1
        self.place.check_files()
        for one in self.others:
            one.check()
        return left

    def together(self) -> None:
        """Kill any of all at any instant."""
        names = [name for name in self.place.running if name != "scheduler"]
        for _ in range(self.plan.together):
            time.sleep(self.chance.uniform(0, 1.5))
            name = self.chance.choice(names)
            self.kill(name)
            self.place.start(name, **self.settings(name))

    def settings(self, name: str) -> dict[str, str]:
        """Return the settings of a command where all build."""
        found = {"cluster's worker": {"executor": self.place.cluster.replace("tcp://", "dask://")}}
        return found.get(name, {})

    def table(self) -> str:
        """Return how many were killed."""
        lines = [f"{name:18s} {self.all[name]:4d} {self.in_a_build[name]:4d}" for name in self.all]
        sums = f"{'all':18s} {self.all.total():4d} {self.in_a_build.total():4d}"
        return "\n".join(["killed: in all, and in the middle of a build", *lines, sums])


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Ground]:
    with ground(tmp_path) as place:
        yield place
    shutil.rmtree(place.home)  # many pictures


def test_builders_killed_while_somebody_annotates(
    place: Ground, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    plan = LONG if request.config.getoption("--long") else SHORT
    noise = Noise()
    place.start("server that builds nothing")
    films = [add_film(place, noise), upload_film(place, noise)]
    annotator, reader, changer = (who(place, films, seed) for seed, who in enumerate((Annotator, Reader, Changer)))
    assert isinstance(annotator, Annotator)
    assert isinstance(reader, Reader)
    assert isinstance(changer, Changer)
    changer.noise = noise
    kills = Kills(place, (annotator, reader, changer), plan)
    with ExitStack() as stack:
        annotator.begin()
        want_more(place, films)
        for one in kills.others:
            one.start()
            stack.callback(one.should_stop.set)
        kill_all(kills)
        changer.should_stop.set()  # the reader looks on while the annotator ends
        for one in kills.others:
            one.finish()
    print(f"\n{kills.table()}\n{len(annotator.saves)} saves, {annotator.resent} sent again, {reader.compared} compared")
    for name in kills.all:
        record_property(f"{name} killed", f"{kills.all[name]}, in a build {kills.in_a_build[name]}")
    with open_catalog(place.database_url) as catalog:
        wait_until_fresh(place, catalog)
        check_annotations(place, catalog, films, annotator)
        check_artifacts(place, catalog, films)
    check_storage(place, kills.all.total())
    assert reader.compared > 0


def kill_all(kills: Kills) -> None:
    """Go through the phases. In the end all builders run."""
    place, plan = kills.place, kills.plan
    kills.phases("worker", *plan.workers)
    place.start("cluster's worker", **kills.settings("cluster's worker"))
    kills.phases("Dask worker", NONE)
    place.kill("cluster's worker")
    kills.phases("queue worker", NONE)
    place.kill("server that builds nothing")
    kills.phases("server", *plan.servers)
    for name in ("worker", "queue worker", "cluster's worker", "Dask worker", "server"):
        place.start(name, **kills.settings(name))
    kills.together()


def add_film(place: Ground, noise: Noise) -> Film:
    """Write a film and add it where it lies."""
    path = place.folder / "films" / "film.ome.tif"
    path.parent.mkdir()
    pixels = noise.write(path, 0)
    place.add(path)
    listed = httpx.get(f"{place.address}/api/images/", timeout=30).raise_for_status().json()["images"]
    return Film(listed[0]["id"], path, pixels)


def upload_film(place: Ground, noise: Noise) -> Film:
    """Upload a film: it is opened in confined processes, which are to end with those they belong to."""
    path = place.folder / "uploaded.ome.tif"
    pixels = noise.write(path, 100)
    with path.open("rb") as stream:
        answer = httpx.post(f"{place.address}/api/images/upload", files={"file": (path.name, stream)}, timeout=60)
    return Film(answer.raise_for_status().json()["id"], path, pixels)


def want_more(place: Ground, films: list[Film]) -> None:
    """Ask for kinds that not every annotation has, one of them made from another; they are kept fresh from now on."""
    for film in films:
        path = f"{place.address}/api/annotations/{min(film.spans)}"
        for picture in ("combined?statistic=max", "combined?statistic=std", "thumbnail"):
            httpx.get(f"{path}/{picture}", timeout=60).raise_for_status()


def wait_until_fresh(place: Ground, catalog: Catalog) -> None:
    """Return when everything is fresh, by the builders that run; then stop them all, as one does."""
    deadline = time.monotonic() + SECONDS
    while (stale := catalog.artifacts(VERSIONS, state="stale").total + len(place.held())) > 0:
        assert time.monotonic() < deadline, f"{stale} artifacts do not become fresh"
        time.sleep(0.1)
    place.stop()
    gone, alive = psutil.wait_procs(place.children, SECONDS)
    assert not alive, f"of those that were killed {alive} stay behind, and {len(gone)} do not"


def check_annotations(place: Ground, catalog: Catalog, films: list[Film], annotator: Annotator) -> None:
    """Fail unless every save was done once, just as it was acknowledged, and the ranges of each track tile it."""
    history = {
        (one, revision.revision): revision.content.model_dump(mode="json")
        for film in films
        for one in film.spans
        for revision in catalog.annotation_history(one)
    }
    for film in films:
        found = catalog.annotations_of(film.image_id)
        assert {one.id: (one.frames.first, one.frames.last) for one in found} == film.spans
        assert {one.id: one.revision for one in found} == film.revisions
        assert [one.frames.first for one in found] == [0, *(one.frames.last + 1 for one in found[:-1])]
        assert (len(found), found[-1].frames.last) == (RANGES, FRAMES - 1)
    assert sorted(history) == sorted(
        (one, number) for film in films for one, last in film.revisions.items() for number in range(1, last + 1)
    )
    for said in annotator.acknowledged:
        assert history[said.annotation_id, said.revision].items() >= said.content.items()
    done = place.database.execute("SELECT save_id FROM annotation_change").fetchall()
    assert sorted(save_id for (save_id,) in done) == sorted(annotator.saves)


def check_artifacts(place: Ground, catalog: Catalog, films: list[Film]) -> None:
    """Fail unless every artifact is what its recipe makes of the present sources."""
    storage = open_storage(str(place.home / "artifacts"))
    found = catalog.artifacts(VERSIONS, state="fresh", limit=1000).artifacts
    assert len(found) == len(films) * (1 + RANGES + len(ON_DEMAND))
    for record in found:
        image = catalog.get_image(record.image_id)
        annotation = None if record.annotation_id is None else catalog.annotation(record.annotation_id)
        assert record.key is not None
        is_right = storage.read(record.key) == by_recipe(KINDS[record.kind], Subject(image, annotation))
        of = image.filename if annotation is None else annotation.frames
        assert is_right, f"the {record.kind} of {of} is fresh, and is not what its recipe makes"


def check_storage(place: Ground, killed: int) -> None:
    """Fail when a file is torn, more is unfinished than processes were killed, a lease is held or was taken early."""
    place.check_files()
    storage = open_storage(str(place.home / "artifacts"))
    unfinished = [path for path in (place.home / "artifacts").rglob(".*") if path.is_file()]
    assert len(unfinished) <= THREADS * killed
    assert storage.sweep(0) == len(unfinished)
    assert not list((place.home / "artifacts").rglob(".*"))
    assert place.held() == frozenset()
    early = place.database.execute("SELECT * FROM watched.taken_early").fetchall()
    assert early == [], "somebody built what somebody else had a lease of"
