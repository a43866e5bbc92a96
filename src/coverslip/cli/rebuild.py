"""``coverslip rebuild``."""

from typing import Annotated

import typer

from coverslip.cli.output import amount, console
from coverslip.derive import KINDS, open_catalog, ringing
from coverslip.errors import InvalidRequestError
from coverslip.settings import Settings


def run(
    kind: Annotated[str | None, typer.Option(help=f"Artifacts of this kind: {', '.join(KINDS)}.")] = None,
    image: Annotated[str | None, typer.Option(help="Artifacts of the image with this id and its annotations.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All artifacts.")] = False,
) -> None:
    """Make artifacts stale, so that workers and requests build them anew. Nothing is removed.

    --kind and --image narrow each other. The present ones stay in the storage; what comes out the same is not
    written again.
    """
    if not everything and kind is None and image is None:
        raise InvalidRequestError("say which artifacts: --kind, --image, both, or --all")
    if everything and (kind is not None or image is not None):
        raise InvalidRequestError("--all goes without --kind and --image")
    if kind is not None and kind not in KINDS:
        raise InvalidRequestError(f"there is no kind {kind!r}; there are {', '.join(KINDS)}")
    settings = Settings.load()
    with open_catalog(settings.catalog_url) as catalog, ringing(catalog, settings.queue_url):
        if image is not None:
            catalog.get_image(image)
        count = catalog.rebuild(kind=kind, image_id=image)
    console().print(f"{amount(count, 'artifact')} to be built anew. Servers and workers that run build them.")
