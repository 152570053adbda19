"""fft, as it is installed from this repository."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from upsert import copied

from versus.environments import Environment
from versus.work import DATABASE, Work, without, written

PROFILES = f"dev:\n  engine: duckdb\n  duckdb:\n    path: {DATABASE}\n"
SOURCES = "version: 1\nsources:\n  - name: raw\n    schema: raw\n    tables:\n      - name: events\n"
FACTS = """{{ config(materialized='incremental', unique_key='event_id', updated_at='updated_at') }}
select * from {{ source('raw', 'events') }}
"""


class ByFft:
    """Sends `fft run`, `test` and `seed`."""

    name = "fft"

    def __init__(self, environment: Environment) -> None:
        self._fft = environment.program("fft")

    def trivial(self, folder: Path, number: int, *, checked: bool) -> None:
        """Write a model a table, and one YAML file for all checks."""
        models = {
            f"models/model_{model}.ff.sql": "{{ config(materialized='table') }}\n"
            f"select {model} as id, 'text' as label\n"
            for model in range(number)
        }
        checks = "version: 2\nmodels:\n" + "".join(
            f"  - name: model_{model}\n    columns:\n      - name: id\n        tests: [not_null, unique]\n"
            for model in range(number)
        )
        self._project(folder, {**models, "models/schema.yml": checks} if checked else models)

    def first(self, folder: Path) -> Work:
        """`fft run` without database and target/."""
        return Work(folder, self._command("run", folder), lambda: without(folder, "target"))

    def again(self, folder: Path) -> Mapping[str, Work]:
        """`fft run`, which makes all anew; and with the cache, which leaves out what is proven unchanged."""
        return {
            "": Work(folder, self._command("run", folder)),
            "--cache rw": Work(folder, self._command("run", folder, "--cache", "rw")),
        }

    def checks(self, folder: Path, *, one_model: bool) -> Work:
        """`fft test`."""
        return Work(folder, self._command("test", folder, *(("--select", "model_0") if one_model else ())))

    def seed(self, folder: Path, rows: Path) -> Work:
        """`fft seed`."""
        self._project(folder, {})
        (folder / "seeds").mkdir()
        shutil.copyfile(rows, folder / "seeds" / "rows.csv")
        return Work(folder, self._command("seed", folder), lambda: without(folder, "target"))

    def upsert(self, folder: Path, made: Path) -> Mapping[str, Work]:
        """`fft run` of an incremental model, whose table is there."""
        self._project(folder, {"models/facts.ff.sql": FACTS, "sources.yml": SOURCES})
        return {"fft": Work(folder, self._command("run", folder), lambda: copied(made, folder / DATABASE))}

    def named(self, table: str) -> str:
        """Return the name as it is."""
        return table

    def _project(self, folder: Path, files: Mapping[str, str]) -> None:
        written(folder, {"project.yml": "name: bench\n", "profiles.yml": PROFILES, **files})

    def _command(self, name: str, folder: Path, *more: str) -> tuple[str, ...]:
        return (self._fft, name, str(folder), *more)
