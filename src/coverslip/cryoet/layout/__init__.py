"""Where things lie in a bucket of the CryoET Data Portal: what it is -> its key, and a key -> what it is. Pure.

::

    depositions_metadata/{deposition}/deposition_metadata.json
    depositions_metadata/{deposition}/Images/{snapshot|thumbnail}.{ext}
    {dataset}/dataset_metadata.json
    {dataset}/Images/{snapshot|thumbnail}.{ext}
    {dataset}/{run}/run_metadata.json
    {dataset}/{run}/Gains/{name}
    {dataset}/{run}/Frames/frames_metadata.json
    {dataset}/{run}/Frames/{run}.mdoc
    {dataset}/{run}/Frames/{name}
    {dataset}/{run}/TiltSeries/{number}/tiltseries_metadata.json
    {dataset}/{run}/TiltSeries/{number}/{run}.{mrc|zarr|rawtlt}
    {dataset}/{run}/TiltSeries/{number}/{run}_{format}_ctf.txt
    {dataset}/{run}/Alignments/{number}/alignment_metadata.json
    {dataset}/{run}/Alignments/{number}/{name}
    {dataset}/{run}/IdentifiedObjects/identified_objects_metadata.json
    {dataset}/{run}/IdentifiedObjects/identified_objects.json
    {dataset}/{run}/Reconstructions/VoxelSpacing{three decimals}/
        Tomograms/{number}/tomogram_metadata.json
        Tomograms/{number}/{run}.{mrc|zarr}
        Images/{tomogram}/key-photo-{original|snapshot|thumbnail|expanded}.png
        Annotations/{number}/{slug}-{version}.json
        Annotations/{number}/{slug}-{version}_{shape}.{ndjson|mrc|zarr|glb|json}
        NeuroglancerPrecompute/{annotation}-{slug}-{version}_{shape}/
        NeuroglancerPrecompute/{tomogram}-neuroglancer_config.json

Format: the importers of github.com/chanzuckerberg/cryoet-data-portal-backend, and the portal's public bucket. Keys have
no slash at their beginning and none at their end.
"""

from coverslip.cryoet.layout.keys import (
    CONTAINERS,
    DOCUMENTS,
    FIRST_NUMBER,
    FOLDERS,
    KEY_PHOTOS,
    ORIENTED_MESH,
    PHOTOS,
    SHAPES,
    annotation_document,
    annotation_file,
    annotation_stem,
    below,
    container,
    dataset,
    deposition,
    document,
    join,
    key_photo,
    name,
    neuroglancer_config,
    numbered,
    photo,
    precompute,
    run,
    shape_suffix,
    slug,
    spacing,
    spacing_name,
    version_slug,
)
from coverslip.cryoet.layout.places import Part, Place, parse

__all__ = [
    "CONTAINERS",
    "DOCUMENTS",
    "FIRST_NUMBER",
    "FOLDERS",
    "KEY_PHOTOS",
    "ORIENTED_MESH",
    "PHOTOS",
    "SHAPES",
    "Part",
    "Place",
    "annotation_document",
    "annotation_file",
    "annotation_stem",
    "below",
    "container",
    "dataset",
    "deposition",
    "document",
    "join",
    "key_photo",
    "name",
    "neuroglancer_config",
    "numbered",
    "parse",
    "photo",
    "precompute",
    "run",
    "shape_suffix",
    "slug",
    "spacing",
    "spacing_name",
    "version_slug",
]
