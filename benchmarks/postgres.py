"""What fft costs on PostgreSQL: seeds, increments, models and their overhead, against the same by hand.

CPU is that of our process and of all of the server's.
"""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import server
from measure import HERE, Cost, child, fft, in_turns, median, python, smallest
from printing import at_most, heading, table
from server import Server
from sizes import Sizes

SEED_BAR, INCREMENT_BAR, IBIS_BAR, MODEL_BAR = 1.3, 1.3, 1.1, 15
CSV_COLUMNS = (
    "event_id bigint, account bigint, kind text, note text, amount double precision, score double precision, "
    "weekday bigint, updated_at timestamp"
)
Works = Mapping[str, Callable[[], Cost]]


@dataclass(frozen=True, slots=True)
class _Bench:
    """A server with `raw.events` on it, a project that reads them, and how large and how often."""

    server: Server
    folder: Path
    project: Path
    sizes: Sizes

    def by_hand(self, work: str, *arguments: object) -> Cost:
        """Return what the work takes alone in a process of its own."""
        self.server.settle()
        _, said = child(python("child_postgres.py", work, *arguments), variables=self.server.variables)
        return Cost(**json.loads(said))

    def by_fft(self, script: str, *names: str) -> Cost:
        """Return what the last of some models or seeds takes, in a process that has done the others before."""
        self.server.settle()
        _, said = child(python(script, self.project, *names), variables=self.server.variables)
        return Cost(**json.loads(said)[-1])

    def command(self, *command: str) -> Cost:
        """Return what a whole process takes; of the server's CPU it has none."""
        self.server.settle()
        return child(command, variables=self.server.variables)[0]


def measure(folder: Path, sizes: Sizes) -> None:
    """Measure and print."""
    with server.started(folder / "postgres_data") as running:
        project = shutil.copytree(HERE / "projects" / "postgres", folder / "postgres_project")
        bench = _Bench(running, folder, project, sizes)
        _make_events(bench)
        _seeds(bench)
        _increments(bench)
        _models(bench)
        _overhead(bench)


def _make_events(bench: _Bench) -> None:
    """Make a log of events: the first rows, and those of an increment, four updates to one insert."""
    rows, changed = bench.sizes.server_rows, bench.sizes.server_changed
    updates = changed * 4 // 5
    bench.server.run(
        "CREATE SCHEMA raw",
        "CREATE SCHEMA bench",
        f"""
        CREATE TABLE raw.events AS
        SELECT CASE WHEN n < {rows} THEN n WHEN n < {rows + updates} THEN (n - {rows}) * {rows // updates}
                    ELSE n - {updates} END::bigint AS event_id,
               (hashint8(n) & 65535)::integer AS account,
               (ARRAY['view', 'click', 'order', 'refund'])[1 + (n * 7) % 4] AS kind,
               'note ' || md5(n::text) AS note,
               (hashint8(n + 1) & 1048575) / 100.0::double precision AS amount,
               (hashint8(n + 2) & 1048575) / 1048575.0::double precision AS score,
               (n % 7)::smallint AS weekday,
               timestamp '2026-01-01' + n * interval '1 second' AS updated_at
        FROM generate_series(0, {rows + changed - 1}::bigint) AS numbers(n)
        """,
        f"CREATE TABLE raw.first AS SELECT * FROM raw.events LIMIT {rows}",
        "VACUUM ANALYZE raw.events, raw.first",
    )


def _seeds(bench: _Bench) -> None:
    (bench.project / "seeds").mkdir()
    (bench.project / "seeds" / "small_csv.csv").write_text("id,at\n1,2026-01-01 00:00:00\n")
    child(python("child_seed_files.py", bench.project / "seeds"), variables=bench.server.variables)
    csv, parquet = bench.project / "seeds" / "events_csv.csv", bench.project / "seeds" / "events_parquet.parquet"
    rows, size = bench.sizes.server_rows + bench.sizes.server_changed, csv.stat().st_size / 1e6
    heading(
        "postgres: seeds",
        f"{rows:,} rows of 8 columns, {size:.0f} MB of CSV, over a table that stands; without the start of the process",
    )
    works = {
        "CSV: fft": functools.partial(bench.by_fft, "child_seeds.py", "small_csv", "events_csv"),
        "CSV: COPY of the file": functools.partial(bench.by_hand, "copy_text", csv, "bench.by_hand", CSV_COLUMNS),
        "Parquet: fft": functools.partial(bench.by_fft, "child_seeds.py", "small_csv", "events_parquet"),
        "Parquet: binary COPY": functools.partial(bench.by_hand, "copy_binary", parquet, "bench.by_hand"),
    }
    costs = _measured(works, bench.sizes.rounds)
    _bar(costs, "CSV: fft", "CSV: COPY of the file", SEED_BAR)
    _bar(costs, "Parquet: fft", "Parquet: binary COPY", SEED_BAR)
    bench.server.run("DROP TABLE bench.by_hand, bench.events_csv, bench.events_parquet")


