"""OME-Zarr that zarr-python writes in the run, and how it reads what is there."""

import itertools
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.references import canonical
from conformance.row import Levels, Written
from conformance.writers import noise

LENGTHS = {"t": 2, "c": 3, "z": 4, "y": 33, "x": 47}
TYPES = {"t": "time", "c": "channel"}


def image(
    axes: str = "tczyx", version: str = "0.5", *, zipped: bool = False, labels: bool = False, **how: Any
) -> Written:
    """Return one image of two levels.

    Parameters
    ----------
    axes
        Stored axes in their order.
    version
        ``"0.5"`` is Zarr 3, anything before Zarr 2.
    zipped
        In one zip file.
    labels
        With a label image.
    how
        Given to ``create_array``.
    """

    def make(folder: Path) -> Path:
        import zarr

        path = folder / "image.ome.zarr"
        group = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
        fill(group, axes, version, **how)
        if labels:
            names = group.create_group("labels")
            say(names, version, {"labels": ["cells"]})
            fill(names.create_group("cells"), axes.replace("c", ""), version, dtype="u4", more={"image-label": {}})
        if not zipped:
            return path
        shutil.make_archive(str(folder / "image.ome.zarr"), "zip", path)
        return folder / "image.ome.zarr.zip"

    return Written("zarr", make)


def every_choice() -> Sequence[str]:
    """Return every permitted choice of axes: T, C, Z or not, then Y and X."""
    chosen = [set(names) for n in range(4) for names in itertools.combinations("tcz", n)]
    return ["".join(axis for axis in "tczyx" if axis in {*names, "y", "x"}) for names in chosen]


def codecs_v3() -> Sequence[tuple[str, dict[str, Any]]]:
    """Return what Zarr 3 can do to a chunk, as ``create_array`` takes it."""
    from zarr import codecs
    from zarr.codecs import numcodecs

    return (
        ("sharded", {"shards": (3, 4, 32, 32), "chunks": (1, 2, 16, 16)}),
        ("not compressed", {"compressors": None}),
        ("gzip", {"compressors": codecs.GzipCodec()}),
        ("zstd with checksum", {"compressors": codecs.ZstdCodec(level=3, checksum=True)}),
        ("blosc", {"compressors": codecs.BloscCodec(cname="lz4", shuffle="bitshuffle")}),
        ("crc32c", {"compressors": [codecs.ZstdCodec(), codecs.Crc32cCodec()]}),
        ("transposed", {"filters": [codecs.TransposeCodec(order=(3, 1, 0, 2))]}),
        ("LZ4 of numcodecs", {"compressors": numcodecs.LZ4()}),
        ("bz2 of numcodecs", {"compressors": numcodecs.BZ2()}),
        ("delta of numcodecs", {"filters": [numcodecs.Delta(dtype="uint16")]}),
        ("big endian", {"serializer": codecs.BytesCodec(endian="big")}),
    )


def codecs_v2() -> Sequence[tuple[str, dict[str, Any]]]:
    """Return what Zarr 2 can do to a chunk, as ``create_array`` takes it."""
    import numcodecs

    return (
        ("separator .", {"chunk_key_encoding": {"name": "v2", "separator": "."}}),
        ("order F", {"order": "F"}),
        ("not compressed", {"compressors": None}),
        ("zlib", {"compressors": numcodecs.Zlib()}),
        ("gzip", {"compressors": numcodecs.GZip()}),
        ("bz2", {"compressors": numcodecs.BZ2()}),
        ("lzma", {"compressors": numcodecs.LZMA()}),
        ("lz4", {"compressors": numcodecs.LZ4()}),
        ("zstd", {"compressors": numcodecs.Zstd()}),
        ("blosc", {"compressors": numcodecs.Blosc(cname="zlib", shuffle=1)}),
        ("delta and shuffle", {"filters": [numcodecs.Delta("<u2"), numcodecs.Shuffle(2)]}),
    )


def plate(version: str) -> Written:
    """Return a plate of two wells with two fields each."""

    def make(folder: Path) -> Path:
        import zarr

        path = folder / "plate.ome.zarr"
        root = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
        wells = [{"path": f"{row}/1", "rowIndex": i, "columnIndex": 0} for i, row in enumerate("AB")]
        names = {"rows": [{"name": "A"}, {"name": "B"}], "columns": [{"name": "1"}]}
        say(root, version, {"plate": {"wells": wells, "acquisitions": [{"id": 0, "name": "first"}], **names}})
        for well in wells:
            group = root.create_group(str(well["path"]))
            say(group, version, {"well": {"images": [{"path": str(n), "acquisition": 0} for n in range(2)]}})
            for n in range(2):
                fill(group.create_group(str(n)), "cyx", version)
        return path

    return Written("zarr", make)


