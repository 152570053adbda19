"""A first project: a seed, a view and an incremental table, with checks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fastflowtransform.errors import Location, UnwritableFolder
from fastflowtransform.yaml_scalars import in_quotes

_FILES: Mapping[str, str] = {
    "project.yml": """\
name: {name}
version: "1"
""",
    "profiles.yml": """\
# A profile an environment; fft run --env prod takes the one called prod, FFT_ACTIVE_ENV=prod does too.
dev:
  engine: duckdb
  duckdb:
    path: "{{{{ env('FF_DUCKDB_PATH', '.local/warehouse.duckdb') }}}}"
    schema: analytics
""",
    "sources.yml": """\
version: 2
sources:
  - name: raw
    description: What arrives. A seed fills it here; in earnest it is a table that something else loads.
    tables:
      - name: orders
        identifier: seed_orders
""",
    "seeds/seed_orders.csv": """\
order_id,customer,amount,updated_at
1,Ada,10.50,2026-01-01 09:00:00
2,Grace,20.00,2026-01-01 10:00:00
3,Ada,7.25,2026-01-01 11:00:00
""",
    "models/orders.ff.sql": """\
{{{{ config(materialized='view') }}}}
select order_id, customer, amount, updated_at
from {{{{ source('raw', 'orders') }}}}
""",
    "models/fct_orders.ff.sql": """\
{{{{ config(materialized='incremental', unique_key='order_id', updated_at='updated_at') }}}}
select order_id, customer, amount, amount >= 10 as is_large, updated_at
from {{{{ ref('orders') }}}}
""",
    "models/customers.ff.py": """\
import ibis.expr.types as ir

from fastflowtransform import model


@model(materialized="table")
def customers(fct_orders: ir.Table) -> ir.Table:
    \"\"\"One row a customer, with the sum of all orders.\"\"\"
    return fct_orders.group_by("customer").agg(orders=fct_orders.count(), amount=fct_orders.amount.sum())
""",
    "models/schema.yml": """\
version: 2
models:
  - name: fct_orders
    description: One row an order, as it was last seen.
    columns:
      - name: order_id
        tests: [not_null, unique]
""",
    ".gitignore": """\
.local/
target/
.env.local
.env.*.local
__pycache__/
""",
}


def write_starter(folder: Path) -> list[Path]:
    """Write the files of a first project, and return their paths.

    Parameters
    ----------
    folder
        Is made where there is none; must be empty else.

    Raises
    ------
    UnwritableFolder
        It holds something already, or cannot be written to.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UnwritableFolder(f'"{folder}" is not an empty folder', at=Location(folder), hint="name a new one")
    # A name that is not UTF-8 is shown as far as it is.
    name = folder.resolve().name.encode(errors="replace").decode()
    written = []
    try:
        for relative, text in _FILES.items():
            path = folder / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format(name=in_quotes(name)), encoding="utf-8")
            written.append(path)
    except OSError as error:
        raise UnwritableFolder(f'cannot write "{folder}": "{error.strerror}"', at=Location(folder)) from error
    return written
