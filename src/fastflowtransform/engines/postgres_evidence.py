"""What PostgreSQL says of texts, views and its settings."""

from __future__ import annotations

import functools
import re
from collections.abc import Set

from fastflowtransform import steady as steadiness
from fastflowtransform.engines.evidence import Definition
from fastflowtransform.engines.postgres_rows import printed
from fastflowtransform.engines.postgres_session import Session
from fastflowtransform.engines.quoting import literal
from fastflowtransform.names import Folding
from fastflowtransform.relation import Relation
from fastflowtransform.steady import Facts

_OF_SETTINGS = frozenset(
    re.findall(
        r"\w+",
        "array_agg array_to_json array_to_string concat concat_ws date date_bin date_part date_trunc extract "
        "format generate_series isfinite json_agg json_build_array json_build_object json_object_agg jsonb_agg "
        "jsonb_build_array jsonb_build_object jsonb_object_agg make_timestamptz overlaps quote_literal "
        "quote_nullable row_to_json time timestamp timestamptz timetz timezone to_char to_date to_json to_jsonb "
        "to_timestamp",
    )
)
"""Functions that PostgreSQL calls stable because of the settings of a session, which are compared by themselves."""

_OF_CATALOG = re.compile(
    r"\breg(class|collation|config|dictionary|namespace|oper|operator|proc|procedure|role|type)\b", re.IGNORECASE
)
"""Types that stand for what the catalog has under a name."""
_BY_EXTENSION = (
    "EXISTS (SELECT FROM pg_depend d WHERE d.classid = '{0}'::regclass AND d.objid = {1} AND d.deptype = 'e')"
)
_FUNCTIONS = f"""
SELECT p.proname::text AS name,
    bool_and(p.oid < 16384 OR {_BY_EXTENSION.format("pg_proc", "p.oid")}) AS is_known,
    bool_and(p.provolatile = 'i') AS is_steady, bool_and(p.provolatile <> 'v') AS is_of_settings
FROM pg_proc p GROUP BY 1
"""
_COLUMNS = """
SELECT a.attname::text AS name, bool_and(t.typcategory IN ('B', 'D', 'N', 'T')) AS is_no_text
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attnum > 0 AND c.oid >= 16384 AND c.relkind IN ('f', 'm', 'p', 'r', 'v') GROUP BY 1
"""
_WORDS = """
SELECT word FROM pg_get_keywords()
UNION SELECT typname::text FROM pg_type WHERE oid < 16384
"""
_SETTINGS = f"""
SELECT md5(concat_ws(chr(10),
    version(), session_user, current_user,
    (SELECT string_agg(concat_ws('=', name, setting), ',' ORDER BY name) FROM pg_settings
        WHERE category LIKE 'Client Connection Defaults / %' OR category LIKE 'Version and Platform Compatibility%'
        OR category = 'Customized Options'),
    (SELECT string_agg(concat_ws('=', datname, datcollate, datctype, to_jsonb(d)->>'datlocale', encoding), ',')
        FROM pg_database d WHERE datname = current_database()),
    (SELECT string_agg(concat_ws('=', extname, extversion), ',' ORDER BY extname) FROM pg_extension),
    (SELECT string_agg(concat_ws('.', enumtypid, enumlabel, enumsortorder), ',' ORDER BY oid) FROM pg_enum),
    (SELECT string_agg(concat_ws('.', typname, typbasetype, typtypmod, typcollation, typnotnull), ',' ORDER BY t.oid)
        FROM pg_type t WHERE t.typtype = 'd' AND t.oid >= 16384),
    (SELECT string_agg(concat_ws('.', a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation), ','
            ORDER BY a.attrelid, a.attnum)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'c' AND c.oid >= 16384
        WHERE a.attnum > 0 AND NOT a.attisdropped),
    (SELECT string_agg(concat_ws('.', c.collname, to_jsonb(c)), ',' ORDER BY c.oid) FROM pg_collation c
        WHERE c.oid >= 16384),
    (SELECT string_agg(concat_ws('.', c.castsource, c.casttarget, c.castcontext, p.prosrc, p.provolatile), ','
            ORDER BY c.oid)
        FROM pg_cast c LEFT JOIN pg_proc p ON p.oid = c.castfunc
        WHERE c.oid >= 16384 AND NOT {_BY_EXTENSION.format("pg_cast", "c.oid")}),
    (SELECT string_agg(concat_ws('.', o.oprname, o.oprleft, o.oprright, p.prosrc, p.provolatile), ',' ORDER BY o.oid)
        FROM pg_operator o LEFT JOIN pg_proc p ON p.oid = o.oprcode
        WHERE o.oid >= 16384 AND NOT {_BY_EXTENSION.format("pg_operator", "o.oid")})
)) AS digest
"""
"""All that the meaning of a SELECT depends on beside its tables and the functions that it names."""


