"""What a plan asks a layout for."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest

from coverslip.catalog import Catalog
from coverslip.cleanup import apply_plan, asking, make_plan
from coverslip.cleanup.existence_remote import NOTHING
from coverslip.cleanup.planning import Asked
from coverslip.model.entities import EntityFile, EntitySeen
from coverslip.model.removal import Scope
from coverslip.sources import RemoteRules

RUN = "1/TS_1"
ASK = asking(RemoteRules((), Path("/nowhere"), 0))


class Noted:
    """Asks a layout, and notes what for."""

    def __init__(self) -> None:
        self.keys: list[set[str]] = []
        self.only_with: list[Mapping[str, str]] = []

    def __call__(
        self, layout: str, keys: Collection[str], prefixes: Collection[str], only_with: Mapping[str, str] = NOTHING
    ) -> Asked:
        self.keys.append(set(keys))
        self.only_with.append(only_with)
        return ASK(layout, keys, prefixes, only_with)


def annotation(name: str, *files: str) -> EntitySeen:
    made = tuple(EntityFile(f"{RUN}/{file}", "ndjson", "Point", "1") for file in files)
    identity = f"datasets/1/runs/TS_1/annotations/{name}"
    return EntitySeen("annotation", identity, "datasets/1/runs/TS_1", name, key=f"{RUN}/{name}.json", files=made)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite'}", versions={}) as opened:
        yield opened


@pytest.fixture
def layout(catalog: Catalog, tmp_path: Path) -> str:
    return fill(catalog, tmp_path)


def fill(catalog: Catalog, tmp_path: Path) -> str:
    """Return a layout of three annotations, two of which share a file, and a gain, which is a file without document."""
    top = tmp_path / "portal"
    gain = EntityFile(f"{RUN}/both.ndjson", "mrc", "", "1")
    run = "datasets/1/runs/TS_1"
    seen = [
        EntitySeen("dataset", "datasets/1", None, "1", key="1/dataset_metadata.json"),
        EntitySeen("run", run, "datasets/1", "TS_1", key=f"{RUN}/run_metadata.json"),
        EntitySeen("gain", f"{run}/gains/both", run, "both", key=f"{RUN}/Gains", files=(gain,)),
        annotation("a", "a.ndjson", "shared.ndjson"),
        annotation("b", "b.ndjson", "shared.ndjson"),
        annotation("c", "c.ndjson", "both.ndjson"),
    ]
    (top / RUN).mkdir(parents=True)
    for key in ("1/dataset_metadata.json", f"{RUN}/run_metadata.json", f"{RUN}/b.json", f"{RUN}/shared.ndjson"):
        (top / key).write_text("{}")
    catalog.sync_entities(str(top), seen)
    return str(top)


def test_files_matter_with_their_document_unless_another_record_names_them(catalog: Catalog, layout: str) -> None:
    look = Noted()
    make_plan(catalog, Scope("annotation", layout=layout), look, actor="ada")
    assert look.only_with == [{f"{RUN}/{name}.ndjson": f"{RUN}/{name}.json" for name in "abc"}]
    assert look.keys[0] >= {f"{RUN}/{name}.ndjson" for name in ("a", "b", "c", "shared", "both")}


def test_an_application_looks_at_the_documents_of_its_rows_alone(catalog: Catalog, layout: str) -> None:
    look = Noted()
    plan = make_plan(catalog, Scope("annotation", layout=layout), look, actor="ada")
    assert sorted(one.key for one in plan.removals) == [f"{RUN}/a.json", f"{RUN}/c.json"]
    apply_plan(catalog, plan.id, look, actor="ada")
    assert look.keys[1] == {f"{RUN}/a.json", f"{RUN}/c.json"}
    assert look.only_with[1] == NOTHING
