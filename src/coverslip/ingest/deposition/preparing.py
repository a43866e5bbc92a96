"""A config and two sides, folders or buckets -> a plan."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from coverslip.errors import InvalidRequestError
from coverslip.ingest.deposition.check import Checked
from coverslip.ingest.deposition.document import Document
from coverslip.ingest.deposition.expand import expand
from coverslip.ingest.deposition.formats import Formats
from coverslip.ingest.deposition.listing import Listing
from coverslip.ingest.deposition.lost import Lost, hold_back, lost_steps
from coverslip.ingest.deposition.noted import Noted
from coverslip.ingest.deposition.plan import Plan, make_plan, unmentioned
from coverslip.ingest.deposition.problems import Problem, merged
from coverslip.ingest.deposition.reserved import with_reserved
from coverslip.ingest.deposition.schema import Config
from coverslip.ingest.deposition.selection import Selection
from coverslip.ingest.deposition.sides import Headers, Held, list_paths, read_destination, source_folder


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with what it was made of.

    Parameters
    ----------
    plan
        What is to be done.
    source
        The folder of the ``source_prefix``.
    held
        What the destination holds.
    problems
        What is wrong, with file, line and path, errors first.
    left_alone
        Documents at the destination that the config does not mention, by identity.
    let_go
        Sources that are gone and that the plan does without; see ``lost.forget``.
    """

    plan: Plan
    source: Path
    held: Held
    problems: tuple[Problem, ...]
    left_alone: dict[str, str]
    let_go: tuple[Lost, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether everything that the config asks for is planned."""
        return not any(problem.severity == "error" for problem in self.problems)


def prepare(
    checked: Checked,
    root: Path,
    destination: Path,
    selection: Selection | None = None,
    *,
    given: Mapping[str, str] | None = None,
    done: Iterable[Noted] = (),
    formats: Formats | None = None,
    lets_go: bool = False,
) -> Prepared:
    """Return the plan of a config that is valid. Both sides are listed; of the source nothing is opened but headers.

    Parameters
    ----------
    checked
        What ``check`` says of the config.
    root
        Where the ``source_prefix`` lies, or that itself: a folder, or a prefix of a bucket from ``sources.locate``.
    destination
        The top of the layout, which need not be there yet.
    selection
        Which part is written; everything when left out.
    given
        What each numbered folder was given to by earlier ingests, see ``reserved``.
    done
        What is remembered of the steps of earlier ingests: a source of theirs that is gone is a problem, and what tells
        of it is left alone.
    formats
        What is written in which format; the usual ones when left out.
    lets_go
        Whether documents follow when a source that was ingested is gone.

    Raises
    ------
    InvalidRequestError
        The config has errors, or the source is not there.
    UnreadableFileError
        A side cannot be listed to the end.
    """
    config = checked.config
    if config is None or not checked.is_valid:
        raise InvalidRequestError(f"{checked.file}: it has errors, see `coverslip ingest check`")
    prefix = config.standardization_config.source_prefix.strip("/")
    source = source_folder(root, prefix)
    paths = list_paths(source)
    sizes = Headers(source)
    before = Listing.of(paths, voxel_sizes=sizes, prefix=f"{root.name or 'source'}/{prefix}")
    held = read_destination(destination, _folders(config, before, checked))
    held = replace(held, known=with_reserved(held.known, given or {}))
    listing = Listing.of(paths, held.keys, voxel_sizes=sizes, prefix=before.prefix)
    expansion = expand(config, listing.knowing(held.documents), checked.maps)
    plan = make_plan(config, expansion, checked.maps, held.known, selection, listing=listing)
    lost = tuple(lost_steps(done, plan, config, frozenset(paths)))
    plan = (formats or Formats()).of(plan)
    plan = plan if lets_go else hold_back(plan, lost)
    left_alone = dict(unmentioned(plan, held.known))
    return Prepared(plan, source, held, _problems(checked, plan, held), left_alone, lost if lets_go else ())


def _folders(config: Config, listing: Listing, checked: Checked) -> Iterable[str]:
    """Return the folders of the destination that can matter: those of the deposition and its datasets."""
    if any(source.destination_glob for block in config.datasets for source in block.sources):
        return ("",)
    top = config.model_copy(update={"runs": ()})
    found = expand(top, listing, checked.maps).entities
    depositions = {f"depositions_metadata/{one.name}" for one in found if one.type == "deposition"}
    return sorted(depositions | {one.name for one in found if one.type == "dataset"})


def _problems(checked: Checked, plan: Plan, held: Held) -> tuple[Problem, ...]:
    document = checked.document or Document(checked.file, None)
    unread = [
        Problem("error", problem, 0, 0, "", "Its number is kept, and nobody knows of what.")
        for problem in held.problems
    ]
    return merged([*map(document.problem, plan.remarks), *unread, *checked.warnings])
