"""Writes a unit test from rows of the warehouse, for a person to cut down to what matters."""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fastflowtransform.engines.base import Engine
from fastflowtransform.errors import Location, UnwritableFolder, counted
from fastflowtransform.files import file_name
from fastflowtransform.model import Materialized, Model
from fastflowtransform.normalize import Tables
from fastflowtransform.own_checks import UNIT_TESTS
from fastflowtransform.project import Project
from fastflowtransform.utest.case import Case, Expectation, Row, Rows, Run
from fastflowtransform.utest.reads import inputs
from fastflowtransform.utest.run import content
from fastflowtransform.yaml_scalars import quoted

if TYPE_CHECKING:
    from ibis.expr.schema import Schema


@dataclass(frozen=True, slots=True)
class Sample:
    """Some rows of an input."""

    node: str
    name: str
    schema: Schema
    rows: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which rows are taken: so many of each input, the same ones for the same seed, in whatever order they come."""

    number: int
    seed: int = 0

    def __str__(self) -> str:
        return f"{counted(self.number, 'row')} of each input (seed {self.seed})"

    def drawn(self, model: Model, project: Project, engine: Engine) -> tuple[Sample, ...]:
        """Return rows of each table that a model reads, be it through ephemeral models.

        The whole table is read, a batch at a time.

        Raises
        ------
        RelationMissing
            A table is not in the warehouse.
        """
        tables = Tables(project, engine)
        found = []
        for name, node in inputs(model, project).items():
            inner = project.models.get(node)
            if inner is not None and inner.materialized is Materialized.EPHEMERAL:
                continue
            table = tables.table(node)
            with engine.batches(table) as batches:
                each = (row for batch in batches for row in batch.to_pylist())
                kept = heapq.nsmallest(self.number, ((self._lot(row), place, row) for place, row in enumerate(each)))
            rows = tuple(row for _, _, row in sorted(kept, key=lambda lot: lot[1]))
            found.append(Sample(node, name, table.schema(), rows))
        return tuple(found)

    def _lot(self, row: Mapping[str, Any]) -> bytes:
        return hashlib.blake2b(f"{self.seed} {row!r}".encode(), digest_size=8).digest()


def recorded(name: str, model: Model, project: Project, engine: Engine, samples: tuple[Sample, ...]) -> str:
    """Run a model on samples of its inputs, and return the case as YAML.

    Parameters
    ----------
    name
        What the case is called.
    model, project
        What runs.
    engine
        Where; in its scratch schema.
    samples
        What the model reads.
    """
    at = Location(model.at.path)
    given = {sample.node: _rows(sample, at) for sample in samples}
    run = Run(MappingProxyType(given), Expectation(at), MappingProxyType({}), None)
    found = content(Case(name, model.name, at, (run,)), project, engine)
    lines = [f"model: {_flow(model.name)}", "cases:", f"  - name: {_flow(name)}", "    given:"]
    for sample in samples:
        lines.append(f"      {_key(sample.name)}:")
        types = ", ".join(f"{_key(name)}: {_flow(_type(dtype))}" for name, dtype in sample.schema.items())
        lines.append(f"        columns: {{{types}}}")
        lines += _listed(sample.rows, sample.schema.names, "        ")
    lines.append("    expect:")
    lines += _listed(found.rows, found.schema.names, "      ")
    return "\n".join(lines) + "\n"


def write_case(folder: Path, model: str, text: str) -> Path:
    """Write a case to `tests/unit/`, to the first of `model.yml`, `model_2.yml` and so on that is not there yet."""
    place = folder / UNIT_TESTS
    stem = file_name(model)
    number, path = 1, place / f"{stem}.yml"
    try:
        place.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                with path.open("x", encoding="utf-8") as file:
                    file.write(text)
                return path
            except FileExistsError:
                number += 1
                path = place / f"{stem}_{number}.yml"
    except OSError as error:
        raise UnwritableFolder(
            f'cannot write "{path.name}": "{error.strerror}"', at=Location(place), hint="make the folder writable"
        ) from error


def _rows(sample: Sample, at: Location) -> Rows:
    types = {name: _type(dtype) for name, dtype in sample.schema.items()}
    return Rows(tuple(Row(row, at) for row in sample.rows), at, types)


def _type(dtype: Any) -> str:
    return str(dtype(nullable=True))


def _listed(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], indent: str) -> list[str]:
    if not rows:
        return [f"{indent}rows: []"]
    each = [", ".join(f"{_key(name)}: {_flow(row[name])}" for name in columns) for row in rows]
    return [f"{indent}rows:", *(f"{indent}  - {{{line}}}" for line in each)]


def _flow(value: Any) -> str:
    """Return a value as YAML on one line, which is read back as the same value."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value).replace("inf", ".inf").replace("nan", ".nan")
    if isinstance(value, datetime):
        return value.isoformat(" ", "microseconds" if value.microsecond else "seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    return quoted(value.hex() if isinstance(value, bytes) else str(value))


def _key(name: object) -> str:
    """Return a key of a mapping as YAML; one longer than a thousand letters has to say that it is one."""
    key = _flow(name)
    return f"? {key}" if len(key) > 1000 else key