def series(version: str, *, listed: bool) -> Written:
    """Return the layout of bioformats2raw: numbered images, with or without a list of them in ``OME``."""

    def make(folder: Path) -> Path:
        import zarr

        path = folder / "series.ome.zarr"
        root = zarr.open_group(path, mode="w", zarr_format=3 if version == "0.5" else 2)
        say(root, version, {"bioformats2raw.layout": 3})
        for n, axes in enumerate(("yx", "zyx", "cyx")):
            fill(root.create_group(str(n)), axes, version)
        if listed:
            say(root.create_group("OME"), version, {"series": ["2", "0", "1"]})
            (path / "OME" / "METADATA.ome.xml").write_text(
                '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
                + "".join(f'<Image ID="Image:{n}" Name="named {n}"/>' for n in range(3))
                + "</OME>"
            )
        return path

    return Written("zarr", make)


def say(group: Any, version: str, document: dict[str, Any]) -> None:
    """Write a document where its version has it."""
    group.attrs.update({"ome": {"version": version, **document}} if version == "0.5" else document)


def fill(
    group: Any, axes: str, version: str, *, dtype: str = "u2", more: dict[str, Any] | None = None, **how: Any
) -> None:
    """Write two levels and their document."""
    pixels = noise(*(LENGTHS[axis] for axis in axes), dtype=dtype)
    coarse = pixels[..., ::2, ::2] if axes.endswith("yx") else pixels
    v2 = {} if version == "0.5" else {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    names = {"dimension_names": list(axes)} if version == "0.5" else {}
    for level, array in enumerate((pixels, coarse)):
        sizes = {"chunks": tuple(min(16, length) for length in array.shape)} | how
        group.create_array(str(level), data=array, **{**v2, **names, **sizes})
    described = [{"name": axis, "type": TYPES.get(axis, "space")} for axis in axes]
    scales = [[{"type": "scale", "scale": [float(level + 1)] * len(axes)}] for level in range(2)]
    datasets = [{"path": str(n), "coordinateTransformations": scale} for n, scale in enumerate(scales)]
    stated = {} if version == "0.5" else {"version": version}
    say(group, version, {"multiscales": [{"axes": described, "datasets": datasets, **stated}], **(more or {})})


def by_zarr(path: Path) -> Sequence[Levels]:
    """Return every multiscale below a folder or in a zip: images, fields of wells, series, then labels."""
    import zarr

    with zarr.storage.ZipStore(path, mode="r") if path.is_file() else zarr.storage.LocalStore(path) as store:
        return list(_zarr_images(zarr.open_group(store, mode="r")))


def _zarr_images(group: Any) -> Sequence[Levels]:
    ome = dict(group.attrs).get("ome", dict(group.attrs))
    if "plate" in ome:
        return [image for well in ome["plate"]["wells"] for image in _zarr_images(group[well["path"]])]
    if "well" in ome:
        return [image for field in ome["well"]["images"] for image in _zarr_images(group[str(field["path"])])]
    if "multiscales" not in ome:
        children = dict(group.groups())
        names = (
            dict(children["OME"].attrs).get("ome", dict(children["OME"].attrs)).get("series")
            if ("OME" in children)
            else None
        )
        found = names or sorted((name for name in children if name.isdecimal()), key=int)
        return [image for name in found for image in _zarr_images(group[name])]
    images = [_zarr_levels(group, multiscale) for multiscale in ome["multiscales"]]
    children = dict(group.groups())
    if "labels" in children:
        attributes = dict(children["labels"].attrs)
        for name in attributes.get("ome", attributes).get("labels", ()):
            images += _zarr_images(children["labels"][name])
    return images


def _zarr_levels(group: Any, multiscale: Mapping[str, Any]) -> Levels:
    arrays = [group[dataset["path"]][...] for dataset in multiscale["datasets"]]
    axes = multiscale.get("axes") or list("tczyx"[-arrays[0].ndim :])
    names = "".join((axis["name"] if isinstance(axis, dict) else axis)[0].upper() for axis in axes)
    return [canonical(array, names) for array in arrays]
