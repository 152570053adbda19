"""What many threads read and render at once is what one would: SQL models, Python models, and what is made of them."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastflowtransform import project as projects
from fastflowtransform.config import Defaults
from fastflowtransform.kept import Kept
from fastflowtransform.normalize import Query, Tables
from fastflowtransform.project import Project
from fastflowtransform.py_model import read_python_models
from fastflowtransform.sql_model import Name, read_sql_model, render
from fastflowtransform.template import Scope
from tests.conftest import duckdb_engine

THREADS, TIMES = 8, 6
FILES = {
    "project.yml": "name: test\nvars: {most: 7}\n",
    "models/macros/m.ff.sql": "{% macro few(n) %}where id < {{ var('most') }} + {{ n }}{% endmacro %}",
    "models/base.ff.sql": "{{ config(materialized='table') }} select i as id, 'x' || i as t from range(10) r(i)",
    "models/inline.ff.sql": "{{ config(materialized='ephemeral') }} select id, t from {{ ref('base') }} {{ few(1) }}",
    "models/foreign.ff.sql": "{{ config(materialized='table', dialect='postgres') }}\n"
    "{% for n in [0, 1, 2] %}{{ 'union all' if n else '' }} select id::bigint as id, t, {{ n }} as n\n"
    "from {{ ref('inline') }}{% endfor %}",
    "models/own.ff.sql": "{{ config(materialized='incremental', unique_key='id') }}\n"
    "select id, t from {{ ref('base') }}\n"
    "{% if is_incremental() %}where id > (select max(id) from {{ this }}){% endif %}",
    "models/py.ff.py": "import ibis\nfrom fastflowtransform import model\n\n"
    "@model(materialized='table')\ndef grouped(inline):\n"
    "    rows = ibis.memtable({'id': [1, 2], 'name': ['a', 'b']})\n"
    "    return inline.join(rows, 'id').group_by('name').agg(n=inline.t.max())\n\n"
    "@model(materialized='table', frame='pandas')\ndef framed(inline):\n    return inline.assign(n=inline.id * 2)\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def at_once(action: Callable[[], Any]) -> list[Any]:
    """Call `action` in all threads at the same moment, again and again, and return what came of each call."""
    start = threading.Barrier(THREADS)

    def calls() -> list[Any]:
        start.wait()
        return [action() for _ in range(TIMES)]

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(calls) for _ in range(THREADS)]
        return [result for future in futures for result in future.result()]


def loaded(folder: Path) -> Project:
    return projects.load(folder, engine="duckdb", database="demo", variables={})


def test_files_are_read_by_many_threads_as_by_one(folder: Path):
    def read() -> list[Any]:
        scope, defaults, found = Scope(engine="duckdb"), Defaults(folder), []
        for path in sorted(folder.glob("models/*.ff.sql")):
            if path.name != "inline.ff.sql":
                model = read_sql_model(path, scope, defaults, Kept())
                found.append((model.name, model.inputs, model.materialized, model.incremental))
        models = [*read_python_models(folder / "models" / "py.ff.py", scope, defaults)]
        return [*found, *((model.name, model.inputs, model.body.frame) for model in models)]

    expected = read()

    assert all(found == expected for found in at_once(read))


def test_templates_are_rendered_by_many_threads_as_by_one(folder: Path):
    project = loaded(folder)

    def rendered() -> list[str]:
        return [
            render(
                project.models[name].body.template,
                project.scope,
                {node: Name(f'"{node}"') for node in project.graph.nodes},
                Name('"this"'),
                is_incremental=way,
            )
            for name in ("base", "inline", "foreign", "own")
            for way in (False, True)
        ]

    expected = rendered()

    assert all(found == expected for found in at_once(rendered))


def test_models_are_made_tables_of_by_many_threads_as_by_one(folder: Path):
    project, engine = loaded(folder), duckdb_engine()
    engine._run("CREATE TABLE demo.base AS SELECT i AS id, 'x' || i AS t FROM range(10) r(i)")
    engine._run("CREATE TABLE demo.own AS SELECT 4 AS id, 'x4' AS t")

    def rows() -> list[Any]:
        worker = engine.worker()
        tables, found = Tables(project, worker), []
        for name in ("inline", "foreign", "own", "grouped", "framed"):
            with Query(project.models[name], tables).given(is_incremental=True) as given:
                found.append(sorted(map(str, worker.rows(given.table()))))
        worker.close()
        return found

    expected = rows()

    assert [len(found) for found in expected] == [8, 24, 5, 2, 8]
    assert all(found == expected for found in at_once(rows))
    engine.close()
