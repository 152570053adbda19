"""What PostgreSQL's catalog says of tables and views: what stands there, what reads it, and what hangs on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastflowtransform.engines.base import Kind, Standing
from fastflowtransform.engines.quoting import literal, quoted
from fastflowtransform.errors import counted
from fastflowtransform.relation import Relation

Rows = Callable[[str], list[tuple[Any, ...]]]

ANEW, IN_PLACE, ON_CONFLICT = "delete + insert", "update + insert", "insert on conflict"

# A unique index that ON CONFLICT can name by its columns: all rows, plain columns, checked at once.
_UNIQUE = """
SELECT array_agg((SELECT a.attname FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = k.attnum)
                 ORDER BY k.place)
FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place) WHERE k.place <= i.indnkeyatts
"""
# What a DROP without CASCADE refuses to take along. A view depends on a table through its rule.
_DEPENDENTS = """
SELECT DISTINCT CASE WHEN d.classid = 'pg_rewrite'::regclass
                     THEN (SELECT CASE v.relkind WHEN 'm' THEN 'materialized view ' ELSE 'view ' END
                                  || s.nspname || '.' || v.relname
                           FROM pg_rewrite r JOIN pg_class v ON v.oid = r.ev_class
                           JOIN pg_namespace s ON s.oid = v.relnamespace WHERE r.oid = d.objid)
                     ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END
FROM pg_depend d
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.deptype = 'n'
  AND NOT (d.classid = 'pg_rewrite'::regclass
           AND EXISTS (SELECT 1 FROM pg_rewrite r WHERE r.oid = d.objid AND r.ev_class = c.oid))
  AND NOT (d.classid = 'pg_constraint'::regclass
           AND EXISTS (SELECT 1 FROM pg_constraint k WHERE k.oid = d.objid AND k.conrelid = c.oid))
