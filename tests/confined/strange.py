"""A reader of another distribution that does what hostile files make codecs do, as its file says."""

from pathlib import Path

import pytest

READER = """
import os, signal, socket, sys, time
from coverslip.model import ImageMetadata


def line():
    return socket.socket(fileno=os.dup(int(sys.argv[1])))


def describe(word, path):
    known = dict(name="strange", file_format="Strange", size_y=4, size_x=4, dtype="uint8")
    if word == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif word == "leave":
        os._exit(3)
    elif word == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif word == "hang":
        time.sleep(600)
    elif word == "alarm":
        os.kill(os.getpid(), signal.SIGALRM)
    elif word == "memory":
        bytearray(64 << 30)
    elif word == "nonsense":
        line().sendall(b"\\x80\\x05" * 5000)
    elif word == "no-object":
        line().sendall((2).to_bytes(8, "little") + bytes(8) + b"[]")
    elif word == "endless":
        line().sendall((1 << 40).to_bytes(8, "little") + bytes(8))
    elif word == "objects":
        known["dtype"] = "object"
    elif word == "no-type":
        known["dtype"] = "uint9"
    elif word == "vast":
        known |= {"size_y": 1 << 20, "size_x": 1 << 20}
    elif word == "environment":
        known["name"] = " ".join(sorted(os.environ)) + " in " + os.getcwd()
    return ImageMetadata(**known)


class Image:
    def __init__(self, path):
        self.word = path.read_text()
        self.metadata = describe(self.word, path)

    def read(self, level, region):
        import numpy as np
        describe(self.word.removeprefix("then-"), None)
        return np.full(region.shape, 7, "u1")


class File:
    def __init__(self, path):
        self.images = (Image(path),)
        self.files = (path, path.parent.parent / "another") if self.images[0].word == "outside" else (path,)

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


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes that are started from now on find the reader."""
    info = folder / "strange-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "strange_reader.py").write_text(READER)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[coverslip.readers]\nstrange = strange_reader:reader\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))
