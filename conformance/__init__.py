"""One row per format and feature: files of independent writers, read by us and by a reference reader."""