"""
_GRANTEE = "CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END"
# Whether a table is no more than its rows, columns, indexes, grants and comments, all of which can be made again. Some
# servers (15.20 is one) note a version of their own among the options of each column.
_SIMPLE = r"""
c.relkind = 'r' AND c.relpersistence = 'p' AND NOT c.relrowsecurity AND c.relreplident = 'd' AND NOT c.relispartition
AND c.reloptions IS NULL AND c.reltablespace = 0 AND c.reloftype = 0 AND NOT c.relhastriggers AND NOT c.relhasrules
AND c.relowner = (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user)
AND NOT EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhparent = c.oid OR i.inhrelid = c.oid)
AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conrelid = c.oid OR k.confrelid = c.oid)
AND NOT EXISTS (SELECT 1 FROM pg_publication_rel p WHERE p.prrelid = c.oid)
AND NOT EXISTS (SELECT 1 FROM pg_statistic_ext s WHERE s.stxrelid = c.oid)
AND NOT EXISTS (SELECT 1 FROM pg_seclabel s WHERE s.classoid = 'pg_class'::regclass AND s.objoid = c.oid)
AND NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                AND (a.attnotnull OR a.atthasdef OR a.attacl IS NOT NULL OR a.attidentity <> ''
                     OR EXISTS (SELECT 1 FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\_attver=%')))
"""


def existing(relations: Iterable[Relation], rows: Rows) -> dict[Relation, Standing]:
    """Return what stands under the relations' names; upper and lower case tell names apart."""
    wanted = sorted(set(relations))
    if not wanted:
        return {}
    names = ", ".join(f"({literal(relation.database)}, {literal(relation.name)})" for relation in wanted)
    found = rows(
        f"""
        SELECT n.nspname, c.relname, c.relkind IN ('v', 'm'), ARRAY({_DEPENDENTS}) AS dependents,
               ARRAY(SELECT array_to_string(({_UNIQUE}), E'\\x01') FROM pg_index i
                     WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid
                       AND i.indpred IS NULL AND i.indexprs IS NULL) AS keys,
               (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid) AS indexes,
               (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) AS triggers,
               (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) AS policies,
               c.relkind NOT IN ('v', 'm') AND c.relhasrules AS ruled,
               ARRAY(SELECT DISTINCT s.nspname || '.' || r.relname FROM pg_constraint k
                     JOIN pg_class r ON r.oid = k.conrelid JOIN pg_namespace s ON s.oid = r.relnamespace
                     WHERE k.contype = 'f' AND k.confrelid = c.oid ORDER BY 1) AS referring
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND (n.nspname, c.relname) IN ({names})
        """
    )
    return {
        Relation(schema, name): Standing(
            kind=Kind.VIEW if is_view else Kind.TABLE,
            merge="" if is_view else IN_PLACE if referring or triggers or ruled else ANEW,
            # A table with rules refuses ON CONFLICT.
            merge_by={frozenset(key.split("\x01")): IN_PLACE if ruled else ON_CONFLICT for key in keys},
            dependents=tuple(sorted(dependents)),
            belongings=tuple(_counted({"index": indexes, "trigger": triggers, "policy": policies})),
            is_referenced=bool(referring),
            notices=() if is_view else tuple(_notices(referring, triggers, is_ruled=ruled)),
        )
        for schema, name, is_view, dependents, keys, indexes, triggers, policies, ruled, referring in found
    }


def _notices(referring: Iterable[str], triggers: int, *, is_ruled: bool) -> Iterator[str]:
    """Say what reacts to a write."""
    if names := ", ".join(f'"{name}"' for name in referring):
        yield f"foreign keys of {names} refer to it, so only rows that differ are written"
    if triggers:
        yield f"{counted(triggers, 'trigger')} may fire for rows that are written"
    if is_ruled:
        yield "its rules rewrite what is written"


def _counted(numbers: Mapping[str, int]) -> Iterable[str]:
    plurals = {"index": "indexes", "trigger": "triggers", "policy": "policies"}
    for noun, number in numbers.items():
        if number:
            yield f"{number} {noun if number == 1 else plurals[noun]}"


@dataclass(frozen=True, slots=True)
class StandingIndex:
    """An index; `definition` is all that follows the table's name in the statement that makes it."""

    name: str
    unique: bool
    definition: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Belongings:
    """What hangs on a relation, as is needed to hang it on another one.

    Parameters
    ----------
    simple
        Whether the rest of this is all that hangs on it, and nothing depends on it.
    reacts
        Whether triggers, rules or foreign keys that refer to it may react to a write.
    indexes
        Its indexes.
    grants
        Of each that has rights on it: privileges, who, and whether they may be handed on.
    comments
        Text by column; None for the relation's own.
    """

    simple: bool
    reacts: bool
    indexes: tuple[StandingIndex, ...]
    grants: tuple[tuple[str, str, bool], ...]
    comments: tuple[tuple[str | None, str], ...]

    def grants_on(self, name: str) -> Iterator[str]:
        """Yield the statements that grant the same on the relation of a quoted name."""
        for privileges, grantee, grantable in self.grants:
            yield f"GRANT {privileges} ON {name} TO {grantee}{' WITH GRANT OPTION' if grantable else ''}"

    def comments_on(self, name: str, columns: Iterable[str], kind: str) -> Iterator[str]:
        """Yield the statements that give the relation of a quoted name the comments that still have their column."""
        known = {None, *columns}
        for column, text in self.comments:
            if column in known:
                on = f"{kind} {name}" if column is None else f"COLUMN {name}.{quoted(column)}"
                yield f"COMMENT ON {on} IS {literal(text)}"


def filled(name: str, rows: Rows) -> set[str]:
    """Return the columns of the table of a quoted name that have a default, an identity or an expression."""
    found = rows(
        f"""
        SELECT a.attname::text AS name FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = {literal(name)}::regclass AND a.attnum > 0 AND NOT a.attisdropped
        AND (a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL)
        """
    )
    return {column for (column,) in found}


def belongings(name: str, rows: Rows) -> Belongings:
    """Return what hangs on the relation of a quoted name."""
    oid = f"{literal(name)}::regclass"
    ((simple, reacts),) = rows(
        f"SELECT {_SIMPLE} AND NOT EXISTS ({_DEPENDENTS}) AS simple, c.relhastriggers OR c.relhasrules AS reacts "
        f"FROM pg_class c WHERE c.oid = {oid}"
    )
    indexes = rows(
        f"""
        SELECT x.relname, i.indisunique, pg_get_indexdef(i.indexrelid) AS definition,
               ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey))
                 AS columns
        FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = {oid} ORDER BY x.relname
        """
    )
    grants = rows(
        f"""
        SELECT string_agg(g.privilege_type, ', ' ORDER BY g.privilege_type) AS privileges, {_GRANTEE} AS grantee,
               g.is_grantable
        FROM pg_class c, aclexplode(c.relacl) g
        WHERE c.oid = {oid} AND g.grantee <> c.relowner GROUP BY g.grantee, g.is_grantable ORDER BY 2, 3
        """
    )
    comments = rows(
        f"""
        SELECT a.attname, d.description FROM pg_description d
        LEFT JOIN pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid AND d.objsubid > 0
        WHERE d.classoid = 'pg_class'::regclass AND d.objoid = {oid} ORDER BY d.objsubid
        """
    )
    return Belongings(
        simple=simple,
        reacts=reacts,
        indexes=tuple(
            # The definition reads CREATE [UNIQUE] INDEX name ON schema.table USING method, and so on.
            StandingIndex(index, unique, definition[definition.index(" USING ") + 1 :], tuple(columns))
            for index, unique, definition, columns in indexes
        ),
        grants=tuple(grants),
        comments=tuple(comments),
    )


def is_a_snapshot_held(rows: Rows) -> bool:
    """Whether another session may still look at the database as it was some time ago.

    A transaction that keeps its snapshot (repeatable read) finds a swapped table empty: it sees the new name, and not
    yet the new rows. One statement by itself does no harm, and fft's own sessions are never of that kind. What a
    session of another role does is hidden from a role without `pg_read_all_stats`; such a session counts as one.
    """
    ((held,),) = rows(
        """
        SELECT EXISTS (
            SELECT 1 FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'fft'
              AND (query = '<insufficient privilege>'
                   OR (backend_type = 'client backend' AND backend_xmin IS NOT NULL
                       AND NOT (state = 'active' AND xact_start = query_start)))
        ) AS held
        """
    )
    return bool(held)


def granted_to(name: str, rows: Rows) -> list[str]:
    """Return who else than its owner has rights on the relation of a quoted name, as statements take it."""
    return [
        grantee
        for (grantee,) in rows(
            f"SELECT DISTINCT {_GRANTEE} AS grantee FROM pg_class c, aclexplode(c.relacl) g "
            f"WHERE c.oid = {literal(name)}::regclass AND g.grantee <> c.relowner"
        )
    ]
