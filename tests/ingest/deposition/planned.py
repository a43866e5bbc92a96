"""Plans of texts, for tests."""

from collections.abc import Iterable

from coverslip.ingest.deposition import Listing, check_text, expand
from coverslip.ingest.deposition.known import Known
from coverslip.ingest.deposition.maps import RunMaps, parse_map
from coverslip.ingest.deposition.plan import Plan, make_plan
from coverslip.ingest.deposition.selection import Selection
from coverslip.ingest.deposition.steps import Step, Target
from tests.ingest.deposition.configs import said
from tests.ingest.deposition.whole import FILES, RUNS, WHOLE


def planned(
    text: str = WHOLE,
    files: Iterable[str] = FILES,
    *,
    known: Known | None = None,
    selection: Selection | None = None,
    destination: Iterable[str] = (),
    rows: str = RUNS,
) -> Plan:
    """Return the plan of a config over some files."""
    checked = check_text(text, "c.yaml")
    assert checked.config is not None, said(checked)
    table, problems = parse_map(rows, "runs.csv", "")
    assert problems == []
    maps = RunMaps({"run_data_map_file": table}, {"run_data_map_file": "read"})
    listing = Listing.of(files, destination)
    expansion = expand(checked.config, listing, maps)
    return make_plan(checked.config, expansion, maps, known, selection, listing=listing)


def held(plan: Plan) -> Known:
    """Return what a destination holds once a plan was carried out."""
    numbers: dict[str, dict[str, int]] = {}
    for target in plan.targets:
        if target.number is not None and target.is_written:
            numbers.setdefault(target.folder.rpartition("/")[0], {})[target.identity] = target.number
    taken = {key: frozenset(some.values()) for key, some in numbers.items()}
    keys = {target.identity: target.document for target in plan.targets if target.document and target.is_written}
    owners = {target.identity: target.deposition for target in plan.targets if target.identity in keys}
    return Known(numbers, taken, owners, keys)


def step(plan: Plan, ending: str) -> Step:
    """Return the one step whose name ends so."""
    found = [one for one in plan.steps if one.name.endswith(ending)]
    assert len(found) == 1, [one.name for one in plan.steps]
    return found[0]


def targets(plan: Plan, kind: str) -> list[Target]:
    """Return the entities of a type."""
    return [target for target in plan.targets if target.entity.type == kind]


def numbers(plan: Plan) -> dict[str, int]:
    """Return the number of every entity that has one."""
    return {target.identity: target.number for target in plan.targets if target.number is not None}


def remarks(plan: Plan) -> list[str]:
    """Return what is wrong."""
    return [f"{one.severity}: {one.sentence}" for one in plan.remarks]
