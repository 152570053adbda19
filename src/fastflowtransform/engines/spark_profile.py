"""What a profile says of Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fastflowtransform.errors import BadValue
from fastflowtransform.settings import Profile

_VARIABLES = {
    "FF_SPARK_MASTER": "master",
    "FF_SPARK_APP_NAME": "app_name",
    "FF_SPARK_REMOTE": "remote",
    "FF_SPARK_JARS": "jars",
    "FF_DBR_DATABASE": "database",
    "FF_DBR_TABLE_FORMAT": "table_format",
    "FF_DBR_WAREHOUSE_DIR": "warehouse_dir",
}
FORMATS = {
    "delta": " USING delta TBLPROPERTIES ("
    "'delta.checkpointInterval' = '100', 'delta.dataSkippingNumIndexedCols' = '0')",
    "parquet": " USING parquet",
}
"""What tables are made of, and what is said of one for notes: Delta sums up its log after each tenth commit, which
takes ten times what the commit of a few rows does, and half of that is to count the values of each column."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a profile says of the session that it wants.

    Parameters
    ----------
    master, app_name
        As Spark takes them.
    warehouse
        The folder of managed tables and of the catalog.
    remote
        A Spark Connect server, such as `sc://localhost:15002`; then nothing is started here.
    jars
        A folder that holds Delta's jars; without it they are downloaded once, to where Spark keeps such.
    conf
        Settings of Spark, which win over ours.
    java_home, spark_home
        What the environment calls so, where it does.
    """

    master: str
    app_name: str
    warehouse: Path
    remote: str | None = None
    jars: Path | None = None
    conf: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    java_home: str | None = None
    spark_home: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A session, and where in it a project's tables stand.

    Parameters
    ----------
    session
        The session.
    database
        The database that unqualified names mean.
    table_format
        What new tables are made of.
    catalog
        The catalog of the database; None for the session's own.
    """

    session: Settings
    database: str
    table_format: str
    catalog: str | None


def database_of(profile: Profile) -> str:
    """Return the database that a profile names, or `default`."""
    return profile.with_variables(_VARIABLES).text("database") or "default"


def read(profile: Profile) -> Wanted:
    """Return what a profile wants.

    Raises
    ------
    BadValue
        A setting is not what it can be.
    """
    options = profile.with_variables(_VARIABLES)
    database = options.text("database") or "default"
    table_format = options.text("table_format") or "delta"
    if table_format not in FORMATS:
        raise BadValue(
            f'table_format is "{table_format}"', at=options.at("table_format"), hint="it can be delta or parquet"
        )
    extra = options.section("extra_conf")
    jars = options.text("jars")
    settings = Settings(
        master=options.text("master") or "local[*]",
        app_name=options.text("app_name") or "fft",
        warehouse=profile.folder / (options.text("warehouse_dir") or ".fft/spark_warehouse"),
        remote=options.text("remote"),
        jars=None if jars is None else profile.folder / Path(jars),
        java_home=profile.variables.get("JAVA_HOME"),
        spark_home=profile.variables.get("SPARK_HOME"),
        conf={} if extra is None else {key: _spelt(extra.raw(key)) for key in extra.values},
    )
    catalog = options.text("catalog")
    options.close()
    return Wanted(settings, database, table_format, catalog)


def _spelt(value: Any) -> str:
    """Return a value of `extra_conf` as Spark writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
