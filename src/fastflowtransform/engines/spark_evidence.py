"""What Spark says of texts, views and its settings."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Set

from fastflowtransform import steady as steadiness
from fastflowtransform.engines.evidence import Definition
from fastflowtransform.engines.spark_catalog import printed
from fastflowtransform.engines.spark_session import Session
from fastflowtransform.names import Folding
from fastflowtransform.relation import Relation
from fastflowtransform.steady import Facts

_UNSTEADY = frozenset(
    re.findall(
        r"\w+",
        "aes_encrypt curdate current_catalog current_database current_date current_metastore current_path "
        "current_recipient current_schema current_time current_timestamp current_timezone current_user "
        "from_utc_now getdate input_file_block_length input_file_block_start input_file_name java_method "
        "localtimestamp monotonically_increasing_id now parquet_files rand randn random randstr read_files reflect "
        "session_user shuffle spark_partition_id sql_keywords synopsis try_reflect uniform unix_timestamp user "
        "uuid version",
    )
)
"""Functions of Spark's that ask for the moment, for chance, for the session, or for what lies where."""
_SYNTAX = frozenset(
    re.findall(
        r"\w+",
        "array bigint bool boolean byte char columns cube decimal dec filter grouping interval is lateral map "
        "materialized numeric outer over partition pivot range rollup sets struct timestamp tinyint unpivot values "
        "varchar view within",
    )
)
"""Words of syntax and types that can stand before a parenthesis, and are not in the list of functions."""
_HARMLESS = re.compile(
    r"spark\.sql\.(adaptive|shuffle|autoBroadcast|broadcast|codegen|files\.(max|min|open)|execution|inMemory|warehouse|ui"
    r"|catalogImplementation|cbo|streaming|thriftserver|extensions|join\.|optimizer|statistics|event|debug|artifact"
    r"|maxPlan|maxMetadata|parquet\.(compression|filterPushdown)|sources\.parallel|globalTempDatabase|legacy\.createHive)"
)
"""Settings that change how rows are computed or stored, and never which."""


class SparkEvidence:
    """What Spark says over one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def facts(self, text: str) -> Facts:
        """Return what is seen in a SELECT."""
        return steadiness.facts(text, "spark", Folding.UNICODE)

    def steady(self, functions: Set[str]) -> Set[str]:
        """Return Spark's own functions but for those that are known to be otherwise; a user's are none of them."""
        return {name for name in functions if name not in _UNSTEADY and name in self._known}

    def view(self, relation: Relation) -> Definition | None:
        """Return how a view is defined; names without a database mean the one that was current when it was made."""
        rows = self._session.rows(f"DESCRIBE TABLE EXTENDED {printed(relation)}")
        said = {row["col_name"]: row["data_type"] for row in rows if row["col_name"]}
        if said.get("Type") != "VIEW":
            return None
        text, place = said.get("View Text"), said.get("View Catalog and Namespace", "")
        if not text:
            return Definition(str(said), why="its definition cannot be seen")
        seen = self.facts(text)
        here = place.rpartition(".")[2].strip("`")
        named = [(here, *parts) if len(parts) == 1 else parts for parts in seen.tables]
        why = next((f'it reads "{".".join(parts)}"' for parts in named if len(parts) != 2 or not parts[0]), None)
        inside = tuple(Relation(*parts) for parts in named if len(parts) == 2)
        why = why or seen.why or steadiness.unsteady(seen, self.steady)
        # What it was made with, such as the settings of then, goes with it.
        kept = [f"{key} {value}" for key, value in said.items() if key.startswith(("View ", "Owner"))]
        return Definition("\n".join(kept), inside, why)

    def settings(self) -> str:
        """Return the session's own settings, as a digest."""
        found = sorted((row["key"], row["value"]) for row in self._session.rows("SET"))
        told = [pair for pair in found if pair[0].startswith("spark.sql.") and _HARMLESS.match(pair[0]) is None]
        version = self._session.rows("SELECT version() AS version")
        return hashlib.blake2b(repr((told, version)).encode(), digest_size=12).hexdigest()

    @functools.cached_property
    def _known(self) -> frozenset[str]:
        ours = {row["function"].lower() for row in self._session.rows("SHOW SYSTEM FUNCTIONS")}
        theirs = {row["function"].lower() for row in self._session.rows("SHOW USER FUNCTIONS")}
        return frozenset((ours | _SYNTAX) - {name.rpartition(".")[2] for name in theirs})
