"""The names in the templates of a config, compared with what will be known where they are used."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from coverslip.ingest.deposition.document import Document, Node
from coverslip.ingest.deposition.entities import SECTIONS, SHAPES, EntityType, is_below_run, variables
from coverslip.ingest.deposition.maps import MAPS, RunMaps
from coverslip.ingest.deposition.patterns import PatternError, check_glob, compiled
from coverslip.ingest.deposition.problems import Problem, Remark, Step, did_you_mean, shortened
from coverslip.ingest.deposition.rules import sources
from coverslip.ingest.deposition.templates import (
    Template,
    TemplateError,
    Type,
    as_type,
    metadata_template,
    parse_template,
)

GLOBS = ("list_glob", "glob_string", "list_globs", "glob_strings")
FILLED = (*GLOBS, "filter_value", "mesh_source_path")


@dataclass(frozen=True, slots=True)
class Use:
    """A template of a config and where it stands."""

    entity: EntityType
    steps: tuple[Step, ...]
    template: Template


@dataclass(slots=True)
class NameCheck:
    """What comparing the names brings to light."""

    remarks: list[Remark] = field(default_factory=list)
    rows: list[Problem] = field(default_factory=list)
    """What is wrong in the rows of a map."""
    unchecked: dict[str, Type] = field(default_factory=dict)
    """Names that only a map that is not here could have, with the type asked for."""


def check_names(document: Document, maps: RunMaps) -> NameCheck:
    """Return what is wrong with the templates and globs of a document, valid or not.

    Parameters
    ----------
    document
        The config.
    maps
        Its maps, as far as they are here.
    """
    found = NameCheck()
    for entity, steps, text, is_glob in _texts(document):
        if is_glob:
            _check_glob(found, steps, text)
        try:
            template = parse_template(text) if is_glob or steps[-1] in FILLED else metadata_template(text)
        except TemplateError as error:
            found.remarks.append(
                Remark("error", steps, str(error), "A brace that stands for itself is written twice: {{ or }}.")
            )
            continue
        if template is not None:
            use = Use(entity, steps, template)
            for name in dict.fromkeys(template.names):
                _check_name(found, use, name, maps)
            if template.type != "text":
                _check_rows(found, use, maps, _left_out(document, use))
    return found


def _texts(document: Document) -> Iterator[tuple[EntityType, tuple[Step, ...], str, bool]]:
    """Yield every text that may be a template: its entity type, its path, itself, and whether it is a glob."""
    for section, entity in SECTIONS.items():
        blocks = document.at(section)
        for index, block in enumerate((blocks and blocks.items) or []):
            here: tuple[Step, ...] = (section, index)
            metadata, sources = block.step("metadata"), block.step("sources")
            if metadata is not None and (entity.is_templated or section == "identified_objects"):
                for steps, text in _scalars(metadata, (*here, "metadata")):
                    yield entity, steps, text, False
            for steps, text in _scalars(sources, (*here, "sources")) if sources is not None else ():
                finder = steps[4] if len(steps) > 4 else ""
                if finder in ("parent_filters", "exclude") or len(steps) < 6:
                    continue
                key = steps[5]
                if key in FILLED and (finder in SHAPES or key in GLOBS):
                    yield entity, steps, text, key in GLOBS
                elif finder == "literal" and section == "voxel_spacings":
                    yield entity, steps, text, False


def _scalars(node: Node, steps: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], str]]:
    if isinstance(node.value, str):
        yield steps, node.value
    for index, item in enumerate(node.items or []):
        yield from _scalars(item, (*steps, index))
    for key, value in (node.entries or {}).items():
        yield from _scalars(value, (*steps, key))


def _check_glob(found: NameCheck, steps: tuple[Step, ...], text: str) -> None:
    try:
        odd = check_glob(text)
    except PatternError as error:
        found.remarks.append(Remark("error", steps, str(error)))
        return
    if odd:
        found.remarks.append(Remark("warning", steps, odd))


def _check_name(found: NameCheck, use: Use, name: str, maps: RunMaps) -> None:
    own = variables(use.entity.name)
    below_run = is_below_run(use.entity.name)
    if name in own or (below_run and name in maps.columns):
        return
    known = (*own, *maps.columns) if below_run else own
    if not below_run:
        is_column = name in maps.columns or name in MAPS.values()
        why = (
            "the row of a run is known only below it"
            if is_column
            else f"{use.entity.section} know only what they lie in"
        )
        sentence = f"Nothing is called {shortened(name)!r} here: {why}."
    elif maps.might_have(name):
        if use.template.type != "text" or name not in found.unchecked:
            found.unchecked[name] = use.template.type
        return
    elif maps.states.get("run_data_map_file", "unnamed") == "unnamed":
        sentence = f"Nothing is called {shortened(name)!r} here, and there is no run_data_map_file with such a column."
    else:
        file = maps.maps["run_data_map_file"].file
        sentence = f"Nothing is called {shortened(name)!r} here, and {file} has no such column."
    found.remarks.append(Remark("error", use.steps, sentence, did_you_mean(name, known)))


def _left_out(document: Document, use: Use) -> list[re.Pattern[str]]:
    """Return what matches the runs that a template is never filled for."""
    paths: list[tuple[Step, ...]] = []
    if "sources" in use.steps:
        paths.append((*use.steps[:4], "parent_filters", "exclude", "run"))
    paths += [(*steps, "exclude") for steps, _ in sources(document, "runs")]
    if use.entity.section == "tomograms":
        spacings = sources(document, "voxel_spacings")
        paths += [(*steps, "parent_filters", "exclude", "run") for steps, _ in spacings]
    found = []
    for path in paths:
        node = document.at(*path)
        for item in (node and node.items) or []:
            with suppress(PatternError):
                found.append(compiled(str(item.value)))
    return found


def _check_rows(found: NameCheck, use: Use, maps: RunMaps, left_out: list[re.Pattern[str]]) -> None:
    """Check that every row of the map gives the number that a template asks for."""
    (name,) = use.template.names
    table = next((one for one in maps.maps.values() if name in one.columns), None)
    empty = []
    for run, (line, values) in table.rows.items() if table else ():
        text = values.get(name, "")
        if any(pattern.search(run) for pattern in left_out):
            continue
        if not text:
            empty.append(run)
            continue
        try:
            as_type(text, use.template.type)
        except TemplateError as error:
            file = table.file if table else ""
            sentence = f"{error}, and {use.template.text!r} of {_short(use)} asks for one (run {run!r})."
            found.rows.append(Problem("error", file, line, 1, name, sentence))
    if empty:
        runs = f"{empty[0]!r}" + (f" and {len(empty) - 1} more" if len(empty) > 1 else "")
        found.remarks.append(
            Remark(
                "warning", use.steps, f"The map says nothing in column {name!r} about {runs}: it stays unknown there."
            )
        )


def _short(use: Use) -> str:
    return f"{use.steps[0]}.{use.steps[-1]}"
