"""What is said to be absent in a real bucket, behind a proxy that refuses, cuts, reorders and forgets."""

import re
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from coverslip.cleanup.existence import Existence, look
from coverslip.sources import RemotePath, RemoteRules, locate
from tests.services.altering import (
    Altering,
    Answer,
    Asked,
    Change,
    altering_proxy,
    refusal,
    without_continuation,
    without_keys,
)
from tests.services.s3 import S3Server
from tests.sources.bucket import BUCKET, serve_bucket

pytestmark = pytest.mark.service

FOLDER = "10001/TS_1/Reconstructions/VoxelSpacing10.000/Annotations"
THERE = [f"{FOLDER}/{100 + number}/membrane-1.0.json" for number in range(2400)]
GONE = [f"{FOLDER}/{100 + number}/ribosome-1.0.json" for number in range(0, 2400, 10)]
FEW_GONE = GONE[::10]
OTHER_RUN = "10001/TS_2/Reconstructions/VoxelSpacing10.000/Annotations"
OTHERS = [f"{OTHER_RUN}/{number}/actin-1.0.json" for number in range(30)]
QUICK = {"init_backoff": timedelta(milliseconds=10), "max_backoff": timedelta(milliseconds=50), "base": 2}
OTHERS_GONE = [f"{OTHER_RUN}/{number}/actin-1.0.json" for number in range(30, 33)]


@dataclass(frozen=True)
class Layout:
    """A layout in a bucket, behind the proxy."""

    store: S3Store
    proxy: Altering
    rules: RemoteRules
    prefix: str

    @property
    def top(self) -> RemotePath:
        path = locate(f"s3://{BUCKET}/{self.prefix}", self.rules)
        assert isinstance(path, RemotePath)
        return path

    def put(self, keys: list[str]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: obstore.put(self.store, f"{self.prefix}/{key}", b"{}"), keys))


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with serve_bucket() as server:
        yield server


@pytest.fixture(scope="module")
def store(server: S3Server) -> S3Store:
    return S3Store(
        BUCKET,
        endpoint=server.url,
        access_key_id=server.access_key,
        secret_access_key=server.secret_key,
        region="us-east-1",
        client_options={"allow_http": True},
    )


@pytest.fixture(scope="module")
def full(store: S3Store) -> str:
    """Return the prefix of a layout that tests only read: three pages of annotations, and another run."""
    prefix = uuid.uuid4().hex
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: obstore.put(store, f"{prefix}/{key}", b"{}"), [*THERE, *OTHERS]))
    return prefix


