"""What a model promises of its columns, where it says so, and how a query's columns differ from that.

What a schema shows is compared before anything is written. It does not show whether a column holds a NULL or a value
twice: such a promise becomes a check.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastflowtransform.document import Section
from fastflowtransform.errors import BadValue, ConflictingSettings, Location, hint_from
from fastflowtransform.model import Constraint, Contract, ContractColumn, Enforcement, Said
from fastflowtransform.names import Folding

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt
    from ibis.expr.schema import Schema

_CHECKS: Mapping[str, tuple[str, ...]] = {
    "not_null": ("not_null",),
    "unique": ("unique",),
    "primary_key": ("not_null", "unique"),
    "foreign_key": ("relationships",),
    "check": ("expression",),
}
"""By the word of a constraint, the checks that hold it."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is declared, and where it promises more than that it is there."""

    column: ContractColumn
    constraints: tuple[Constraint, ...]
    promised: Location | None


def read_said(section: Section, columns: Iterable[Column]) -> Said:
    """Read `contract` and `constraints` of a model; `columns` are read already."""
    columns = tuple(columns)
    enforcement = None
    if section.has("contract"):
        enforcement = section.choice("contract", Enforcement, Enforcement.ENFORCED)
    own = tuple(_constraints(section, None))
    promised = [column.promised for column in columns if column.promised is not None]
    if own:
        promised.append(section.at("constraints"))
    return Said(
        enforcement,
        tuple(column.column for column in columns),
        (*(found for column in columns for found in column.constraints), *own),
        section.at("contract") if enforcement is not None else section.at(),
        promised[0] if promised else None,
    )


def read_column(section: Section) -> Column:
    """Read `name`, `type`, `nullable` and `constraints` of a column; the caller reads on, and closes it."""
    name = section.required_text("name")
    section.title = f'column "{name}"'
    types = section.texts("type") or section.texts("data_type")
    constraints = list(_constraints(section, name))
    if not section.flag("nullable", True) and "not_null" not in {found.type for found in constraints}:
        constraints.insert(0, Constraint("not_null", {"column": name}, section.at("nullable")))
    keys = ("type", "data_type", "nullable", "constraints")
    promised = next((section.at(key) for key in keys if section.has(key)), None)
    return Column(ContractColumn(name, types, section.at("name")), tuple(constraints), promised)


def _constraints(section: Section, column: str | None) -> Iterator[Constraint]:
    """Yield the constraints of a column, or of a model where `column` is None: words, or mappings with a `type`."""
    entries = section.raw("constraints") or ()
    if not isinstance(entries, list | tuple):
        raise section.bad("constraints", "a list, as in [not_null, unique]")
    for entry in entries:
        given = entry if isinstance(entry, Mapping) else {"type": entry}
        nested = Section(given, section.at("constraints"), f"constraint of {section.title}")
        word = nested.required_text("type")
        if word not in _CHECKS:
            raise BadValue(
                f'there is no constraint "{word}"', at=nested.at("type"), hint=hint_from(word, _CHECKS, "constraints")
            )
        arguments = nested.without("type")
        if column is not None:
            arguments = arguments.overlaid({"column": column})
        for type_ in _CHECKS[word]:
            yield Constraint(type_, arguments.values, nested.at())


def agreed(name: str, said: Iterable[Said]) -> Contract | None:
    """Return a model's contract, from what it says itself and what YAML says of it, in one place or in several.

    Raises
    ------
    ConflictingSettings
        Both say something, and not the same.
    BadValue
        Something is promised and there is no contract, or a contract has no columns.
    """
    said = tuple(said)
    words = {found.enforcement: found for found in said if found.enforcement is not None}
    promising = [found for found in said if found.promised is not None or found.constraints]
    if len(words) > 1 or len(promising) > 1:
        first, second = list(words.values()) if len(words) > 1 else promising
        raise ConflictingSettings(
            f'the contract of "{name}" is declared at {first.at}, and in another way here',
            at=second.at,
            hint="keep one of the two",
        )
    if not words:
        if promising:
            raise BadValue(
                f'columns of "{name}" are promised to be of a type, or not NULL, and it has no contract',
                at=promising[0].promised,
                hint="add contract: enforced to the model, or contract: warn",
            )
        return None
    ((enforcement, place),) = words.items()
    enforcing = [found for found in said if found.enforcement is not None]
    source = next((found for found in (*promising, *enforcing, *said) if found.columns), None)
    if enforcement is None or source is None:
        raise BadValue(
            f'"{name}" has a contract and no columns', at=place.at, hint="list its columns, each with name and type"
        )
    names = [column.name for column in source.columns]
    for number, column in enumerate(source.columns):
        if column.name in names[:number]:
            raise BadValue(f'the contract of "{name}" has "{column.name}" twice', at=column.at, hint="keep one of them")
    return Contract(enforcement, source.columns, tuple(c for found in said for c in found.constraints), place.at)


