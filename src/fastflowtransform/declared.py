"""What `models/**/*.yml` and the `tests` of project.yml declare: descriptions, tags and checks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fastflowtransform import checks
from fastflowtransform.checks.nodes import Other
from fastflowtransform.contract import Column, agreed, read_column, read_said
from fastflowtransform.document import Section
from fastflowtransform.errors import BadValue, ConflictingSettings, DuplicateName, Location, UnknownRef, hint_from
from fastflowtransform.files import files_in, read_text
from fastflowtransform.kept import Kept
from fastflowtransform.model import Check, Contract, Enforcement, Input, OwnCheck, Said, Severity, Terms
from fastflowtransform.own_checks import inputs_of, read_parameters
from fastflowtransform.template import Scope
from fastflowtransform.terms import read_terms

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""Names that YAML has one spelling for: no other may be folded, is a number, or has a quote to be doubled."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Description:
    """What YAML adds to a model, in one place or in several.

    `at` is the first place that describes it.
    """

    description: str
    tags: frozenset[str]
    said: tuple[Said, ...]
    at: Location


@dataclass(frozen=True, slots=True)
class Declared:
    """All declarations of a project, by model and in order."""

    models: Mapping[str, Description]
    contracts: Mapping[str, Contract]
    checks: tuple[Check, ...]
    needed: frozenset[str]
    """The unread models that promised checks look at: they have to be read too."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a declaration can name.

    Parameters
    ----------
    nodes
        The project's models and seeds.
    sources
        Its sources, by their names in the graph.
    elsewhere
        The models that are for other engines only; what is declared of them is left aside.
    unread
        The models that were not read. What is declared of them is left aside, and so are the YAML files that name none
        of those that were, and checks that look at unread ones, unless they are promised.
    own
        The checks of its own, by name.
    scope
        What their templates see.
    said
        What models say of their contracts themselves, by name; seeds are not among them.
    """

    nodes: Set[str]
    sources: Set[str] = frozenset()
    elsewhere: Set[str] = frozenset()
    unread: Set[str] = frozenset()
    own: Mapping[str, OwnCheck] = field(default_factory=lambda: MappingProxyType({}))
    scope: Scope = field(default_factory=Scope)
    said: Mapping[str, Said | None] = field(default_factory=lambda: MappingProxyType({}))


def read_declarations(folder: Path, tests: Iterable[Section], known: Known, kept: Kept) -> Declared:
    """Read the schema YAML below `models/`, and the checks of project.yml; each own check that stands alone is one too.

    Parameters
    ----------
    folder
        The project's folder.
    tests
        The entries of `tests` in project.yml.
    known
        What they can name.
    kept
        What files were parsed to before.

    Raises
    ------
    UnknownRef
        A declaration is for no model of this project.
    DuplicateName
        Two checks are given one name.
    """
    models: dict[str, Description] = {}
    found = [_of_project(section, known) for section in tests]
    names = known.said.keys()
    looks = bool(known.unread) and all(map(_PLAIN.fullmatch, names))
    for path in files_in(folder / "models", ".yml", ".yaml"):
        if looks and not _may_name(read_text(path), names):
            continue
        document = kept.document(path, path.name)
        _require_version(document)
        for section in document.sections("models", "model"):
            name = _node(section, "name", known)
            section.title = f'model "{name}"'
            columns: list[Column] = []
            found += _model_checks(section, name, columns, known)
            said = read_said(section, columns)
            text, tags = section.text("description") or "", frozenset(section.texts("tags"))
            here = Description(text, tags, (said,), section.at("description"))
            models[name] = _together(name, models[name], here) if name in models else here
            section.close()
        document.close()
    named = {check.type for check in found}
    for own in known.own.values():
        if own.alone and not own.required and own.name not in named:
            found.append(_alone(own, known))
    contracts = dict(_contracts(models, known))
    for name, contract in contracts.items():
        found += _promised(name, contract)
    ours = [check for check in found if not known.elsewhere & {check.node, *_seen(check)}]
    _require_others(ours, known)
    about = [check for check in _named_once(ours) if check.node not in known.unread]
    needed = frozenset(node for check in about if check.is_promised for node in _seen(check)) & known.unread
    left = tuple(check for check in about if not known.unread & _seen(check))
    return Declared(MappingProxyType(models), MappingProxyType(contracts), left, needed)


def _may_name(text: str, names: Set[str]) -> bool:
    """Whether a YAML text may hold one of the names: words stand in it as they are, or with a backslash."""
    return "\\" in text or not names.isdisjoint(_WORD.findall(text))


def _together(name: str, first: Description, second: Description) -> Description:
    """Return what two places say of one model."""
    if first.description and second.description and first.description != second.description:
        raise ConflictingSettings(
            f'"{name}" is described at {first.at}, and in other words here',
            at=second.at,
            hint="keep one of the two",
        )
    described = first if first.description else second
    return replace(described, tags=first.tags | second.tags, said=(*first.said, *second.said))


def _contracts(models: Mapping[str, Description], known: Known) -> Iterator[tuple[str, Contract]]:
    """Yield the contract of each model that has one."""
    for name in dict.fromkeys((*models, *known.said)):
        beside = models[name].said if name in models else ()
        if name in known.unread:
            continue
        if name not in known.said and name not in known.elsewhere:
            for said in beside:
                if said.enforcement is not None or said.promised is not None:
                    raise BadValue(
                        f'"{name}" is a seed, and a contract is for models',
                        at=said.promised or said.at,
                        hint="give the types of its columns in seeds/schema.yml",
                    )
            continue
        own = known.said.get(name)
        contract = agreed(name, beside if own is None else (own, *beside))
        if contract is not None:
            yield name, contract


def _promised(name: str, contract: Contract) -> Iterator[Check]:
    """Yield what a contract promises of the rows, as checks."""
    severity = Severity.WARN if contract.enforcement is Enforcement.WARN else Severity.ERROR
    for constraint in contract.constraints:
        section = Section(constraint.arguments, constraint.at, f'constraint of "{name}"')
        arguments = checks.check(constraint.type).read(section)
        section.close()
        check = Check(_name(section, constraint.type, name, arguments), constraint.type, name, arguments, constraint.at)
        yield replace(check, terms=Terms(severity=severity), promised=True)


def _require_version(document: Section) -> None:
    if document.integer("version") not in (None, 1, 2):
        raise BadValue(
            f'the version of {document.title} is "{document.raw("version")}"',
            at=document.at("version"),
            hint="write version: 1 or version: 2, which are read alike",
        )


def _node(section: Section, key: str, known: Known) -> str:
    name = section.required_text(key)
    if not (name in known.nodes or name in known.elsewhere or name in known.unread):
        raise UnknownRef(
            f'"{name}" is not in this project',
            at=section.at(key),
            hint=hint_from(name, known.nodes | known.unread, "models"),
        )
    return name


def _of_project(section: Section, known: Known) -> Check:
    kind = section.required_text("type")
    own = known.own.get(kind)
    node = None if own is not None and own.alone and not section.has("model") else _node(section, "model", known)
    return _check(section, kind, node, None, known)


def _model_checks(section: Section, node: str, columns: list[Column], known: Known) -> Iterator[Check]:
    """Yield the checks of a model and of its columns, which are put into `columns`."""
    yield from _listed(section, node, None, known)
    for column in section.sections("columns", f'column of "{node}"'):
        columns.append(read_column(column))
        column.text("description")
        yield from _listed(column, node, columns[-1].column.name, known)
        column.close()


def _listed(section: Section, node: str, column: str | None, known: Known) -> Iterator[Check]:
    """Yield the checks under `tests`, or `data_tests`: a name, a name with its arguments, or keys with a `type`."""
    for key in ("tests", "data_tests"):
        entries = section.raw(key) or []
        if not isinstance(entries, list):
            raise section.bad(key, "a list")
        for entry in entries:
            kind, inner = _entry(entry, section, key, node)
            yield _check(inner, kind, node, column, known)


def _entry(entry: Any, section: Section, key: str, node: str) -> tuple[str, Section]:
    """Return the type and the keys of one entry of a list of checks."""
    at = section.at(key)
    if isinstance(entry, str):
        return entry, Section({}, at, f'check "{entry}"')
    outer = Section(entry, at, "check") if isinstance(entry, Mapping) else None
    if outer is not None and "type" in entry:
        kind = outer.required_text("type")
        return kind, outer
    if outer is not None and len(entry) == 1:
        (kind,) = entry
        if entry[kind] is None:
            return kind, Section({}, at, f'check "{kind}"')
        inner = outer.section(kind, f'check "{kind}"')
        assert inner is not None
        return kind, inner
    raise BadValue(f'a check of "{node}" is "{entry}"', at=at, hint="write a name, or name: {arguments}")


def _check(section: Section, kind: str, node: str | None, column: str | None, known: Known) -> Check:
    own = known.own.get(kind)
    if own is None and kind not in checks.BY_NAME:
        at = section.at("type") if "type" in section.values else section.at()
        names = {*checks.BY_NAME, *known.own}
        raise BadValue(f'there is no check "{kind}"', at=at, hint=hint_from(kind, names, "checks"))
    section = _flat(section)
    if column is not None:
        section = section.overlaid({"column": column})
    if own is not None:
        section = section.overlaid({key: value for key, value in own.terms.items() if key not in section.values})
        return _own_check(section, own, node, known)
    arguments = checks.check(kind).read(section)
    assert node is not None
    return _finished(section, Check(_name(section, kind, node, arguments), kind, node, arguments, section.at()))


def _own_check(section: Section, own: OwnCheck, node: str | None, known: Known) -> Check:
    """Return one use of a check of the project's own; `node` is None where it stands alone."""
    arguments = read_parameters(section, own)
    if own.alone and section.has("where"):
        raise BadValue(
            f'{section.title} has a where, and "{own.name}" reads no table under test',
            at=section.at("where"),
            hint="write the condition into the check",
        )
    inputs = inputs_of(own, arguments, known.scope)
    name = own.name if node is None else _name(section, own.name, node, arguments)
    about = node or (inputs[0].node if inputs else own.name)
    return _finished(section, Check(name, own.name, about, arguments, section.at(), own=own, inputs=inputs))


