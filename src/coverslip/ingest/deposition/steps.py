"""What an ingest does, as data: entities at the destination, and the steps that write their files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from coverslip.ingest.deposition.expand import Entity

Side = Literal["source", "destination"]

Recipe = Literal[
    "copy",
    "volume",
    "mask",
    "points",
    "mesh",
    "oriented_mesh",
    "caption",
    "mdoc",
    "rawtilt",
    "ctf",
    "alignment",
    "gain",
    "identified_objects",
    "document",
]
"""What is done with the inputs of a step, and what its options say beside:

``copy``
    Writes one file as it is.
``volume``
    Makes OME-Zarr and MRC of a tomogram or tilt series. ``spacing``: voxel or pixel size in angstrom, or ``None`` where
    only the file says it. ``is_stack``: sections of a tilt series are not averaged with each other.
``mask``
    The same of a mask. ``shape``, ``file_format``, ``spacing``; ``mask_label``, ``threshold``, ``rescale``. Where it is
    rescaled, the facts of a volume say to what size in angstrom, or, as the second input, the alignment's document.
``points``
    ndjson. ``shape``, ``file_format``; ``binning``, ``order``, ``delimiter``, ``filter_value``.
``mesh``
    glb. ``file_format``; ``scale_factor``, and of a group ``mesh_name``.
``oriented_mesh``
    Writes nothing: looks whether the mesh that viewers show at each oriented point can be read where it lies.
``caption``
    A checked copy. ``shape``, ``file_format``.
``mdoc``, ``rawtilt``, ``gain``
    Write their file, and read what documents say of it.
``ctf``, ``alignment``
    The same, of a ``file_format``. The outputs of an alignment stand in the order of its inputs.
``identified_objects``
    Picks the rows of the run ``run_name``, or of what ``filter_value`` calls it.
``document``
    Writes a metadata document of what the steps before it found out: ``documents.build_document`` with ``type``.

Options that the config does not say are not there.
"""


@dataclass(frozen=True, slots=True)
class Input:
    """A file or folder that a step reads: below the ``source_prefix``, or below the top of the layout.

    The source of a key photo may be an address of its own, such as ``https://...`` or ``s3://...``.
    """

    path: str
    side: Side = "source"


@dataclass(frozen=True, slots=True)
class Target:
    """An entity at the destination.

    Parameters
    ----------
    entity
        What the config says of it.
    identity
        Its full path, see ``EntitySeen``.
    parent
        The identity of its parent.
    deposition
        The number of the deposition that it is ingested with.
    number
        Its folder's number, of types that have one.
    folder
        The key of its folder, without a slash at the end.
    document
        The key of its metadata document; empty where its type has none.
    metadata
        What the config says of it, variables filled in.
    alignment
        The key of its alignment's document, of tomograms, annotations and alignments.
    is_written
        Whether this ingest writes it: it is selected, and does not only exist at the destination.
    """

    entity: Entity
    identity: str
    parent: str | None
    deposition: str
    number: int | None
    folder: str
    document: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    alignment: str = ""
    is_written: bool = True

    @property
    def run(self) -> str:
        """The place of its run, such as ``10000/TS_1``; empty above runs."""
        return next((one.place for one in self.entity.chain() if one.type == "run"), "")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. It is done when its digest is that of the last time and its outputs are there.

    Parameters
    ----------
    name
        ``<identity>#<recipe>``, with ``:<detail>`` where an entity has several of a recipe.
    recipe
        What to do.
    target
        The identity of the entity.
    inputs
        What is read.
    options
        Everything else that the result depends on, as JSON has it.
    outputs
        The keys that are written; one that ends with ``.zarr`` is a folder.
    after
        The names of steps whose facts it needs. Those that are not selected are no steps of the plan: what they found
        out the last time counts.
    """

    name: str
    recipe: Recipe
    target: str
    inputs: tuple[Input, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
