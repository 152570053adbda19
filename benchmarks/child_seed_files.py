"""Writes the rows of `raw.events` as a CSV and as a Parquet file: `python child_seed_files.py FOLDER`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psycopg
from adbc_driver_postgresql import dbapi
from pyarrow import parquet

DSN = os.environ["FF_PG_DSN"]


def main(folder: Path) -> None:
    """Write both files."""
    with (
        psycopg.connect(DSN) as connection,
        (folder / "events_csv.csv").open("wb") as file,
        connection.cursor().copy("COPY raw.events TO STDOUT (FORMAT csv, HEADER)") as copy,
    ):
        for piece in copy:
            file.write(piece)
    with dbapi.connect(DSN) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM raw.events")
        parquet.write_table(cursor.fetch_arrow_table(), folder / "events_parquet.parquet")


main(Path(sys.argv[1]))
