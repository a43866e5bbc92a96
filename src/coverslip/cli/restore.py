"""``coverslip restore ID...``."""

from typing import Annotated

import typer

from coverslip.cli.output import amount, console
from coverslip.derive import open_catalog_of
from coverslip.settings import Settings


def run(ids: Annotated[list[str], typer.Argument(help="Ids of deleted images.")]) -> None:
    """Bring deleted images back, with the ids they had."""
    with open_catalog_of(Settings.load()) as catalog:
        for image_id in ids:
            catalog.restore_image(image_id)
    console().print(f"{amount(len(ids), 'image')} restored.")
