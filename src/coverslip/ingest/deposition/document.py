"""YAML text as values, each with the line and column it stands in.

Built from the events of the parser, not by its own composer: that one recurses as deep as the text does, expands what
aliases refer to, and lets the last of two equal keys win.
"""

from dataclasses import dataclass, field

import yaml

from coverslip.ingest.deposition.problems import Problem, Remark, Step, did_you_mean, path_text, shortened

MOST_DEEP = 64
"""Levels, those behind aliases included. The deepest real config has 9."""

MOST_VALUES = 100_000
"""Values with what aliases repeat written out: a nest of them doubles with each line. Real configs have 3,000."""

LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser in C is ten times as fast; wheels of PyYAML have it."""

TAG = "tag:yaml.org,2002:"
TAGS = frozenset(TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp"))


@dataclass(slots=True, eq=False)
class Node:
    """A value of a document and where it stands.

    Parameters
    ----------
    line, column
        Counted from 1.
    value
        A scalar; for a list and a mapping see ``items`` and ``entries``.
    items
        The nodes of a list.
    entries
        The nodes of a mapping, what it merges in included.
    keys
        Line and column of each key of a mapping.
    """

    line: int
    column: int
    value: object = None
    items: list["Node"] | None = None
    entries: dict[str, "Node"] | None = None
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    size: int = 1
    depth: int = 1
    is_open: bool = False
    text: str = ""

    def plain(self) -> object:
        """Return the value without places: scalars, tuples and dictionaries. What an alias repeats is shared."""
        if self.items is not None:
            return tuple(node.plain() for node in self.items)
        if self.entries is not None:
            return {key: node.plain() for key, node in self.entries.items()}
        return self.value

    def step(self, step: Step) -> "Node | None":
        """Return the node one step further, where there is one."""
        if isinstance(step, int):
            return self.items[step] if self.items is not None and 0 <= step < len(self.items) else None
        return self.entries.get(step) if self.entries is not None else None


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document.

    Parameters
    ----------
    file
        The name that problems carry.
    root
        The top of the document; ``None`` when it is no YAML at all.
    problems
        What is wrong with the YAML itself.
    """

    file: str
    root: Node | None
    problems: tuple[Problem, ...] = ()

    def at(self, *steps: Step) -> Node | None:
        """Return the node at a path, where there is one."""
        node = self.root
        for step in steps:
            node = node.step(step) if node is not None else None
        return node

    def problem(self, remark: Remark) -> Problem:
        """Return a remark with its place; what is missing is said of that in which it is missing."""
        node, place = self.root, (0, 0)
        if node is not None:
            place = (node.line, node.column)
        for step in remark.steps:
            found = node.step(step) if node is not None else None
            if node is None or found is None:
                place = (node.line, node.column) if node is not None else place
                break
            place = node.keys[step] if isinstance(step, str) else (found.line, found.column)
            node = found
        return Problem(remark.severity, self.file, *place, path_text(remark.steps), remark.sentence, remark.hint)


