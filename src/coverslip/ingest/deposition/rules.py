"""What must fit together in a config, beyond the type of each value.

Each rule looks at the document as it is written, so that it speaks even where something else is wrong.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date

from coverslip.errors import InvalidRequestError
from coverslip.ingest.deposition.document import Document, Node
from coverslip.ingest.deposition.entities import SECTIONS, SHAPES, ancestors
from coverslip.ingest.deposition.patterns import may_take_forever, prefix_parts
from coverslip.ingest.deposition.problems import Remark, Step, described, did_you_mean, listed, shortened

Steps = tuple[Step, ...]

VOCABULARIES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("datasets", "sample_type"): (
        *("cell", "cell_line", "in_silico", "in_vitro", "organelle", "organism", "organoid"),
        *("other", "primary_cell_culture", "tissue", "virus"),
    ),
    ("tiltseries", "camera", "acquire_mode"): ("counting", "superresolution", "linear", "cds"),
    ("tiltseries", "microscope", "manufacturer"): ("FEI", "TFS", "JEOL", "SIMULATED"),
    ("alignments", "method_type"): (
        *("fiducial_based", "patch_tracking", "projection_matching", "simulated", "undefined"),
    ),
}
"""Words that are usual, by section and path in the metadata. New instruments come up, so another word is a warning."""

LINKS = ("documentation", "models_weights", "other", "source_code", "website")

INGEST_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*-[0-9]+")
ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")
PLACEHOLDER = re.compile(r"(REQUIRED|OPTIONAL|RECOMMENDED)\b")


def check_rules(document: Document) -> list[Remark]:
    """Return everything in a document that does not fit together."""
    return [remark for rule in RULES for remark in rule(document)]


def blocks(document: Document, section: str) -> Iterator[tuple[Steps, Node]]:
    """Yield the path and node of every block of a section."""
    node = document.at(section)
    for index, block in enumerate((node and node.items) or []):
        yield (section, index), block


def sources(document: Document, section: str) -> Iterator[tuple[Steps, Node]]:
    """Yield the path and node of every source of a section."""
    for steps, block in blocks(document, section):
        node = block.step("sources")
        for index, source in enumerate((node and node.items) or []):
            yield (*steps, "sources", index), source


def _one_finder(document: Document) -> Iterator[Remark]:
    for section, entity in SECTIONS.items():
        names = SHAPES if section == "annotations" else entity.finders
        sort = "shape" if section == "annotations" else "finder"
        for steps, source in sources(document, section):
            keys = source.entries or {}
            named = [key for key in keys if key in names and not _is_null(keys[key])]
            if source.entries is None or len(named) == 1:
                continue
            sentence = (
                f"The source has no {sort}."
                if not named
                else f"The source has {len(named)} {sort}s: {listed(named, 'and')}."
            )
            yield Remark("error", steps, sentence, f"Each source needs exactly one of {listed(names)}.")


def _one_glob(document: Document) -> Iterator[Remark]:
    for steps, source in sources(document, "annotations"):
        for shape in SHAPES:
            keys = (node.entries if (node := source.step(shape)) is not None else None) or {}
            named = [key for key in ("glob_string", "glob_strings") if key in keys]
            if keys and len(named) != 1:
                count = "neither" if not named else "both"
                yield Remark(
                    "error", (*steps, shape), f"There is {count} of glob_string and glob_strings: one is needed."
                )


def _shapes_once(document: Document) -> Iterator[Remark]:
    """Check that a shape stands twice in an annotation only where filters tell the two apart."""
    for steps, block in blocks(document, "annotations"):
        seen: set[tuple[str, str]] = set()
        node = block.step("sources")
        for index, source in enumerate((node and node.items) or []):
            filters = source.step("parent_filters")
            for shape in SHAPES:
                if shape in (source.entries or {}):
                    same = (shape, repr(filters.plain()) if filters is not None else "")
                    if same in seen:
                        where = (*steps, "sources", index, shape)
                        hint = "Tell the two apart by parent_filters, or make another annotation."
                        yield Remark(
                            "error", where, f"The annotation has a {shape} already, below the same parents.", hint
                        )
                    seen.add(same)


def _real_parents(document: Document) -> Iterator[Remark]:
    for section, entity in SECTIONS.items():
        above = ancestors(entity.name)
        for steps, source in sources(document, section):
            for side in ("include", "exclude"):
                node = source.step("parent_filters")
                node = node.step(side) if node is not None else None
                for name in (node.entries if node is not None else None) or {}:
                    if name not in above:
                        where = (*steps, "parent_filters", side, name)
                        lies = f"{section} lie in {listed(above, 'and')}" if above else f"{section} lie in nothing"
                        hint = did_you_mean(name, above)
                        yield Remark("error", where, f"There is no parent of type {name!r}: {lies}.", hint)


def _ingest_ids(document: Document) -> Iterator[Remark]:
    seen: dict[str, int] = {}
    for steps, _ in blocks(document, "annotations"):
        where = (*steps, "metadata", "annotation_ingest_id")
        node = document.at(*where)
        if node is None or not isinstance(node.value, str):
            continue
        if node.value in seen:
            yield Remark("error", where, f"The id {node.value!r} stands in line {seen[node.value]} already.")
        elif not INGEST_ID.fullmatch(node.value):
            sentence = f"The id is {described(node.value)}; it should look like 'cytosolic-ribosome-1'."
            yield Remark(
                "warning", where, sentence, "Small letters and digits with hyphens between, and a number last."
            )
        seen.setdefault(node.value, node.line)


def _versions(document: Document) -> Iterator[Remark]:
    for steps, block in blocks(document, "annotations"):
        metadata = block.step("metadata")
        if metadata is None or not metadata.entries:
            continue
        if "version" not in metadata.entries:
            yield Remark("warning", (*steps, "metadata"), "The annotation has no version; 1.0 is taken.")
            continue
        version = metadata.entries["version"].value
        if version is not None and not str(version)[-1:].isdigit():
            sentence = (
                "The portal's tools find annotations by names that end in a digit; with this version they do not."
            )
            yield Remark("warning", (*steps, "metadata", "version"), sentence)


def _same_deposition(document: Document) -> Iterator[Remark]:
    node = document.at("standardization_config", "deposition_id")
    if node is None or not isinstance(node.value, int):
        return
    for steps, _ in blocks(document, "depositions"):
        identifier = document.at(*steps, "metadata", "deposition_identifier")
        if identifier is not None and identifier.value != node.value:
            where = (*steps, "metadata", "deposition_identifier")
            yield Remark("warning", where, f"standardization_config says deposition {node.value}.")
    for steps, source in sources(document, "depositions"):
        literal = source.step("literal")
        value = literal.step("value") if literal is not None else None
        for index, item in enumerate((value and value.items) or []):
            if str(item.value) != str(node.value):
                where = (*steps, "literal", "value", index)
                yield Remark("warning", where, f"standardization_config says deposition {node.value}.")


def _sections_needed(document: Document) -> Iterator[Remark]:
    def has(section: str) -> bool:
        node = document.at(section)
        return node is not None and bool(node.items)

    for section, needed, why in (
        ("tiltseries", "collection_metadata", "the order and dose of the tilts come from it"),
        ("collection_metadata", "frames", "they say whether the doses it lists are corrected"),
        ("ctfs", "tiltseries", "they belong to one"),
        ("rawtilts", "tiltseries", "they belong to one"),
    ):
        if has(section) and not has(needed):
            yield Remark("warning", (section,), f"There are {section} and no {needed}: {why}.")


def _tilt_ranges(document: Document) -> Iterator[Remark]:
    for steps, _ in blocks(document, "tiltseries"):
        where = (*steps, "metadata", "tilt_range")
        low, high = document.at(*where, "min"), document.at(*where, "max")
        found = [node.value for node in (low, high) if node is not None and isinstance(node.value, int | float)]
        if len(found) == 2 and found[0] > found[1]:
            yield Remark("error", where, f"The smallest tilt, {found[0]}, is above the largest, {found[1]}.")


def _vocabularies(document: Document) -> Iterator[Remark]:
    for (section, *keys), words in VOCABULARIES.items():
        for steps, _ in blocks(document, section):
            where = (*steps, "metadata", *keys)
            node = document.at(*where)
            if node is not None and isinstance(node.value, str) and "{" not in node.value and node.value not in words:
                yield Remark("warning", where, f"{shortened(node.value)!r} is unusual here.", _usual(node.value, words))
    for steps, _ in blocks(document, "annotations"):
        links = document.at(*steps, "metadata", "method_links")
        for index, link in enumerate((links and links.items) or []):
            node = link.step("link_type")
            if node is not None and isinstance(node.value, str) and node.value not in LINKS:
                where = (*steps, "metadata", "method_links", index, "link_type")
                yield Remark("warning", where, f"{shortened(node.value)!r} is unusual here.", _usual(node.value, LINKS))


def _usual(word: str, words: tuple[str, ...]) -> str:
    return did_you_mean(word, words) or f"Usual are {listed(words, 'and')}."


def _people_and_dates(document: Document) -> Iterator[Remark]:
    for section in ("depositions", "datasets", "tomograms", "annotations"):
        for steps, _ in blocks(document, section):
            here = (*steps, "metadata")
            authors = document.at(*here, "authors")
            for index, author in enumerate((authors and authors.items) or []):
                node = author.step("ORCID")
                if node is not None and isinstance(node.value, str) and not is_orcid(node.value):
                    where = (*here, "authors", index, "ORCID")
                    yield Remark(
                        "warning", where, f"{node.value!r} is no ORCID: its last digit does not fit the others."
                    )
            first, last = (_day(document.at(*here, "dates", key)) for key in ("deposition_date", "release_date"))
            if first and last and first > last:
                where = (*here, "dates", "release_date")
                yield Remark("warning", where, f"Released on {last}, before it was deposited on {first}.")


def is_orcid(text: str) -> bool:
    """Return whether a text is an ORCID whose last character fits the others (ISO 7064, mod 11-2)."""
    if not ORCID.fullmatch(text):
        return False
    digits = text.replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11] == digits[-1]


def _day(node: Node | None) -> date | None:
    try:
        return date.fromisoformat(str(node.value)) if node is not None else None
    except ValueError:
        return None


def _names(document: Document) -> Iterator[Remark]:
    """Names that become folders of the layout, and the folder that everything is looked for in."""
    from coverslip.cryoet import layout  # noqa: PLC0415  brings numpy along

    for section in ("datasets", "runs"):
        for steps, source in sources(document, section):
            literal = source.step("literal")
            value = literal.step("value") if literal is not None else None
            for index, item in enumerate((value and value.items) or []):
                if isinstance(item.value, str) and "{" not in item.value:
                    yield from _refused(layout.name, item.value, (*steps, "literal", "value", index))
    where = ("standardization_config", "source_prefix")
    node = document.at(*where)
    if node is not None and isinstance(node.value, str):
        yield from _refused(prefix_parts, node.value, where)


def _refused(check: Callable[[str], object], text: str, where: Steps) -> Iterator[Remark]:
    try:
        check(text)
    except InvalidRequestError as error:
        yield Remark("error", where, f"{error}.")


def _placeholders(document: Document) -> Iterator[Remark]:
    for section in SECTIONS:
        for steps, block in blocks(document, section):
            metadata = block.step("metadata")
            for where, text in _texts(metadata, (*steps, "metadata")) if metadata is not None else ():
                if PLACEHOLDER.match(text):
                    yield Remark("warning", where, f"The placeholder {text.split()[0]} has not been replaced.")


def slow_regexes(document: Document) -> Iterator[Remark]:
    """Yield a warning for each regular expression that may take forever."""
    for section in SECTIONS:
        for steps, source in sources(document, section):
            for where, text in _texts(source, steps):
                is_regex = "parent_filters" in where or "exclude" in where or str(where[-1]).endswith("_regex")
                if is_regex and may_take_forever(text):
                    sentence = "A repeat inside a repeated group can take forever on a name that does not fit."
                    yield Remark("warning", where, sentence)


def _texts(node: Node, steps: Steps) -> Iterator[tuple[Steps, str]]:
    if isinstance(node.value, str):
        yield steps, node.value
    for index, item in enumerate(node.items or []):
        yield from _texts(item, (*steps, index))
    for key, value in (node.entries or {}).items():
        yield from _texts(value, (*steps, key))


def _is_null(node: Node) -> bool:
    return node.items is None and node.entries is None and node.value is None


RULES: tuple[Callable[[Document], Iterator[Remark]], ...] = (
    _one_finder,
    _one_glob,
    _shapes_once,
    _real_parents,
    _ingest_ids,
    _versions,
    _same_deposition,
    _sections_needed,
    _tilt_ranges,
    _vocabularies,
    _people_and_dates,
    _names,
    _placeholders,
    slow_regexes,
)
