"""The TIFF family: TIFF, BigTIFF, OME-TIFF, ImageJ, LSM, STK, slide scanners, EER."""

from coverslip.readers.declared import Declared

__all__ = ["eer_reader", "reader"]

eer_reader = Declared(
    name="eer",
    title="EER (Thermo Fisher electron events)",
    extensions=(".eer",),
    package="tifffile",
    module="tifffile",
    code="coverslip.readers.tiff.eer:eer_reader",
    experimental=True,
)

reader = Declared(
    name="tiff",
    title="TIFF",
    extensions=(
        ".ome.tiff",
        ".qptiff",
        ".ome.tif",
        ".ome.tf2",
        ".ome.tf8",
        ".ome.btf",
        ".tiff",
        ".ndpi",
        ".tif",
        ".tf2",
        ".tf8",
        ".btf",
        ".lsm",
        ".stk",
        ".svs",
        ".scn",
        ".bif",
    ),
    package="tifffile",
    module="tifffile",
    code="coverslip.readers.tiff.reading:reader",
)
