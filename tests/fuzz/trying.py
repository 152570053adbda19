"""Tries one command on one project with mistakes in it, in this process, with a limit of time."""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from unittest import mock

from fastflowtransform import cli
from tests.fuzz.mutations import mutate_project, mutated_command

SECRET = "hunter2-Xq7planted"
LIMIT = 20
"""Seconds that a command may take."""
DEMO = Path(__file__).parents[2] / "examples" / "incremental_demo"
MORE = {
    "tests/amounts.ff.sql": "select * from {{ ref('fct_orders') }} where amount < {{ var('least', 0) }}",
    "tests/unit/orders.yml": """\
        model: fct_orders
        cases:
          - name: one order
            given: {orders: [{order_id: 1, customer: Ada, amount: 12.5, updated_at: 2026-01-01 10:00:00}]}
            expect: [{order_id: 1, is_large: true}]
        """,
    "models/macros/money.sql": "{% macro euros(column) %}round({{ column }}, 2){% endmacro %}",
    "models/token.ff.sql": "select '{{ env('API_TOKEN', 'none') }}' as token, {{ euros('1.005') }} as price",
    "models/frame.ff.py": """\
        import pyarrow as pa

        from fastflowtransform import model


        @model(materialized="table", tags=["py"])
        def frame(orders: pa.Table) -> pa.Table:
            return orders.select(["order_id", "amount"])
        """,
    ".env": "STAGE=test\n",
}


@dataclass(frozen=True)
class Tried:
    """What came of one try.

    Parameters
    ----------
    number
        What the try was made of.
    told
        The mistakes, and the command.
    fault
        What should not be; None where all is well.
    """

    number: int
    told: str
    fault: str | None


class TookTooLong(BaseException):
    """The command did not come to its end in time."""


def call(words: list[str], folder: Path) -> tuple[int, str]:
    """Run a command in a folder, and return its exit code and all that it said."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    path, modules, before = list(sys.path), set(sys.modules), Path.cwd()
    os.chdir(folder)
    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(LIMIT)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.call(words)
    finally:
        signal.alarm(0)
        os.chdir(before)
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]
    return code, "".join(stream.buffer.getvalue().decode("utf-8", "replace") for stream in (out, err))


def _stop(*_: object) -> None:
    raise TookTooLong


def make_bases(folder: Path, postgres: str | None = None) -> list[Path]:
    """Make the starter's and the demo's projects, with something of everything in them, and run each once."""
    starter, demo = folder / "starter", folder / "demo"
    call(["init", str(starter)], folder)
    shutil.copytree(DEMO, demo, ignore=shutil.ignore_patterns("target", ".local", "*.duckdb", "__pycache__"))
    for name, text in MORE.items():
        (starter / name).parent.mkdir(parents=True, exist_ok=True)
        (starter / name).write_text(dedent(text), encoding="utf-8")
    secret = f"prod:\n  engine: postgres\n  postgres:\n    dsn: postgresql://ada:{SECRET}@127.0.0.1:1/shop\n"
    for base in (starter, demo):
        profiles = base / "profiles.yml"
        profiles.write_text(f"{profiles.read_text('utf-8').rstrip()}\n{secret}", encoding="utf-8")
    if postgres is not None:
        (starter / "profiles.yml").write_text(
            f"dev:\n  engine: postgres\n  postgres: {{dsn: '{postgres}', schema: fuzz}}\n{secret}"
        )
    for base in (starter, demo):
        for words in (["seed"], ["build"], ["run"]):
            call([*words, *([] if base == starter else ["--env", "dev_duckdb"])], base)
    return [starter] if postgres else [starter, demo]


def try_once(number: int, bases: list[Path], folder: Path) -> Tried:
    """Try what a number stands for: a project with mistakes, and one or two commands on it."""
    choose = random.Random(number)
    base, project = bases[number % len(bases)], folder / "project"
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(base, project, symlinks=True)
    told = mutate_project(project, choose) if choose.random() < 0.8 else []
    commands = [mutated_command(choose) for _ in range(choose.choice([1, 2]))]
    if base.name == "demo":
        commands = [[*words, "--env", "dev_duckdb"] if choose.random() < 0.9 else words for words in commands]
    for words in commands:
        told.append(f"fft {words}")
        fault = _fault_of(words, project)
        if fault is not None:
            return Tried(number, "\n".join(told), fault)
    return Tried(number, "\n".join(told), None)


def _fault_of(words: list[str], project: Path) -> str | None:
    try:
        began = time.monotonic()
        with mock.patch.dict(os.environ, {"API_TOKEN": SECRET}):
            code, said = call(words, project)
        if time.monotonic() - began > LIMIT:
            # A Python model's error takes the place of the one that ends it.
            raise TookTooLong
    except TookTooLong:
        return f"took more than {LIMIT} seconds"
    except BaseException as error:
        return f"raised {type(error).__name__}: {error}"
    if "C900" in said or "Traceback" in said or code not in (0, 1, 2, 130):
        return f"exit code {code}: {said[-1500:]}"
    if SECRET in said or any(SECRET in text for text in _written(project)):
        return f"showed a secret: {said[-1500:]}"
    return None


def _written(project: Path) -> Iterator[str]:
    target = project / "target"
    for path in target.rglob("*") if target.is_dir() else ():
        if path.is_file() and path.suffix != ".bin":
            yield path.read_text("utf-8", "replace")
