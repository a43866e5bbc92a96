"""Where entities without numbers lie, and what tells entities of a type apart. Pure."""

from dataclasses import replace

from coverslip.cryoet import layout
from coverslip.ingest.deposition import identities
from coverslip.ingest.deposition.expand import Entity
from coverslip.ingest.deposition.steps import Target

RAW_TILTS = (".rawtlt", ".tlt")
"""How files with raw tilt angles end. Globs for them often find other files of the run too."""

ONE_OF = ("collection_metadata", "rawtilt")
"""Types of which a run has one: globs for them name several places to look, and the first counts."""

TOLD_APART = {
    "tomogram": " Tomograms of one voxel spacing differ in reconstruction_method, processing or processing_software.",
    "tiltseries": " A run has one tilt series from each deposition.",
    "alignment": " A run has one alignment from each deposition.",
}

DEFAULT_VERSION = "1.0"
"""The version of an annotation that says none."""


def gain_name(path: str) -> str:
    """Return the name of a gain reference at the destination: one of Gatan becomes MRC."""
    name = path.rpartition("/")[2]
    return f"{name[:-4]}.mrc" if name.lower().endswith(".dm4") else name


def documented(target: Target, *, is_written: bool) -> Target:
    """Return a target with its metadata document; one that only exists is not written."""
    document = layout.document(target.entity.type, target.folder)
    return replace(target, document=document, is_written=is_written and target.is_written)


def in_folder(base: Target, parent: Target) -> Target:
    """Return the target of a type that has one folder in its run."""
    kind = base.entity.type
    folder = layout.below(parent.folder, layout.FOLDERS[kind])
    if kind == "gain":
        name = identities.part(gain_name(path_of(base.entity)))
        return replace(base, identity=f"{parent.identity}/gains/{name}", folder=folder)
    if kind == "collection_metadata":
        return replace(base, identity=f"{parent.identity}/collection_metadata", folder=folder)
    identity = f"{parent.identity}/frames"
    if kind == "frame" and not base.metadata:
        return replace(base, identity=identity, folder=folder)  # without a dose rate there is nothing to say of them
    if kind == "identified_object":
        identity = identities.of_run(parent.identity, kind, base.deposition)
    return documented(replace(base, identity=identity, folder=folder), is_written=True)


def path_of(entity: Entity) -> str:
    """Return where an entity lies at the source; nothing for what stands in the config."""
    return entity.files[0].path if entity.files else ""


def source_of(entity: Entity) -> str:
    """Return what an entity was found as, for a sentence."""
    return entity.files[0].path if entity.files else repr(entity.name)
