"""What `models/**/*.yml` and the `tests` of project.yml declare: descriptions, tags and checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fastflowtransform import checks
from fastflowtransform.document import Section, read_document
from fastflowtransform.errors import BadValue, UnknownRef, hint_from
from fastflowtransform.model import Check, Severity


@dataclass(frozen=True, slots=True)
class Description:
    """What YAML adds to a model."""

    description: str
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Declared:
    """All declarations of a project, by model and in order."""

    models: Mapping[str, Description]
    checks: tuple[Check, ...]


def read_declarations(folder: Path, tests: Iterable[Section], known: Set[str], elsewhere: Set[str]) -> Declared:
    """Read the schema YAML below `models/`, and the checks of project.yml.

    Parameters
    ----------
    folder
        The project's folder.
    tests
        The entries of `tests` in project.yml.
    known
        The names of the project's models and seeds.
    elsewhere
        The names of models that are for other engines only; what is declared of them is left aside.

    Raises
    ------
    UnknownRef
        A declaration is for no model of this project.
    """
    models: dict[str, Description] = {}
    found: list[Check] = []
    for section in tests:
        node = _known(section, "model", known | elsewhere)
        found.append(_check(section, section.required_text("type"), node, None))
    for path in sorted((folder / "models").rglob("*.y*ml")):
        document = read_document(path, path.name)
        document.integer("version")
        for section in document.sections("models", "model"):
            name = _known(section, "name", known | elsewhere)
            models[name] = Description(section.text("description") or "", frozenset(section.texts("tags")))
            found += _model_checks(section, name)
            section.close()
        document.close()
    for check in found:
        other = checks.check(check.type).OTHER
        if other is not None and (name := check.arguments[other]) not in known | elsewhere:
            raise UnknownRef(
                f'check "{check.name}" names "{name}", which is not in this project',
                at=check.at,
                hint=hint_from(str(name), known, "models"),
            )
    return Declared(MappingProxyType(models), tuple(check for check in found if check.node in known))


def _known(section: Section, key: str, known: Set[str]) -> str:
    name = section.required_text(key)
    if name not in known:
        raise UnknownRef(f'"{name}" is not in this project', at=section.at(key), hint=hint_from(name, known, "models"))
    return name


def _model_checks(section: Section, node: str) -> Iterator[Check]:
    yield from _listed(section, node, None)
    for column in section.sections("columns", f'column of "{node}"'):
        name = column.required_text("name")
        column.text("description")
        yield from _listed(column, node, name)
        column.close()


def _listed(section: Section, node: str, column: str | None) -> Iterator[Check]:
    """Yield the checks under `tests`: each a name, or a mapping of one name to its arguments."""
    entries = section.raw("tests") or []
    if not isinstance(entries, list):
        raise section.bad("tests", "a list")
    for entry in entries:
        at = section.at("tests")
        if isinstance(entry, str):
            yield _check(Section({}, at, f'check "{entry}"'), entry, node, column)
        elif isinstance(entry, Mapping) and len(entry) == 1:
            outer = Section(entry, at, "check")
            (kind,) = entry
            inner = (
                outer.section(kind, f'check "{kind}"')
                if entry[kind] is not None
                else Section({}, at, f'check "{kind}"')
            )
            assert inner is not None
            yield _check(inner, kind, node, column)
        else:
            raise BadValue(f'a check of "{node}" is "{entry}"', at=at, hint="write a name, or name: {arguments}")


def _check(section: Section, kind: str, node: str, column: str | None) -> Check:
    if kind not in checks.BY_NAME:
        at = section.at("type") if "type" in section.values else section.at()
        raise BadValue(f'there is no check "{kind}"', at=at, hint=hint_from(kind, checks.BY_NAME, "checks"))
    if column is not None:
        section = section.overlaid({"column": column})
    arguments: dict[str, Any] = checks.check(kind).read(section)
    name = section.text("name")
    check = Check(
        name=name or "_".join([kind, node, *_words(arguments)]),
        type=kind,
        node=node,
        arguments=MappingProxyType(arguments),
        at=section.at(),
        severity=section.choice("severity", Severity, Severity.ERROR),
        where=section.text("where"),
        tags=frozenset(section.texts("tags")),
    )
    section.close()
    return check


def _words(arguments: Mapping[str, Any]) -> list[str]:
    value = arguments.get("columns") or arguments.get("column") or ()
    return [value] if isinstance(value, str) else list(value)
