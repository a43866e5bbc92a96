"""Regions from several places in one list."""

import uuid
from collections.abc import Iterable

from coverslip.model.rois import Roi

SPACE = uuid.UUID("5f0c0f8e-6a51-4f0e-8f6d-0a6a8a4a2f10")


def merged(there: Iterable[Roi], added: Iterable[Roi]) -> tuple[Roi, ...]:
    """Return regions with others after them; those that are there exactly so already are not added again.

    An added region whose id belongs to another one gets a new id, made of its content and place in the list, so that
    the same import gives the same ids.
    """
    kept = {roi.roi_id: roi for roi in there}
    for place, roi in enumerate(added):
        known = kept.get(roi.roi_id)
        if known == roi:
            continue
        new = roi
        while new.roi_id in kept:
            new = roi.model_copy(update={"roi_id": str(uuid.uuid5(SPACE, f"{place}/{new.model_dump_json()}"))})
            if kept.get(new.roi_id) == new:
                break
        kept[new.roi_id] = new
    return tuple(kept.values())
