"""MRC and its family: tomograms, tilt series, maps, stacks."""

from coverslip.readers.declared import Declared

__all__ = ["reader"]

reader = Declared(
    name="mrc",
    title="MRC",
    extensions=(
        ".mrcs.bz2",
        ".ccp4.bz2",
        ".mrcs.gz",
        ".ccp4.gz",
        ".mrc.bz2",
        ".rec.bz2",
        ".map.bz2",
        ".ali.bz2",
        ".mrc.gz",
        ".rec.gz",
        ".map.gz",
        ".ali.gz",
        ".st.bz2",
        ".st.gz",
        ".mrcs",
        ".ccp4",
        ".mrc",
        ".rec",
        ".map",
        ".ali",
        ".st",
    ),
    package="mrcfile",
    module="mrcfile",
    code="coverslip.readers.mrc.reading:reader",
)
