"""What waits for what, when several nodes are made at once: whoever would see another's rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from fastflowtransform import project as projects
from fastflowtransform.placing import ordered, placed, waits

SOURCES = "sources: [{name: raw, schema: demo, tables: [{name: events}, {name: c}]}]\n"
ALL = ("a", "b", "c", "d")


@pytest.fixture
def waiting(tmp_path: Path):
    """Return what each of some nodes waits for, in a project of some files."""

    def found(files: Mapping[str, str], names: tuple[str, ...] = ALL) -> dict[str, set[str]]:
        for name, text in {"project.yml": "name: test\n", **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        project = projects.load(tmp_path, engine="duckdb", database="demo", variables={})
        order = ordered(project, [name for name in names if name in project.graph.nodes], project.checks)
        found = waits(project, order, placed(order, project.checks))
        assert all(order.index(above) < order.index(node) for node, others in found.items() for above in others)
        return {node: set(others) for node, others in found.items()}

    return found


def test_a_model_waits_for_what_it_reads_and_for_nothing_else(waiting):
    found = waiting(
        {
            "models/a.ff.sql": "select 1 as id",
            "models/b.ff.sql": "select 1 as id",
            "models/c.ff.sql": "select * from {{ ref('a') }}",
        }
    )

    assert found == {"a": set(), "b": set(), "c": {"a"}}


def test_a_model_waits_for_what_it_sees_through_a_view_that_is_not_made(waiting):
    files = {
        "models/a.ff.sql": "{{ config(materialized='table') }} select 1 as id",
        "models/b.ff.sql": "select * from {{ ref('a') }}",
        "models/c.ff.sql": "{{ config(materialized='table') }} select * from {{ ref('b') }}",
    }

    assert waiting(files, ("a", "c")) == {"a": set(), "c": {"a"}}


def test_a_model_waits_for_what_its_checks_read(waiting):
    found = waiting(
        {
            "models/a.ff.sql": "select 1 as id",
            "models/b.ff.sql": "select 1 as id",
            "models/s.yml": "models: [{name: a, tests: [relationships: {column: id, to: ref('b'), field: id}]}]",
        }
    )

    assert found == {"a": {"b"}, "b": set()}


def test_the_last_of_what_a_check_by_itself_reads_waits_for_the_others(waiting):
    found = waiting(
        {
            "models/a.ff.sql": "select 1 as id",
            "models/b.ff.sql": "select 1 as id",
            "tests/same.ff.sql": "select * from {{ ref('a') }} except select * from {{ ref('b') }}",
        }
    )

    assert found == {"a": set(), "b": {"a"}}


def test_a_model_that_is_read_as_a_source_is_waited_for_where_the_order_says_so(waiting):
    found = waiting(
        {
            "sources.yml": SOURCES,
            "models/a.ff.sql": "select 1 as id",
            "models/b.ff.sql": "select * from {{ source('raw', 'c') }}",
            "models/c.ff.sql": "{{ config(materialized='table') }} select * from {{ ref('a') }}",
            "models/d.ff.sql": "{{ config(materialized='table') }} select * from {{ ref('b') }}",
        }
    )

    # By the graph alone, "d" would not wait for "c", whose rows it sees through the view "b".
    assert found == {"a": set(), "b": set(), "c": {"a", "b"}, "d": {"b", "c"}}


def test_a_model_may_read_its_own_table_as_a_source(waiting):
    found = waiting({"sources.yml": SOURCES, "models/c.ff.sql": "select * from {{ source('raw', 'c') }}"})

    assert found == {"c": set()}


def test_what_reads_a_source_waits_for_its_checks_and_they_wait_for_the_seed_that_fills_it(waiting):
    found = waiting(
        {
            "seeds/events.csv": "id\n1\n",
            "sources.yml": SOURCES,
            "tests/none_is_missing.ff.sql": "select * from {{ source('raw', 'events') }} where id is null",
            "models/a.ff.sql": "select * from {{ source('raw', 'events') }}",
        },
        ("events", "source:raw.events", "a"),
    )

    assert found == {"events": set(), "source:raw.events": {"events"}, "a": {"source:raw.events"}}
