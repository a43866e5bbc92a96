"""Removing artifacts from the storage, as many as it lets go of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from coverslip.errors import StorageError
from coverslip.storage import Storage

MOST_FAILURES = 10
"""So many in a row, and the storage is not asked any more: it may need half a minute to refuse each time."""
NO_SIZES: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Removed:
    """What a cleaning came to."""

    files: int = 0
    """Files and artifacts that are gone."""
    problems: tuple[str, ...] = ()
    """What could not be removed, and why. The next cleaning tries again."""
    bytes: int = 0
    """Bytes of the artifacts among them, where their size was known."""

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(self.files + other.files, self.problems + other.problems, self.bytes + other.bytes)


def remove_artifacts(storage: Storage, keys: Sequence[str], sizes: Mapping[str, int] = NO_SIZES) -> Removed:
    """Remove what can be removed; a storage that refuses many times in a row is asked no more."""
    files, size, failures, in_a_row = 0, 0, list[str](), 0
    for position, key in enumerate(keys):
        try:
            storage.delete(key)
        except StorageError as error:
            failures.append(str(error))
            in_a_row += 1
        else:
            files += 1
            size += sizes.get(key, 0)
            in_a_row = 0
        if in_a_row == MOST_FAILURES and keys[position + 1 :]:
            failures.append(f"{len(keys) - position - 1:,} more artifacts were left in {storage.url}")
            break
    return Removed(files, tuple(failures), size)
