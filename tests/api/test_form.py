import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coverslip.api.form import FileForm, boundary_of, safe_name
from coverslip.errors import InvalidRequestError

BOUNDARY = b"frontier"


def body(*parts: tuple[str, bytes]) -> bytes:
    """Return a form of parts, each a disposition and its content."""
    pieces = [
        b"--" + BOUNDARY + b"\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + content + b"\r\n"
        for head, content in parts
    ]
    return b"".join(pieces) + b"--" + BOUNDARY + b"--\r\n"


def feed(data: bytes, sizes: list[int] | None = None) -> tuple[str, bytes]:
    """Return name and content of the file in a form that arrives in pieces of these sizes, over and over."""
    form = FileForm(BOUNDARY)
    content = bytearray()
    position = turn = 0
    while position < len(data):
        step = sizes[turn % len(sizes)] if sizes else len(data)
        form.feed(data[position : position + step])
        content += form.take()
        position += step
        turn += 1
    return form.finish(), bytes(content)


@settings(deadline=None)
@given(st.binary(max_size=300), st.lists(st.integers(1, 40), min_size=1, max_size=6))
@example(b"\r\n--frontie", [1])
@example(b"\r\n--frontier is near", [3])
@example(b"\r\n\r\n--", [7, 1])
def test_the_file_arrives_whole_however_it_is_cut(content: bytes, sizes: list[int]) -> None:
    if b"\r\n--" + BOUNDARY in b"\r\n" + content:
        return
    assert feed(body(('name="file"; filename="a.tif"', content)), sizes) == ("a.tif", content)


def test_other_fields_are_passed_over() -> None:
    data = body(('name="note"', b"x" * 100), ('name="file"; filename="a.tif"', b"II*"), ('name="b"', b"y"))
    assert feed(data, [9]) == ("a.tif", b"II*")


def test_names_are_utf8_or_else_latin1() -> None:
    data = body(('name="file"; filename="Zähne 日.tif"', b"1"))
    assert feed(data)[0] == "Zähne 日.tif"
    assert feed(data.replace("Zähne 日".encode(), "Zähne".encode("latin-1")))[0] == "Zähne.tif"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"this is no form", "cannot be read"),
        (body(('name="file"; filename="a"', b"1"), ('name="file"; filename="b"', b"2")), "more than one file"),
        (body(('name="other"; filename="a"', b"1")), "no file in the form"),
        (body(('name="file"', b"just text")), "no file in the form"),
        (body(('name="file"; filename="a.tif"', b"1" * 100))[:-20], "ended in the middle"),
        (b"", "ended in the middle"),
    ],
)
def test_what_is_no_form_with_one_file(data: bytes, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        feed(data)


@pytest.mark.parametrize(
    "content_type",
    [None, "", "image/tiff", "multipart/form-data", "multipart/mixed; boundary=x", "multipart/form-data;"],
)
def test_what_is_no_form_at_all(content_type: str | None) -> None:
    with pytest.raises(InvalidRequestError, match="expected multipart/form-data"):
        boundary_of(content_type)


def test_a_boundary_that_is_none() -> None:
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        FileForm(b"x" * 1000)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("cells.ome.tif", "cells.ome.tif"),
        ("../../etc/passwd", "passwd"),
        ("C:\\data\\cells.tif", "cells.tif"),
        ("/", "upload"),
        ("", "upload"),
        ("..", "upload"),
        (".hidden.tif", "hidden.tif"),
        ("name. . ", "name"),
        ('a<b>:"c|?*.tif', "a_b___c___.tif"),
        ("a\x00b\n\u202ec.tif", "a_b__c.tif"),
        ("con.tif", "_con.tif"),
        ("LPT1", "_LPT1"),
        ("console.tif", "console.tif"),
        ("Za\u0308hne.tif", "Z\u00e4hne.tif"),
        ("日本.czi", "日本.czi"),
    ],
)
def test_safe_names(sent: str, kept: str) -> None:
    assert safe_name(sent) == kept


def test_long_names_keep_their_ending() -> None:
    name = safe_name("é" * 400 + ".ome.tif")
    assert name.endswith("é.ome.tif")
    assert len(name.encode()) <= 200
    assert len(safe_name("a." + "b" * 400).encode()) <= 200


@settings(deadline=None)
@given(st.text(max_size=300))
@example("\ud800.tif")
def test_any_name_makes_one_file_in_the_folder(sent: str) -> None:
    name = safe_name(sent)
    assert len(os.fsencode(name)) <= 200
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(b"1")
        assert [item.name for item in Path(folder).iterdir()] == [name]
        assert path.resolve().parent == Path(folder).resolve()
