"""Foreign keys that refer to a table's rows: which rows they keep from being deleted, or from getting another key."""

from __future__ import annotations

from dataclasses import dataclass

from fastflowtransform.engines.postgres_session import Session
from fastflowtransform.engines.quoting import literal, quoted
from fastflowtransform.errors import RowsReferenced, counted

# A constraint of a partitioned table has one more for each partition.
_REFERENCES = """
SELECT k.conname::text AS name, n.nspname::text AS schema, r.relname::text AS child,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum ORDER BY u.place) AS columns,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(attnum, place)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum ORDER BY u.place) AS key,
       k.conrelid = k.confrelid AS is_own,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(r.oid, 'SELECT')
         AND NOT row_security_active(r.oid) AS is_readable
FROM pg_constraint k JOIN pg_class r ON r.oid = k.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE k.contype = 'f' AND k.confrelid = {table}::regclass
  AND {enforced}
  AND NOT EXISTS (SELECT 1 FROM pg_constraint p WHERE p.oid = k.conparentid AND p.confrelid = k.confrelid)
ORDER BY n.nspname, r.relname, k.conname
"""


# Servers before 18 have no others, and no column that says so.
_ENFORCED = "coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)"


def emptying(table: str) -> str:
    """Return the statement that deletes all rows of the table of a quoted name, which no foreign key refers to.

    One that was added a moment ago keeps the rows, which the new ones then meet. From here on, none can be added.
    """
    referring = f"SELECT 1 FROM pg_constraint k WHERE contype = 'f' AND confrelid = {literal(table)}::regclass"
    return f"DELETE FROM {table} WHERE NOT EXISTS ({referring} AND {_ENFORCED})"


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key that refers to a table.

    Parameters
    ----------
    name
        The constraint's name.
    child
        Schema and name of the table that refers.
    columns
        Its columns.
    key
        The columns that they refer to.
    is_own
        Whether the table refers to itself.
    is_readable
        Whether this role sees all rows of the table that refers.
    """

    name: str
    child: tuple[str, str]
    columns: tuple[str, ...]
    key: tuple[str, ...]
    is_own: bool = False
    is_readable: bool = True

    def __str__(self) -> str:
        return ".".join(self.child)


def references(session: Session, table: str) -> tuple[Reference, ...]:
    """Return the foreign keys that refer to the table of a quoted name."""
    return tuple(
        Reference(name, (schema, child), tuple(columns), tuple(key), is_own, is_readable)
        for name, schema, child, columns, key, is_own, is_readable in session.rows(
            _REFERENCES.format(table=literal(table), enforced=_ENFORCED)
        )
    )


def require_unreferenced(
    session: Session, table: str, reference: Reference, going: str, referring: str = "true"
) -> None:
    """Refuse to delete rows that a foreign key refers to, or to give them another key; called in the transaction.

    Parameters
    ----------
    session, table
        Where the rows are; the table's name is quoted.
    reference
        The foreign key.
    going
        A condition on `old`: the rows that would be deleted, or get another value of the key that is referred to.
    referring
        A condition on `child`: the rows that count as referring.

    Raises
    ------
    RowsReferenced
        Rows of another table refer to some of these.
    """
    # Nobody can refer to a row that is locked so, and the question after it sees all who have until then.
    ((locked,),) = session.rows(
        f"SELECT count(*) AS rows FROM (SELECT 1 FROM {table} AS old WHERE {going} FOR UPDATE OF old) AS going"
    )
    if not locked:
        return
    referred = "true"
    if reference.is_readable:
        same = " AND ".join(
            f"child.{quoted(theirs)} = old.{quoted(ours)}"
            for theirs, ours in zip(reference.columns, reference.key, strict=True)
        )
        referred = (
            f"EXISTS (SELECT 1 FROM {'.'.join(map(quoted, reference.child))} AS child WHERE {same} AND {referring})"
        )
    ((found, example),) = session.rows(
        f"SELECT count(*) AS rows, min({shown('old', reference.key)}) AS example FROM {table} AS old "
        f"WHERE ({going}) AND {referred}"
    )
    if not found:
        return
    which = f'{counted(found, "row")} of it, such as "{example}"'
    if not reference.is_readable:
        raise RowsReferenced(
            f'{table} cannot lose {which}: the foreign key "{reference.name}" may refer to them, and this role may '
            f'not read all of "{reference}"',
            hint=f'grant SELECT on "{reference}" to the role of the profile',
        )
    raise RowsReferenced(
        f'{table} cannot lose {which}: "{reference}" refers to {"it" if found == 1 else "them"} by the foreign key '
        f'"{reference.name}", and the new rows do not have {"that key" if found == 1 else "these keys"}',
        hint=f'delete or change the rows of "{reference}" first, or let the model keep these keys',
    )


def shown(alias: str, columns: tuple[str, ...]) -> str:
    """Return the SQL that writes the values of a row's columns for people, as in `id = 3`."""
    return (
        "concat_ws(', ', "
        + ", ".join(
            f"{literal(f'{column} = ')} || coalesce({alias}.{quoted(column)}::text, 'NULL')" for column in columns
        )
        + ")"
    )
