"""The table: one line per format and feature. To add one, add a ``Row`` and read CONTRIBUTING.md, "Conformance"."""

from conformance import dialects, instruments, zarrs
from conformance import references as by
from conformance import writers as write
from conformance.elsewhere import from_s3, over_http
from conformance.row import Row, Written
from conformance.writers import noise
from coverslip.errors import UnsupportedFormatError

NONE_YET = "no file of an independent writer"
BOX = (-30, -20)

TIFF = (
    Row("TIFF", "strips and tiles, all numbers of bits", "tiff/*.tif*", by.by_tifffile),
    Row("TIFF", "every codec and type of imagecodecs' files", "tiff/imagecodecs/*.tif", by.by_tifffile),
    Row("TIFF", "dialects of electron microscopes", "tiff/em/*.tif", by.by_tifffile),
    Row("TIFF", "BigTIFF", write.tiff("big.tf8", noise(3, 40, 50), bigtiff=True), by.by_tifffile),
    Row("TIFF", "complex", write.tiff("c.tif", noise(40, 50, dtype="c8")), by.by_tifffile),
    Row(
        "TIFF",
        "float, predictor",
        write.tiff("f.tif", noise(40, 50, dtype="f4"), compression="deflate", predictor=3),
        by.by_tifffile,
    ),
    Row("OME-TIFF", "T, C, Z", "ome-tiff/*.ome.tif", by.by_tifffile),
    Row("OME-TIFF", "old schemas", "ome-tiff/schema-samples/*.tiff", by.by_tifffile),
    Row("OME-TIFF", "pyramid in SubIFDs", Written("tifffile", write.tiff_pyramid), by.by_tifffile),
    Row("OME-TIFF", "pyramid of another writer", "ome-tiff/pyramid/*.tiff", by.by_tifffile),
    Row("OME-TIFF", "companion file", "ome-tiff/companion/multifile.companion.ome", by.by_tifffile_companion),
    Row("OME-TIFF", "any file of a companion's set", "ome-tiff/companion/*.ome.tiff", by.by_tifffile_companion),
    Row("OME-TIFF", "Modulo axes", dialects.MODULO, by.by_tifffile),
    Row("Micro-Manager", "positions of NDTiff", dialects.NDTIFF, dialects.by_ndstorage),
    Row("Micro-Manager", "positions of MMStack", "", None, experimental=NONE_YET),
    Row(
        "ImageJ",
        "hyperstack",
        write.tiff("h.tif", noise(2, 3, 4, 40, 50), imagej=True, metadata={"axes": "TZCYX"}),
        by.by_tifffile,
    ),
    Row("ImageJ", "files of ImageJ", "imagej/*.tif", by.by_tifffile),
    Row("ImageJ", "more than 4 GiB", dialects.LARGE, dialects.by_mapped_tifffile),
    Row("LSM", "T, C, Z and thumbnail", "lsm/test.lsm", by.by_tifffile),
    Row("STK", "stack", "tiff/stk/*", by.by_tifffile),
    Row("SVS", "tiles, levels, thumbnail", Written("tifffile", write.svs), by.by_tifffile),
    Row("ScanImage", "frames and channels", dialects.SCANIMAGE, dialects.by_tifffile_as_frames),
    Row("MIBItiff", "channels", "mibi/mibitiff/*.tiff", by.by_tifffile_as_channels),
    Row("FOV folder", "one TIFF per channel, in TIFs/", "mibi/fov8", dialects.by_tifffile_per_channel),
    Row("FOV folder", "channels and a mask", dialects.FIELD, dialects.by_tifffile_per_channel),
    Row("filename series", "time points (MitoCheck)", "tiff/mitocheck-series/*.tif", dialects.by_tifffile_per_time),
    Row(
        "filename series",
        "slices (ImageXpress)",
        "tiff/imagexpress/*/*/*/*/ZStep_?/*.tif",
        dialects.by_tifffile_per_step,
    ),
)

