"""AVI, MP4 and MOV as time series."""

from coverslip.readers.declared import Declared

__all__ = ["reader"]

reader = Declared(
    name="video",
    title="AVI, MP4 and MOV",
    extensions=(".avi", ".mp4", ".m4v", ".mov"),
    package="av",
    module="av",
    code="coverslip.readers.video.reading:reader",
)
