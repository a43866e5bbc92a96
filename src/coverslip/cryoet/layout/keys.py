"""What it is -> its key."""

import re
from collections.abc import Mapping

from coverslip.errors import InvalidRequestError

LONGEST_NAME = 255
"""Bytes of one name: more has no file system."""
LONGEST_KEY = 1024
"""Bytes of a key: more has no bucket."""
LONGEST_DESCRIPTION = 50
"""Characters of a description that is used in names; a longer one gives way to the name of the object."""
FIRST_NUMBER = 100
"""The number of the first folder of a container."""

SHAPES: Mapping[str, str] = {
    "Point": "Point",
    "OrientedPoint": "OrientedPoint",
    "InstanceSegmentation": "InstanceSegmentation",
    "InstanceSegmentationMask": "InstanceSegmentationMask",
    "SegmentationMask": "SegmentationMask",
    "SemanticSegmentationMask": "SegmentationMask",
    "TriangularMesh": "TriangularMesh",
    "TriangularMeshGroup": "TriangularMesh",
    "GlobalCaption": "GlobalCaption",
    "AnnotationCaption": "AnnotationCaption",
}
"""What a shape of a config is called where it is published: a label taken out of a mask is a mask like any other."""

_CAPTION = "caption"
ORIENTED_MESH = "orientedmesh"
"""What stands for the shape where the mesh of a particle is shown at each oriented point."""
PHOTOS = ("snapshot", "thumbnail")
KEY_PHOTOS = ("original", "snapshot", "thumbnail", "expanded")


def name(text: str) -> str:
    """Return a text that may be one name of a key.

    Raises
    ------
    InvalidRequestError
        It is empty, too long, ``.`` or ``..``, or has a slash, a backslash or a control character.
    """
    encoded = text.encode("utf-8", "surrogatepass")
    if (
        not text.strip()
        or text in (".", "..")
        or len(encoded) > LONGEST_NAME
        or "/" in text
        or "\\" in text
        or not text.isprintable()
    ):
        raise InvalidRequestError(f"{shortened(text)!r} can be no name of a file or folder")
    return text


def shortened(text: str) -> str:
    """Return text that fits into a sentence."""
    return text if len(text) <= 60 else f"{text[:57]}..."


def join(*names: str) -> str:
    """Return the key of names below each other.

    Raises
    ------
    InvalidRequestError
        One of them can be no name, or they are too long together.
    """
    key = "/".join(name(one) for one in names)
    if len(key.encode()) > LONGEST_KEY:
        raise InvalidRequestError(f"{shortened(key)!r} is longer than {LONGEST_KEY:,} bytes, which no key may be")
    return key


def below(folder: str, *names: str) -> str:
    """Return the key of names below a folder that was made here."""
    return join(*folder.split("/"), *names)


def spacing_name(spacing: float) -> str:
    """Return a voxel spacing in angstrom as folders have it: ``13.480``."""
    return f"{spacing:.3f}"


def deposition(number: str) -> str:
    """Return the folder of a deposition."""
    return join("depositions_metadata", number)


def dataset(dataset_name: str) -> str:
    """Return the folder of a dataset."""
    if dataset_name == "depositions_metadata":
        raise InvalidRequestError("no dataset can be called 'depositions_metadata': depositions lie there")
    return join(dataset_name)


def run(dataset_name: str, run_name: str) -> str:
    """Return the folder of a run."""
    if run_name in ("Images", DOCUMENTS["dataset"]):
        raise InvalidRequestError(f"no run can be called {run_name!r}: something of its dataset lies there")
    return join(dataset(dataset_name), run_name)


def spacing(run_folder: str, spacing_text: str) -> str:
    """Return the folder of a voxel spacing, given with three decimals."""
    if not re.fullmatch(r"\d+\.\d{3}", spacing_text):
        raise InvalidRequestError(f"{shortened(spacing_text)!r} is no voxel spacing with three decimals")
    return below(run_folder, "Reconstructions", f"VoxelSpacing{spacing_text}")


CONTAINERS: Mapping[str, str] = {
    "tiltseries": "TiltSeries",
    "alignment": "Alignments",
    "tomogram": "Tomograms",
    "annotation": "Annotations",
}
"""Types with folders that have numbers, and what these lie in, below their run or voxel spacing."""

