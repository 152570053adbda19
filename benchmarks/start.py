"""What it costs to read a project and plan it: models with 2 checks each, and how that grows with their number."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from measure import Cost, child, fft, in_turns, median, smallest
from printing import at_most, heading, table
from sizes import Sizes

BARS = {1000: (1.5, 1.0), 5000: (6.0, 6.0)}
"""CPU seconds of the first plan, and of one after it."""
PEAK_BAR = 400
A_FOLDER = 20


def measure(folder: Path, sizes: Sizes) -> None:
    """Measure and print."""
    heading(
        "start", "`fft plan` of models with 2 checks each; cold is without target/, warm with what the last one left"
    )
    rows = []
    for number in sizes.planned:
        project = folder / f"planned_{number}"
        write_project(project, number)
        rows += _rows(project, number, sizes.rounds)
    table(("", "CPU min", "CPU median", "wall min", "peak MB", "ms a model", "bar (CPU min)"), rows)


def _rows(project: Path, number: int, rounds: int) -> list[tuple[str, ...]]:
    works: dict[str, Callable[[], Cost]] = {
        "cold": lambda: _cold(project),
        "warm": lambda: child(fft("plan", str(project)))[0],
        "warm, --select one_model": lambda: child(fft("plan", str(project), "--select", f"m_{number // 2}"))[0],
        "warm, one file edited": lambda: _edited(project, number // 2),
        "cold, --select one_model": lambda: _cold(project, "--select", f"m_{number // 2}"),
    }
    child(fft("plan", str(project)))
    bars = dict(zip(works, BARS.get(number, ()), strict=False))
    return [
        _row(f"{number} models, {name}", costs, number, bars.get(name))
        for name, costs in in_turns(works, rounds).items()
    ]


def _cold(project: Path, *more: str) -> Cost:
    shutil.rmtree(project / "target", ignore_errors=True)
    return child(fft("plan", str(project), *more))[0]


def _edited(project: Path, number: int) -> Cost:
    path = next((project / "models").rglob(f"m_{number}.ff.sql"))
    path.write_text(path.read_text() + "-- edited\n")
    return child(fft("plan", str(project)))[0]


def _row(name: str, costs: list[Cost], number: int, bar: float | None) -> tuple[str, ...]:
    least, middle = smallest(costs), median(costs)
    bars = "" if bar is None else f"{at_most(least.cpu, bar, ' s')}, {at_most(least.peak, PEAK_BAR, ' MB')}"
    figures = (f"{value:.2f}" for value in (least.cpu, middle.cpu, least.wall))
    return (name, *figures, f"{least.peak:.0f}", f"{least.cpu / number * 1000:.2f}", bars)


def write_project(folder: Path, number: int) -> None:
    """Write models of which each reads one or two before it, in folders of twenty with a YAML file each."""
    folder.mkdir(parents=True)
    (folder / "project.yml").write_text('name: planned\nversion: "1"\nvars: {least: 0}\n')
    (folder / "profiles.yml").write_text("dev:\n  engine: duckdb\n  duckdb:\n    path: planned.duckdb\n")
    for model in range(number):
        inside = folder / "models" / f"part_{model // A_FOLDER}"
        inside.mkdir(parents=True, exist_ok=True)
        (inside / f"m_{model}.ff.sql").write_text(_sql(model))
        if model % A_FOLDER == 0:
            (inside / "schema.yml").write_text(_yaml(range(model, min(model + A_FOLDER, number))))


def _sql(model: int) -> str:
    if model == 0:
        return "{{ config(materialized='table') }}\nselect range as id, range * 1.5 as amount from range(10)\n"
    tags = f", tags=['part_{model % 7}']"
    return (
        f"{{{{ config(materialized='{('table', 'view')[model % 2]}'{tags}) }}}}\n"
        "with one as (\n"
        f"    select id, amount from {{{{ ref('m_{model // 2}') }}}} where amount > {{{{ var('least') }}}}\n"
        "), other as (\n"
        f"    select id, sum(amount) as total from {{{{ ref('m_{model * 2 // 3}') }}}} group by id\n"
        ")\n"
        "select one.id, one.amount + other.total as amount\n"
        "from one join other on one.id = other.id\n"
    )


def _yaml(models: range) -> str:
    entries = "".join(
        f"  - name: m_{model}\n    description: Model {model}\n    columns:\n"
        "      - name: id\n        description: The key\n        tests:\n          - not_null\n"
        "      - name: amount\n        tests:\n          - between: {min: 0}\n"
        for model in models
    )
    return f"version: 2\nmodels:\n{entries}"