def _alone(own: OwnCheck, known: Known) -> Check:
    check = _own_check(Section(own.terms, own.at, f'check "{own.name}"'), own, None, known)
    return replace(check, at=own.at)


def _flat(section: Section) -> Section:
    """Return the section with what stands under `arguments` and `config` in it, as dbt writes it."""
    for key in ("arguments", "config"):
        nested = section.section(key) if isinstance(section.values.get(key), Mapping) else None
        if nested is not None:
            section = section.without(key).overlaid(nested.values)
    return section


def _finished(section: Section, check: Check) -> Check:
    """Return the check with its name and terms, once nothing unknown stands in the section."""
    name = section.text("name")
    terms = read_terms(section)
    section.close()
    return replace(check, name=name or check.name, named=bool(name), terms=terms)


def _name(section: Section, kind: str, node: str, arguments: Mapping[str, Any]) -> str:
    """Return a name for a check: its type, its node, and its columns or else the other table that it reads."""
    columns = arguments.get("columns") or section.values.get("column") or ()
    others = [value.node.removeprefix("source:") for value in arguments.values() if isinstance(value, Other)]
    words = [columns] if isinstance(columns, str) else [str(column) for column in columns]
    return "_".join([kind, node, *(words or others)])


def _seen(check: Check) -> set[str]:
    return {other.node for other in others_of(check)}


