"""What is remembered of a step, and whether it is still so."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from coverslip.model.entities import StepRecord

FACTS = "facts"
INPUTS = "inputs"
MARKS = "marks"
SHAPE = "shape"


@dataclass(frozen=True, slots=True)
class Noted:
    """A step that was done."""

    name: str
    digest: str
    """Of everything the result depends on."""
    facts: Mapping[str, Any]
    """What later steps and documents need to know of the result."""
    outputs: Mapping[str, str]
    """What tells the content of each output apart."""
    inputs: Mapping[str, tuple[str, str]]
    """Mark and digest of each input."""
    marks: Mapping[str, str]
    """What the destination says of each output as it was when it had been written."""
    shape: str = ""
    """What the outputs give of an annotation."""

    @classmethod
    def of(cls, record: StepRecord) -> Self | None:
        """Return what a record says, or ``None`` for one that another version wrote otherwise."""
        parts = [record.facts.get(key) for key in (FACTS, INPUTS, MARKS)]
        if not all(isinstance(part, dict) for part in parts):
            return None
        facts, inputs, marks = parts
        known = {key: (str(pair[0]), str(pair[1])) for key, pair in inputs.items() if _is_pair(pair)}  # type: ignore[union-attr]
        return cls(
            record.name,
            record.digest,
            facts or {},
            record.outputs,
            known,
            marks or {},
            str(record.facts.get(SHAPE, "")),
        )

    def record(self) -> StepRecord:
        """Return it as the log keeps it."""
        inputs = {key: list(pair) for key, pair in self.inputs.items()}
        facts = {FACTS: dict(self.facts), INPUTS: inputs, MARKS: dict(self.marks), SHAPE: self.shape}
        return StepRecord(self.name, self.digest, facts, dict(self.outputs))


def all_noted(records: Mapping[str, StepRecord]) -> list[Noted]:
    """Return what is remembered of steps, without what is none or was written otherwise."""
    return [one for record in records.values() if (one := Noted.of(record)) is not None]


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2
