"""Slices, projections, multi-views, regions, histograms and statistics over HTTP."""

import io
import uuid
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coverslip import open_image, render
from coverslip.api import views
from coverslip.model import RenderSpec
from tests.api.checks import check_problem
from tests.api.conftest import Service
from tests.api.test_pictures import pixels
from tests.api.tiffs import stack_pixels

SAID = ("content-type", "etag", "cache-control", "vary", "content-length")
PICTURES = ["thumbnail", "slice/2", "mip", "projection", "multiview", "region?w=20&h=10"]


def ask(library: Service, image_id: str, what: str, **headers: str) -> httpx.Response:
    return library.client.get(f"/api/images/{image_id}/{what}", headers=headers)


@pytest.mark.parametrize(
    ("what", "choice"),
    [
        ("slice/3?width=30&height=30", {"z": 3, "width": 30, "height": 30}),
        ("slice/0?channel=1&t=0", {"z": 0, "channels": (1,)}),
        ("mip", {"projection": "max"}),
        ("mip?width=512&height=512&axis=0", {"projection": "max"}),
        ("mip?axis=1&width=50", {"projection": "max", "axis": 1, "width": 50}),
        ("mip?axis=2&z=1", {"projection": "max", "axis": 2, "z": 1}),
        ("projection?kind=median&axis=0", {"projection": "median"}),
        ("projection?kind=std&axis=1&channels=1", {"projection": "std", "axis": 1, "channels": (1,)}),
        ("projection?kind=sum&luts=fire&channel=0", {"projection": "sum", "luts": ("fire",), "channels": (0,)}),
        ("multiview", {"layout": "multiview"}),
        (
            "multiview?z=2&projection=mean&height=20",
            {"layout": "multiview", "z": 2, "projection": "mean", "height": 20},
        ),
        ("thumbnail?z=1&gamma=0.5", {"z": 1, "gamma": 0.5}),
        ("thumbnail?contrast=100:4000,p2:98.5", {"contrast": ((100, 4000, "value"), (2, 98.5, "percentile"))}),
        ("slice/1?contrast=-1.5e2:5e3&blend=alpha", {"z": 1, "contrast": ((-150, 5000, "value"),), "blend": "alpha"}),
        ("region?x=5&y=3&w=20&h=10&z=1", {"z": 1, "crop": (5, 3, 20, 10)}),
        (
            "region?w=60&h=40&level=0&projection=min&width=30",
            {"crop": (0, 0, 60, 40), "projection": "min", "width": 30},
        ),
    ],
)
def test_the_picture_is_what_render_draws(library: Service, image_id: str, what: str, choice: dict[str, Any]) -> None:
    answer = ask(library, image_id, what)
    assert answer.headers["content-type"] == "image/png"
    wanted = {"width": 2000, "height": 2000, **choice}
    if "crop" in choice:
        wanted["crop"] = dict(zip(("x", "y", "width", "height"), choice["crop"], strict=True))
    if "contrast" in choice:
        wanted["contrast"] = [dict(zip(("low", "high", "unit"), one, strict=True)) for one in choice["contrast"]]
    (path,) = (path for path in library.uploads if path.is_file())
    with open_image(path) as file:
        expected = render.draw(file.images[0], RenderSpec.model_validate(wanted))
    np.testing.assert_array_equal(pixels(answer), expected)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "width=30&contrast=p1:99",
        "format=webp",
        "t=0&channels=0,1&luts=fire,red",
        "t=99",
        "channels=7",
        "channels=9,",
    ],
)
@pytest.mark.parametrize("z", ["0", "3", "400", "12345678901", "00"])
def test_slices_are_answered_alike_with_and_without_the_framework(
    library: Service, image_id: str, z: str, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick: list[str] = []

    async def seen(rooms: Any, image_id: str, *rest: Any) -> Any:
        quick.append(image_id)
        return await views.picture_response(rooms, image_id, *rest)

    monkeypatch.setattr("coverslip.api.quick_slices.picture_response", seen)
    nobody = str(uuid.UUID(int=7))
    is_right = query != "channels=9," and len(z) < 10
    # what says something twice goes to the framework, which takes the last word
    once, twice = (f"slice/{z}?{query}{'&' * bool(query)}{end}" for end in ("v=2", "v=1&v=2"))
    for identifier in (image_id, nobody):
        first, second = ask(library, identifier, once), ask(library, identifier, twice)
        assert (first.status_code, first.content) == (second.status_code, second.content)
        assert {name: first.headers.get(name) for name in SAID} == {name: second.headers.get(name) for name in SAID}
    assert quick == ([image_id, nobody] if is_right else [])


@pytest.mark.parametrize("what", PICTURES)
def test_every_picture_has_kinds_tags_and_heads(library: Service, image_id: str, what: str) -> None:
    join = "&" if "?" in what else "?"
    tags = set()
    for name, start in (("png", b"\x89PNG"), ("webp", b"RIFF"), ("jpeg", b"\xff\xd8\xff")):
        address = f"{what}{join}format={name}"
        answer = ask(library, image_id, address, accept="image/webp")
        assert answer.content.startswith(start)
        assert answer.headers["content-type"] == f"image/{name}"
        assert (answer.headers["cache-control"], answer.headers["vary"]) == ("no-cache", "Accept")
        again = ask(library, image_id, address, **{"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        head = library.client.head(f"/api/images/{image_id}/{address}")
        assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", answer.headers["etag"])
        tags.add(answer.headers["etag"])
    accepted = ask(library, image_id, what, accept="image/webp")
    assert accepted.headers["etag"] in tags
    for choice in ("t=0", "channels=1", "contrast=0:9", "gamma=2", "luts=fire", "blend=alpha"):
        tags.add(ask(library, image_id, f"{what}{join}{choice}").headers["etag"])
    assert len(tags) == 9


@pytest.mark.parametrize("z", [None, 3])
def test_regions_as_pixels(library: Service, image_id: str, z: int | None) -> None:
    query = "region?x=4&y=6&w=20&h=10&channels=1,0" + ("" if z is None else f"&z={z}")
    expected = stack_pixels().transpose(1, 0, 2, 3)[::-1, :, 6:16, 4:24]
    expected = expected if z is None else expected[:, z : z + 1]
    npy, tiff = (ask(library, image_id, f"{query}&format={form}") for form in ("npy", "tiff"))
    np.testing.assert_array_equal(np.load(io.BytesIO(npy.content)), expected)
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(tiff.content)).reshape(expected.shape), expected)
    assert npy.headers["content-type"] == "application/octet-stream"
    assert tiff.headers["content-type"] == "image/tiff"
    assert len({npy.headers["etag"], tiff.headers["etag"], ask(library, image_id, query).headers["etag"]}) == 3
    again = ask(library, image_id, f"{query}&format=npy", **{"if-none-match": npy.headers["etag"]})
    assert again.status_code == 304


def test_too_many_pixels_are_refused(library: Service, image_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MOST_BYTES", 1000)
    check_problem(ask(library, image_id, "region?w=60&h=40&format=npy"), 413, "too-large")
    assert ask(library, image_id, "region?w=10&h=5&format=npy").status_code == 200


def test_statistics(library: Service, image_id: str) -> None:
    answer = ask(library, image_id, "stats")
    assert answer.headers["content-type"] == "application/json"
    for c, stats in enumerate(answer.json()["channels"]):
        known = stack_pixels()[:, c].astype(float)
        assert (stats["index"], stats["name"], stats["exact"], stats["level"]) == (c, ("DAPI", "GFP")[c], True, 0)
        assert (stats["pixels"], stats["rank_error_percent"]) == (known.size, 0)
        for name in ("min", "max", "mean", "std"):
            assert stats[name] == pytest.approx(getattr(known, name)())
        for rank, value in stats["percentiles"].items():
            assert value == pytest.approx(np.percentile(known, float(rank)))
    one = ask(library, image_id, "stats?channel=1&z=2&t=0").json()["channels"]
    assert [stats["mean"] for stats in one] == [pytest.approx(stack_pixels()[2, 1].mean())]
    again = ask(library, image_id, "stats", **{"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304


def test_histograms(library: Service, image_id: str) -> None:
    document = ask(library, image_id, "histogram?channel=1&bins=64&z=4").json()
    counts, edges = np.histogram(stack_pixels()[4, 1], 64)
    assert document["counts"] == counts.tolist()
    np.testing.assert_allclose(document["edges"], edges)
    assert (document["channel"], document["exact"], document["pixels"]) == (1, True, 2400)
    assert sum(ask(library, image_id, "histogram").json()["counts"]) == 5 * 2400
    tags = [ask(library, image_id, f"histogram?{q}").headers["etag"] for q in ("", "bins=9", "channel=1", "z=0", "t=0")]
    assert len(set(tags)) == 5


@pytest.mark.parametrize(
    "what",
    [
        "slice/5",
        "slice/1?t=1",
        "slice/1?channel=2",
        "mip?channels=0,2",
        "mip?z=5",
        "projection?t=3",
        "multiview?z=9",
        "region?x=50&w=11&h=10",
        "region?w=10&h=10&level=1",
        "region?w=10&h=41&format=npy",
        "region?w=10&h=10&z=5&format=tiff",
        "histogram?channel=2",
        "histogram?z=5",
        "stats?t=1",
        "stats?channels=0,7",
    ],
)
def test_outside_the_image(library: Service, image_id: str, what: str) -> None:
    check_problem(ask(library, image_id, what), 400, "outside-image")


@pytest.mark.parametrize(
    "what",
    [
        "slice/-1",
        "slice/x",
        "slice/1?z=1",
        "mip?axis=3",
        "mip?axis=z",
        "mip?kind=mean",
        "projection?kind=mode",
        "multiview?width=15",
        "region?w=10",
        "region?w=0&h=1",
        "region?w=9000&h=1",
        "region?w=5&h=5&format=gif",
        "thumbnail?format=tiff",
        "thumbnail?channel=0&channels=1",
        "thumbnail?z=0&z_slice=1",
        "thumbnail?gamma=0",
        "thumbnail?gamma=nan",
        "thumbnail?luts=jet",
        "thumbnail?blend=multiply",
        "thumbnail?contrast=5:5",
        "thumbnail?contrast=9:5",
        "thumbnail?contrast=p0:101",
        "thumbnail?contrast=5",
        "thumbnail?contrast=1:2:3",
        "thumbnail?contrast=a:b",
        "thumbnail?contrast=1:inf",
        "histogram?bins=0",
        "histogram?bins=65537",
        "stats?contrast=0:1",
    ],
)
def test_parameters_that_make_no_sense(library: Service, image_id: str, what: str) -> None:
    check_problem(ask(library, image_id, what), 422, "invalid-parameter")


@pytest.mark.parametrize("what", ["thumbnail?contrast=0:1,0:2,0:3", "slice/1?channel=0&luts=red,green"])
def test_more_choices_than_channels(library: Service, image_id: str, what: str) -> None:
    check_problem(ask(library, image_id, what), 400, "invalid-request")


@pytest.mark.parametrize("what", [*PICTURES, "histogram", "stats"])
def test_an_image_that_is_not_there(library: Service, what: str) -> None:
    check_problem(library.client.get(f"/api/images/nothing/{what}"), 404, "not-found")


NUMBERS = st.one_of(st.integers(-3, 70).map(str), st.integers(-(10**12), 10**12).map(str), st.text(max_size=6))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    what=st.sampled_from(["slice/1", "mip", "projection", "multiview", "region", "histogram", "stats"]),
    query=st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("t", "z", "channel", "axis", "x", "y", "level", "bins", "width", "height"), NUMBERS),
            **{name: st.integers(1, 70).map(str) for name in ("w", "h")},
            "channels": st.sampled_from(["0", "1,0", "0,0", "7", ""]),
            "contrast": st.one_of(
                st.tuples(st.floats(width=32), st.floats(width=32)).map(lambda pair: f"{pair[0]}:{pair[1]}"),
                st.sampled_from(["p1:99", "0:1,p5:6", "0:1e99", "-1e99:1e99", "p0:1e-9", "0:0", "p"]),
            ),
            "gamma": st.one_of(st.floats().map(str), st.sampled_from(["0.1", "10"])),
            "luts": st.sampled_from(["fire", "viridis,red", "a,b,c", ""]),
            "blend": st.sampled_from(["alpha", "additive", "x"]),
            "kind": st.sampled_from(["max", "median", "std", "sum", "auto"]),
            "format": st.sampled_from(["png", "webp", "npy", "tiff", "svg"]),
        },
    ),
)
def test_no_query_is_the_servers_fault(library: Service, image_id: str, what: str, query: dict[str, str]) -> None:
    answer = library.client.get(f"/api/images/{image_id}/{what}", params=query)
    assert answer.status_code in {200, 400, 422}, (answer.text, query)


def test_a_picture_of_each_kind_decodes(library: Service, image_id: str) -> None:
    for what in PICTURES:
        for form in ("webp", "jpeg"):
            data = ask(library, image_id, f"{what}{'&' if '?' in what else '?'}format={form}").content
            assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None