def others_of(check: Check) -> tuple[Input, ...]:
    """Return what a check reads besides the node that it is about."""
    others = [value.node for value in check.arguments.values() if isinstance(value, Other)]
    read = [Input(name.removeprefix("source:"), check.at, is_source=name.startswith("source:")) for name in others]
    return (*read, *check.inputs)


def _require_others(found: Iterable[Check], known: Known) -> None:
    for check in found:
        for other in others_of(check):
            if other.node in known.nodes or other.node in known.sources or other.node in known.unread:
                continue
            names, what = (known.sources, "sources") if other.is_source else (known.nodes | known.unread, "models")
            raise UnknownRef(
                f'check "{check.name}" names "{other.name}", which is not in this project',
                at=other.at,
                hint=hint_from(other.name, {name.removeprefix("source:") for name in names}, what),
            )


def _named_once(found: Iterable[Check]) -> tuple[Check, ...]:
    """Return the checks with a number behind a name that was made before; a name that is given stays, and is unique."""
    taken: dict[str, Check] = {}
    for check in found:
        if check.named and (first := taken.setdefault(check.name.casefold(), check)) is not check:
            raise DuplicateName(
                f'two checks are called "{check.name}": here and at {first.at}', at=check.at, hint="rename one of them"
            )
    named = []
    for check in found:
        name, number = check.name, 1
        while not check.named and name.casefold() in taken:
            number += 1
            name = f"{check.name}_{number}"
        taken.setdefault(name.casefold(), check)
        named.append(check if name == check.name else replace(check, name=name))
    return tuple(named)
