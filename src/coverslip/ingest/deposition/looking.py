"""What would become of the steps of a plan, as far as that can be known without doing any."""

from collections.abc import Mapping

from coverslip.errors import CoverslipError
from coverslip.ingest.deposition.digests import State, states, step_digest
from coverslip.ingest.deposition.fingerprints import Fingerprints, Places
from coverslip.ingest.deposition.noted import all_noted
from coverslip.ingest.deposition.preparing import Prepared
from coverslip.ingest.deposition.recipes import RECIPES
from coverslip.ingest.deposition.steps import Step
from coverslip.model.entities import StepRecord
from coverslip.storage import Storage


def outlook(prepared: Prepared, destination: Storage, done: Mapping[str, StepRecord]) -> dict[str, State]:
    """Return what becomes of each step, by name.

    Sources that changed since they were read are read once, for the digest of their content; nothing is written. What
    only a step that comes before can tell is not known: a step behind one that is done again counts as done again.

    Parameters
    ----------
    prepared
        The plan with its source.
    destination
        The top of the layout.
    done
        What is remembered of steps, by name.
    """
    noted = {one.name: one for one in all_noted(done)}
    fingerprints = Fingerprints(Places(prepared.source, destination))
    inputs = {key: pair for one in noted.values() for key, pair in one.inputs.items()}

    def digest(step: Step, record: StepRecord) -> str | None:
        recipe = RECIPES[step.recipe]
        if any(name not in noted for name in step.after):
            return None
        facts = {name: noted[name].facts for name in step.after}
        try:
            contents = {one: fingerprints.of(one, inputs).digest for one in step.inputs}
            said = recipe.depends(step, facts) if recipe.depends else None
        except CoverslipError:
            return None
        return step_digest(step, recipe.version, contents, facts, said)

    return states(prepared.plan.steps, done, frozenset(prepared.held.keys), digest)
