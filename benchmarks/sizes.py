"""How large and how often: the sizes that the bars are about, and small ones to see whether everything runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the benchmarks are run with.

    Parameters
    ----------
    models
        Numbers of models in the projects of trivial tables.
    rows
        Rows of the table that is merged into, and that a model reads.
    changed
        Rows of the increment: four updates to one insert.
    targets
        Rows of the tables whose increments' memory is compared.
    recent
        How many of the newest keys those increments are about.
    rounds
        Repetitions of what takes a second or more.
    short_rounds
        Repetitions of what takes less.
    server_rows, server_changed
        Rows of the table on a server, and of its increment.
    server_models
        How many trivial tables are made on a server.
    planned
        Numbers of models in the projects that are only planned.
    skipped
        Numbers of models in the projects that are run again without a change.
    checks
        How many checks are run by each of the tools that are compared.
    seeded
        Rows of the files that each of them loads.
    compared
        Repetitions where tools are compared.
    large, late
        Rows of the table that is larger than the memory, and of its increment.
    grown
        Rows of the tables whose costs are fitted; the first is what is taken away as the start.
    many
        Numbers of models, for the same.
    partitions
        Of a Delta table, for the same; rows change in one of them, as many as one of the most has.
    is_full
        Whether the bars are about these sizes.
    """

    models: tuple[int, ...]
    rows: int
    changed: int
    targets: tuple[int, ...]
    recent: int
    rounds: int
    short_rounds: int
    server_rows: int
    server_changed: int
    server_models: int
    planned: tuple[int, ...]
    skipped: tuple[int, ...]
    checks: int
    seeded: tuple[int, ...]
    compared: int
    large: int
    late: int
    grown: tuple[int, ...]
    many: tuple[int, ...]
    partitions: tuple[int, ...]
    is_full: bool


FULL = Sizes(
    (1, 100, 500),
    5_000_000,
    100_000,
    (1_000_000, 5_000_000, 20_000_000),
    1_000_000,
    rounds=5,
    short_rounds=9,
    server_rows=1_000_000,
    server_changed=50_000,
    server_models=100,
    planned=(1000, 5000),
    skipped=(1000,),
    checks=200,
    seeded=(100_000, 1_000_000),
    compared=3,
    large=100_000_000,
    late=1_000_000,
    grown=(10_000, 500_000, 2_000_000, 8_000_000),
    many=(125, 500, 2000),
    partitions=(1, 10, 100, 1000),
    is_full=True,
)
QUICK = Sizes(
    (1, 20),
    100_000,
    2_000,
    (100_000, 200_000),
    50_000,
    rounds=1,
    short_rounds=1,
    server_rows=50_000,
    server_changed=2_500,
    server_models=20,
    planned=(40,),
    skipped=(40,),
    checks=20,
    seeded=(1_000,),
    compared=1,
    large=200_000,
    late=10_000,
    grown=(1_000, 10_000, 100_000),
    many=(5, 20),
    partitions=(1, 3, 10),
    is_full=False,
)