@pytest.fixture
def layout(
    server: S3Server, store: S3Store, full: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Layout]:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    retries = {"max_retries": 1, "retry_timeout": timedelta(seconds=5), "backoff": QUICK}
    monkeypatch.setattr("coverslip.sources.bucket.RETRIES", retries)
    monkeypatch.setattr("coverslip.sources.bucket.ONCE_MORE", (0.0,))
    monkeypatch.setattr("coverslip.cleanup.existence_remote.PAUSES", (0.0, 0.05))
    monkeypatch.setattr("coverslip.cleanup.existence_remote.AT_ONCE", 4)
    with altering_proxy(server.url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield Layout(store, proxy, RemoteRules((), tmp_path, 0), full)


def check(found: Existence, there: list[str], gone: list[str]) -> None:
    """Fail when what is there is said to be absent, or an answer is missing or doubled."""
    assert not set(there) & found.absent
    assert not set(gone) & found.present
    assert found.present | found.absent | found.unknown.keys() == {*there, *gone}
    assert len(found.present) + len(found.absent) + len(found.unknown) == len(there) + len(gone)


@pytest.mark.parametrize("gone", [FEW_GONE, GONE], ids=["few are gone", "many are gone"])
def test_a_complete_listing_tells_all_by_few_requests(layout: Layout, gone: list[str]) -> None:
    found = look(layout.top, [*THERE, *OTHERS, *gone, *OTHERS_GONE])
    assert found.present == {*THERE, *OTHERS}
    assert found.absent == {*gone, *OTHERS_GONE}
    assert found.is_complete
    assert found.requests == len(layout.proxy.asked) or gone == GONE
    assert len(layout.proxy.asked) < 0.3 * len(THERE)


def test_many_keys_need_no_request_each(layout: Layout) -> None:
    found = look(layout.top, [*THERE, *OTHERS])
    assert (len(found.present), found.is_complete) == (2430, True)
    assert found.requests == len(layout.proxy.asked) == 6  # three pages and one, and the end of each looked at


@pytest.mark.parametrize("form", ["{}", "s3://lab-images/{prefix}/{}", "/{prefix}/{}", "https://data.example.org/{}"])
def test_keys_in_every_form(layout: Layout, form: str) -> None:
    there, gone = ([form.format(key, prefix=layout.prefix) for key in some] for some in (OTHERS, OTHERS_GONE))
    found = look(layout.top, [*there, *gone], aliases=["https://data.example.org"])
    assert found.present == set(there)
    assert found.absent == set(gone)
    assert found.is_complete


def test_of_another_place_nothing_is_known(layout: Layout) -> None:
    elsewhere = ["s3://another/10001/x.json", f"https://data.example.org/{OTHERS_GONE[0]}", f"s3://{BUCKET}/x.json"]
    found = look(layout.top, [*elsewhere, *OTHERS])
    assert found.unknown.keys() == set(elsewhere)
    assert all("not where this layout lies" in reason for reason in found.unknown.values())
    assert found.absent == set()


def test_what_no_key_names_is_an_orphan(layout: Layout) -> None:
    mine = Layout(layout.store, layout.proxy, layout.rules, uuid.uuid4().hex)
    run = "10001/TS_1"
    annotation = f"{run}/Annotations/100"
    mine.put(
        [
            f"{annotation}/a-1.0.json",
            f"{annotation}/a-1.0.zarr/zarr.json",
            f"{annotation}/a-1.0.zarr/0/0/0/0",
            f"{run}/Annotations/101/b-1.0.json",
            f"{run}/Annotations/101/b-1.0.zarr/zarr.json",
            f"{run}/Annotations/101/b-1.0.zarr/0/0",
            f"{run}/.hidden/x.json",
            f"{run}-2/x.json",
        ]
    )
    keys = [f"{annotation}/a-1.0.json", f"{annotation}/a-1.0.zarr", f"{annotation}/gone.zarr"]
    found = look(mine.top, keys, prefixes=[run])
    assert found.present == set(keys[:2])
    assert found.absent == set(keys[2:])
    assert found.orphans == {f"{run}/Annotations/101/b-1.0.json", f"{run}/Annotations/101/b-1.0.zarr"}
    assert found.sizes[f"{run}/Annotations/101/b-1.0.zarr"] == 4
    assert look(mine.top, [], prefixes=[""]).orphans >= {f"{run}-2/x.json", f"{annotation}/a-1.0.zarr"}
    gone = look(mine.top, ["10002/x.json"], prefixes=["10002"])
    assert gone.absent == {"10002/x.json"}
    assert not gone.orphans
    assert gone.is_complete


def test_a_folder_full_of_other_things_is_not_listed_to_the_end(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Layout(layout.store, layout.proxy, layout.rules, uuid.uuid4().hex)
    tomogram = "10001/TS_1/Tomograms/100"
    monkeypatch.setattr("coverslip.cleanup.existence_remote.FREE_PAGES", 1)
    mine.put([f"{tomogram}/tomogram.zarr/0/{number}" for number in range(2100)])
    mine.put(keys := [f"{tomogram}/tomogram_metadata.json", "10001/TS_1/Tomograms/101/tomogram_metadata.json"])
    keys += ["10001/TS_1/Tomograms/100/tomogram.zarr", "10001/TS_1/Tomograms/102/tomogram_metadata.json"]
    layout.proxy.asked.clear()
    found = look(mine.top, keys)
    assert found.present == set(keys[:3])
    assert found.absent == set(keys[3:])
    assert sum(one.is_listing for one in layout.proxy.asked) <= 4


def test_too_many_objects_to_look_for_orphans_do_not_hide_what_is_gone(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coverslip.cleanup.existence_remote.WHOLE_PAGES", 2)
    found = look(layout.top, [*THERE, *OTHERS, *FEW_GONE], prefixes=[""])
    assert found.present == {*THERE, *OTHERS}
    assert found.absent == set(FEW_GONE)
    assert found.unlisted == {"10001/TS_1": "more than 2,000 objects lie there"}


def test_files_are_not_asked_for_again_where_what_names_them_is_gone_too(layout: Layout) -> None:
    mine = Layout(layout.store, layout.proxy, layout.rules, uuid.uuid4().hex)
    documents = [f"{FOLDER}/{number}/a-1.0.json" for number in range(40)]
    points = {f"{FOLDER}/{number}/a-1.0_point.ndjson": document for number, document in enumerate(documents)}
    mine.put([*documents[10:], *list(points)[20:]])
    layout.proxy.asked.clear()
    found = look(mine.top, [*documents, *points], only_with=points)
    assert found.present == {*documents[10:], *list(points)[20:]}
    assert found.absent == {*documents[:10], *list(points)[10:20]}
    assert found.unknown.keys() == {*list(points)[:10]}
    asked = {one.path.partition(f"{mine.prefix}/")[2] for one in layout.proxy.asked if one.method == "HEAD"}
    assert asked == {*documents[:10], *list(points)[10:20]}


def test_a_missing_bucket_says_nothing(layout: Layout) -> None:
    nowhere = locate("s3://no-such-bucket/10001", layout.rules)
    found = look(nowhere, [*OTHERS, "x/a.json"])
    assert found.unknown.keys() == {*OTHERS, "x/a.json"}


def test_where_nothing_lies_nothing_is_absent(layout: Layout) -> None:
    empty = Layout(layout.store, layout.proxy, layout.rules, uuid.uuid4().hex)
    found = look(empty.top, [*OTHERS, *OTHERS_GONE])
    assert found.unknown.keys() == {*OTHERS, *OTHERS_GONE}
    assert all("nothing at all lies there" in reason for reason in found.unknown.values())
    empty.put(["10009/dataset_metadata.json"])
    assert look(empty.top, OTHERS).absent == set(OTHERS)


def listings(answer: Callable[[Answer], Answer], first: int = 0, last: int = 1 << 30) -> Change:
    """Return a change of the listings among the answers, from one to another."""
    count = iter(range(1 << 30))

    def change(asked: Asked, given: Answer) -> Answer:
        return answer(given) if asked.is_listing and first <= next(count) < last else given

    return change


def single(answer: Callable[[Answer], Answer]) -> Change:
    """Return a change of the answers about single keys."""
    return lambda asked, given: answer(given) if asked.method == "HEAD" else given


def everything(answer: Callable[[Answer], Answer]) -> Change:
    """Return a change of all answers."""
    return lambda _, given: answer(given)


def swapped_pages() -> Change:
    """Return a change that gives each page of a listing in the place of the one before it."""
    held: list[Answer] = []

    def change(asked: Asked, given: Answer) -> Answer:
        if not asked.is_listing or "continuation-token" not in asked.query:
            held.append(given)
            return given
        held.append(given)
        return held[-2]

    return change


def refused(status: int, _: Answer) -> Answer:
    return refusal(status)


def cut(answer: Answer) -> Answer:
    """Return an answer that ends in the middle, its length being right."""
    return Answer(answer.status, answer.body[: len(answer.body) // 2], answer.headers)


def torn(answer: Answer) -> Answer:
    """Return an answer of which less comes than it says."""
    return Answer(answer.status, answer.body[: len(answer.body) // 2], answer.headers, stated=len(answer.body))


def reset(answer: Answer) -> Answer:
    return Answer(answer.status, b"", is_reset=True)


def empty_page(answer: Answer) -> Answer:
    """Return a listing that is whole and shows nothing."""
    body = re.sub(rb"<Contents>.*</Contents>", b"", answer.body, flags=re.DOTALL)
    return without_continuation(Answer(answer.status, body, answer.headers), admits=False)


def backwards(answer: Answer) -> Answer:
    """Return a page with its objects in the opposite order."""
    found = re.findall(rb"<Contents>.*?</Contents>", answer.body, flags=re.DOTALL)
    body = answer.body.replace(b"".join(found), b"".join(reversed(found)))
    return Answer(answer.status, body, answer.headers)


REFUSED: dict[str, Callable[[], Change]] = {
    **{f"listings answer {code}": partial(listings, partial(refused, code)) for code in (403, 404, 500, 503)},
    **{f"everything is {code}": partial(everything, partial(refused, code)) for code in (403, 404, 500, 503)},
    "pages are cut off": lambda: listings(cut),
    "pages are torn": lambda: listings(torn),
    "connections are reset": lambda: everything(reset),
    "listings are reset": lambda: listings(reset),
}
WRONG: dict[str, Callable[[], Change]] = {
    "pages do not say how to go on": lambda: listings(lambda page: without_continuation(page, admits=True)),
    "pages say that they are the last": lambda: listings(lambda page: without_continuation(page, admits=False)),
    "listings are from before the last annotations": lambda: listings(
        lambda page: without_keys(page, "/2[0-9]{3}/membrane")
    ),
    "listings forget every hundredth": lambda: listings(lambda page: without_keys(page, "55/membrane")),
    "listings show nothing": lambda: listings(empty_page),
    "pages come in each other's place": swapped_pages,
    "pages are backwards": lambda: listings(backwards),
}
PARTLY: dict[str, Callable[[], Change]] = {
    **{f"single keys are {code}": partial(single, partial(refused, code)) for code in (403, 500, 503)},
    "single keys are reset": lambda: single(reset),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_listing_that_fails_every_time_leaves_all_that_it_should_show_unknown(layout: Layout, fault: str) -> None:
    layout.proxy.change = REFUSED[fault]()
    found = look(layout.top, [*THERE, *FEW_GONE])
    check(found, THERE, FEW_GONE)
    assert layout.proxy.changed > 0
    assert found.absent == set()
    assert found.unknown.keys() >= set(FEW_GONE)


@pytest.mark.parametrize("gone", [FEW_GONE, GONE], ids=["few are gone", "many are gone"])
@pytest.mark.parametrize("fault", WRONG)
def test_a_listing_that_is_wrong_every_time_makes_nothing_absent(layout: Layout, fault: str, gone: list[str]) -> None:
    layout.proxy.change = WRONG[fault]()
    found = look(layout.top, [*THERE, *gone])
    check(found, THERE, gone)
    assert layout.proxy.changed > 0
    assert found.absent == set()
    assert found.unknown.keys() >= set(gone)


@pytest.mark.parametrize("fault", PARTLY)
def test_a_listing_alone_does_not_make_a_key_absent(layout: Layout, fault: str) -> None:
    layout.proxy.change = PARTLY[fault]()
    for gone in (FEW_GONE, GONE):
        found = look(layout.top, [*THERE, *gone])
        check(found, THERE, gone)
        assert found.present == set(THERE)
        assert found.absent == set()
        assert found.unknown.keys() == set(gone)


@pytest.mark.parametrize("answer", [partial(refused, 503), partial(refused, 500), cut, torn, reset])
def test_what_passes_is_asked_again(layout: Layout, answer: Callable[[Answer], Answer]) -> None:
    layout.proxy.change = listings(answer, last=2)
    found = look(layout.top, [*THERE, *FEW_GONE])
    assert found.present == set(THERE)
    assert found.absent == set(FEW_GONE)
    assert layout.proxy.changed == 2


def test_a_page_in_the_middle_that_is_stale_once_is_noticed(layout: Layout) -> None:
    layout.proxy.change = listings(lambda page: without_keys(page, "/1[5-7][0-9]{2}/membrane"), first=0, last=3)
    found = look(layout.top, [*THERE, *GONE])
    check(found, THERE, GONE)
    assert found.absent == set()
    assert found.present == set(THERE)  # those that the two listings do not agree on were asked for


def test_what_is_removed_between_two_looks_is_unknown(layout: Layout) -> None:
    mine = Layout(layout.store, layout.proxy, layout.rules, uuid.uuid4().hex)
    there = [f"{FOLDER}/{number}/a-1.0.json" for number in range(200)]
    gone = [f"{FOLDER}/{number}/b-1.0.json" for number in range(200)]
    mine.put(there)
    removed = threading.Event()

    def change(asked: Asked, given: Answer) -> Answer:
        if asked.is_listing and "start-after" in asked.query and not removed.is_set():
            removed.set()
            obstore.delete(mine.store, f"{mine.prefix}/{there[7]}")
        return given

    layout.proxy.change = change
    found = look(mine.top, [*there, *gone])
    assert removed.is_set()
    assert there[7] not in found.absent
    layout.proxy.change = None
    assert look(mine.top, [*there, *gone]).absent == {*gone, there[7]}


def after(most: int) -> Callable[[], bool]:
    """Return what is true from so many questions on."""
    asked = iter(range(1 << 30))
    return lambda: next(asked) >= most


def test_somebody_who_stops_it_learns_nothing_that_is_not_certain(layout: Layout) -> None:
    for most in (0, 1, 3, 8):
        found = look(layout.top, [*THERE, *GONE], should_stop=after(most))
        check(found, THERE, GONE)
        assert len(found.absent) <= most
        assert not found.is_complete
    late = look(layout.top, OTHERS, within_seconds=-1.0)
    assert late.unknown == dict.fromkeys(OTHERS, "the look took too long")
