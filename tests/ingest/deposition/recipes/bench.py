"""A layout with one run: carries out one step and shows what came of it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coverslip.ingest.deposition.outcomes import StepOutcome
from coverslip.ingest.deposition.steps import Recipe, Step
from coverslip.storage import FolderStorage
from tests.ingest.deposition.ingests import Memory, Planned, applied

FOLDER = "30001/TS_1/Things"


class Bench:
    """A source folder, a layout, and a plan with one run."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "source"
        self.source.mkdir()
        self.destination = FolderStorage(folder / "layout")
        self.memory = Memory()
        self.plan = Planned()
        self.target = self.plan.child(self.plan.run("TS_1"), "thing", "x", "Things")

    def put(self, name: str, content: str | bytes) -> str:
        """Write a source file and return its name."""
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    def step(
        self, recipe: Recipe, inputs: Sequence[str], outputs: Sequence[str], after: Sequence[Step] = (), **options: Any
    ) -> Step:
        """Add a step."""
        return self.plan.step(self.target, recipe, inputs, outputs, after, **options)

    def do(self, recipe: Recipe, inputs: Sequence[str], outputs: Sequence[str], **options: Any) -> dict[str, Any]:
        """Carry out one step, which has to succeed, and return its facts."""
        step = self.step(recipe, inputs, outputs, **options)
        outcome = self.apply()[step.name]
        assert outcome.outcome == "written", outcome.reason
        return self.facts(step)

    def fails(self, recipe: Recipe, inputs: Sequence[str], outputs: Sequence[str], **options: Any) -> str:
        """Carry out one step, which has to fail, and return why it did."""
        step = self.step(recipe, inputs, outputs, **options)
        outcome = self.apply()[step.name]
        assert outcome.outcome == "failed"
        assert list(self.destination.list()) == []
        return outcome.reason

    def apply(self) -> dict[str, StepOutcome]:
        """Carry out all steps."""
        report = applied(self.plan, self.source, self.destination, self.memory)
        return {step.name: step for step in report.steps}

    def facts(self, step: Step) -> dict[str, Any]:
        """Return what is noted of a step."""
        facts: dict[str, Any] = self.memory.records[step.name].facts["facts"]
        assert json.loads(json.dumps(facts)) == facts
        return facts

    def read(self, name: str) -> bytes:
        """Return an output."""
        return self.destination.read(f"{FOLDER}/{name}")

    def path(self, name: str) -> Path:
        """Return where an output lies."""
        return self.destination.root / FOLDER / name
