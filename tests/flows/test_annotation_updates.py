"""An annotation comes to a run with many: what shows it is built, each thing once, and nothing else."""

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.deposition import RUN, SPACINGS, Crowded, Shape
from coverslip.cli.building import open_builder
from coverslip.derive import VERSIONS, build_all, open_catalog_of, open_executor
from coverslip.derive.kinds import ENTITY_KINDS
from coverslip.derive.viewing import NEUROGLANCER_STATE
from coverslip.model.records import ArtifactRecord
from coverslip.settings import Settings
from tests.cli.test_commands import Shell
from tests.flows.film import until
from tests.services.commands import command
from tests.services.s3 import free_ports

TOMOGRAMS, ANNOTATIONS = 4, 50
VIEWS = Counter(dict.fromkeys(ENTITY_KINDS.of_tomograms, TOMOGRAMS))
"""What is built of the tomograms that show an annotation: a state of each, and whatever else shows it."""


@dataclass
class World:
    """A crowded run, one tomogram in it that has another alignment, and a run of another dataset."""

    shell: Shell
    crowd: Crowded
    layout: Path
    number: int = 1
    """Of the deposition that came last."""

    def __post_init__(self) -> None:
        others = Crowded(self.crowd.folder / "others", tomograms=2, annotations=2, side=32, dataset=90401)
        for config in (self.crowd.write(), self.crowd.align_anew(self.number), others.write()):
            self.apply(config)
        self.build()

    @property
    def settings(self) -> Settings:
        """Those of the commands."""
        given = self.shell.environment
        follows = given.get("COVERSLIP_FOLLOW_ANNOTATIONS", "true")
        return Settings.load(home=given["COVERSLIP_HOME"], follow_annotations=follows)

    def annotate(self, *shapes: Shape) -> Path:
        """Write a deposition of one annotation and return its config."""
        self.number += 1
        return self.crowd.add(self.number, shapes)

    def apply(self, config: Path, views: str = "--no-views") -> dict[str, Any]:
        """Ingest a config by the command and return its report; views are left to workers unless they are wanted."""
        sides = ("--input", config.parent, "--output", self.layout)
        self.layout.mkdir(exist_ok=True)
        report: dict[str, Any] = json.loads(self.shell("ingest", "apply", config, *sides, views, "--json"))
        assert report["is_whole"]
        return report

    def build(self) -> Counter[str]:
        """Build what is stale as ``coverslip worker --until-done`` does; return how many outcomes of each kind."""
        stop = threading.Event()
        with (
            open_builder(self.settings) as (_, builder),
            open_executor(self.settings, builder, 2, stop) as (executor, step),
        ):
            build_all(step, executor, concurrency=2, should_stop=stop)
            counts = builder.metrics.counts()
        assert not counts.failed
        return Counter(counts.built)

    def artifacts(self) -> dict[str, ArtifactRecord]:
        """Return everything that is derived, by id."""
        with open_catalog_of(self.settings) as catalog:
            found = catalog.artifacts(VERSIONS, limit=1000)
        assert found.total == len(found.artifacts)
        return {one.id: one for one in found.artifacts}

    def images(self, alignment: int) -> set[str]:
        """Return the images of the tomograms of the crowded run with an alignment, by the number of its folder."""
        with open_catalog_of(self.settings) as catalog:
            found = catalog.entities(type="tomogram", under=f"datasets/{self.crowd.dataset}/runs/{RUN}")
        return {str(one.image_id) for one in found if one.alignment.endswith(f"/{alignment}/alignment_metadata.json")}

    def layers(self, image_id: str) -> list[str]:
        """Return the names of the layers of the state of an image."""
        with open_builder(self.settings) as (_, builder):
            record, data = builder.read_artifact(NEUROGLANCER_STATE, image_id, 0)
        assert record.is_fresh(VERSIONS[NEUROGLANCER_STATE])
        return [layer["name"] for layer in json.loads(data)["layers"]]

    def number_of(self, report: dict[str, Any]) -> int:
        """Return the public number of the annotation that an ingest added."""
        (identity,) = (one for one in report["changes"]["added"] if "/annotations/" in one)
        with open_catalog_of(self.settings) as catalog:
            (entity,) = catalog.entities(identities=[identity])
        return entity.id


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    top = tmp_path_factory.mktemp("crowded")
    crowd = Crowded(top / "in", TOMOGRAMS, ANNOTATIONS, side=32)
    return World(Shell(top / "home"), crowd, top / "layout")


def changed(before: dict[str, ArtifactRecord], after: dict[str, ArtifactRecord]) -> list[ArtifactRecord]:
    """Return the artifacts that are new or have seen another change."""
    return [one for one in after.values() if one.id not in before or before[one.id].built != one.built]