@dataclass(frozen=True, slots=True)
class Difference:
    """A column that is not as it was promised, in words, and where it is declared."""

    words: str
    at: Location


def differences(contract: Contract, schema: Schema, folding: Folding = Folding.NONE) -> tuple[Difference, ...]:
    """Return how a query's columns differ from what a contract promises; their order does not count.

    Parameters
    ----------
    contract
        The contract.
    schema
        The query's columns. Whether they take NULL is not looked at: hardly any engine can say it of a query.
    folding
        Which names are one.

    Raises
    ------
    BadValue
        A type of the contract is none.

    Examples
    --------
    >>> import ibis
    >>> from pathlib import Path
    >>> at = Location(Path("schema.yml"), 4)
    >>> promised = Contract(Enforcement.ENFORCED, (ContractColumn("id", ("int64",), at),), (), at)
    >>> [found.words for found in differences(promised, ibis.schema({"id": "string", "note": "string"}))]
    ['"id" is "string" and should be "int64"', '"note", a "string", is not in the contract']
    """
    found = []
    for column in contract.columns:
        wanted = " or ".join(column.types)
        name = folding.spelling(column.name, schema)
        if name is None:
            found.append(Difference(f'"{column.name}"{f", a {_q(wanted)}," if wanted else ""} is missing', column.at))
            continue
        dtype = schema[name]
        if column.types and not any([fits(parsed(text, column), dtype) for text in column.types]):
            shown = _q(str(dtype(nullable=True)))
            found.append(Difference(f'"{column.name}" is {shown} and should be {_q(wanted)}', column.at))
    names = {folding.fold(column.name) for column in contract.columns}
    for name, dtype in schema.items():
        if folding.fold(name) not in names:
            shown = _q(str(dtype(nullable=True)))
            found.append(Difference(f'"{name}", a {shown}, is not in the contract', contract.at))
    return tuple(found)


def require_types(contract: Contract) -> None:
    """Raise `BadValue` for the first type of a contract that is none."""
    for column in contract.columns:
        for text in column.types:
            parsed(text, column)


def parsed(text: str, column: ContractColumn) -> dt.DataType:
    """Return a type of Ibis by its name."""
    import ibis

    try:
        return ibis.dtype(text)
    except RuntimeError as error:  # Ibis lets its parser's own error through.
        raise BadValue(
            f'the type of "{column.name}" is "{text}", which is none',
            at=column.at,
            hint="use a type of Ibis, such as int64, string, decimal(10, 2), timestamp",
        ) from error


def fits(wanted: Any, found: Any) -> bool:
    """Whether a column's type is the one that is wanted; what `wanted` leaves open, such as a precision, may be any.

    Examples
    --------
    >>> import ibis
    >>> fits(ibis.dtype("decimal"), ibis.dtype("decimal(10, 2)")), fits(ibis.dtype("int32"), ibis.dtype("int64"))
    (True, False)
    >>> fits(ibis.dtype("timestamp"), ibis.dtype("timestamp('UTC', 6)"))
    False
    """
    if type(wanted) is not type(found):
        return False
    if wanted.is_struct():
        return list(wanted.names) == list(found.names) and all(map(fits, wanted.types, found.types))
    for name, ours, theirs in zip(wanted.argnames, wanted.args, found.args, strict=True):
        if name == "nullable" or (ours is None and name != "timezone"):
            continue
        nested = name in ("key_type", "value_type")
        if not (fits(ours, theirs) if nested else ours == theirs):
            return False
    return True


def _q(text: str) -> str:
    return f'"{text}"'