class PostgresEvidence:
    """What PostgreSQL says over one connection."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def facts(self, text: str) -> Facts:
        """Return what is seen in a SELECT; names are compared as PostgreSQL does, where quotes keep capital letters."""
        found = steadiness.facts(text, "postgres", Folding.NONE, has_moments=True)
        why = "it asks the catalog for a name or a number" if _OF_CATALOG.search(text) else None
        return Facts(found.tables, found.why or why, found.functions)

    def steady(self, functions: Set[str]) -> Set[str]:
        """Return PostgreSQL's own words, and its functions of which each form is immutable or a matter of settings."""
        return {name for name in functions if self._is_steady(name.rpartition(".")[2])}

    def _is_steady(self, name: str) -> bool:
        if name.endswith("::"):
            return self._columns.get(name[:-2], False)
        found = self._functions.get(name)
        if found is None:
            return name in self._words
        is_known, is_steady, is_of_settings = found
        return is_known and (is_steady or (is_of_settings and name in _OF_SETTINGS))

    def view(self, relation: Relation) -> Definition | None:
        """Return how a view is defined; what it reads and calls is what PostgreSQL has noted of it."""
        name = literal(printed(relation))
        found = self._session.rows(
            "SELECT concat_ws(' ', c.oid, c.relowner, c.reloptions, pg_get_viewdef(c.oid)) AS text, "
            f"pg_get_viewdef(c.oid) AS body FROM pg_class c WHERE c.oid = to_regclass({name}) AND c.relkind = 'v'"
        )
        for text, body in found:
            noted = self._session.rows(
                "SELECT DISTINCT d.refclassid::regclass::text AS kind, n.nspname::text AS schema, "
                "c.relname::text AS name "
                "FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid "
                "LEFT JOIN pg_class c ON d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid "
                "LEFT JOIN pg_namespace n ON n.oid = c.relnamespace "
                f"WHERE r.ev_class = to_regclass({name}) AND d.refobjid <> r.ev_class "
                "AND d.refclassid IN ('pg_class'::regclass, 'pg_proc'::regclass) ORDER BY 2, 3"
            )
            seen = self.facts(body)
            calls = any(kind == "pg_proc" for kind, _, _ in noted)
            # What it names is known; a table of the server's own is not noted, and is found in its text.
            inside = tuple(Relation(schema, name) for kind, schema, name in noted if kind == "pg_class")
            known = {(read.name,) for read in inside} | {(read.database, read.name) for read in inside}
            why = "it calls a function of somebody's" if calls else None
            return Definition(text, inside, why or steadiness.doubt(seen, known, self.steady))
        return None

    def settings(self) -> str:
        """Return the settings, and what users have added to types, casts and operators, as a digest."""
        ((digest,),) = self._session.rows(_SETTINGS)
        return str(digest)

    @functools.cached_property
    def _functions(self) -> dict[str, tuple[bool, bool, bool]]:
        return {name: tuple(flags) for name, *flags in self._session.rows(_FUNCTIONS)}

    @functools.cached_property
    def _columns(self) -> dict[str, bool]:
        """The names of columns, and whether none of that name holds texts."""
        return dict(self._session.rows(_COLUMNS))

    @functools.cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(word for (word,) in self._session.rows(_WORDS))
