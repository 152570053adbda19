"""Writes `target/`: what the project is, what came of the last command, and the SQL of what failed.

The files' form is documented in `docs/reference/artifacts.md`; `VERSION` changes with it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastflowtransform.atomic_file import write_whole
from fastflowtransform.errors import FftError, Location, NoState, UnwritableFolder
from fastflowtransform.files import file_name
from fastflowtransform.fingerprint import fingerprints
from fastflowtransform.model import Incremental, Model, PythonBody
from fastflowtransform.plain_text import in_json
from fastflowtransform.project import Project
from fastflowtransform.results import CheckResult, Outcome, RunResult, SourceResult, Status, StepResult
from fastflowtransform.secret_values import redact, redact_values
from fastflowtransform.state import FAILED_RUN, MAKING, RESULTS, has_failed, read_results

VERSION = 1
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def prepare(folder: Path) -> None:
    """Make `target/`, before a command changes anything that it could not report.

    Raises
    ------
    UnwritableFolder
        It cannot be made or written to.
    """
    _write(folder / "target" / ".gitignore", "*\n")


def forget_results(folder: Path) -> None:
    """Remove what came of the last command, once another one begins: one that is killed leaves no results at all."""
    for name in (RESULTS, FAILED_RUN):
        (folder / "target" / name).unlink(missing_ok=True)


def set_results_aside(folder: Path) -> None:
    """Keep the results of a run that failed for `retry`, once a command begins that makes nothing, such as `test`."""
    target = folder / "target"
    with contextlib.suppress(NoState):
        last = read_results(folder)
        if last["command"] in MAKING and has_failed(last):
            with contextlib.suppress(FileNotFoundError):  # Another command has begun meanwhile.
                (target / RESULTS).replace(target / FAILED_RUN)
    (target / RESULTS).unlink(missing_ok=True)


def put_failed_run_back(folder: Path) -> None:
    """Let the results of the run that was kept be those of the last command again."""
    (folder / "target" / FAILED_RUN).replace(folder / "target" / RESULTS)


def put_results_back(folder: Path, document: Mapping[str, Any]) -> None:
    """Let results that were read be those of the last command again."""
    _write(folder / "target" / RESULTS, _json(document), private=True)


def forget_failures(folder: Path) -> None:
    """Remove the SQL of what failed in an earlier run."""
    for path in (folder / "target" / "failed").glob("*.sql"):
        path.unlink(missing_ok=True)


def write_manifest(project: Project) -> Path:
    """Write `target/manifest.json`, and return its path."""
    nodes: dict[str, Any] = {}
    for name, model in project.models.items():
        nodes[name] = _model(project, model)
    for name, seed in project.seeds.items():
        nodes[name] = {
            "kind": "seed",
            "path": _relative(seed.path, project.folder),
            "relation": str(seed.relation),
            "tags": sorted(seed.tags),
            "description": seed.description,
            "upstream": [],
        }
    for node, source in project.sources.items():
        nodes[node] = {
            "kind": "source",
            "relation": str(source.relation),
            "tags": sorted(source.tags),
            "description": source.description,
            "columns": dict(source.columns),
            "upstream": sorted(project.graph.upstream[node]),
        }
    checks = [
        {
            "name": check.name,
            "type": check.type,
            "node": check.node,
            "severity": check.terms.severity,
            "tags": sorted(check.terms.tags),
        }
        for check in project.checks
    ]
    for name, fingerprint in fingerprints(project).items():
        nodes[name]["fingerprint"] = asdict(fingerprint)
    document = {
        "version": VERSION,
        "project": project.name,
        "engine": project.scope.engine,
        "nodes": nodes,
        "checks": checks,
    }
    return _write(project.folder / "target" / "manifest.json", _json(document))


def write_results(folder: Path, result: RunResult) -> Path:
    """Write `target/run_results.json`, and return its path."""
    document = {
        "version": VERSION,
        "command": result.command,
        "options": list(result.options),
        "seconds": round(result.seconds, 3),
        "exit_code": result.exit_code,
        "steps": [describe_step(step, folder) for step in result.steps],
        "checks": [describe_check(check, folder) for check in result.checks],
    }
    return _write(folder / "target" / RESULTS, _json(document), private=True)


def write_sources(folder: Path, results: Iterable[SourceResult]) -> Path:
    """Write `target/sources.json`, and return its path."""
    document = {"version": VERSION, "sources": [describe_source(result, folder) for result in results]}
    return _write(folder / "target" / "sources.json", _json(document))


def write_sql(folder: Path, where: str, name: str, sql: str) -> Path:
    """Write one statement to `target/<where>/<name>.sql`, and return its path."""
    return _write(folder / "target" / where / f"{file_name(name)}.sql", redact(sql.rstrip()) + "\n", private=True)


def describe_step(step: StepResult, folder: Path) -> dict[str, Any]:
    """Return a step's result as JSON values; the same in run_results.json and in `--json`."""
    described: dict[str, Any] = {
        "name": step.name,
        "kind": step.kind,
        "status": step.status,
        "seconds": round(step.seconds, 3),
    }
    if step.outcome is not None:
        described["outcome"] = _outcome(step.outcome)
    if step.error is not None:
        described["error"] = describe_error(step.error, folder)
    if step.blocked_by is not None:
        described["blocked_by"] = step.blocked_by
    if step.kept is not None:
        described["kept"] = step.kept
    return described


