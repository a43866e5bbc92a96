"""Which key a record means: one table of cases."""

import pytest

from coverslip.cleanup.keys import key_below

KEY = "10001/TS_1/run_metadata.json"
WEB = "https://files.example.org/layout"
ELSEWHERE = "is not where this layout lies"


@pytest.mark.parametrize(
    ("top", "text", "key"),
    [
        ("s3://bucket", KEY, KEY),
        ("s3://bucket", f"s3://bucket/{KEY}", KEY),
        ("s3://bucket", f"/{KEY}", KEY),
        ("s3://bucket", f"S3://bucket/{KEY}", KEY),
        ("s3://bucket/layout", f"s3://bucket/layout/{KEY}", KEY),
        ("s3://bucket/layout/", f"s3://bucket/layout/{KEY}", KEY),
        ("s3://bucket/layout", f"/layout/{KEY}", KEY),
        ("s3://bucket/layout", f"{WEB}/{KEY}", KEY),
        ("s3://bucket/layout", f"HTTPS://Files.Example.ORG/layout/{KEY}", KEY),
        ("s3://bucket/layout", f"{WEB}/10001/a%20b+c.json", "10001/a b+c.json"),
        ("s3://bucket", "s3://bucket/10001/a b.zarr/", "10001/a b.zarr"),
        ("s3://bucket", "10001/100%.json", "10001/100%.json"),
        ("/data/layout", KEY, KEY),
        ("/data/layout", f"/data/layout/{KEY}", KEY),
        (WEB, f"{WEB}/{KEY}", KEY),
    ],
)
def test_every_form_of_a_key_means_the_same(top: str, text: str, key: str) -> None:
    assert key_below(top, text, [WEB]) == (key, "")


@pytest.mark.parametrize(
    ("top", "text", "reason"),
    [
        ("s3://bucket", f"s3://another/{KEY}", ELSEWHERE),
        ("s3://bucket", f"s3://Bucket/{KEY}", ELSEWHERE),
        ("s3://bucket", f"gs://bucket/{KEY}", ELSEWHERE),
        ("s3://bucket/layout", f"s3://bucket/{KEY}", ELSEWHERE),
        ("s3://bucket/layout", f"s3://bucket/layouts/{KEY}", ELSEWHERE),
        ("s3://bucket/layout", f"https://other.example.org/layout/{KEY}", ELSEWHERE),
        ("s3://bucket/layout", f"/{KEY}", "not in this layout"),
        ("/data/layout", f"s3://bucket/{KEY}", ELSEWHERE),
        ("/data/layout", f"/data/{KEY}", "not in this layout"),
        ("s3://bucket", "s3://bucket/10001/a%20b.json", "percent-encoded or not"),
        ("s3://bucket", f"{WEB}/{KEY}?versionId=3", "has a query"),
        ("s3://bucket", f"{WEB}/%ff.json", "no UTF-8"),
        ("s3://bucket", f"{WEB}/%00.json", "names no file"),
        ("s3://bucket", f"{WEB}/%2e%2e/x.json", "are not followed"),
        ("s3://bucket", "10001/../10002/x.json", "are not followed"),
        ("s3://bucket", "10001//x.json", "are not followed"),
        ("s3://bucket", "./x.json", "are not followed"),
        ("s3://bucket", "s3://bucket", ELSEWHERE),
        ("s3://bucket", "s3://bucket/", "names no file"),
        ("s3://bucket", "", "names no file"),
        ("s3://bucket", "10001/\n.json", "names no file"),
        ("s3://bucket", "x" * 1025, "names no file"),
        ("s3://bucket", "/", "names no file"),
    ],
)
def test_what_cannot_be_placed_is_not_known_about(top: str, text: str, reason: str) -> None:
    key, said = key_below(top, text, [WEB])
    assert key == ""
    assert reason in said
