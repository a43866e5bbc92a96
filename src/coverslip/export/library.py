"""What the catalog knows as items of an export."""

from collections.abc import Iterable
from typing import Any, Protocol

from coverslip.errors import InvalidRequestError
from coverslip.model.records import ImagePlace

MOST_IMAGES = 100_000


class HasDatasets(Protocol):
    """``catalog.Catalog`` is one."""

    def images_of_dataset(self, dataset: str) -> list[ImagePlace]:
        """Return all images of a dataset."""
        ...


def dataset_items(catalog: HasDatasets, dataset: str) -> dict[str, Any]:
    """Return all images of a dataset, each a field of view, as ``Job`` takes them.

    Parameters
    ----------
    catalog
        Knows them.
    dataset
        A dataset by name, identity or public number; or a folder of the library by its path.

    Raises
    ------
    NotFoundError
        There is none, or no image in it.
    InvalidRequestError
        It has more than 100,000.
    """
    places = catalog.images_of_dataset(dataset)
    if len(places) > MOST_IMAGES:
        raise InvalidRequestError(f"{dataset!r} has {len(places):,} images; at most {MOST_IMAGES:,} go at once")
    return items_at(places)


def items_at(places: Iterable[ImagePlace]) -> dict[str, Any]:
    """Return images as ``Job`` takes them."""
    places = list(places)
    return {"data": [one.path for one in places], "images": [one.index for one in places]}
