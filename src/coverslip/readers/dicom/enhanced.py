"""Frames of enhanced multi-frame images: where each one says it is.

Format: DICOM PS3.3 C.7.6.16, the multi-frame functional groups.
"""

from typing import TYPE_CHECKING

from coverslip.readers.dicom.instance import Instance
from coverslip.readers.dicom.metadata import numbers, value
from coverslip.readers.dicom.stacks import Slice
from coverslip.readers.vendor_metadata import BROKEN

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def placed_frames(instance: Instance, dataset: "Dataset") -> list[Slice]:
    """Return the frames of an enhanced image, nothing where not every one says where it is."""
    each = value(dataset, "PerFrameFunctionalGroupsSequence")
    if each is None or instance.count < 2:
        return []
    try:
        if len(each) != instance.count:
            return []
        shared = value(dataset, "SharedFunctionalGroupsSequence")
        common = shared[0] if shared else None
        reference = str(value(dataset, "FrameOfReferenceUID") or "")
        frames = [_frame(instance, n, item, common, reference) for n, item in enumerate(each)]
    except BROKEN:
        return []
    return frames if all(frame.is_placed for frame in frames) else []


def _frame(instance: Instance, index: int, groups: "Dataset", common: "Dataset | None", reference: str) -> Slice:
    def found(group: str, keyword: str) -> list[float]:
        for source in (groups, common):
            macro = value(source, group) if source is not None else None
            if macro and (listed := numbers(macro[0], keyword)):
                return listed
        return []

    def first(group: str, keyword: str, default: float) -> float:
        return next(iter(found(group, keyword)), default)

    return Slice(
        instance,
        index,
        position=tuple(found("PlanePositionSequence", "ImagePositionPatient")),
        orientation=tuple(found("PlaneOrientationSequence", "ImageOrientationPatient")),
        frame_of_reference=reference,
        echo=next(iter(found("MREchoSequence", "EffectiveEchoTime")), None),
        order=(first("FrameContentSequence", "TemporalPositionIndex", 0), float(index)),
        slope=first("PixelValueTransformationSequence", "RescaleSlope", 1),
        intercept=first("PixelValueTransformationSequence", "RescaleIntercept", 0),
    )
