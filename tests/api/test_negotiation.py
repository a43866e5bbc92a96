import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coverslip.api.kept import ByteCache, is_known
from coverslip.api.pictures import negotiate
from coverslip.render import MEDIA_TYPES


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "png"),
        ("", "png"),
        ("*/*", "png"),
        ("image/*", "png"),
        ("image/webp", "webp"),
        ("image/jpeg", "jpeg"),
        ("IMAGE/WEBP", "webp"),
        ("text/html", "png"),
        ("image/avif", "png"),
        ("image/webp,image/png", "png"),
        ("image/webp;q=0.9,image/jpeg;q=0.8", "webp"),
        ("image/webp;q=0.5, image/jpeg;q=0.8", "jpeg"),
        ("image/webp;q=0.5,*/*", "png"),
        ("image/webp;q=0,image/jpeg;q=0", "png"),
        ("image/png;q=0,image/*", "webp"),
        # browsers, for an <img>
        ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "webp"),
        ("image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", "png"),
        # curl, fetch
        ("image/webp;q=nonsense", "webp"),
    ],
)
def test_the_kind_of_picture(accept: str | None, kind: str) -> None:
    assert negotiate(accept) == f"image/{kind}"


@settings(deadline=None)
@given(st.text())
def test_any_header_gets_a_picture(accept: str) -> None:
    assert negotiate(accept) in MEDIA_TYPES


@pytest.mark.parametrize(
    ("header", "known"),
    [
        (None, False),
        ("", False),
        ('"abc"', True),
        ('W/"abc"', True),
        ('"x", W/"abc"', True),
        ("*", True),
        ('"ab"', False),
        ("abc", False),
    ],
)
def test_which_tags_a_client_knows(header: str | None, known: bool) -> None:
    assert is_known('"abc"', header) is known


def test_the_cache_keeps_what_was_used_last() -> None:
    cache = ByteCache(limit=10)
    cache.put("a", b"aaaa")
    cache.put("b", b"bbbb")
    assert cache.get("a") == b"aaaa"
    cache.put("c", b"cccc")
    assert [cache.get(key) for key in "abc"] == [b"aaaa", None, b"cccc"]
    assert cache.size == 8
    cache.put("a", b"a")
    assert cache.size == 5
    cache.put("d", b"d" * 11)
    assert [cache.get(key) for key in "acd"] == [None, None, None]
    assert cache.size == 0
