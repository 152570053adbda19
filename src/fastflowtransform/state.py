"""How a project differs from what it was: from the manifest of a run, or from another reading of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fastflowtransform.errors import Location, NoState
from fastflowtransform.fingerprint import Fingerprint
from fastflowtransform.relation import Relation

RESULTS, FAILED_RUN = "run_results.json", "failed_run.json"
"""What came of the last command; and of the last run that failed, where commands came after it that made nothing."""
MAKING = ("run", "build", "seed")
"""The commands that make tables and views."""
FAILED = ("error", "fail", "skipped", "cancelled")
"""How a node ends that `retry` repeats."""


class Change(StrEnum):
    """What `state:` finds a node by."""

    NEW = "new"
    MODIFIED = "modified"
    BODY = "modified.body"
    CONFIG = "modified.config"


@dataclass(frozen=True, slots=True)
class Known:
    """What a project was: its nodes' fingerprints, and where the tables of models and seeds stood."""

    fingerprints: Mapping[str, Fingerprint]
    relations: Mapping[str, Relation] = field(default_factory=lambda: MappingProxyType({}))


def read_manifest(folder: Path) -> Known:
    """Read the `manifest.json` that a run left.

    Parameters
    ----------
    folder
        Where it stands; a copy of `target/`, say.

    Raises
    ------
    NoState
        It is not there, is no manifest, or was written before manifests had fingerprints.
    """
    path = folder / "manifest.json"
    document = _read(path, hint := "copy target/manifest.json of a run there, and name that folder")
    nodes = document.get("nodes")
    if not isinstance(nodes, dict):
        raise _not_ours(path, hint)
    try:
        found = {name: _fingerprint(node["fingerprint"]) for name, node in nodes.items()}
        relations = {
            name: Relation(node["relation"].rpartition(".")[0], node["relation"].rpartition(".")[2])
            for name, node in nodes.items()
            if node["kind"] != "source" and node.get("materialized") != "ephemeral"
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise NoState(
            f'"{path.name}" says nothing of what its nodes were made of',
            at=Location(path),
            hint="it is of an older fft; run the project with this one",
        ) from error
    return Known(found, relations)


def has_failed(document: Mapping[str, Any]) -> bool:
    """Whether anything of a command is left for `retry`, by its results."""
    return any(words & set(FAILED) for words in results_by_node(document).values())


def read_results(folder: Path, name: str = RESULTS) -> Mapping[str, Any]:
    """Read the results of a project's last command, as `docs/reference/artifacts.md` has them."""
    path = folder / "target" / name
    hint = "run the project first: a command leaves its results when it ends, and one that was killed leaves none"
    document: Mapping[str, Any] = _read(path, hint)
    if not _is_result(document):
        raise _not_ours(path, hint)
    return document


def _is_result(document: Any) -> bool:
    """Whether a document has all that is read of results, and of the right types."""
    options = document.get("options", [])
    return (
        isinstance(document.get("command"), str)
        and (options is None or _is_list(options, str))
        and all(_is_list(document.get(part), dict) for part in ("steps", "checks"))
        and all(_has_texts(step, "name", "status") for step in document["steps"])
        and all(_has_texts(check, "name", "status", "node") for check in document["checks"])
        and all(isinstance(check.get("failures"), int | None) for check in document["checks"])
    )


def _is_list(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _has_texts(value: Any, *keys: str) -> bool:
    return all(isinstance(value.get(key), str) for key in keys)


def _fingerprint(values: Any) -> Fingerprint:
    if not isinstance(values["body"], str) or not isinstance(values["config"], str):
        raise TypeError("a fingerprint is two texts")
    return Fingerprint(values["body"], values["config"])


def results_by_node(document: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return how each node ended: as its step did, and `fail` or `warn` where a check of it did.

    A check whose claim rows break fails; one that could not be asked is an error.
    """
    found: dict[str, set[str]] = {}
    for step in document["steps"]:
        found.setdefault(step["name"], set()).add(step["status"])
    for check in document["checks"]:
        word = "fail" if check["status"] == "error" and check.get("failures") is not None else check["status"]
        if word != "success":
            found.setdefault(check["node"], set()).add(word)
        found.setdefault(f"check:{check['name']}", set()).add(word)
    return {name: frozenset(words) for name, words in found.items()}


def changes(now: Mapping[str, Fingerprint], before: Mapping[str, Fingerprint]) -> dict[str, frozenset[Change]]:
    """Return how each node differs; one that is new counts as modified too, and one that is gone is left out.

    Examples
    --------
    >>> now = {"a": Fingerprint("1", "1"), "b": Fingerprint("2", "1"), "c": Fingerprint("1", "1")}
    >>> before = {"a": Fingerprint("1", "1"), "b": Fingerprint("1", "1"), "d": Fingerprint("1", "1")}
    >>> {name: sorted(found) for name, found in changes(now, before).items()}
    {'a': [], 'b': [<Change.MODIFIED: 'modified'>, <Change.BODY: 'modified.body'>], \
'c': [<Change.MODIFIED: 'modified'>, <Change.NEW: 'new'>]}
    """
    return {name: _change(found, before.get(name)) for name, found in now.items()}


def _change(now: Fingerprint, before: Fingerprint | None) -> frozenset[Change]:
    if before is None:
        return frozenset({Change.NEW, Change.MODIFIED})
    parts = {Change.BODY: now.body != before.body, Change.CONFIG: now.config != before.config}
    differ = {change for change, differs in parts.items() if differs}
    return frozenset(differ | {Change.MODIFIED} if differ else ())


def _read(path: Path, hint: str) -> Any:
    """Return the JSON object of a file in `target/`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NoState(f'there is no "{path.name}" to read: "{error.strerror}"', at=Location(path), hint=hint) from error
    except (ValueError, RecursionError) as error:
        raise _not_ours(path, hint) from error
    if not isinstance(document, dict):
        raise _not_ours(path, hint)
    return document


def _not_ours(path: Path, hint: str) -> NoState:
    return NoState(f'"{path.name}" is not what a run of fft writes', at=Location(path), hint=hint)
