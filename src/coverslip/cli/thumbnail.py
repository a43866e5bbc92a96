"""``coverslip thumbnail FILE -o OUT``."""

from pathlib import Path
from typing import Annotated

import typer

from coverslip.cli.output import console
from coverslip.confined import Opener
from coverslip.errors import InvalidRequestError, RegionError
from coverslip.model import RenderSpec
from coverslip.render import ENDINGS, draw, encode
from coverslip.settings import Settings
from coverslip.storage import write_file


def run(
    file: Annotated[str, typer.Argument(help="An image file or OME-Zarr folder, here or at an address.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write: .png, .webp or .jpg.")],
    *,
    size: Annotated[int, typer.Option(min=1, max=8192, help="Largest width and height in pixels.")] = 256,
    image: Annotated[int, typer.Option(min=0, help="Which image of a file with several.")] = 0,
    z: Annotated[int | None, typer.Option(min=0, help="Slice; the maximum projection unless given.")] = None,
    t: Annotated[int | None, typer.Option(min=0, help="Time point; the middle one unless given.")] = None,
    channels: Annotated[str | None, typer.Option(help="Channel numbers, such as 0,2; all unless given.")] = None,
) -> None:
    """Draw a picture of an image file."""
    media_type = ENDINGS.get(out.suffix.lower())
    if media_type is None:
        known = ", ".join(sorted(ENDINGS))
        raise InvalidRequestError(f"{out}: the ending decides the format and must be one of {known}")
    spec = RenderSpec(width=size, height=size, z=z, t=t, channels=_numbers(channels))
    with Opener(Settings.load()) as opener, opener.open_image(file) as opened:
        if image >= len(opened.images):
            raise RegionError(f"{file}: there is no image {image}; the file has {len(opened.images)}, counted from 0")
        try:
            picture = draw(opened.images[image], spec)
        except RegionError as error:
            raise RegionError(f"{file}: {error}") from error
    write_file(out, encode(picture, media_type))
    console().print(f"{out}: {picture.shape[1]} x {picture.shape[0]} pixels")


def _numbers(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise InvalidRequestError(f"--channels: expected numbers such as 0,2, found {text!r}") from error