CZI = (
    Row("CZI", "T, C, Z", "czi/CD_s_1_t_3_c_2_z_5.czi", by.by_pylibCZIrw),
    Row("CZI", "T, C, Z, written", write.czi(write.czi_stack()), by.by_pylibCZIrw),
    Row("CZI", "scenes, mosaics", "czi/S3_1Pos_2Mosaic_T1_Z1_CH1.czi", by.by_pylibCZIrw),
    Row("CZI", "scenes far apart", "czi/WellD6-7_S2.czi", by.by_pylibCZIrw),
    Row("CZI", "mosaic", "czi/mosaic_test.czi", by.by_pylibCZIrw),
    Row("CZI", "pyramid of an instrument", "czi/WellD6-7_S2.czi", by.by_czifile),
    Row(
        "CZI",
        "negative origin, sparse mosaic",
        write.czi([(noise(20, 30), BOX, {}, 0), (noise(20, 31)[:, :30], (40, 25), {}, 0)]),
        by.by_pylibCZIrw,
    ),
    Row("CZI", "red, green, blue", "czi/RGB-8bit.czi", by.by_pylibCZIrw),
    Row(
        "CZI", "red, green, blue, written", write.czi([(noise(40, 50, 3, dtype="u1"), (0, 0), {}, 0)]), by.by_pylibCZIrw
    ),
    Row("CZI", "zstd0", write.czi(write.czi_stack(), "zstd0:ExplicitLevel=3"), by.by_pylibCZIrw),
    Row(
        "CZI",
        "zstd1, bytes split in halves",
        write.czi(write.czi_stack(), "zstd1:ExplicitLevel=2;PreProcess=HiLoByteUnpack"),
        by.by_pylibCZIrw,
    ),
    Row("CZI", "JPEG-XR", "czi/CellDivision_T3_Z5_CH2_X240_Y170_comp1.czi", by.by_pylibCZIrw),
    Row("CZI", "zstd of an instrument", "czi/CellDivision_T3_Z5_CH2_X240_Y170_comp2.czi", by.by_pylibCZIrw),
    *(
        Row("CZI", f"{name} ({axis}) as channels", write.renamed(write.czi(write.czi_stack()), axis), by.by_czifile)
        for axis, name in (("H", "phases"), ("R", "rotations"), ("I", "illuminations"), ("V", "views"), ("B", "blocks"))
    ),
)

VENDORS = (
    Row("ND2", "channels", "nd2/example-pbmc.nd2", by.by_nd2),
    Row("ND2", "time loop", "nd2/example-timelapse.nd2", by.by_nd2),
    Row("ND2", "positions, custom loops, RGB, JPEG 2000", "", None, experimental=NONE_YET),
    Row("LIF", "XZ, XZT, XZY scans", "lif/xz-example.lif", by.by_liffile),
    Row("LIF", "XZ planes of LAS X", "lif/LeicaLASX_xz-plane_example.lif", by.by_liffile),
    Row("LIF", "XZT against exported TIFFs", "lif/xz-example.lif", by.by_exported_tiffs),
    Row("LIF", "tile scans, lambda scans", "", None, experimental=NONE_YET),
    Row("OIB", "channels", "oib/test.oib", by.by_oiffile),
    Row("OIF", "channels", "derived/oif/*.oif", by.by_oiffile),
    Row("OIB", "lambda", "", None, experimental=NONE_YET),
    Row("DeltaVision", "Z, T, channels", "dv/tinyTest.d3d.dv", by.by_mrc),
    Row("Imaris", "levels, channels, times", "", None, experimental=NONE_YET),
    *(
        Row(f"DM{n}", name, instruments.dm(f"a.dm{n}", array, collection=collection), instruments.by_nionswift)
        for n in (3, 4)
        for name, array, collection in (
            ("image", noise(20, 31), 0),
            ("float image", noise(20, 31, dtype="f4"), 0),
            ("complex image", noise(20, 31, dtype="c8"), 0),
            ("colours", noise(20, 31, 3, dtype="u1"), 0),
            ("stack", noise(4, 20, 31), 1),
            ("spectrum image", noise(5, 6, 40, dtype="f4"), 2),
        )
    ),
    Row("EER", "fractions", "", None, experimental=NONE_YET),
)

MRC = (
    *(
        Row("MRC", f"mode {mode}, {dtype}", write.mrc(noise(3, 20, 31, dtype=dtype)), by.by_mrcfile)
        for mode, dtype in ((0, "i1"), (1, "i2"), (2, "f4"), (4, "c8"), (6, "u2"), (12, "f2"))
    ),
    Row("MRC", "mode 101, 4 bits", instruments.NIBBLES, instruments.by_mrcz),
    Row("MRC", "axes in another order", write.mrc(noise(3, 20, 31, dtype="f4"), ".map", write.permuted), by.by_mrcfile),
    Row("MRC", "extended header", write.mrc(noise(3, 20, 31), ".st", write.extended), by.by_mrcfile),
    Row("MRC", "stack of images", write.mrc(noise(3, 20, 31), ".mrcs", write.stacked), by.by_mrcfile),
    Row("MRC", ".gz", write.mrc(noise(3, 20, 31), ".mrc.gz"), by.by_mrcfile),
    Row("MRC", ".bz2", write.mrc(noise(3, 20, 31), ".rec.bz2"), by.by_mrcfile),
    Row("MRC", "maps of archives", "mrc/*.[mc]*", by.by_mrcfile),
    Row("MRC", "tomograms", "mrc/cryoet-portal/*/*/*.[rm][er]c", by.by_mrcfile),
)