def describe_check(check: CheckResult, folder: Path) -> dict[str, Any]:
    """Return a check's result as JSON values."""
    described: dict[str, Any] = {
        "name": check.name,
        "node": check.node,
        "type": check.type,
        "status": check.status,
        "seconds": round(check.seconds, 3),
        "failures": check.failures,
    }
    if check.new_only:
        described["new_only"] = True
    if check.notes:
        described["notes"] = list(check.notes)
    if check.status in (Status.WARN, Status.ERROR):
        described["sample"] = list(check.sample)
        described["sql"] = check.sql
        described["stored"] = check.stored
    if check.error is not None:
        described["error"] = describe_error(check.error, folder)
    return described


def describe_source(source: SourceResult, folder: Path) -> dict[str, Any]:
    """Return how new a source is as JSON values."""
    described: dict[str, Any] = {
        "name": source.name,
        "status": source.status,
        "seconds": round(source.seconds, 3),
        "loaded_at": None if source.loaded_at is None else source.loaded_at.isoformat(),
        "age_seconds": _seconds(source.age),
        "warn_after_seconds": _seconds(source.warn_after),
        "error_after_seconds": _seconds(source.error_after),
    }
    if source.error is not None:
        described["error"] = describe_error(source.error, folder)
    return described


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else round(length.total_seconds(), 3)


def describe_error(error: FftError, folder: Path) -> dict[str, Any]:
    """Return an error as JSON values."""
    return {
        "code": error.code,
        "message": error.message,
        "at": None if error.at is None else _place(error.at.on_a_line(), folder),
        "hint": error.hint,
    }


def _model(project: Project, model: Model) -> dict[str, Any]:
    described: dict[str, Any] = {
        "kind": "model",
        "language": "python" if isinstance(model.body, PythonBody) else "sql",
        "path": _relative(model.at.path, project.folder),
        "relation": str(project.relation(model.name)),
        "materialized": model.materialized,
        "tags": sorted(model.tags),
        "description": model.description,
        "meta": dict(model.meta),
        "upstream": sorted(project.graph.upstream[model.name]),
    }
    if model.incremental is not None:
        described["incremental"] = _incremental(model.incremental)
    if model.contract is not None:
        described["contract"] = {
            "enforcement": model.contract.enforcement,
            "columns": [{"name": column.name, "types": list(column.types)} for column in model.contract.columns],
            "constraints": [
                {"type": constraint.type, **constraint.arguments} for constraint in model.contract.constraints
            ],
        }
    return described


def _incremental(incremental: Incremental) -> dict[str, Any]:
    lookback = incremental.lookback
    return {
        "unique_key": list(incremental.unique_key),
        "updated_at": incremental.updated_at,
        "lookback_seconds": None if lookback is None else lookback.total_seconds(),
        "delta": None if incremental.delta is None else incremental.delta.template.text,
        "on_null_key": incremental.on_null_key,
        "on_duplicate_key": incremental.on_duplicate_key,
        "on_schema_change": incremental.on_schema_change,
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    values = {field.name: getattr(outcome, field.name) for field in fields(outcome)}
    values["types"] = [asdict(column) for column in outcome.types]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _place(at: Location, folder: Path) -> str:
    path = _relative(at.path, folder)
    return path if at.line is None else f"{path}:{at.line}"


def _relative(path: Path, folder: Path) -> str:
    try:
        return path.relative_to(folder).as_posix()
    except ValueError:
        return str(path)


def to_json(value: object) -> str:
    """Return JSON as its standard has it: a number that is none, such as NaN, is a text; secrets are hidden.

    Examples
    --------
    >>> to_json({"ratio": float("nan"), "rows": [1, None]})
    '{"ratio": "nan", "rows": [1, null]}'
    """
    text = _dumped(value)
    return in_json(text if redact(text) == text else _dumped(redact_values(value)))


def _dumped(value: object) -> str:
    try:
        return json.dumps(value, default=str, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), default=str, ensure_ascii=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _json(document: Mapping[str, Any]) -> str:
    """Return JSON with a line for each of the nodes, steps and checks; Python's indents cost four times as much.

    Examples
    --------
    >>> print(_json({"seconds": 1.5, "steps": [{"name": "a"}, {"name": "b"}]}), end="")
    {
    "seconds": 1.5,
    "steps": [
    {"name": "a"},
    {"name": "b"}
    ]
    }
    """
    found = (f"{to_json(key)}: {_in_lines(value)}" for key, value in document.items())
    return _between("{}", found) + "\n"


def _in_lines(value: Any) -> str:
    if isinstance(value, Mapping):
        return _between("{}", (f"{to_json(key)}: {to_json(item)}" for key, item in value.items()))
    return _between("[]", map(to_json, value)) if isinstance(value, list | tuple) else to_json(value)


def _between(ends: str, lines: Iterable[str]) -> str:
    text = ",\n".join(lines)
    return f"{ends[0]}\n{text}\n{ends[1]}" if text else ends


def _write(path: Path, text: str, *, private: bool = False) -> Path:
    """Write a file as a whole, however many commands write at once.

    A `private` one holds rendered SQL or rows, and is for nobody but the user who ran the command.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode("utf-8", "backslashreplace"), 0o600 if private else None)
    except OSError as error:
        way = "make room on the disk" if error.errno in _NO_ROOM else "make the folder writable"
        raise UnwritableFolder(
            f'cannot write "{path.name}": "{error.strerror}"',
            at=Location(path.parent),
            hint=f"{way}: a command reports there what it did",
        ) from error
    return path
