"""Real configs of the public portal."""

from pathlib import Path

import pytest

from coverslip.ingest.deposition import Checked, check
from coverslip.ingest.deposition.example import make_example
from coverslip.ingest.deposition.names import check_names
from coverslip.ingest.deposition.plan import make_plan

pytestmark = pytest.mark.samples


@pytest.fixture(scope="module")
def checked(samples: Path) -> dict[str, Checked]:
    folder = samples.parent / "portal-configs"
    if not folder.is_dir():
        pytest.skip("no folder of real configs")
    return {str(path.relative_to(folder)): check(path) for path in sorted(folder.rglob("*.yaml"))}


def test_all_but_the_draft_are_valid(checked: dict[str, Checked]) -> None:
    assert [name for name, one in checked.items() if not one.is_valid] == ["10011_draft.yaml"]
    assert len(checked) == 79


def test_each_is_expanded_over_what_its_own_globs_ask_for(checked: dict[str, Checked]) -> None:
    for name, one in checked.items():
        if one.config is None:
            continue
        configured = {kind for kind in ("tomogram", "tiltseries", "frame", "annotation") if _is_configured(one, kind)}
        assert one.example["run"] >= 1, name
        assert {kind for kind in configured if not one.example.get(kind)} == set(), name


def _is_configured(checked: Checked, kind: str) -> bool:
    section = kind if kind == "tiltseries" else f"{kind}s"
    return bool(getattr(checked.config, section))


def test_each_has_a_plan_that_writes_nothing_twice(checked: dict[str, Checked]) -> None:
    count = 0
    for name, one in checked.items():
        if one.config is None or one.document is None:
            continue
        count += 1
        example = make_example(one.config, one.maps, check_names(one.document, one.maps).unchecked)
        plan = make_plan(one.config, example.expansion, example.maps, listing=example.listing)
        keys = [key for step in plan.steps for key in step.outputs]
        assert len(keys) == len(set(keys)), name
        identities = [target.identity for target in plan.targets]
        assert len(identities) == len(set(identities)), name
        done: set[str] = set()
        for step in plan.steps:
            assert done.issuperset(step.after), step.name
            done.add(step.name)
        assert len(done) == len(plan.steps), name
        configured = {kind for kind in ("tomogram", "tiltseries", "annotation") if _is_configured(one, kind)}
        assert configured <= {target.entity.type for target in plan.targets if target.is_written}, name
    assert count == 78


def test_the_draft_is_told_where_it_is_a_draft(checked: dict[str, Checked]) -> None:
    found = {(problem.line, problem.path) for problem in checked["10011_draft.yaml"].errors}
    assert (1, "depositions") in found
    assert (35, "annotations[0].sources[0]") in found
    assert (140, "tiltseries[0].metadata.tilt_range.max") in found
    assert (190, "voxel_spacings[0].sources[0].literal.value[0]") in found
    assert all(line > 0 for line, _ in found)


def test_maps_that_are_here_are_used(checked: dict[str, Checked]) -> None:
    assert [problem for problem in checked["gjensen/10054.yaml"].problems if "is not here" in problem.sentence] == []
    assert "ts-tilt_step" in checked["gjensen/10054.yaml"].maps.columns
    assert checked["gjensen/10054.yaml"].maps.row("dga2016-09-08-1")["mapped_tomo_name"].endswith("_SIRT_1k.rec")