def parse(text: str, file: str) -> Document:
    """Return the document in a text; what cannot be read is in its problems."""
    composer = _Composer(file)
    try:
        for event in yaml.parse(text, Loader=LOADER):
            composer.take(event)
    except _GaveUpError:
        return Document(file, None, tuple(composer.problems))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        composer.say(place, f"This is not YAML: {error.problem or error.context or 'it cannot be parsed'}.")
        return Document(file, None, tuple(composer.problems))
    except (yaml.YAMLError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "it cannot be parsed"
        composer.say((0, 0), f"This is not YAML: {shortened(reason, 120)}.")
        return Document(file, None, tuple(composer.problems))
    if composer.root is None and not composer.problems:
        composer.say((0, 0), "The file is empty.")
    return Document(file, composer.root, tuple(composer.problems))


class _GaveUpError(Exception):
    """The document is larger or deeper than any config is."""


@dataclass(slots=True, eq=False)
class _Frame:
    """A list or mapping that is being read."""

    node: Node
    anchor: str | None
    key: Node | None = None
    merges: list[Node] = field(default_factory=list)


class _Composer:
    """Makes nodes of events, with a stack of its own instead of recursion."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.root: Node | None = None
        self._frames: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._documents = 0
        self._resolver = yaml.resolver.Resolver()

    def say(self, place: tuple[int, int], sentence: str, hint: str = "") -> None:
        self.problems.append(Problem("error", self.file, *place, "", sentence, hint))

    def take(self, event: yaml.Event) -> None:
        mark = event.start_mark
        place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents == 2:
                    self.say(place, "A second document begins here; a config is one.")
                self._anchors = {}
            case yaml.ScalarEvent():
                node = Node(*place, value=self._scalar(event, place), text=event.value)
                if event.anchor:
                    self._anchors[event.anchor] = node
                self._add(node, is_merge_key=event.value == "<<" and event.implicit[0] and event.tag is None)
            case yaml.AliasEvent():
                self._add(self._alias(event.anchor, place))
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._begin(event, place)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._end()

    def _begin(self, event: yaml.SequenceStartEvent | yaml.MappingStartEvent, place: tuple[int, int]) -> None:
        node = Node(*place, is_open=True)
        if isinstance(event, yaml.SequenceStartEvent):
            node.items = []
        else:
            node.entries = {}
        if event.tag not in (None, "!", TAG + "seq", TAG + "map"):
            self.say(place, f"The tag {shortened(event.tag)} is not allowed.")
        if event.anchor:
            self._anchors[event.anchor] = node
        self._frames.append(_Frame(node, event.anchor))
        if len(self._frames) > MOST_DEEP:
            self._give_up(place, f"The document is nested deeper than {MOST_DEEP} levels.")

    def _end(self) -> None:
        frame = self._frames.pop()
        for merged in frame.merges:
            self._merge(frame.node, merged)
        frame.node.is_open = False
        self._add(frame.node)

    def _alias(self, anchor: str | None, place: tuple[int, int]) -> Node:
        target = self._anchors.get(anchor or "")
        if target is None:
            self.say(
                place, f"There is no anchor &{anchor} before this alias.", did_you_mean(anchor or "", self._anchors)
            )
        elif target.is_open:
            self.say(place, f"The alias *{anchor} refers to what contains it.")
        else:
            return target
        return Node(*place)

    def _scalar(self, event: yaml.ScalarEvent, place: tuple[int, int]) -> object:
        tag = event.tag
        if tag is None:
            tag = self._resolver.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
        if tag in ("!", TAG + "str", TAG + "merge", TAG + "value"):
            return event.value
        if tag not in TAGS:
            self.say(place, f"The tag {shortened(tag)} is not allowed.")
            return event.value
        try:
            constructor = yaml.constructor.SafeConstructor()
            return constructor.construct_document(yaml.ScalarNode(tag, event.value))
        except (ValueError, OverflowError, LookupError, AttributeError, yaml.YAMLError):
            kind = tag.removeprefix(TAG)
            self.say(place, f"{shortened(event.value)!r} is no {kind}.", "Put it in quotes if it is text.")
            return event.value

    def _add(self, node: Node, *, is_merge_key: bool = False) -> None:
        if not self._frames:
            self.root = self.root or node
            return
        frame = self._frames[-1]
        self._grow(frame.node, node)
        if frame.node.items is not None:
            frame.node.items.append(node)
        elif frame.key is None:
            frame.key = node
            node_is_scalar = node.items is None and node.entries is None
            if not node_is_scalar:
                self.say((node.line, node.column), "A key must be a word, not a list or a mapping.")
            if is_merge_key:
                frame.key = Node(node.line, node.column, value=_MERGE, text="<<")
        else:
            self._add_entry(frame, frame.key, node)
            frame.key = None

    def _add_entry(self, frame: _Frame, key: Node, node: Node) -> None:
        if key.value is _MERGE:
            frame.merges.append(node)
            return
        entries, keys = frame.node.entries, frame.node.keys
        assert entries is not None
        if key.text in entries:
            line = keys[key.text][0]
            self.say((key.line, key.column), f"The key {shortened(key.text)!r} stands in line {line} already.")
            return
        entries[key.text] = node
        keys[key.text] = (key.line, key.column)

    def _merge(self, node: Node, merged: Node) -> None:
        sources = merged.items if merged.items is not None else [merged]
        for source in sources:
            if source.entries is None or source.is_open:
                self.say((source.line, source.column), "Only mappings can be merged in with <<.")
                continue
            assert node.entries is not None
            for key, value in source.entries.items():
                if key not in node.entries:
                    node.entries[key] = value
                    node.keys[key] = source.keys[key]

    def _grow(self, node: Node, child: Node) -> None:
        node.size += child.size
        node.depth = max(node.depth, child.depth + 1)
        if node.size > MOST_VALUES:
            self._give_up(
                (child.line, child.column), f"With its aliases written out it has over {MOST_VALUES:,} values."
            )
        if node.depth > MOST_DEEP:
            self._give_up((child.line, child.column), f"The document is nested deeper than {MOST_DEEP} levels.")

    def _give_up(self, place: tuple[int, int], sentence: str) -> None:
        self.say(place, sentence)
        raise _GaveUpError


_MERGE = object()
