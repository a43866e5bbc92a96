"""PNG and JPEG: one image of one plane."""

from coverslip.readers.declared import Declared

__all__ = ["reader"]

reader = Declared(
    name="picture",
    title="PNG and JPEG",
    extensions=(".jpeg", ".jfif", ".png", ".jpg", ".jpe"),
    package="imagecodecs",
    module="imagecodecs",
    code="coverslip.readers.picture.reading:reader",
)
