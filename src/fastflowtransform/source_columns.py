"""Columns are written into the text of `sources.yml`, and every other character of it stays as it is.

The text is not printed anew from what it means: the places to change are found by the marks of a parser. What came of
it is read again, and has to mean just what was wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastflowtransform.contract import fits
from fastflowtransform.errors import CannotEdit, Location
from fastflowtransform.yaml_scalars import parse, quoted

if TYPE_CHECKING:
    import yaml

Columns = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Changes:
    """What was changed of a table's columns."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.retyped)

    @property
    def words(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """What was done, with the names of the columns."""
        return ("added", self.added), ("removed", self.removed), ("retyped", self.retyped)


@dataclass(frozen=True, slots=True)
class _Edit:
    """A piece of the text, and what stands in its place afterwards."""

    start: int
    end: int
    text: str


def written(text: str, tables: Sequence[Columns | None], at: Location) -> tuple[str, tuple[Changes, ...]]:
    r"""Write columns into the text of `sources.yml`.

    Parameters
    ----------
    text
        The file's.
    tables
        The Ibis type of each column, for each table in the order of the file; None for one that is left alone. A type
        that says the same in other words stays.
    at
        The file.

    Returns
    -------
    tuple
        The new text, and what was changed of each table.

    Raises
    ------
    CannotEdit
        The text is of a kind in which more would change, such as one with anchors.

    Examples
    --------
    >>> from pathlib import Path
    >>> text = "sources:\n- name: raw  # what arrives\n  tables: [{name: orders}]\n"
    >>> print(written(text, [{"id": "int64"}], Location(Path("sources.yml")))[0].rstrip())
    sources:
    - name: raw  # what arrives
      tables: [{name: orders, columns: [{name: id, type: int64}]}]
    """
    import yaml

    nodes = _tables(yaml.compose(text, Loader=yaml.SafeLoader))
    if len(nodes) != len(tables):
        raise _refusal(at)
    edits: list[_Edit] = []
    changes = []
    wanted = _unshared(parse(text))
    values = [table for source in wanted.get("sources") or () for table in source.get("tables") or ()]
    editor = _Editor(text)
    for node, value, columns in zip(nodes, values, tables, strict=True):
        if columns is None:
            changes.append(Changes())
            continue
        found = _changed(value, columns)
        changes.append(found)
        if found:
            edits += editor.columns(node, columns, found)
    new = _applied(text, edits)
    try:
        same = parse(new) == wanted
    except yaml.YAMLError:
        same = False
    if not same:
        raise _refusal(at)
    return new, tuple(changes)


def _unshared(value: Any) -> Any:
    """Return a copy in which nothing stands twice as one object, as what an anchor names does."""
    if isinstance(value, dict):
        return {key: _unshared(item) for key, item in value.items()}
    return [_unshared(item) for item in value] if isinstance(value, list) else value


def spelt(dtype: Any) -> str:
    """Return a type as it is written: microseconds are what a timestamp has, on every engine.

    Examples
    --------
    >>> import ibis
    >>> spelt(ibis.dtype("timestamp('UTC', 6)")), spelt(ibis.dtype("timestamp(9)")), spelt(ibis.dtype("!int64"))
    ("timestamp('UTC')", 'timestamp(9)', 'int64')
    """
    if dtype.is_timestamp() and dtype.scale == 6:
        dtype = dtype.copy(scale=None)
    return str(dtype(nullable=True))


def _refusal(at: Location) -> CannotEdit:
    return CannotEdit(
        f'"{at.path.name}" is written in a way in which its columns cannot be changed alone',
        at=at,
        hint="write tables and columns as plain lists of mappings, without anchors",
    )


def _changed(table: dict[str, Any], columns: Columns) -> Changes:
    """Change the columns of a table as it was read, and return what changed."""
    import ibis

    old = table.get("columns") or []
    names = [column["name"] for column in old]
    added = tuple(name for name in columns if name not in names)
    removed = tuple(name for name in names if name not in columns)
    retyped = []
    for column in old:
        if (name := column["name"]) not in columns:
            continue
        key = "data_type" if "data_type" in column and "type" not in column else "type"
        if key not in column or not _means(str(column[key]), ibis.dtype(columns[name])):
            column[key] = columns[name]
            retyped.append(name)
    kept = [column for column in old if column["name"] in columns]
    if added or removed:
        table["columns"] = kept + [{"name": name, "type": columns[name]} for name in added]
    return Changes(added, removed, tuple(retyped))


def _means(text: str, dtype: Any) -> bool:
    """Whether a type in the file is one that the column has."""
    import ibis

    try:
        return fits(ibis.dtype(text), dtype)
    except RuntimeError:  # Ibis lets its parser's own error through.
        return False


def _tables(root: yaml.Node | None) -> list[yaml.MappingNode]:
    """Return the mapping of each table, in the order of the file."""
    import yaml

    found = []
    for source in _items(_value(root, "sources")):
        found += [table for table in _items(_value(source, "tables")) if isinstance(table, yaml.MappingNode)]
    return found


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    import yaml

    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """Return what stands under a key; None where nothing does."""
    import yaml

    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _applied(text: str, edits: Sequence[_Edit]) -> str:
    """Return the text with all edits made; those of one place come in their order."""
    parts, position = [], 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        parts += [text[position : edit.start], edit.text]
        position = max(edit.end, position)
    return "".join([*parts, text[position:]])


class _Editor:
    """Finds the places of one text that have to change."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._break = "\r\n" if "\r\n" in text else "\n"

    def columns(self, table: yaml.MappingNode, columns: Columns, changes: Changes) -> Iterator[_Edit]:
        """Yield what makes a table have columns."""
        import yaml

        old = _value(table, "columns")
        entries = [_entry(name, columns[name]) for name in changes.added]
        if old is None:
            yield self._new_key(table, entries)
        elif not isinstance(old, yaml.SequenceNode) or not old.value:
            yield _Edit(old.start_mark.index, old.end_mark.index, _after_colon(self._text, old) + _flow(entries))
        else:
            for item in old.value:
                yield from self._retyped(item, columns, changes)
            yield from self._removed(old, changes)
            if entries:
                yield self._added(old, entries, all_go=len(changes.removed) == len(old.value))

    def _new_key(self, table: yaml.MappingNode, entries: Sequence[str]) -> _Edit:
        if table.flow_style:
            return self._before_bracket(table, f"columns: {_flow(entries)}")
        indent = " " * table.start_mark.column
        lines = [f"{indent}columns:", *(f"{indent}  - {entry}" for entry in entries)]
        return self._after_line_of(table, lines)

    def _added(self, columns: yaml.SequenceNode, entries: Sequence[str], *, all_go: bool) -> _Edit:
        if columns.flow_style:
            if all_go:
                last = columns.end_mark.index - 1
                return _Edit(last, last, ", ".join(entries))
            return self._before_bracket(columns, ", ".join(entries))
        indent = " " * columns.start_mark.column
        return self._after_line_of(columns, [f"{indent}- {entry}" for entry in entries])

    def _retyped(self, item: yaml.Node, columns: Columns, changes: Changes) -> Iterator[_Edit]:
        import yaml

        name = _value(item, "name")
        if name is None or name.value not in changes.retyped:
            return
        spelt = quoted(columns[name.value])
        old = _value(item, "type") or _value(item, "data_type")
        if old is not None:
            yield _Edit(old.start_mark.index, old.end_mark.index, _after_colon(self._text, old) + spelt)
        elif isinstance(item, yaml.MappingNode) and item.flow_style:
            yield _Edit(name.end_mark.index, name.end_mark.index, f", type: {spelt}")
        else:
            yield self._after_line_of(name, [f"{' ' * item.start_mark.column}type: {spelt}"])

    def _removed(self, columns: yaml.SequenceNode, changes: Changes) -> Iterator[_Edit]:
        items = columns.value
        names = [_value(item, "name") for item in items]
        gone = [number for number, name in enumerate(names) if name is not None and name.value in changes.removed]
        if not columns.flow_style:
            for number in gone:
                yield _Edit(self._line_start(items[number]), self._line_end(self._end(items[number])), "")
            return
        last_kept = max((number for number in range(len(items)) if number not in gone), default=-1)
        for number in gone:
            start, end = items[number].start_mark.index, items[number].end_mark.index
            if number < last_kept or (last_kept < 0 and number + 1 < len(items)):
                yield _Edit(start, items[number + 1].start_mark.index, "")
            elif last_kept < 0:
                yield _Edit(start, end, "")
            else:
                yield _Edit(items[number - 1].end_mark.index, end, "")

    def _before_bracket(self, node: yaml.Node, text: str) -> _Edit:
        """Return what adds an entry at the end of a mapping or a list in brackets."""
        place = len(self._text[: node.end_mark.index - 1].rstrip())
        comma = "" if self._text[place - 1] in "{[," else ","
        space = "" if self._text[place - 1] in "{[" else " "
        return _Edit(place, place, f"{comma}{space}{text}")

    def _after_line_of(self, node: yaml.Node, lines: Sequence[str]) -> _Edit:
        """Return what puts lines below the last one of a node."""
        place = self._line_end(self._end(node))
        text = "".join(f"{line}{self._break}" for line in lines)
        if not self._text[:place].endswith("\n"):
            text = self._break + text.removesuffix(self._break)
        return _Edit(place, place, text)

    def _end(self, node: yaml.Node) -> int:
        """Return where a node's own text ends: marks of blocks stand before whatever comes next."""
        import yaml

        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            return self._end(last[1] if isinstance(node, yaml.MappingNode) else last)
        return len(self._text[: node.end_mark.index].rstrip())

    def _line_start(self, node: yaml.Node) -> int:
        return self._text.rfind("\n", 0, node.start_mark.index) + 1

    def _line_end(self, place: int) -> int:
        found = self._text.find("\n", place)
        return len(self._text) if found < 0 else found + 1


def _after_colon(text: str, node: yaml.Node) -> str:
    """Return the space that a value needs which takes the place of nothing."""
    return " " if text[node.start_mark.index - 1] == ":" else ""


def _entry(name: str, dtype: str) -> str:
    return f"{{name: {quoted(name)}, type: {quoted(dtype)}}}"


def _flow(entries: Sequence[str]) -> str:
    return f"[{', '.join(entries)}]"
