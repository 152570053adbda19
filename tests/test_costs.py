"""What commands cost, counted and not timed: a busy machine counts the same.

Where a change makes them cost something else on purpose, `python -m tests.counting --write` notes it.
"""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from tests.conftest import postgres_dsn
from tests.counting import NOTED, Counts, counted_apart

pytestmark = pytest.mark.slow

ENGINES = [
    pytest.param("duckdb", marks=pytest.mark.engine("duckdb")),
    pytest.param("postgres", marks=pytest.mark.engine("postgres")),
]


@pytest.fixture(scope="module", params=ENGINES)
def counts(request: pytest.FixtureRequest) -> tuple[Counts, Counts]:
    """What commands cost now, and what is noted."""
    name = request.param
    dsn = postgres_dsn() if name == "postgres" else None
    return counted_apart(name, dsn), json.loads(NOTED.read_text(encoding="utf-8"))[name]


def flat(counts: Counts, figure: str) -> dict[str, int]:
    return {f"{name}, {number} models": cost[figure] for name, of in counts.items() for number, cost in of.items()}


def test_commands_send_as_many_statements_as_noted(counts: tuple[Counts, Counts]):
    now, noted = counts

    assert flat(now, "statements") == flat(noted, "statements"), "python -m tests.counting --write notes it"


def test_commands_call_no_more_functions_than_noted(counts: tuple[Counts, Counts]):
    now, noted = (flat(found, "calls") for found in counts)
    more = {name: (noted[name], calls) for name, calls in now.items() if calls > noted[name] * 1.02}

    assert not more, "python -m tests.counting --write notes it"


def test_a_model_does_not_cost_more_among_many(counts: tuple[Counts, Counts]):
    now, _ = counts
    each = {
        (name, figure): [cost[figure] / int(number) for number, cost in of.items()]
        for name, of in now.items()
        for figure in ("statements", "calls")
    }
    growing = {key: values for key, values in each.items() if any(more > few for few, more in pairwise(values))}

    assert not growing
