"""A config, what it finds and what the destination holds -> everything an ingest does. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from coverslip.ingest.deposition.digests import State, states
from coverslip.ingest.deposition.expand import Expansion
from coverslip.ingest.deposition.known import Known
from coverslip.ingest.deposition.listing import Listing
from coverslip.ingest.deposition.making import make_steps
from coverslip.ingest.deposition.maps import RunMaps
from coverslip.ingest.deposition.problems import Remark
from coverslip.ingest.deposition.schema import Config
from coverslip.ingest.deposition.selection import Selection
from coverslip.ingest.deposition.steps import Step, Target
from coverslip.ingest.deposition.targets import Skipped, make_targets

__all__ = ["Plan", "Skipped", "State", "make_plan", "outdated", "states", "unmentioned"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything an ingest does.

    Parameters
    ----------
    targets
        Entities, parents before children. Those that are gone through only are not written.
    steps
        What is written, each step after those whose facts it needs, as far as these are selected; the steps of a run
        stand together.
    remarks
        What is wrong. An entity with an error is skipped, and everything else is planned nevertheless.
    skipped
        What the config finds and is not written, with the reason.
    unselected
        Names of the steps of entities that are written which the config asks for and the selection leaves out. What an
        earlier ingest wrote by them still counts.
    mentioned
        Identities of everything that the config finds, whether it is selected or not.
    """

    targets: tuple[Target, ...] = ()
    steps: tuple[Step, ...] = ()
    remarks: tuple[Remark, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unselected: frozenset[str] = frozenset()
    mentioned: frozenset[str] = frozenset()

    @property
    def has_errors(self) -> bool:
        """Whether something that the config asks for cannot be planned."""
        return any(one.severity == "error" for one in self.remarks)


def make_plan(
    config: Config,
    expansion: Expansion,
    maps: RunMaps,
    known: Known | None = None,
    selection: Selection | None = None,
    *,
    listing: Listing | None = None,
) -> Plan:
    """Return everything that is to be done. The same arguments give the same plan.

    Parameters
    ----------
    config
        A valid config.
    expansion
        What it finds.
    maps
        Its maps.
    known
        What the destination holds: see ``known_numbers``. Nothing when left out.
    selection
        Which part is written. Everything when left out.
    listing
        What the config was expanded over; with it the address of a key photo is told from a path.

    Numbers are given before anything is left out: what is selected changes no number.
    """
    chosen = selection or Selection()
    found = make_targets(config, expansion.entities, maps, known or Known())
    made = make_steps(config, found.targets, maps, listing)
    targets, left_out, skipped = [], set(), list(found.skipped)
    for target in found.targets:
        if why := chosen.why_not(target.entity):
            left_out.add(target.identity)
            if target.parent not in left_out:
                skipped.append(Skipped(target.entity.type, target.entity.place, target.entity.name, why))
            continue
        is_written = target.is_written and chosen.writes(target.entity.type)
        targets.append(replace(target, is_written=is_written))
    written = {target.identity for target in targets if target.is_written}
    of_written = [step for step in made.steps if step.target in written]
    steps = [step for step in of_written if step.recipe == "document" or not chosen.is_metadata_only]
    unselected = frozenset(step.name for step in of_written).difference(step.name for step in steps)
    remarks = [*expansion.remarks, *found.remarks, *made.remarks]
    if not expansion.counts["run"]:
        remarks.append(Remark("error", ("runs",), "No run is found."))
    mentioned = frozenset(target.identity for target in found.targets)
    return Plan(tuple(targets), tuple(steps), tuple(remarks), tuple(skipped), unselected, mentioned)


def unmentioned(plan: Plan, known: Known) -> Mapping[str, str]:
    """Return the documents, by identity, of what lies at the destination and is not in the config: it is left alone."""
    return {identity: key for identity, key in sorted(known.keys.items()) if identity not in plan.mentioned}


def outdated(plan: Plan, known: Known) -> tuple[str, ...]:
    """Return the identities of entities whose number is another by now, or that of another entity.

    Somebody else may have written to the destination since the plan was made. Ask again what it holds once nobody else
    can, and make the plan anew where this names something.
    """
    found = []
    for target in plan.targets:
        if target.number is None:
            continue
        container = target.folder.rpartition("/")[0]
        numbers = known.numbers.get(container, {})
        is_free = target.number not in known.taken.get(container, frozenset())
        if numbers.get(target.identity) != target.number and not (is_free and target.identity not in numbers):
            found.append(target.identity)
    return tuple(found)
