"""The second run of the demo by hand: the session that fft opens, and the statements that fft would send.

    python child_spark_demo.py FOLDER

FOLDER is the demo's, with its second batch seeded. Nothing of fft but its session is loaded.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fastflowtransform.engines.spark_session import Settings, opened

FACTS = ("fct_events_ibis", "fct_events_py_incremental", "fct_events_sql_inline", "fct_events_sql_yaml")
COLUMNS = ("event_id", "updated_at", "value", "value_x10")


def main(folder: Path) -> None:
    """Take the new events into each fact table: watermark, stage, counts, the newest row of each key, MERGE."""
    session = opened(Settings("local[2]", "incremental_demo", folder / ".local" / "spark_warehouse"))
    spark = session.spark
    spark.sql("USE incremental_demo")
    spark.sql("CREATE OR REPLACE VIEW events_base AS SELECT event_id, updated_at, value FROM seed_events")
    values = ", ".join(f"old.{name} = fresh.{name}" for name in COLUMNS[1:])
    for fact in FACTS:
        (watermark,) = spark.sql(f"SELECT max(updated_at) FROM {fact}").collect()[0]
        query = "SELECT event_id, updated_at, value, value * 10 AS value_x10 FROM events_base"
        spark.sql(f"{query} WHERE updated_at >= timestamp '{watermark}'").localCheckpoint().createTempView("delta")
        spark.sql(
            "SELECT count(*), sum(rows), sum(late) FROM (SELECT event_id, count(*) AS rows, count_if(updated_at <= "
            f"timestamp '{watermark}') AS late FROM delta GROUP BY event_id)"
        ).collect()
        newest = "row_number() OVER (PARTITION BY event_id ORDER BY updated_at DESC) AS place"
        spark.sql(
            f"SELECT {', '.join(COLUMNS)} FROM (SELECT *, {newest} FROM delta) WHERE place = 1"
        ).localCheckpoint().createTempView("fresh")
        low, high = spark.sql("SELECT min(event_id), max(event_id) FROM fresh").collect()[0]
        spark.sql(
            f"MERGE INTO {fact} AS old USING fresh ON old.event_id = fresh.event_id "
            f"AND old.event_id BETWEEN {low} AND {high} "
            f"WHEN MATCHED AND fresh.updated_at >= old.updated_at THEN UPDATE SET {values} "
            f"WHEN NOT MATCHED THEN INSERT ({', '.join(COLUMNS)}) VALUES ({', '.join(f'fresh.{c}' for c in COLUMNS)})"
        )
        spark.sql(f"DESCRIBE HISTORY {fact} LIMIT 1").collect()
        spark.catalog.dropTempView("delta")
        spark.catalog.dropTempView("fresh")
    session.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
