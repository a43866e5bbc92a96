"""A film whose frames are annotated, and what its pictures have to be."""

import time
from collections.abc import Callable
from uuid import uuid4

import cv2
import numpy as np
import tifffile

from coverslip.derive import VERSIONS, open_catalog
from coverslip.storage import open_storage
from tests.api.conftest import Service

FRAMES = 24
SECONDS = 120.0

type Film = np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]


def make_film(height: int = 24, width: int = 32) -> Film:
    """Return frames of noise: no two medians of them are alike."""
    return np.random.default_rng(4).integers(0, 256, (FRAMES, height, width), np.uint8)


def add_film(service: Service, pixels: Film) -> str:
    """Upload a film and return the id of its image."""
    path = service.settings.home.parent / f"{uuid4().hex}.tif"
    tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": "TYX"})
    answer = service.upload(path, "film.tif")
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["id"]
    return found


def check_medians(service: Service, image_id: str, pixels: Film) -> int:
    """Fail unless every published combined image is fresh and the median of its frames; return how many there are."""
    storage = open_storage(service.settings.artifacts_url)
    with open_catalog(service.settings.catalog_url) as catalog:
        annotations = catalog.annotations_of(image_id)
        for annotation in annotations:
            record = catalog.artifact("combined", image_id, annotation.id)
            assert record.is_fresh(VERSIONS["combined"])
            assert record.lease_until is None
            assert record.key is not None
            shown = cv2.imdecode(np.frombuffer(storage.read(record.key), np.uint8), cv2.IMREAD_UNCHANGED)
            frames = pixels[annotation.frames.first : annotation.frames.last + 1]
            assert shown is not None
            gray = shown if shown.ndim == 2 else shown[..., 0]
            np.testing.assert_array_equal(gray, np.rint(np.median(frames, axis=0)))
    assert [one.frames.first for one in annotations][1:] == [one.frames.last + 1 for one in annotations][:-1]
    return len(annotations)


def until(condition: Callable[[], bool], what: str = "it did not happen") -> None:
    """Wait for something that is to happen by itself."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def all_fresh(service: Service) -> bool:
    """Return whether nothing of the whole library is stale."""
    answer = service.client.get("/api/artifacts/", params={"state": "stale", "limit": 1})
    return answer.status_code == 200 and answer.json()["total"] == 0


def check_end(service: Service, image_id: str, pixels: Film) -> int:
    """Fail unless all is as if nothing had happened: everything fresh and right, no lease and no failure left."""
    until(lambda: all_fresh(service), "not everything became fresh")
    with open_catalog(service.settings.catalog_url) as catalog:
        records = catalog.artifacts(VERSIONS, limit=1000).artifacts
        assert [record for record in records if record.lease_until or record.error or record.attempts] == []
    return check_medians(service, image_id, pixels)
