"""What lies at the source and at the destination, and what globs find there. Opens nothing."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from coverslip.ingest.deposition.patterns import glob_parts, is_pattern, name_pattern

type Tree = dict[str, "Tree"]


def _tree(paths: Iterable[str]) -> Tree:
    root: Tree = {}
    for path in paths:
        node = root
        for part in glob_parts(path):
            node = node.setdefault(part, {})
    return root


@dataclass(frozen=True, slots=True)
class Listing:
    """The files and folders that a config can find.

    Parameters
    ----------
    source
        Paths below the ``source_prefix``; a folder is there when something in it is.
    destination
        Paths below the top of the standard layout.
    voxel_sizes
        Of tomograms whose header was read, the voxel size in angstrom by path below the ``source_prefix``.
    prefix
        What stands before a path when it is compared with ``match_regex``.
    documents
        Metadata documents of the destination by key.
    """

    source: Tree = field(default_factory=dict)
    destination: Tree = field(default_factory=dict)
    voxel_sizes: Mapping[str, float] = field(default_factory=dict)
    prefix: str = ""
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        source: Iterable[str],
        destination: Iterable[str] = (),
        *,
        voxel_sizes: Mapping[str, float] | None = None,
        prefix: str = "",
    ) -> "Listing":
        """Return the listing of some paths."""
        return cls(_tree(source), _tree(destination), {} if voxel_sizes is None else voxel_sizes, prefix)

    def knowing(self, documents: Mapping[str, Mapping[str, Any]]) -> "Listing":
        """Return the same with what documents of the destination say, by key."""
        return replace(self, documents=documents)

    def full_path(self, path: str) -> str:
        """Return a path of the source as ``match_regex`` sees it."""
        return "/".join(part for part in (self.prefix.strip("/"), path) if part) if self.prefix else f"/{path}"

    def has(self, path: str) -> bool:
        """Return whether a file or folder lies at a path of the source."""
        node: Tree | None = self.source
        for part in glob_parts(path):
            node = node.get(part) if node is not None else None
        return node is not None

    def glob(self, glob: str, *, at_destination: bool = False) -> tuple[str, ...]:
        """Return the files and folders that fit a glob, sorted.

        ``*``, ``?`` and ``[...]`` stay within one name and match hidden ones too; ``**`` is any number of folders.
        """
        root = self.destination if at_destination else self.source
        return tuple(sorted(set(_walk(root, glob_parts(glob), ""))))


def _walk(tree: Tree, parts: tuple[str, ...], path: str) -> Iterator[str]:
    if not parts:
        if path:
            yield path
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        yield from _walk(tree, rest, path)
        for name, below in tree.items():
            yield from _walk(below, parts, _joined(path, name))
    elif is_pattern(part):
        fits = name_pattern(part).match
        for name, below in tree.items():
            if fits(name):
                yield from _walk(below, rest, _joined(path, name))
    elif part in tree:
        yield from _walk(tree[part], rest, _joined(path, part))


def _joined(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
