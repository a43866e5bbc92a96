#!/usr/bin/env python3
"""Every chore of the project in one file: ``python3 dev.py --help``. Standard library only, any Python from 3.7.

It finds a Python of 3.12 or newer, makes ``.venv`` (``.venv-3.13`` for ``--python 3.13``), installs exactly what the
lock file says, builds the web page, and then runs what was asked for. When nothing changed that takes a moment.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Version = tuple[int, int]

ROOT = Path(__file__).resolve().parent
FLOOR = (3, 12)
UV = "uv==0.13.8"  # pinned: it decides what the lock means, and it is the one package no lock covers
WINDOWS = os.name == "nt"
LOCKS = {"run": "requirements.lock", "dev": "requirements-dev.lock", "bench": "requirements-bench.lock"}
PAGE = ROOT / "src" / "coverslip" / "web_dist"


def main() -> int:
    """Run one chore and return its exit code."""
    arguments, rest = parse(sys.argv[1:])
    # uv neither downloads interpreters here nor ignores the certificates of the system
    os.environ.update(UV_PYTHON_DOWNLOADS="never", UV_SYSTEM_CERTS="1", PYTHONUTF8="1")
    try:
        return CHORES[arguments.chore](arguments, rest)
    except subprocess.CalledProcessError as error:
        print("dev.py: this command failed: " + " ".join(str(word) for word in error.cmd), file=sys.stderr)
        return error.returncode or 1


def parse(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the chore and what is handed on to it."""
    parser = argparse.ArgumentParser(
        prog="dev.py",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Every chore of the project. What follows it is handed on, as in: dev.py test tests/readers -x",
        epilog="\n".join(f"  {name:11s} {(chore.__doc__ or '').splitlines()[0]}" for name, chore in CHORES.items()),
    )
    parser.add_argument("chore", choices=sorted(CHORES), metavar="chore", help="one of: " + " ".join(CHORES))
    parser.add_argument(
        "--python", metavar="VERSION", help="use this version, such as 3.13, in an environment of its own"
    )
    return parser.parse_known_args(words)


# the environment -----------------------------------------------------------------------------------------------------


def find_python(wanted: Version | None) -> str:
    """Return an interpreter of the wanted version, or of 3.12 and newer, or explain what to install."""
    for candidate in candidates(wanted):
        version = version_of(candidate)
        if version and version >= FLOOR and (wanted is None or version == wanted):
            return candidate
    name = ".".join(str(part) for part in wanted or FLOOR)
    sys.exit(
        f"dev.py: Coverslip needs Python {name}{'' if wanted else ' or newer'}, and none was found "
        "(looked at this Python, PATH, pyenv and uv).\n"
        "Install one, for example:\n"
        f"  Debian, Ubuntu   apt install python{name} python{name}-venv\n"
        f"  macOS            brew install python@{name}\n"
        f"  any system       pyenv install {name}   or   uv python install {name}"
    )


def candidates(wanted: Version | None) -> Iterator[str]:
    """Yield interpreters worth asking: the running one, those on PATH, pyenv's, uv's."""
    yield sys.executable
    minors = [wanted[1]] if wanted else [12, 13, 14]
    for minor in minors:
        on_path = shutil.which(f"python3.{minor}")
        if on_path:
            yield on_path
    homes = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"]
    homes.append(Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "uv" / "python")
    for home in homes:
        for minor in minors:
            for pattern in (f"3.{minor}.*", f"cpython-3.{minor}.*"):
                for folder in sorted(home.glob(pattern)):
                    yield str(folder / ("python.exe" if WINDOWS else "bin/python3"))


