"""An environment for each tool, with nothing else in it: made by uv, and kept until what goes into it changes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from measure import child

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".nox" / "versus"

DUCKDB = "duckdb==1.5.6"
"""One for all: the newest that each of them works with."""

REQUIREMENTS = {
    "fft": (str(ROOT), DUCKDB),
    # 1.12 brings a parser in Rust that is built from source, and its build fetches more than packages.
    "dbt": ("dbt-core==1.11.*", "dbt-duckdb==1.11.*", DUCKDB),
    "sqlmesh": ("sqlmesh==0.236.*", DUCKDB),
    "sql": (DUCKDB,),
}
SHOWN = {
    "fft": ("fastflowtransform", "ibis-framework", "sqlglot", "duckdb"),
    "dbt": ("dbt-core", "dbt-duckdb", "duckdb"),
    "sqlmesh": ("sqlmesh", "sqlglot", "duckdb"),
    "sql": ("duckdb",),
}


class NotInstalled(Exception):
    """A tool's packages cannot be installed, so there is nothing to compare with."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a tool is installed."""

    folder: Path

    def program(self, name: str) -> str:
        """Return the path of a program in it."""
        return str(self.folder / "bin" / name)


def environment(tool: str) -> Environment:
    """Return the environment of a tool, and make it where it is not there yet.

    Raises
    ------
    NotInstalled
        uv is not there, or cannot install the packages; the message holds what it said.
    """
    requirements = REQUIREMENTS[tool]
    name = hashlib.sha256("\n".join((sys.version, *requirements)).encode()).hexdigest()[:12]
    made = Environment(KEPT / f"{tool}-{name}")
    finished = made.folder / "finished"
    if not finished.exists():
        shutil.rmtree(made.folder, ignore_errors=True)
        print(f"  installing {' '.join(requirements)}", flush=True)
        _uv("venv", "--quiet", "--python", sys.executable, str(made.folder))
        _install(made, *requirements)
        finished.touch()
    elif tool == "fft":
        # Its source is what is measured, and has changed perhaps.
        _install(made, "--no-deps", "--reinstall-package", "fastflowtransform", str(ROOT))
    return made


def versions(tool: str, where: Environment) -> dict[str, str]:
    """Return the versions of the packages that matter for a tool."""
    text = "from importlib.metadata import version; import sys; print(*map(version, sys.argv[1:]))"
    _, said = child((where.program("python"), "-c", text, *SHOWN[tool]))
    return dict(zip(SHOWN[tool], said.split(), strict=True))


def _install(where: Environment, *arguments: str) -> None:
    _uv("pip", "install", "--quiet", "--compile-bytecode", "--python", where.program("python"), *arguments)


def _uv(*arguments: str) -> None:
    beside = Path(sys.executable).with_name("uv")
    program = str(beside) if beside.exists() else shutil.which("uv")
    if program is None:
        raise NotInstalled("there is no uv to make environments with: pip install uv")
    done = subprocess.run((program, *arguments), capture_output=True, text=True)
    if done.returncode != 0:
        raise NotInstalled(f"uv {' '.join(arguments)}\n{done.stderr.strip()}")
