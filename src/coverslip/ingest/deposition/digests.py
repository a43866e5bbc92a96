"""What the result of a step depends on, as one text, and so whether it has to be done again. Pure."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal

from coverslip.ingest.deposition.steps import Input, Step
from coverslip.model.entities import StepRecord

State = Literal["write", "update", "unchanged"]
"""``write``: it was never done. ``update``: something that it depends on is another now, or may be."""


def digest_of_json(value: object) -> str:
    """Return the SHA-256 of a value, in which the order of keys means nothing."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def step_digest(
    step: Step, version: int, contents: Mapping[Input, str], facts: Mapping[str, Mapping[str, Any]], said: object = None
) -> str:
    """Return the digest of everything that the result of a step depends on.

    Parameters
    ----------
    step
        The step.
    version
        Of its recipe.
    contents
        What tells the content of each input apart.
    facts
        Those of the steps it comes after, by name.
    said
        What it depends on beside the inputs; its options and the facts when left out.
    """
    told = [dict(step.options), {name: dict(one) for name, one in facts.items()}] if said is None else said
    inputs = [[one.side, one.path, contents[one]] for one in step.inputs]
    return digest_of_json([step.recipe, version, told, inputs, list(step.outputs)])


def states(
    steps: Iterable[Step],
    done: Mapping[str, StepRecord],
    there: Collection[str] = (),
    digest: Callable[[Step, StepRecord], str | None] | None = None,
) -> dict[str, State]:
    """Return what becomes of each step, by name.

    Parameters
    ----------
    steps
        In the order of a plan.
    done
        Records of steps that were done, by name.
    there
        Keys of the destination: what is there and has no record was written by somebody else, and is written again.
    digest
        Gives the digest that a step has now, ``None`` where it cannot be known: it may have to be done again then.

    A step after one that is done again may see other facts: nobody knows before, so it counts as done again too. An
    ingest that finds the same facts leaves it as it is.
    """
    found: dict[str, State] = {}
    for step in steps:
        record = done.get(step.name)
        if record is None:
            found[step.name] = "update" if any(key in there for key in step.outputs) else "write"
        elif any(found.get(name, "unchanged") != "unchanged" for name in step.after):
            found[step.name] = "update"
        else:
            now = digest(step, record) if digest is not None else record.digest
            is_same = now == record.digest and record.outputs.keys() == set(step.outputs)
            found[step.name] = "unchanged" if is_same else "update"
    return found
