"""``coverslip delete ID...``."""

from typing import Annotated

import typer

from coverslip.cli.output import amount, console
from coverslip.derive import open_catalog_of
from coverslip.settings import Settings


def run(ids: Annotated[list[str], typer.Argument(help="Ids of images.")]) -> None:
    """Hide images. Files stay where they are; `coverslip restore` undoes it, `coverslip purge` makes it final."""
    with open_catalog_of(Settings.load()) as catalog:
        for image_id in ids:
            catalog.delete_image(image_id)
    console().print(f"{amount(len(ids), 'image')} deleted. Undo: coverslip restore {' '.join(ids)}")