def version_of(python: str) -> Version | None:
    """Return (major, minor) of an interpreter that can make environments, or None."""
    ask = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
    try:
        answer = subprocess.run([python, "-c", ask], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode != 0:
        return None
    major, minor = (int(word) for word in answer.stdout.split())
    return major, minor


def environment(arguments: argparse.Namespace, lock: str) -> tuple[Path, Path]:
    """Return the folder of the environment and the interpreter inside it; that of the benchmarks is one of its own."""
    folder = ROOT / (
        ".venv" + ("-bench" if lock == "bench" else "") + ("-" + arguments.python if arguments.python else "")
    )
    return folder, folder / ("Scripts/python.exe" if WINDOWS else "bin/python")


def wanted_version(arguments: argparse.Namespace) -> Version | None:
    """Return --python as (major, minor), or None."""
    if arguments.python is None:
        return None
    try:
        major, minor = (int(part) for part in arguments.python.split(".")[:2])
    except ValueError:
        sys.exit(f"dev.py: --python wants a version such as 3.13, not {arguments.python!r}")
    return major, minor


def ensure(arguments: argparse.Namespace, lock: str) -> Path:
    """Bring the environment to what the lock says and the page to what ``web/`` says; return the interpreter."""
    folder, python = environment(arguments, lock)
    if lock == "run" and (folder / ".coverslip-dev").exists():
        lock = "dev"  # a development environment holds everything that running needs
    stamp, want = folder / (".coverslip-" + lock), digest([ROOT / LOCKS[lock], ROOT / "pyproject.toml", Path(__file__)])
    if not (python.exists() and stamp.exists() and stamp.read_text() == want):
        install(folder, python, arguments, lock)
        stamp.write_text(want)
    build_page(python)
    return python


def install(folder: Path, python: Path, arguments: argparse.Namespace, lock: str) -> None:
    """Make the environment if need be and install the lock, with hashes checked, and the project itself."""
    print(f"dev.py: installing into {folder.name} ...", flush=True)
    if not python.exists():
        base = find_python(wanted_version(arguments))
        subprocess.run([base, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "-q", "install"]
    subprocess.run([*pip, UV], check=True, cwd=str(ROOT))
    uv = [str(python), "-m", "uv", "pip", "install", "-q", "--python", str(python)]
    subprocess.run([*uv, "--require-hashes", "-r", LOCKS[lock]], check=True, cwd=str(ROOT))
    subprocess.run([*uv, "--no-deps", "-e", "."], check=True, cwd=str(ROOT))


def build_page(python: Path) -> None:
    """Build the web page when its sources have changed, with the Node that the environment carries."""
    sources = sorted(path for path in (ROOT / "web").rglob("*") if path.is_file() and "node_modules" not in path.parts)
    stamp, want = PAGE / ".built", digest(sources)
    if stamp.exists() and stamp.read_text() == want:
        return
    print("dev.py: building the web page ...", flush=True)
    subprocess.run([str(python), str(ROOT / "web" / "build.py")], check=True, cwd=str(ROOT))
    stamp.write_text(want)


def digest(paths: Iterable[Path]) -> str:
    """Return a digest of the names and contents of files."""
    total = hashlib.sha256()
    for path in paths:
        total.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def hand_over(command: Sequence[object]) -> int:
    """Run a command in the project's folder and return its exit code; Ctrl-C belongs to the command."""
    try:
        return subprocess.run([str(word) for word in command], cwd=str(ROOT), check=False).returncode
    except KeyboardInterrupt:
        return 130


# the chores ----------------------------------------------------------------------------------------------------------


def setup(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Install everything for development and build the page."""
    python = ensure(arguments, "dev")
    print(f"dev.py: ready. Commands are in {python.parent}")
    return 0


def demo(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Make a demo library (or take the folders named), catalog it, serve it and print the address."""
    python = ensure(arguments, "run")
    rest = [word if word.startswith("-") or not Path(word).exists() else str(Path(word).absolute()) for word in rest]
    return hand_over([python, "-m", "coverslip", "demo", "--folder", ROOT / ".demo", *rest])


def test(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Run the tests; what follows is handed to pytest, and --long adds the long forms."""
    python = ensure(arguments, "dev")
    return hand_over([python, "-m", "pytest", *(rest or ["-n", "2", "--dist", "loadfile"])])


def lint(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Check style, types, layers, the page's types and the lock files."""
    python = ensure(arguments, "dev")
    checks = [
        [python, "-m", "ruff", "check", "."],
        [python, "-m", "ruff", "format", "--check", "."],
        [python, "-m", "mypy"],
        [python, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        [python, ROOT / "web" / "build.py", "check"],
    ]
    codes = [hand_over(check) for check in checks]
    return max([*codes, check_locks()])


def bench(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Run the benchmarks, ours and the named peers side by side: --quick, --only FAMILY, --write."""
    python = ensure(arguments, "bench")
    return hand_over([python, "-m", "benchmarks", *rest])


def fuzz(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Open damaged files with every reader: --seconds 30, --reader NAME, --samples FOLDER."""
    python = ensure(arguments, "dev")
    rest = [str(Path(word).absolute()) if Path(word).is_dir() else word for word in rest]
    return hand_over([python, "-m", "fuzz", *rest])


def conformance(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Compare every reader with an independent one: --seed N, --samples FOLDER, --format NAME, --rows."""
    python = ensure(arguments, "dev")
    rest = [str(Path(word).absolute()) if Path(word).is_dir() else word for word in rest]
    return hand_over([python, "-m", "conformance", *rest])


def lock(arguments: argparse.Namespace, rest: list[str]) -> int:
    """Resolve the lock files again (--upgrade for newest versions): versions and hashes, no address of any index."""
    python = ensure(arguments, "dev")
    compile_ = [python, "-m", "uv", "pip", "compile", "-q", "--universal", "--generate-hashes", "--no-header"]
    compile_ += ["--no-emit-index-url", "--no-emit-find-links", "--python-version", "3.12", "pyproject.toml", *rest]
    names = ("cluster", "cryoet", "dask", "formats", "neuroglancer", "postgres", "queue", "remote", "s3")
    extras = [word for name in names for word in ("--extra", name)] + ["--group", "examples", "--group", "web"]
    peers = ["--group", "bench", "-c", LOCKS["dev"]]
    for name, more in (
        ("dev", ["--extra", "notebook", "--group", "lint", "--group", "test"]),
        ("run", ["-c", LOCKS["dev"]]),
        ("bench", peers),
    ):
        code = hand_over([*compile_, *extras, *more, "-o", LOCKS[name]])
        if code:
            return code
    return check_locks()


def check_locks() -> int:
    """Return 1 when a lock file holds an address, 0 otherwise."""
    bad = 0
    for path in (*(ROOT / name for name in LOCKS.values()), ROOT / "web" / "package-lock.json"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if "resolved" in line or "--index-url" in line or "--find-links" in line or "file://" in line:
                print(f"{path.name}:{number}: a lock file holds versions and hashes, no address")
                bad = 1
    return bad


CHORES = {
    "setup": setup,
    "demo": demo,
    "test": test,
    "lint": lint,
    "bench": bench,
    "conformance": conformance,
    "fuzz": fuzz,
    "lock": lock,
}

if __name__ == "__main__":
    sys.exit(main())
