"""What a job would write, and what is wrong with it, before anything is written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from coverslip.errors import CoverslipError
from coverslip.export.facts import SourceFacts
from coverslip.export.plan import Plan
from coverslip.export.request import Output
from coverslip.export.sources import annotation_file
from coverslip.export.writing import free_bytes, may_write
from coverslip.model.export import ExportSpec
from coverslip.model.exporting import PlannedExport
from coverslip.render.export import Window, whole
from coverslip.render.export.panels import panel_grid
from coverslip.render.export.regions import grid
from coverslip.render.scale_bar import bar_length, fixed_length

LIKELY = {"png": 0.8, "jpeg": 0.25, "webp": 0.25, "tiff": 1.0, "ome-tiff": 1.0, "pdf": 1.0, "svg": 1.1}
"""Bytes of a file as a part of those of its pixels, rather too many."""
LEVELS = {"ome-zarr": 1.34}
"""Pixels of all levels as a part of those of the first."""
HEADER_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Planned:
    """A file that would be written."""

    item: str
    path: str
    """Relative to the folder of the job."""
    width: int | None
    """Pixels of the picture; ``None`` where it cannot be made. What is drawn beside it is not counted."""
    height: int | None
    size: int
    """Bytes, about, rather too many."""
    problem: str | None
    """Why it cannot be made: class and message."""
    exists: bool
    """Whether such a file is there already."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a job would do."""

    folder: str
    files: tuple[Planned, ...]
    problems: tuple[str, ...]
    """What keeps the whole job from beginning."""
    free: int
    """Bytes that are free on the disk."""

    @property
    def size(self) -> int:
        """Bytes of all files, about."""
        return sum(one.size for one in self.files)

    @property
    def failing(self) -> tuple[Planned, ...]:
        """Those that cannot be made."""
        return tuple(one for one in self.files if one.problem is not None)

    @property
    def collisions(self) -> tuple[Planned, ...]:
        """Those that are there already."""
        return tuple(one for one in self.files if one.exists)

    @property
    def is_sound(self) -> bool:
        """Whether every file would be written."""
        return not self.problems and not self.failing


def dry_run(plan: Plan) -> DryRun:
    """Return what a job would do. Nothing is written, and no pixel is read that the plan has not read."""
    output = plan.request.output
    shared = {number: _SpecCheck(spec) for number, spec in enumerate(plan.specs)}
    files = tuple(_planned(plan, item, shared[item.document["spec"]], output) for item in plan.items)
    problems = list(filter(None, [may_write(output.folder)]))
    free = free_bytes(output.folder)
    needed = sum(one.size for one in files)
    if needed > free:
        problems.append(f"the files need about {needed:,} bytes, {free:,} are free")
    there = sum(one.exists for one in files)
    if there and output.existing == "refuse":
        problems.append(f"{there} of the files are there already, and are neither to be replaced nor kept")
    return DryRun(str(output.folder), files, tuple(problems), free)


class _SpecCheck:
    """Checks a look against fields of view, once for each."""

    def __init__(self, spec: ExportSpec) -> None:
        self.spec = spec
        self._found: dict[str, str | None] = {}

    def problem(self, facts: SourceFacts) -> str | None:
        """Return the first thing that a look asks for and a field of view does not have."""
        key = facts.source.key
        if key not in self._found:
            self._found[key] = next(_missing(self.spec, facts), None)
        return self._found[key]


def _missing(spec: ExportSpec, facts: SourceFacts) -> Iterator[str]:
    if facts.metadata is None:
        yield facts.error or "ReadError: it cannot be opened"
        return
    fov = facts.source.fov
    names = {channel.name for channel in facts.metadata.channels}
    for look in spec.markers.channels if spec.image else ():
        if not names & {look.channel, *look.aliases}:
            yield f"MissingChannelError: field of view {fov!r} has no channel {look.channel!r}"
    masks = [look.mask for look in spec.masks]
    masks += [spec.cells.mask] if spec.cells else []
    masks += [spec.isolate] if spec.isolate else []
    for mask in masks:
        if mask not in facts.masks:
            yield f"MissingMaskError: field of view {fov!r} has no mask {mask!r}"
    if spec.annotation is not None and facts.source.mosaic is None:
        try:
            annotation_file(facts.source, spec.annotation.annotation)
        except CoverslipError as error:
            yield f"MissingAnnotationError: {error}"


def _planned(plan: Plan, item: PlannedExport, check: _SpecCheck, output: Output) -> Planned:
    facts = plan.sources[item.document["source"]]
    exists = (output.folder / item.path).exists()
    error: Sequence[str] | None = item.document.get("error")
    problem = ": ".join(error) if error else check.problem(facts)
    if problem is not None or facts.metadata is None:
        return Planned(item.name, item.path, None, None, 0, problem or facts.error, exists)
    size = facts.metadata.size_y, facts.metadata.size_x
    window = whole(size) if item.document["window"] is None else Window(*item.document["window"])
    try:
        height, width = grid(window, size, check.spec.downsample, pad=check.spec.pad, name=facts.source.fov).full
        if not output.is_raw:
            _check_bar(check.spec, facts, width)
    except CoverslipError as found:
        return Planned(item.name, item.path, None, None, 0, f"{type(found).__name__}: {found}", exists)
    rows, columns = panel_grid(check.spec)
    height, width = height * rows, width * columns
    pixels = height * width
    if output.is_raw:
        planes = len(check.spec.markers.channels or facts.metadata.channels) + len(check.spec.masks)
        amount = round(pixels * planes * facts.metadata.bytes_per_sample * LEVELS.get(output.file_format, 1))
    else:
        amount = round(pixels * 3 * LIKELY[output.file_format])
    return Planned(item.name, item.path, width, height, amount + HEADER_BYTES, None, exists)


def _check_bar(spec: ExportSpec, facts: SourceFacts, width: int) -> None:
    bar = spec.scale_bar
    if bar is None or bar.refused == "omit":
        return
    pixel = None if facts.pixel_um is None else facts.pixel_um[1] * spec.downsample
    if bar.length_um is None:
        bar_length(width, pixel, fraction=bar.fraction)
    else:
        fixed_length(bar.length_um, width, pixel)
