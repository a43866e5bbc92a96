"""``coverslip rebuild``."""

from typing import Annotated

import typer

from coverslip.cli.output import amount, console
from coverslip.derive import KINDS, open_catalog_of, ringing
from coverslip.errors import InvalidRequestError
from coverslip.settings import Settings


def run(
    kind: Annotated[str | None, typer.Option(help=f"Artifacts of this kind: {', '.join(KINDS)}.")] = None,
    image: Annotated[str | None, typer.Option(help="Artifacts of the image with this id and its annotations.")] = None,
    of_run: Annotated[
        str | None,
        typer.Option(
            "--run", metavar="RUN", help="Artifacts of the tomograms and tilt series of this run, by name or number."
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All artifacts.")] = False,
) -> None:
    """Make artifacts stale, so that workers and requests build them anew. Nothing is removed.

    --kind, --image and --run narrow each other. The present ones stay in the storage; what comes out the same is not
    written again.
    """
    choices = [kind, image, of_run]
    if not everything and choices == [None, None, None]:
        raise InvalidRequestError("say which artifacts: --kind, --image, --run, or --all")
    if everything and choices != [None, None, None]:
        raise InvalidRequestError("--all goes without --kind, --image and --run")
    if kind is not None and kind not in KINDS:
        raise InvalidRequestError(f"there is no kind {kind!r}; there are {', '.join(KINDS)}")
    settings = Settings.load()
    with open_catalog_of(settings) as catalog, ringing(catalog, settings.queue_url):
        if image is not None:
            catalog.get_image(image)
        images = None if of_run is None else catalog.images_of_run(of_run)
        count = catalog.rebuild(kind=kind, image_id=image, image_ids=images)
    console().print(f"{amount(count, 'artifact')} to be built anew. Servers and workers that run build them.")