def _increments(bench: _Bench) -> None:
    for title, index, ways in (
        ("no index", (), ("delete", "merge")),
        (
            "a unique index on the key",
            ("CREATE UNIQUE INDEX facts_key ON bench.facts (event_id)",),
            ("delete", "conflict", "merge"),
        ),
    ):
        heading(
            f"postgres: increment, {title}",
            f"{bench.sizes.server_changed:,} rows into {bench.sizes.server_rows:,}; a new copy of the table each time",
        )
        make = (
            "DROP TABLE IF EXISTS bench.facts",
            "CREATE TABLE bench.facts AS TABLE raw.first",
            *index,
            "VACUUM ANALYZE bench.facts",
        )
        works = {"fft": _after(bench.server, make, functools.partial(bench.by_fft, "child_steps.py", *_WARM, "facts"))}
        for way in ways:
            works[_WAYS[way]] = _after(bench.server, make, functools.partial(bench.by_hand, "merge", way))
        costs = _measured(works, bench.sizes.rounds)
        best = min((name for name in costs if name != "fft"), key=lambda name: smallest(costs[name]).wall)
        _bar(costs, "fft", best, INCREMENT_BAR)


_WARM = ("small", "small")
_WAYS = {
    "delete": "raw: stage, delete using, insert",
    "conflict": "raw: stage, insert on conflict",
    "merge": "raw: stage, merge",
}


def _after(server: Server, statements: tuple[str, ...], work: Callable[[], Cost]) -> Callable[[], Cost]:
    def prepared() -> Cost:
        server.run(*statements)
        return work()

    return prepared


def _models(bench: _Bench) -> None:
    heading("postgres: a model", f"{bench.sizes.server_rows:,} rows filtered and computed into a table that stands")
    text = bench.folder / "by_hand.sql"
    made, source = (HERE / "projects" / "postgres" / "models" / "by_sql.ff.sql").read_text(), "raw.events"
    text.write_text(made.partition("\n")[2].replace("{{ source('raw', 'events') }}", source))
    works = {name: functools.partial(bench.by_fft, "child_steps.py", "small", name, name) for name in _MODELS}
    works[_RAW] = functools.partial(bench.by_hand, "select", text, "bench.by_hand")
    works[_ANALYZED] = functools.partial(bench.by_hand, "select", text, "bench.by_hand", "ANALYZE bench.by_hand")
    costs = _measured(works, bench.sizes.rounds)
    for raw in (_RAW, _ANALYZED, "by_sql"):
        _bar(costs, "by_ibis", raw, IBIS_BAR)
    pandas, ours = smallest(costs["by_pandas"]), smallest(costs["by_ibis"])
    print(f"  pandas to Ibis: wall {pandas.wall / ours.wall:.1f}, CPU {pandas.cpu / ours.cpu:.1f}")


_MODELS = ("by_ibis", "by_sql", "by_pandas")
_RAW, _ANALYZED = "raw: create table as", "raw: create table as, analyze"


def _overhead(bench: _Bench) -> None:
    number = bench.sizes.server_models
    heading(
        f"postgres: {number} trivial models",
        "whole processes, without the server's CPU; a model more is the difference to a project of one, less the "
        "statement by hand",
    )
    many, one = bench.folder / "postgres_many", bench.folder / "postgres_one"
    _write_trivial(many, number)
    _write_trivial(one, 1)
    dropped = tuple(f"DROP TABLE IF EXISTS bench.model_{model}" for model in range(number))
    works = {
        f"fft run, {number} new tables": _after(bench.server, dropped, lambda: bench.command(*fft("run", str(many)))),
        "fft run, over these": lambda: bench.command(*fft("run", str(many))),
        "fft run, 1 table": lambda: bench.command(*fft("run", str(one))),
        "raw, the statements alone": _after(bench.server, dropped, lambda: bench.by_hand("trivial", number)),
    }
    costs = _measured(works, bench.sizes.rounds)
    least = {name: smallest(found).wall for name, found in costs.items()}
    new, over, single, raw = least.values()
    for name, seconds in (("new tables", new), ("over these", over)):
        each = ((seconds - single) / (number - 1) - raw / number) * 1000
        whole = (seconds - raw) / number * 1000
        print(f"  {name}: a model more {each:.1f} ms  {at_most(each, MODEL_BAR, ' ms')}")
        print(f"  {name}: with the start of the process {whole:.1f} ms  {at_most(whole, MODEL_BAR, ' ms')}")


def _write_trivial(folder: Path, number: int) -> None:
    (folder / "models").mkdir(parents=True)
    for name in ("project.yml", "profiles.yml"):
        shutil.copyfile(HERE / "projects" / "postgres" / name, folder / name)
    for model in range(number):
        text = f"{{{{ config(materialized='table') }}}}\nselect {model} as id, 'text' as label\n"
        (folder / "models" / f"model_{model}.ff.sql").write_text(text)


def _measured(works: Works, rounds: int) -> dict[str, list[Cost]]:
    """Do the works in turns, after a first one each that does not count, and print what they took."""
    for work in works.values():
        work()
    costs = in_turns(works, rounds)
    rows = []
    for name, found in costs.items():
        least, middle = smallest(found), median(found)
        rows.append((name, *(f"{value:.2f}" for value in (least.wall, middle.wall, least.cpu, middle.cpu))))
    table(("", "wall min", "wall median", "CPU min", "CPU median"), rows)
    return costs


def _bar(costs: Mapping[str, list[Cost]], ours: str, raw: str, bar: float) -> None:
    one, other = smallest(costs[ours]), smallest(costs[raw])
    for word, ratio in (("wall", one.wall / other.wall), ("CPU", one.cpu / other.cpu)):
        print(f"  {word}: {ours} to {raw} {ratio:.2f}  {at_most(ratio, bar)}")
