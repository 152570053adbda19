"""What is run on this project before a change lands; `nox --list` names the sessions."""

from __future__ import annotations

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["duckdb"]


SPARK = ["local", "processes", "cluster", "connect"]
PROCESSES = ("tests/examples", "tests/engines/test_spark_notes.py")
"""Tests on Spark that start processes with a Java of their own, which take long and can run beside the others."""


def install(session: nox.Session) -> None:
    """Install the package in place, and what it is developed with."""
    # Python would compile every module anew in each process, and the tests start many.
    session.env["PYTHONDONTWRITEBYTECODE"] = None
    # The tests call make as a user does, and not as a part of `make test`.
    session.env.update({"MAKEFLAGS": None, "MAKELEVEL": None})
    session.install("--editable", ".[dev]")


@nox.session
def duckdb(session: nox.Session) -> None:
    """Run the tests on DuckDB, those that need no engine, and the examples in docstrings."""
    install(session)
    session.run("pytest", "--engine", "duckdb", *session.posargs)


@nox.session
def postgres(session: nox.Session) -> None:
    """Run the tests on PostgreSQL: the server of FFT_TEST_PG_DSN, or one that is started for them."""
    install(session)
    session.run("pytest", "--engine", "postgres", *session.posargs)


@nox.session
@nox.parametrize("where", SPARK, ids=SPARK)
def spark(session: nox.Session, where: str) -> None:
    """Run the tests on Spark: here, those that start processes, and a part on executors and through a server."""
    install(session)
    few = ("-m", "everywhere", "-k", "not parquet")
    if where == "local":
        session.run("pytest", "--engine", "spark", *(f"--ignore={path}" for path in PROCESSES), *session.posargs)
    elif where == "processes":
        session.run("pytest", "--engine", "spark", *PROCESSES)
    elif where == "cluster":
        session.run("pytest", "--engine", "spark", *few, env={"FFT_TEST_SPARK_MASTER": "local-cluster[2,1,1024]"})
    else:
        session.run("python", "tests/engines/with_spark_connect.py", "pytest", "--engine", "spark", *few)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Make mistakes in projects and command lines at random, for as many seconds as are given: nox -s fuzz -- 3600."""
    install(session)
    seconds = session.posargs[0] if session.posargs else "600"
    session.run("pytest", "tests/fuzz", "-s", env={"FFT_FUZZ_SECONDS": seconds})


@nox.session
def lint(session: nox.Session) -> None:
    """Look for mistakes and for unformatted code with ruff."""
    install(session)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package with mypy."""
    install(session)
    session.run("mypy", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a broken link is an error."""
    install(session)
    session.run("mkdocs", "build", "--strict", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure fft beside other tools, and write docs/benchmarks.md; arguments go to benchmarks/run.py."""
    install(session)
    session.run("python", "benchmarks/run.py", *session.posargs)