ZARR = (
    *(
        Row("OME-Zarr", f"{version}, axes {axes}", zarrs.image(axes, version), zarrs.by_zarr)
        for version in ("0.5", "0.4")
        for axes in zarrs.every_choice()
    ),
    Row("OME-Zarr", "axes in another order", zarrs.image("xyzct"), zarrs.by_zarr),
    *(Row("OME-Zarr", f"0.5, {name}", zarrs.image("czyx", **how), zarrs.by_zarr) for name, how in zarrs.codecs_v3()),
    *(
        Row("OME-Zarr", f"0.4, {name}", zarrs.image("czyx", "0.4", **how), zarrs.by_zarr)
        for name, how in zarrs.codecs_v2()
    ),
    *(Row("OME-Zarr", f"{version}, plate", zarrs.plate(version), zarrs.by_zarr) for version in ("0.5", "0.4")),
    *(
        Row("OME-Zarr", f"{version}, labels", zarrs.image("tczyx", version, labels=True), zarrs.by_zarr)
        for version in ("0.5", "0.4")
    ),
    *(
        Row(
            "OME-Zarr",
            f"{version}, bioformats2raw, {'listed' if listed else 'numbered'}",
            zarrs.series(version, listed=listed),
            zarrs.by_zarr,
        )
        for version in ("0.5", "0.4")
        for listed in (True, False)
    ),
    *(
        Row("OME-Zarr", f"{version}, zip", zarrs.image("czyx", version, zipped=True), zarrs.by_zarr)
        for version in ("0.5", "0.4")
    ),
    Row("OME-Zarr", "0.4 files of others", "ome-zarr/v04/*.zarr", zarrs.by_zarr),
    Row("OME-Zarr", "0.4 images with labels and tables", "ome-zarr/v04/ngio/*.zarr", zarrs.by_zarr),
    Row("OME-Zarr", "0.5 files of others", "ome-zarr/v05/*.zarr", zarrs.by_zarr),
    Row("OME-Zarr", "0.5 images with labels and tables", "ome-zarr/v05/ngio/*.zarr", zarrs.by_zarr),
    Row(
        "OME-Zarr",
        "plain Zarr without axes is refused",
        "ome-zarr/plain-v3/data.zarr",
        None,
        refused=UnsupportedFormatError,
    ),
    *(
        Row("OME-Zarr", f"{version}, {place}", zarrs.image("czyx", version, labels=True), zarrs.by_zarr, serve=serve)
        for version in ("0.5", "0.4")
        for place, serve in (("over HTTP", over_http), ("from S3", from_s3))
    ),
)

MORE = (
    Row("DICOM", "every transfer syntax there is", "dicom/[!n]*.dcm", by.by_pydicom),
    Row("DICOM", "series as one image", "dicom/series/*.dcm", by.by_pydicom_series),
    Row("DICOM", "no preamble", Written("pydicom", write.dicom_without_preamble), by.by_pydicom),
    Row("DICOM", "whole slide", instruments.SLIDE, instruments.by_wsidicom),
    Row("NIfTI", "x, y, z, t", write.nifti("v.nii", noise(7, 8, 9, 3, dtype="i2")), by.by_nibabel),
    Row("NIfTI", ".gz, float", write.nifti("v.nii.gz", noise(7, 8, 9, dtype="f4")), by.by_nibabel),
    Row("video", "AVI", "video/*.avi", by.by_av),
    Row("video", "MP4", "video/*.mp4", by.by_av),
    Row("video", "MOV", "video/*.mov", by.by_av),
    Row("PNG", "8 bits", write.picture("p.png", noise(40, 50, 3, dtype="u1")), by.by_opencv),
    Row("PNG", "16 bits", write.picture("p.png", noise(40, 50)), by.by_opencv),
    Row("PNG", "files of others", "ome-tiff/qupath-cells/*.png", by.by_opencv),
    Row("JPEG", "grey", write.picture("p.jpg", noise(40, 50, dtype="u1")), by.by_opencv),
    Row("JPEG", "colour", "ome-tiff/qupath-cells/*.jpg", by.by_opencv),
    *(
        Row(name, f"by {means}, {place}", source, reference, serve=serve)
        for name, means, source, reference in (
            (
                "TIFF",
                "ranges",
                write.tiff("r.tif", noise(5, 300, 400), tile=(64, 64), compression="zlib"),
                by.by_tifffile,
            ),
            ("MRC", "ranges", write.mrc(noise(5, 200, 310, dtype="f4")), by.by_mrcfile),
            ("ND2", "ranges", "nd2/example-pbmc.nd2", by.by_nd2),
            ("CZI", "a local copy", "czi/RGB-8bit.czi", by.by_czifile),
        )
        for place, serve in (("over HTTP", over_http), ("from S3", from_s3))
    ),
)

ROWS = (*TIFF, *CZI, *VENDORS, *MRC, *ZARR, *MORE)