@pytest.mark.parametrize("shapes", [("Point",), ("OrientedPoint",), ("Point", "OrientedPoint")], ids="+".join)
def test_one_annotation_more_builds_its_shapes_and_the_views_with_its_alignment(
    world: World, shapes: tuple[Shape, ...]
) -> None:
    before, shown = world.artifacts(), world.images(100)
    assert len(shown) == TOMOGRAMS
    layers = {image_id: len(world.layers(image_id)) for image_id in shown}
    report = world.apply(world.annotate(*shapes))
    assert report["volumes_opened"] == 0
    assert world.build() == VIEWS + Counter(f"precomputed-{shape.lower()}" for shape in shapes)
    number, built = world.number_of(report), changed(before, world.artifacts())
    assert {one.image_id for one in built if one.kind == NEUROGLANCER_STATE} == shown
    assert {(one.entity_id, one.kind) for one in built if one.kind.startswith("precomputed-")} == {
        (number, f"precomputed-{shape.lower()}") for shape in shapes
    }
    assert {one.image_id for one in built} <= shown
    for image_id in shown:
        names = world.layers(image_id)
        assert len(names) == layers[image_id] + len(shapes)
        assert sum(re.match(rf"{number}\b", name) is not None for name in names) == len(shapes)


def test_tomograms_of_both_voxel_spacings_show_it_and_those_of_another_alignment_do_not(world: World) -> None:
    with open_catalog_of(world.settings) as catalog:
        everything = catalog.entities(type="tomogram")
    shown = [one for one in everything if one.image_id in world.images(100)]
    spacings = {str(one.parent).rpartition("/")[2] for one in shown}
    assert spacings == {f"{spacing:.3f}" for spacing in SPACINGS}
    assert len(world.images(101)) == 1
    assert len(everything) == TOMOGRAMS + 1 + 2


def test_the_command_builds_the_same_and_leaves_nothing_to_workers(world: World) -> None:
    config = world.annotate("Point", "OrientedPoint")
    report = world.apply(config, "--views")
    shapes = Counter({"precomputed-point": 1, "precomputed-orientedpoint": 1})
    assert Counter(view["kind"] for view in report["views"]["built"]) == VIEWS + shapes
    assert world.build() == Counter()
    assert world.apply(config, "--views")["views"]["built"] == []


def test_the_same_ingest_again_builds_nothing(world: World) -> None:
    config = world.annotate("Point")
    world.apply(config)
    world.build()
    again = world.apply(config)
    assert set(again["counts"]) == {"unchanged"}
    assert (again["volumes_opened"], again["bytes_written"]) == (0, 0)
    assert world.build() == Counter()


def test_a_changed_file_builds_only_its_shape_anew(world: World) -> None:
    config = world.annotate("Point", "OrientedPoint")
    world.apply(config)
    world.build()
    (points,) = (config.with_suffix("") / RUN).glob("*.csv")
    points.write_text("16,16,16\n")
    report = world.apply(config)
    (updated,) = (step["name"] for step in report["steps"] if step["outcome"] != "unchanged")
    assert updated.endswith("#points:Point")
    assert world.build() == VIEWS + Counter({"precomputed-point": 1})


def test_several_annotations_build_each_view_once(world: World) -> None:
    for _ in range(3):
        world.apply(world.annotate("Point"))
    assert world.build() == VIEWS + Counter({"precomputed-point": 3})


@pytest.fixture
def unfollowed(world: World) -> Iterator[None]:
    world.shell.environment["COVERSLIP_FOLLOW_ANNOTATIONS"] = "false"
    yield
    del world.shell.environment["COVERSLIP_FOLLOW_ANNOTATIONS"]


@pytest.mark.usefixtures("unfollowed")
def test_views_that_follow_no_annotations_are_built_when_somebody_says_so(world: World) -> None:
    world.apply(world.annotate("Point"))
    assert world.build() == Counter({"precomputed-point": 1})
    with open_catalog_of(world.settings) as catalog:
        (run,) = catalog.entities(identities=[f"datasets/{world.crowd.dataset}/runs/{RUN}"])
    world.shell("rebuild", "--kind", NEUROGLANCER_STATE, "--run", run.id)
    assert world.build() == Counter({NEUROGLANCER_STATE: TOMOGRAMS + 1})  # that of the other alignment too


def test_a_worker_that_runs_meanwhile_builds_the_same(world: World) -> None:
    (port,) = free_ports(1)
    home = Path(world.shell.environment["COVERSLIP_HOME"])
    expected = VIEWS + Counter({"precomputed-point": 1, "precomputed-orientedpoint": 1})
    with command(home, "worker", "--interval", "0.2", "--metrics-port", str(port)) as worker:
        worker.wait_to_say("waiting for artifacts")
        world.apply(world.annotate("Point", "OrientedPoint"))
        until(lambda: counted(port, "builds_total") >= expected and not counted(port, "stale_artifacts"), worker.said)
        assert counted(port, "builds_total") == expected
    assert world.build() == Counter()


def counted(port: int, name: str) -> Counter[str]:
    """Return what a worker says of each kind, without those of which it says 0."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    found = re.findall(rf'^coverslip_{name}\{{kind="(.*)"\}} (\S+)$', text, re.MULTILINE)
    return +Counter({kind: int(number) for kind, number in found})
