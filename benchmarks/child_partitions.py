"""Increments of one partition into Delta tables of more and more partitions, by fft, in one warm session.

    python child_partitions.py FOLDER ROWS CHANGED ROUNDS PARTITIONS...

All tables have the same number of rows. Prints a JSON object: for each number of partitions a list of costs, and last
the same for changes that lie in all partitions.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from child_spark import by_fft, timed

from fastflowtransform.engines.spark_session import Session, Settings, opened

MODEL = (
    "{{{{ config(materialized='incremental', unique_key=['part', 'id'], updated_at='updated_at', "
    "partition_by=['part']) }}}}\nselect * from demo.{0}\n"
)
BEGUN = 1_700_000_000


def main(folder: Path, rows: int, changed: int, rounds: int, numbers: list[int]) -> None:
    """Build the tables, and take increments into each in turns, after once for warming up."""
    conf = {"spark.sql.catalogImplementation": "in-memory", "spark.driver.memory": "6g"}
    session = opened(Settings("local[*]", "fft-bench", folder / "warehouse", conf=conf))
    session.rows("CREATE DATABASE demo")
    ways: dict[str, tuple[int, int]] = {str(number): (number, number - 1) for number in numbers}
    ways["all"] = (numbers[-1], 0)
    projects = {name: written(folder / f"project_{name}", f"of_{name}") for name in ways}
    for name, (number, _) in ways.items():
        arrive(session, name, rows, f"id % {number}", 0)
        by_fft(projects[name], ".")
    costs: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for turn in range(1, rounds + 2):
        for name, (number, first) in ways.items():
            # Of the newest partition alone, or of each of them.
            ids = f"id * {number} + {first}" if first else f"id * {rows // changed + 1} % {rows}"
            arrive(session, name, changed, f"id % {number}", turn, ids)
            cost = timed(lambda name=name: by_fft(projects[name], "."))
            if turn > 1:
                costs[name].append(cost)
    session.close()
    print(json.dumps(costs))


def arrive(session: Session, name: str, rows: int, part: str, turn: int, ids: str = "id") -> None:
    """Put rows into the source of one model, newer than all before."""
    columns = f"{part} AS part, id, id % 97 AS a, id * 0.5 AS b, timestamp_seconds({BEGUN + turn}) AS updated_at"
    session.rows(
        f"CREATE OR REPLACE TABLE demo.of_{name} USING delta AS "
        f"SELECT {columns} FROM (SELECT {ids} AS id FROM range({rows}))"
    )


def written(folder: Path, source: str) -> Path:
    """Write a project with one model."""
    (folder / "models").mkdir(parents=True)
    (folder / "models" / f"facts_{source}.ff.sql").write_text(MODEL.format(source))
    (folder / "project.yml").write_text("name: bench\n")
    (folder / "profiles.yml").write_text("dev:\n  engine: spark\n  spark: {database: demo}\n")
    return folder


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]), [int(given) for given in sys.argv[5:]])
