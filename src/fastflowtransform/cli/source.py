"""`fft source`: how new sources are, and what columns they have."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from fastflowtransform.cli.options import Chosen, project_options, selection_options
from fastflowtransform.console import Console, Output
from fastflowtransform.errors import NothingSelected, counted

if TYPE_CHECKING:
    from fastflowtransform.cli.session import Opened
    from fastflowtransform.model import Source


@click.group("source", invoke_without_command=True, short_help="Look at the tables that something else fills.")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Look at the tables of sources.yml.

    \b
    fft source freshness .   are their rows new enough?
    fft source sync .        write their columns into sources.yml
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@command.command("freshness", short_help="Say whether the rows of sources are new enough.")
@project_options
@selection_options
@click.pass_obj
def freshness(output: Output, chosen: Chosen) -> int:
    """Say how old the newest row of each source is, and whether that is too old.

    sources.yml says when: loaded_at_field, and a freshness with warn_after, error_after and filter. The exit code is 1
    where a source is older than its error_after.

    \b
    fft source freshness .
    fft source freshness . --select source:raw.orders
    """
    from fastflowtransform import artifacts
    from fastflowtransform.cli.session import open_project
    from fastflowtransform.freshness import ask_all

    began = time.perf_counter()
    opened = open_project(chosen)
    folder = opened.project.folder
    console = Console(output, folder)
    found = [source for source in _selected(opened, chosen) if source.freshness is not None]
    if not found:
        raise NothingSelected(
            "none of the sources says how new it has to be",
            hint="give them loaded_at_field and freshness in sources.yml",
        )
    artifacts.prepare(folder)
    with opened.connected(console, read_only=True) as engine:
        console.begin(
            f"{opened.project.name}: {counted(len(found), 'source')} on {engine.name} ({opened.profile.name})",
            len(found),
        )
        results = ask_all(found, engine, console)
    artifacts.write_sources(folder, results)
    return console.sources(results, time.perf_counter() - began)


@command.command("sync", short_help="Write the columns of sources into sources.yml.")
@project_options
@selection_options
@click.pass_obj
def sync(output: Output, chosen: Chosen) -> int:
    """Write the columns and types of sources into sources.yml, as they are in the warehouse.

    New columns are added, those that are gone are taken away, and a type is changed where it is another one. All else
    in the file stays as it is, comments and order too. Compile and utest then know the columns without the tables.

    \b
    fft source sync .
    fft source sync . --select source:raw
    """
    from fastflowtransform.cli.session import open_project
    from fastflowtransform.document import replace_text
    from fastflowtransform.errors import Location, RelationMissing
    from fastflowtransform.source_columns import spelt, written
    from fastflowtransform.sources import NAME

    opened = open_project(chosen)
    console = Console(output, opened.project.folder)
    selected = {source.node for source in _selected(opened, chosen)}
    tables: list[dict[str, str] | None] = []
    missing = []
    with opened.connected(console, read_only=True) as engine:
        for node, source in opened.project.sources.items():
            tables.append(None)
            if node not in selected:
                continue
            try:
                schema = engine.table(source.relation).schema()
                # A column stays as the file spells it.
                names = {name: engine.capabilities.folding.spelling(name, source.columns) or name for name in schema}
                tables[-1] = {names[name]: spelt(dtype) for name, dtype in schema.items()}
            except RelationMissing as error:
                error.at = source.at
                missing.append(error)
    path = opened.project.folder / NAME
    changes = replace_text(path, lambda text: written(text, tables, Location(path)))
    rows = []
    for source, columns, changed in zip(opened.project.sources.values(), tables, changes, strict=True):
        if columns is not None:
            words = [f"{word} {', '.join(names)}" for word, names in changed.words if names]
            rows.append((source.name, str(len(columns)), "; ".join(words) or "as before"))
            console.event("source_synced", name=source.name, columns=columns, changes=dict(changed.words))
    console.table(("source", "columns", "changes"), rows, right=(1,))
    for problem in missing:
        console.error(problem)
    return 1 if missing else 0


def _selected(opened: Opened, chosen: Chosen) -> list[Source]:
    sources = opened.project.sources
    if not sources:
        raise NothingSelected("the project has no sources", hint="declare them in sources.yml")
    names = opened.selected(chosen)
    found = [sources[name] for name in names if name in sources]
    if not found:
        raise NothingSelected(f'the selection holds no source: "{", ".join(names[:3])}"', hint="see fft list")
    return found
