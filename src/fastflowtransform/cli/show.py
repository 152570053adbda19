"""`fft show`: the first rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fastflowtransform.cli.options import Chosen, project_options
from fastflowtransform.console import Console, Output
from fastflowtransform.errors import MissingColumn, UnknownRef, counted, hint_from

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from fastflowtransform.errors import Location
    from fastflowtransform.names import Folding


@click.command("show", short_help="Show the first rows of a model, seed or source.")
@click.argument("model")
@project_options
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="How many rows.")
@click.option("--order-by", metavar="COLUMN", help="Sort by this column.")
@click.pass_obj
def command(
    output: Output,
    model: str,
    chosen: Chosen,
    limit: int,
    order_by: str | None,
) -> int:
    """Show the first rows of MODEL as it stands in the warehouse; where it does not stand yet, of its query.

    \b
    fft show fct_events
    fft show source:raw.events --limit 3 --order-by event_id
    """
    from fastflowtransform.cli.session import open_project
    from fastflowtransform.normalize import Query, Tables
    from fastflowtransform.sql_model import model_name

    opened = open_project(chosen)
    console = Console(output, opened.project.folder)
    node = model_name(model)
    if node not in opened.project.graph.upstream:
        known = opened.project.graph.upstream
        raise UnknownRef(f'"{model}" is not in this project', hint=hint_from(model, known, "models"))
    with opened.connected(console, read_only=True) as engine:
        tables, folding = Tables(opened.project, engine), engine.capabilities.folding
        found = opened.project.models.get(node)
        at = (found or opened.project.seeds.get(node) or opened.project.sources[node]).at
        if found is None or opened.project.relation(node) in opened.existing(engine, [node]):
            rows = engine.rows(_first(tables.table(node), limit, order_by, folding, at))
        else:
            console.say(f'"{node}" does not stand in the warehouse yet; this is what its query gives')
            with Query(found, tables).given(is_incremental=False) as given:
                rows = engine.rows(_first(given.table(), limit, order_by, folding, at))
    for row in rows:
        console.event("row", **{"values": row})
    console.rows(rows)
    console.say(f"{counted(len(rows), 'row')}")
    return 0


def _first(table: ir.Table, limit: int, order_by: str | None, folding: Folding, at: Location) -> ir.Table:
    if order_by is None:
        return table.limit(limit)
    name = folding.spelling(order_by, table.columns)
    if name is None:
        raise MissingColumn(
            f'there is no column "{order_by}"', at=at, hint=hint_from(order_by, table.columns, "columns")
        )
    return table.order_by(name).limit(limit)
