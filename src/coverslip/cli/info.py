"""``coverslip info FILE``."""

import json
from typing import Annotated

import typer

from coverslip.cli.output import amount, console, one_line, size_text
from coverslip.confined import Opener
from coverslip.model import ImageMetadata
from coverslip.settings import Settings


def run(
    file: Annotated[str, typer.Argument(help="An image file or OME-Zarr folder, here or at an address.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all metadata, the vendor's included, as JSON.")
    ] = False,
) -> None:
    """Show what is known about an image file without reading its pixels."""
    with Opener(Settings.load()) as opener, opener.open_image(file) as opened:
        images = [image.metadata for image in opened.images]
        reader = opened.reader
    if as_json:
        document = {
            "path": str(file),
            "reader": reader,
            "images": [json.loads(meta.model_dump_json()) for meta in images],
        }
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    out = console()
    out.print(f"{one_line(str(file))}: {amount(len(images), 'image')}, read by {reader}")
    for number, meta in enumerate(images):
        out.print(f"\n[{number}] {one_line(meta.name)}")
        for title, text in _facts(meta):
            out.print(f"  {title:<12} {one_line(text)}")


def _facts(meta: ImageMetadata) -> list[tuple[str, str]]:
    """Return title and text of everything known, leaving out what is not."""
    variant = f" ({meta.format_variant})" if meta.format_variant else ""
    sizes = " ".join(f"{axis} {length}" for axis, length in zip(meta.axes, meta.shape, strict=True))
    facts = [
        ("format", meta.file_format + variant),
        ("size", f"{sizes}, {meta.dtype}, {size_text(meta.get_memory_size_bytes())} in memory"),
        ("levels", " ".join(f"{level.size_x}x{level.size_y}x{level.size_z}" for level in meta.levels)),
        ("voxel size", _voxel_text(meta)),
        ("interval", f"{meta.time_increment_s:g} s" if meta.time_increment_s else ""),
        ("channels", "; ".join(_channel_text(meta, index) for index in range(meta.size_c))),
        ("labels", "; ".join(f"{label.name} ({label.dtype})" for label in meta.labels)),
        ("objective", _joined(meta.objective.model_dump() if meta.objective else {})),
        ("microscope", _joined(meta.microscope.model_dump() if meta.microscope else {})),
        ("stage", "x {:g} µm, y {:g} µm".format(*meta.stage_position_um) if meta.stage_position_um else ""),
        ("acquired", meta.acquired_at.isoformat(sep=" ") if meta.acquired_at else ""),
        ("table", f"{meta.table.path}, {amount(meta.table.row_count, 'row')}" if meta.table else ""),
        ("note", meta.note or ""),
    ]
    return [(title, text) for title, text in facts if text]


def _voxel_text(meta: ImageMetadata) -> str:
    parts = []
    for axis, size in zip("xyz", (meta.pixel_size_x, meta.pixel_size_y, meta.pixel_size_z), strict=True):
        if size is not None:
            parts.append(f"{axis} {size.value:g} {size.unit.replace('um', 'µm').replace('angstrom', 'Å')}")
    return ", ".join(parts) or "unknown"


def _channel_text(meta: ImageMetadata, index: int) -> str:
    channel = meta.channels[index]
    waves = [channel.excitation_wavelength_nm, channel.emission_wavelength_nm]
    waves_text = "/".join("?" if wave is None else f"{wave:g}" for wave in waves)
    more = [channel.color or "", f"{waves_text} nm" if any(waves) else ""]
    text = ", ".join(part for part in more if part)
    return f"{channel.name} ({text})" if text else channel.name


def _joined(values: dict[str, object]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items() if value is not None)