DOCUMENTS: Mapping[str, str] = {
    "deposition": "deposition_metadata.json",
    "dataset": "dataset_metadata.json",
    "run": "run_metadata.json",
    "frame": "frames_metadata.json",
    "tiltseries": "tiltseries_metadata.json",
    "alignment": "alignment_metadata.json",
    "identified_object": "identified_objects_metadata.json",
    "tomogram": "tomogram_metadata.json",
}
"""Name of the metadata document in the folder of each type; that of an annotation has a name of its own."""

FOLDERS: Mapping[str, str] = {
    "frame": "Frames",
    "collection_metadata": "Frames",
    "gain": "Gains",
    "identified_object": "IdentifiedObjects",
}
"""Folder below the run of types of which it has one."""


def container(kind: str, parent_folder: str) -> str:
    """Return the folder with the numbered folders of a type, below its run or voxel spacing."""
    return below(parent_folder, CONTAINERS[kind])


def numbered(kind: str, parent_folder: str, number: int) -> str:
    """Return the folder of one tilt series, alignment, tomogram or annotation.

    Raises
    ------
    InvalidRequestError
        The number is below 100.
    """
    if number < FIRST_NUMBER:
        raise InvalidRequestError(f"{number} is no number of a folder: they begin with {FIRST_NUMBER}")
    return below(container(kind, parent_folder), str(number))


def document(kind: str, folder: str) -> str:
    """Return the key of the metadata document of a type other than annotations, given its folder."""
    return below(folder, DOCUMENTS[kind])


def slug(object_name: str, description: str | None = None) -> str:
    """Return what names of files call an annotated object: its description if that is short, otherwise its name."""
    text = description if description and len(description) <= LONGEST_DESCRIPTION else object_name
    return re.sub("[^0-9a-z]", "_", text.lower())


def version_slug(version: object) -> str:
    """Return a version as names of files have it."""
    return re.sub("[^0-9a-z.]", "_", str(version).lower())


def annotation_stem(object_name: str, description: str | None, version: object) -> str:
    """Return what the names of all files of an annotation begin with: ``cytosolic_ribosome-1.0``."""
    return name(f"{slug(object_name, description)}-{version_slug(version)}")


def annotation_document(folder: str, stem: str) -> str:
    """Return the key of the metadata document of an annotation."""
    return below(folder, f"{stem}.json")


def annotation_file(folder: str, stem: str, shape: str, extension: str, companion: str | None = None) -> str:
    """Return the key of a file of an annotation.

    Parameters
    ----------
    shape
        The shape, as configs or as documents call it.
    extension
        Without a dot.
    companion
        The shape that an ``AnnotationCaption`` is about.
    """
    return below(folder, f"{stem}_{shape_suffix(shape, companion)}.{extension}")


def shape_suffix(shape: str, companion: str | None = None) -> str:
    """Return what names of files call a shape.

    Raises
    ------
    InvalidRequestError
        There is no such shape, or a caption is about none.
    """
    if shape not in SHAPES:
        raise InvalidRequestError(f"there is no shape {shortened(shape)!r} of an annotation")
    if shape != "AnnotationCaption":
        return SHAPES[shape].lower()
    if not companion:
        return _CAPTION
    return f"{shape_suffix(companion)}_{_CAPTION}"


def precompute(spacing_folder: str, annotation: int, stem: str, shape: str) -> str:
    """Return the folder in which Neuroglancer finds an annotation; ``shape`` may be ``orientedmesh``."""
    suffix = shape if shape == ORIENTED_MESH else shape_suffix(shape)
    return below(spacing_folder, "NeuroglancerPrecompute", f"{annotation}-{stem}_{suffix}")


def neuroglancer_config(spacing_folder: str, tomogram: int) -> str:
    """Return the key of the state in which Neuroglancer shows a tomogram."""
    return below(spacing_folder, "NeuroglancerPrecompute", f"{tomogram}-neuroglancer_config.json")


def key_photo(spacing_folder: str, tomogram: int, size: str) -> str:
    """Return the key of a picture of a tomogram: ``original``, ``snapshot``, ``thumbnail`` or ``expanded``."""
    return below(spacing_folder, "Images", str(tomogram), f"key-photo-{size}.png")


def photo(folder: str, kind: str, extension: str) -> str:
    """Return the key of a picture of a deposition or dataset: ``snapshot`` or ``thumbnail``."""
    return below(folder, "Images", f"{kind}.{extension}")
