"""Everything that is wrong with a config, at once, before a byte of data is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coverslip.ingest.deposition.document import Document, parse
from coverslip.ingest.deposition.example import make_example
from coverslip.ingest.deposition.maps import MAPS, MapError, RunMap, RunMaps, State, find_map, read_map
from coverslip.ingest.deposition.names import NameCheck, check_names
from coverslip.ingest.deposition.problems import Problem, Remark, listed, merged
from coverslip.ingest.deposition.rules import check_rules, slow_regexes
from coverslip.ingest.deposition.schema import Config
from coverslip.ingest.deposition.validate import validate

MOST_BYTES = 4 * 1024 * 1024
"""The largest real config has 19 kB."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check says about one config.

    Parameters
    ----------
    file
        The config.
    problems
        Everything that is wrong, errors first.
    config
        The config, when it has no errors.
    maps
        Its maps, as far as they are here.
    example
        How many entities of each type it finds in a listing made up from its own globs.
    is_readable
        Whether the file could be opened.
    document
        What was read, with the place of each value; ``None`` where it is no config at all.
    """

    file: str
    problems: tuple[Problem, ...] = ()
    config: Config | None = None
    maps: RunMaps = field(default_factory=RunMaps)
    example: Mapping[str, int] = field(default_factory=dict)
    is_readable: bool = True
    document: Document | None = field(default=None, repr=False)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What keeps it from being ingested."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What somebody should look at."""
        return tuple(problem for problem in self.problems if problem.severity == "warning")

    @property
    def is_valid(self) -> bool:
        """Whether it can be ingested as it stands."""
        return not self.errors


def check(path: Path, *, folder: Path | None = None) -> Checked:
    """Return what is wrong with a config. Whatever the file holds, that is an answer and no exception.

    Parameters
    ----------
    path
        A YAML file.
    folder
        Where the maps of runs are looked for, below their ``source_prefix`` or directly, before the folder of the
        config.
    """
    try:
        with path.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return _failed(path, f"It cannot be opened: {reason}.", is_readable=False)
    if len(content) > MOST_BYTES:
        return _failed(path, f"It is larger than {MOST_BYTES // 1024**2} MiB, which no config is.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Checked(str(path), (Problem("error", str(path), line, 1, "", "This is no UTF-8 text."),))
    return check_text(text, str(path), folders=((folder,) if folder else ()), beside=path.parent)


def check_text(text: str, file: str, *, folders: tuple[Path, ...] = (), beside: Path | None = None) -> Checked:
    """Return what is wrong with the text of a config; see ``check``.

    Parameters
    ----------
    text
        YAML.
    file
        The name that problems carry.
    folders
        Where maps are looked for, below the ``source_prefix`` or directly.
    beside
        Where maps are looked for last; nowhere when there is none.
    """
    document = parse(text, file)
    if document.root is None:
        return Checked(file, merged(document.problems))
    if document.root.entries is None:
        what = Problem(
            "error", file, document.root.line, document.root.column, "", "A config is a mapping of sections."
        )
        return Checked(file, merged((*document.problems, what)))
    config, remarks = validate(document)
    maps, map_remarks, map_problems = _read_maps(document, _search(document, folders, beside))
    names = check_names(document, maps)
    remarks += [*check_rules(document), *map_remarks, *names.remarks, *_skipped(document, maps, names)]
    problems = [*document.problems, *map(document.problem, _without_echoes(remarks)), *map_problems, *names.rows]
    if config is None or any(problem.severity == "error" for problem in problems):
        return Checked(file, merged(problems), None, maps, document=document)
    example: Mapping[str, int] = {}
    if not any(slow_regexes(document)):
        example = make_example(config, maps, names.unchecked).expansion.counts
        if not example.get("run"):
            sentence = "No path that list_glob finds seems to fit match_regex, name_regex and the filters."
            problems.append(document.problem(Remark("warning", ("runs",), sentence)))
    return Checked(file, merged(problems), config, maps, dict(example), document=document)


def _failed(path: Path, sentence: str, *, is_readable: bool = True) -> Checked:
    return Checked(str(path), (Problem("error", str(path), 0, 0, "", sentence),), is_readable=is_readable)


def _search(document: Document, folders: tuple[Path, ...], beside: Path | None) -> tuple[Path, ...]:
    """Return the folders in which maps are looked for, in their order."""
    node = document.at("standardization_config", "source_prefix")
    prefix = node.value if node is not None and isinstance(node.value, str) else ""
    is_below = prefix and "\0" not in prefix and not Path(prefix).is_absolute() and ".." not in Path(prefix).parts
    found = []
    for folder in folders:
        found += [folder / prefix, folder] if is_below else [folder]
    return (*found, beside) if beside is not None else tuple(found)


def _read_maps(document: Document, folders: tuple[Path, ...]) -> tuple[RunMaps, list[Remark], list[Problem]]:
    tables: dict[str, RunMap] = {}
    states: dict[str, State] = {}
    remarks: list[Remark] = []
    problems: list[Problem] = []
    for key, column in MAPS.items():
        node = document.at("standardization_config", key)
        if node is None or not isinstance(node.value, str):
            continue
        states[key] = "broken"
        try:
            path = find_map(node.value, folders)
        except MapError as error:
            remarks.append(Remark("error", ("standardization_config", key), str(error)))
            continue
        if path is None:
            states[key] = "missing"
            continue
        try:
            tables[key], wrong = read_map(path, column)
        except MapError as error:
            problems.append(Problem("error", str(path), 0, 0, "", str(error)))
            continue
        states[key] = "read"
        problems += wrong
    return RunMaps(tables, states), remarks, problems


def _skipped(document: Document, maps: RunMaps, names: NameCheck) -> list[Remark]:
    """Return a warning for each map that is not here, with what could not be checked without it."""
    found = []
    for key, state in maps.states.items():
        if state != "missing":
            continue
        node = document.at("standardization_config", key)
        file = node.value if node is not None else ""
        mapped = MAPS[key]
        skipped = [name for name in names.unchecked if name == mapped or (not mapped and name not in MAPS.values())]
        what = (
            f"The check of {listed(sorted(skipped), 'and')} was skipped."
            if skipped
            else "None of its columns is asked for."
        )
        sentence = f"The map {file!r} is not here. {what}"
        found.append(Remark("warning", ("standardization_config", key), sentence))
    return found


def _without_echoes(remarks: list[Remark]) -> list[Remark]:
    """Return remarks without those on placeholders where an error says more."""
    wrong = {remark.steps for remark in remarks if remark.severity == "error"}
    return [one for one in remarks if one.severity == "error" or one.steps not in wrong]
