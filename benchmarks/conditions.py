"""What all benchmarks of one run share: how large, how often, and where the files are.

Handed on by environment variables, because memory is measured in processes of their own.
"""

import os
import platform
import shutil
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

QUICK = "COVERSLIP_BENCH_QUICK"
FOLDER = "COVERSLIP_BENCH_FOLDER"
ROUNDS = "COVERSLIP_BENCH_ROUNDS"

TOOLS = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
"""Where the tools of the HTTP family are looked for."""

PEERS = (
    *("tifffile", "bioio", "pyvips", "large-image", "czifile", "pylibCZIrw", "mrcfile", "tensorstore", "zarr"),
    *("dask", "numpy", "opencv-python-headless", "imagecodecs"),
)
"""Distributions whose versions belong to the result."""


def is_quick() -> bool:
    """Return whether this is the form that takes seconds: small files and few rounds, numbers not to be quoted."""
    return bool(os.environ.get(QUICK))


def rounds(usual: int = 9) -> int:
    """Return how often every contestant takes a turn."""
    return 2 if is_quick() else min(usual, int(os.environ.get(ROUNDS, usual)))


def folder() -> Path:
    """Return the folder of the generated files."""
    return Path(os.environ[FOLDER])


def is_installed(*modules: str) -> bool:
    """Return whether all modules of a peer can be imported."""
    return all(find_spec(module) is not None for module in modules)


def absent(names: Sequence[str] = PEERS) -> list[str]:
    """Return the peers that are not there, and so are missing from the table."""
    return [name for name in names if _version(name) is None]


def described() -> str:
    """Return the machine and the versions in one paragraph."""
    packages = ", ".join(f"{name} {_version(name)}" for name in PEERS if _version(name) is not None)
    tools = [name for name in ("wrk", "nginx") if shutil.which(name, path=TOOLS) is None]
    without = f" Without {' and '.join(tools)}." if tools else ""
    gone = f" Not installed, so not measured: {', '.join(absent())}." if absent() else ""
    load = f" Load average {os.getloadavg()[1]:.1f}." if hasattr(os, "getloadavg") else ""
    return (
        f"{os.cpu_count()} cores ({_processor()}), {_memory()} GiB of memory, {platform.system()}, "
        f"Python {platform.python_version()}.{load} {packages}.{gone}{without} zstack-analyzer is not on PyPI: "
        "what it does is done (`tifffile.imread` of the whole file, then NumPy)."
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
