"""Names that a regular expression or glob would match: for a listing made up from a config.

A guess, compared with the pattern by whoever uses it: look-arounds, back references and flags are passed over.
"""

from dataclasses import dataclass

from coverslip.ingest.deposition.patterns import class_end

_ESCAPES = {"d": "0", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a", "t": "\t"}
_NOTHING = "bBAZ"
_CLASSES = {"\\d": "0123456789", "\\w": "a0_", "\\s": " "}
_TRIES = "a0x_-.A "


def sample_of_regex(pattern: str, *, group: str | None = None, dot: str = ".") -> str:
    r"""Return a text that the expression probably matches.

    Parameters
    ----------
    pattern
        A regular expression.
    group
        What its first group is to match; made up otherwise.
    dot
        What stands for a single ``.``, which is often a forgotten ``\.``.
    """
    try:
        return _Sampler(pattern, group, dot).alternatives()
    except RecursionError:
        return ""


def sample_of_glob(part: str, fill: str) -> str:
    """Return a name that one part of a glob matches, with ``fill`` for every ``*``."""
    found, index = "", 0
    while index < len(part):
        char = part[index]
        end = class_end(part.replace("!", "^"), index) if char == "[" else index + 1
        if char == "[" and "]" in part[index + 2 :]:
            found += _of_class(part[index + 1 : end - 1].replace("!", "^", 1))
            index = end
            continue
        found += fill if char == "*" else "0" if char == "?" else char
        index += 1
    return found


@dataclass
class _Sampler:
    """Reads an expression from left to right and takes the first way through it."""

    pattern: str
    group: str | None
    dot: str
    index: int = 0
    is_first_group: bool = True

    def alternatives(self) -> str:
        """Return the first alternative and pass over the others."""
        found = self._sequence()
        while self._next("|"):
            self._sequence()
        return found

    def _sequence(self) -> str:
        found = ""
        while self.index < len(self.pattern) and self.pattern[self.index] not in "|)":
            is_dot = self.pattern[self.index] == "."
            atom = self._atom()
            low, high = self._repeats()
            found += "x" * max(low, 1) if is_dot and high != 1 else atom * max(low, min(high, 1))
        return found

    def _atom(self) -> str:
        char = self.pattern[self.index]
        self.index += 1
        if char == "(":
            return self._parentheses()
        if char == "[":
            start = self.index
            self.index = class_end(self.pattern, start - 1)
            return _of_class(self.pattern[start : self.index - 1])
        if char == "\\":
            code = self.pattern[self.index : self.index + 1]
            self.index += 1
            return "" if code in _NOTHING or code.isdigit() else _ESCAPES.get(code, code)
        return "" if char in "^$" else self.dot if char == "." else char

    def _parentheses(self) -> str:
        is_capture, is_shown = True, True
        if self._next("?"):
            if self._next("P<") or (self._is_next("<") and not self._is_next("<=") and not self._is_next("<!")):
                self.index = self.pattern.find(">", self.index) + 1 or len(self.pattern)
            else:
                is_capture = False
                is_shown = self._next(":") or self._next(">")
                if not is_shown:
                    self.index += 2 if self._is_next("<") else 1
        chosen = self.group if is_capture and self.is_first_group else None
        self.is_first_group = self.is_first_group and not is_capture
        found = self.alternatives()
        self._next(")")
        return (chosen if chosen is not None else found) if is_shown else ""

    def _repeats(self) -> tuple[int, int]:
        low, high = 1, 1
        if self._next("*"):
            low, high = 0, 9
        elif self._next("+"):
            high = 9
        elif self._next("?"):
            low = 0
        elif self._is_next("{") and (end := self.pattern.find("}", self.index)) > 0:
            first, _, _ = self.pattern[self.index + 1 : end].partition(",")
            if first.isdigit():
                low = high = min(int(first), 64)
                self.index = end + 1
        self._next("?") or self._next("+")
        return low, high

    def _is_next(self, text: str) -> bool:
        return self.pattern.startswith(text, self.index)

    def _next(self, text: str) -> bool:
        if self._is_next(text):
            self.index += len(text)
            return True
        return False


def _of_class(inside: str) -> str:
    """Return a character of a set, given what stands between its brackets."""
    if inside.startswith("^"):
        refused = inside[1:]
        for code, members in _CLASSES.items():
            refused = refused.replace(code, members)
        return next((char for char in _TRIES if char not in refused), "x")
    if inside[:2] in _CLASSES:
        return _CLASSES[inside[:2]][0]
    return inside[1:2] if inside.startswith("\\") else inside[:1]
