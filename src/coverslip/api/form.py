"""The one file of a ``multipart/form-data`` request, taken out of the stream as it arrives."""

import re
import unicodedata

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from coverslip.errors import InvalidRequestError

FIELD = "file"
HINT = f"send one file as the field {FIELD!r}: curl -F {FIELD}=@picture.tif ADDRESS"
MAX_NAME_BYTES = 200
"""File systems allow 255; the rest is room for those who add an ending."""

RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
"""Names that Windows takes for devices."""


def boundary_of(content_type: str | None) -> bytes:
    """Return what separates the parts of a form.

    Raises
    ------
    InvalidRequestError
        The request is not a form with files.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise InvalidRequestError(f"expected multipart/form-data, found {content_type or 'nothing'}; {HINT}")
    return boundary


class FileForm:
    """Takes the request's bytes piece by piece and keeps those of the file until somebody takes them.

    Parameters
    ----------
    boundary
        As ``boundary_of`` gives it.

    Raises
    ------
    InvalidRequestError
        The boundary is not one.
    """

    def __init__(self, boundary: bytes) -> None:
        self.filename: str | None = None
        self.file_bytes = 0
        """Bytes of the file so far."""
        self.waiting = bytearray()
        """Bytes of the file that nobody has taken yet."""
        self._complete = False
        self._in_file = False
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_finished,
                    "on_part_data": self._data,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise InvalidRequestError(f"the form cannot be read: {error}; {HINT}") from error

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the request.

        Raises
        ------
        InvalidRequestError
            They are no form, or hold more than one file.
        """
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise InvalidRequestError(f"the form cannot be read: {error}; {HINT}") from error

    def take(self) -> bytearray:
        """Return the bytes of the file that arrived since the last time."""
        taken, self.waiting = self.waiting, bytearray()
        return taken

    def finish(self) -> str:
        """Return the name of the file, after the last byte was fed.

        Raises
        ------
        InvalidRequestError
            The form ended early, or there was no file in it.
        """
        if not self._complete:
            raise InvalidRequestError("the request ended in the middle of the file; send it again")
        if self.filename is None:
            raise InvalidRequestError(f"there is no file in the form; {HINT}")
        return self.filename

    def _begin(self) -> None:
        self._in_file = False
        self._disposition = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if options.get(b"name") != FIELD.encode() or b"filename" not in options:
            return  # other fields are none of our business
        if self.filename is not None:
            raise InvalidRequestError("there is more than one file in the form; send one request for each")
        self.filename = _text(options[b"filename"])
        self._in_file = True

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self.waiting += memoryview(data)[start:end]
            self.file_bytes += end - start

    def _end(self) -> None:
        self._complete = True


def safe_name(sent: str) -> str:
    """Return a file name that is one on every system and stays in its folder, as close to the sent one as can be.

    Parameters
    ----------
    sent
        Whatever the client calls the file; some send a whole path.
    """
    name = unicodedata.normalize("NFC", sent).replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join("_" if char in '<>:"|?*' or not char.isprintable() else char for char in name)
    name = name.strip().lstrip(".").rstrip(". ") or "upload"
    if RESERVED.match(name):
        name = f"_{name}"
    stem, dot, ending = name.partition(".")
    ending = dot + ending
    if len(ending.encode()) > MAX_NAME_BYTES // 2:
        stem, ending = name, ""
    room = MAX_NAME_BYTES - len(ending.encode())
    return stem.encode()[:room].decode(errors="ignore") + ending


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
