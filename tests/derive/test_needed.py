"""An artifact made from another one follows it, once for each burst of changes."""

from dataclasses import dataclass

import pytest

from coverslip.derive import Builder, Inputs, Subject
from coverslip.errors import BuildError, ReadError
from tests.derive.lab import KIND, Lab, Recipe


@dataclass
class Echo(Recipe):
    """Repeats what it is made from."""

    name: str = "echo"
    needs: tuple[str, ...] = (KIND,)

    def build(self, subject: Subject, inputs: Inputs) -> bytes:
        self.builds += 1
        return b"echo of " + inputs.artifacts[KIND]


@pytest.fixture
def source() -> Recipe:
    return Recipe()


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def builder(lab: Lab, source: Recipe, echo: Echo) -> Builder:
    return lab.builder_of({KIND: source, "echo": echo})


def drain(builder: Builder) -> int:
    count = 0
    while builder.build_next() is not None:
        count += 1
    return count


def test_what_it_needs_is_built_first(lab: Lab, builder: Builder, source: Recipe, echo: Echo) -> None:
    image = lab.add()
    assert builder.read_artifact("echo", image, 20)[1] == b"echo of cells.tif revision 1"
    assert (source.builds, echo.builds) == (1, 1)
    assert drain(builder) == 0


def test_a_change_of_the_file_builds_each_once(lab: Lab, builder: Builder, source: Recipe, echo: Echo) -> None:
    image = lab.add()
    builder.ensure("echo", image, 20)
    lab.add(mtime_ns=2)
    assert drain(builder) in (1, 2)  # whichever is claimed first: what is made of the other builds it too
    assert builder.read_artifact("echo", image, 0)[1] == b"echo of cells.tif revision 2"
    assert (source.builds, echo.builds) == (2, 2)


def test_other_bytes_mark_it_and_equal_ones_do_not(lab: Lab, builder: Builder, source: Recipe, echo: Echo) -> None:
    image = lab.add()
    builder.ensure("echo", image, 20)
    lab.catalog.mark(KIND, [image])
    assert drain(builder) == 1, "the same came out: what is made of it did not change"
    source.work = lambda record, _: b"another view of " + record.filename.encode()
    lab.catalog.mark(KIND, [image])
    builder.ensure(KIND, image, 20)
    record = lab.catalog.artifact("echo", image)
    assert not record.is_fresh(1)
    assert record.cause == f"its {KIND} has changed"
    assert builder.read_artifact("echo", image, 20)[1] == b"echo of another view of cells.tif"
    assert (source.builds, echo.builds) == (3, 2)


def test_a_change_during_the_build_is_not_lost(lab: Lab, builder: Builder, echo: Echo) -> None:
    image = lab.add()
    builder.wanted("echo", image)
    (claim,) = lab.catalog.claim({"echo": 1}, lease_seconds=30)
    lab.add(mtime_ns=2)
    assert builder.build_claimed([claim])[0].state == "built"
    assert builder.read_artifact("echo", image, 0)[1] == b"echo of cells.tif revision 2"
    assert echo.builds == 1, "the change came before anything was read"


def test_why_it_failed_is_said(lab: Lab, builder: Builder, source: Recipe, echo: Echo) -> None:
    def fail(*_: object) -> bytes:
        raise ReadError("the file is damaged")

    source.work = fail
    image = lab.add()
    with pytest.raises(BuildError, match="the file is damaged"):
        builder.ensure("echo", image, 20)
    assert lab.catalog.artifact("echo", image).error == "the file is damaged"
    assert echo.builds == 0


def test_a_build_that_is_given_up_while_it_waits_is_no_failure(lab: Lab, builder: Builder) -> None:
    image = lab.add()
    builder.wanted("echo", image)
    lab.catalog.claim({KIND: 1}, lease_seconds=30)  # somebody else builds what it needs
    (claim,) = lab.catalog.claim({"echo": 1}, lease_seconds=30)
    stops = iter((False, True, True, True))
    (outcome,) = builder.build_claimed([claim], lambda: next(stops))
    assert outcome.state == "released"
    assert lab.catalog.artifact("echo", image).attempts == 0
