"""Numbers of folders, noted before anything is written there: an ingest that was killed goes on with the same ones."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from coverslip.errors import ConflictError
from coverslip.ingest.deposition.known import Known
from coverslip.ingest.deposition.ports import StepLog
from coverslip.ingest.deposition.steps import Target
from coverslip.model.entities import StepRecord

PREFIX = "numbers/"
FOLDER = "folder"


def reserved(log: StepLog, under: str = "") -> dict[str, str]:
    """Return what each numbered folder was given to: identities by folder, those below an identity or all."""
    records = log.steps(f"{PREFIX}{under}")
    return {str(one.facts[FOLDER]): name.removeprefix(PREFIX) for name, one in records.items() if FOLDER in one.facts}


def with_reserved(known: Known, given: Mapping[str, str]) -> Known:
    """Return what a destination holds with the numbers that were given and may not have a document yet.

    A document counts for more: whoever put it there may have moved it.
    """
    numbers = {container: dict(some) for container, some in known.numbers.items()}
    taken = dict(known.taken)
    for folder, identity in sorted(given.items()):
        container, _, last = folder.rpartition("/")
        here = numbers.setdefault(container, {})
        number = int(last)
        taken[container] = taken.get(container, frozenset()) | {number}
        if identity not in here and number not in here.values():
            here[identity] = number
    return replace(known, numbers=numbers, taken=taken)


def reserve(log: StepLog, run: str, targets: Sequence[Target], given: Mapping[str, str]) -> None:
    """Note the numbers of the entities that are about to be written in a run, which nobody else has now.

    Parameters
    ----------
    log
        Where they are kept.
    run
        The identity of the run.
    targets
        Its entities.
    given
        The numbers that were known when they were planned.

    Raises
    ------
    ConflictError
        Another ingest has given one of them away since.
    """
    wanted = {one.folder: one.identity for one in targets if one.is_written and one.number is not None}
    if not wanted:
        return
    now = reserved(log, f"{run}/")
    folders = {identity: folder for folder, identity in now.items()}
    for folder, identity in wanted.items():
        other = now.get(folder, identity)
        own = folders.get(identity, folder)
        if (other != identity and given.get(folder) != other) or (own != folder and given.get(own) != identity):
            raise ConflictError(f"{folder}: this number was given away since it was planned. Plan and apply again")
    for folder, identity in wanted.items():
        if now.get(folder) != identity:
            log.note(StepRecord(f"{PREFIX}{identity}", "", {FOLDER: folder}, {}))
