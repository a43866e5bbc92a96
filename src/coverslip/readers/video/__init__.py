"""AVI, MP4 and MOV as time series."""

from coverslip.readers.video.reader import reader

__all__ = ["reader"]
