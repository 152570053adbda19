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
    """

    models: tuple[int, ...]
    rows: int
    changed: int
    targets: tuple[int, ...]
    recent: int
    rounds: int
    short_rounds: int


FULL = Sizes((1, 100, 500), 5_000_000, 100_000, (1_000_000, 5_000_000, 20_000_000), 1_000_000, rounds=5, short_rounds=9)
QUICK = Sizes((1, 20), 100_000, 2_000, (100_000, 200_000), 50_000, rounds=1, short_rounds=1)
