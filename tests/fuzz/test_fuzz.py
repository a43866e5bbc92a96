"""Every reader on a few mutants, and the fuzzer on readers that do what no reader may."""

import json
from pathlib import Path, PurePosixPath

import pytest

from fuzz.__main__ import main, table
from fuzz.corpus import MAKERS, Seed, choose, generated, sampled
from fuzz.run import NOTE, Report, fuzz, replay
from fuzz.worker import Limits, Worker
from tests.readers.generate_mrc import make_mrc

STRANGER = """
import os, time
from pathlib import Path
from coverslip.model import ImageMetadata


class Image:
    def __init__(self, data):
        self.data = data

    @property
    def metadata(self):
        {doing}
        return ImageMetadata(name="strange", file_format="Strange", size_y=4, size_x=4, dtype="uint8")

    def read(self, level, region):
        import numpy as np
        return np.zeros(region.shape, "u1")


class File:
    def __init__(self, path):
        self.files, self.images = (path,), (Image(path.read_bytes()),)

    def close(self):
        pass


class Reader:
    name, title, extensions, package, module = "strange", "Strange", (".strange",), "numpy", "numpy"

    def recognises(self, probe):
        return probe.path.suffix == ".strange"

    def open(self, path):
        return File(path)


reader = Reader()
"""


def plugin(folder: Path, doing: str) -> Path:
    """Return a folder with a reader as another distribution would install it, which does one thing."""
    info = folder / "strange-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "strange_reader.py").write_text(STRANGER.replace("{doing}", doing))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[coverslip.readers]\nstrange = strange_reader:reader\n")
    return folder


def run(tmp_path: Path, doing: str, *, mutants: int = 1, limits: Limits | None = None) -> Report:
    """Return how a reader did that does one thing."""
    (tmp_path / "good.strange").write_bytes(b"strange " * 9)
    name = PurePosixPath("good.strange")
    folder = plugin(tmp_path / "site", doing)
    given = limits or Limits()
    limits = Limits(seconds=given.seconds, megabytes=given.megabytes, plugins=folder)
    seed = Seed("strange", name, tmp_path, (name,))
    return fuzz([seed], tmp_path / "kept", seed=3, mutants=mutants, processes=1, limits=limits)


def test_every_reader_stands_a_few_mutants(tmp_path: Path) -> None:
    seeds = choose(generated(tmp_path / "made", MAKERS), 4)
    report = fuzz(seeds, tmp_path / "kept", seed=1, mutants=20, limits=Limits(seconds=60))
    assert [(one.reader, one.verdict, one.kept.name) for one in report.findings] == []
    assert [row.reader for row in report.rows] == sorted(MAKERS)
    assert {row.tried for row in report.rows} == {20}
    assert all(row.opened + row.refused == row.tried for row in report.rows)
    assert sum(row.opened for row in report.rows) > 50
    assert sum(row.refused for row in report.rows) > 50
    assert not (tmp_path / "kept" / "work").exists()


def test_a_reader_that_keeps_the_rules_has_no_findings(tmp_path: Path) -> None:
    report = run(tmp_path, "pass", mutants=5)
    assert table(report).splitlines()[1].split() == ["strange", "5", "5", "0", "0"]


def test_an_error_that_is_not_ours_is_a_finding_and_is_kept(tmp_path: Path) -> None:
    report = run(tmp_path, "raise KeyError('what the file does not have')", mutants=2)
    assert table(report).splitlines()[1].split() == ["strange", "2", "0", "0", "2"]
    found = report.findings[0]
    assert found.verdict.outcome == "error"
    assert "KeyError: 'what the file does not have'" in found.verdict.reason
    assert found.kept.parent == tmp_path / "kept" / "strange"
    note = json.loads((found.kept / NOTE).read_text(encoding="utf-8"))
    assert (note["seed"], note["number"], note["outcome"]) == (3, 0, "error")
    assert note["damage"].startswith("good.strange: ")
    assert "KeyError" in note["reason"]
    assert (found.kept / "good.strange").read_bytes() != (tmp_path / "good.strange").read_bytes()
    again = replay(found.kept, Limits(plugins=tmp_path / "site"))
    assert again.outcome == "error"


def test_a_reader_that_hangs_is_noticed(tmp_path: Path) -> None:
    report = run(tmp_path, "time.sleep(3600)", limits=Limits(seconds=0.5))
    assert [found.verdict.outcome for found in report.findings] == ["hang"]


def test_a_reader_that_kills_its_process_is_noticed_and_the_next_file_has_a_new_one(tmp_path: Path) -> None:
    report = run(tmp_path, "import ctypes; ctypes.string_at(0)", mutants=2)
    assert [found.verdict.outcome for found in report.findings] == ["crash", "crash"]
    reasons = [found.verdict.reason for found in report.findings]
    assert all("signal 11" in reason for reason in reasons)
    assert all("strange_reader.py" in reason for reason in reasons)  # the stack


def test_a_reader_that_leaves_is_noticed(tmp_path: Path) -> None:
    (found,) = run(tmp_path, "os._exit(0)").findings
    assert found.verdict.outcome == "crash"
    assert "exit code 0" in found.verdict.reason


def test_a_reader_that_eats_memory_is_noticed(tmp_path: Path) -> None:
    report = run(tmp_path, "rows = [bytes(1 << 20) for _ in range(4096)]", limits=Limits(megabytes=256, seconds=60))
    assert [found.verdict.outcome for found in report.findings] == ["memory"]


def test_memory_that_runs_out_behind_an_error_of_ours_is_noticed_too(tmp_path: Path) -> None:
    with Worker(Limits(megabytes=256, plugins=plugin(tmp_path / "site", "pass")), tmp_path / "log.txt") as worker:
        reader = tmp_path / "site" / "strange_reader.py"
        reader.write_text(reader.read_text().replace("return np.zeros(", "np.ones(1 << 30); return np.zeros("))
        (tmp_path / "a.strange").write_bytes(b"a")
        assert worker.try_file(tmp_path / "a.strange").outcome == "memory"


def test_samples_are_seeds_where_a_reader_knows_them(tmp_path: Path) -> None:
    folder = tmp_path / "samples" / "deep"
    folder.mkdir(parents=True)
    made = sorted(path.name for path in make_mrc(folder))
    (folder / "notes.txt").write_text("nothing to see")
    found = sampled(tmp_path / "samples", ["mrc"])
    assert [seed.name.name for seed in found] == made
    assert sampled(tmp_path / "samples", ["tiff"]) == []
    assert len(sampled(tmp_path / "samples", ["mrc"], largest=1200)) < len(made)


def test_something_has_to_say_when_to_stop(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="seconds or of mutants"):
        fuzz([], tmp_path, mutants=1)
    with pytest.raises(ValueError, match="seconds or of mutants"):
        fuzz(generated(tmp_path / "made", ["mrc"]), tmp_path)


def test_the_command_prints_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--seconds", "1", "--reader", "mrc", "--samples", str(tmp_path / "none"), "--processes", "1"]
    assert main([*words, "--time-limit", "60"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].split() == ["reader", "mutants", "opened", "refused", "findings"]
    name, tried, opened, refused, findings = lines[-1].split()
    assert (name, findings) == ("mrc", "0")
    assert int(tried) == int(opened) + int(refused) > 0
