"""What unit tests cost: whole processes of `fft utest`, and what one test more adds to them."""

from __future__ import annotations

from pathlib import Path

from measure import child, fft, in_turns, median, smallest
from printing import at_most, heading, table
from sizes import Sizes

BAR, EACH_BAR, NUMBER = 3.0, 15.0, 50

_GIVEN = "{id: 1, sold: 2026-01-02 10:00:00, amount: 3}, {id: 2, sold: 2026-01-02 11:00:00, amount: 2}"
_KINDS = {
    "select": (
        "{{ config(materialized='view') }}\nselect id, sold, amount * 10 as cents from {{ source('raw', 'sales') }}\n"
        "where amount > 2\n",
        "    expect: [{id: 1, sold: 2026-01-02 10:00:00, cents: 30}]\n",
    ),
    "table": (
        "{{ config(materialized='table') }}\nselect cast(sold as date) as day, sum(amount) as amount\n"
        "from {{ source('raw', 'sales') }} group by 1\n",
        "    expect: [{day: 2026-01-02, amount: 5}]\n",
    ),
    "merge": (
        "{{ config(materialized='incremental', unique_key='id', updated_at='sold') }}\n"
        "select id, sold, amount * 10 as cents from {{ source('raw', 'sales') }}\n",
        "    this: [{id: 1, sold: 2026-01-01 10:00:00, cents: 10}, {id: 9, sold: 2026-01-01 10:00:00, cents: 90}]\n"
        "    expect:\n      - {id: 1, sold: 2026-01-02 10:00:00, cents: 30}\n"
        "      - {id: 2, sold: 2026-01-02 11:00:00, cents: 20}\n"
        "      - {id: 9, sold: 2026-01-01 10:00:00, cents: 90}\n",
    ),
}
_MIXED = ("select", "select", "table", "table", "merge")


def measure(folder: Path, sizes: Sizes) -> None:
    """Measure and print."""
    heading("utest", f"{NUMBER} unit tests, one a model, each run twice but for a SELECT's; against 1 test of its kind")
    kinds = {"2 in 5 a SELECT, 2 a table, 1 a merge": _MIXED, **{f"all {kind}": (kind,) for kind in _KINDS}}
    works = {}
    for name, mix in kinds.items():
        for number in (1, NUMBER):
            project = folder / f"utest_{number}_{'_'.join(mix)}"
            _write_project(project, mix, number)
            works[name, number] = fft("utest", str(project), "--quiet")
            child(works[name, number])
    found = in_turns({key: lambda command=command: child(command)[0] for key, command in works.items()}, sizes.rounds)
    rows = []
    for name in kinds:
        one, many = smallest(found[name, 1]).cpu, smallest(found[name, NUMBER])
        each = 1000 * (many.cpu - one) / (NUMBER - 1)
        figures = (f"{one:.2f}", f"{many.cpu:.2f}", f"{median(found[name, NUMBER]).cpu:.2f}", f"{many.wall:.2f}")
        rows.append(
            (name, *figures, f"{each:.1f}", f"{at_most(many.cpu, BAR, ' s')}, {at_most(each, EACH_BAR, ' ms')}")
        )
    table(("", "1: CPU", f"{NUMBER}: CPU min", "CPU median", "wall min", "each, ms", "bars (CPU min)"), rows)


def _write_project(folder: Path, mix: tuple[str, ...], number: int) -> None:
    (folder / "models").mkdir(parents=True)
    (folder / "tests" / "unit").mkdir(parents=True)
    (folder / "project.yml").write_text("name: tested\n")
    (folder / "sources.yml").write_text("sources: [{name: raw, tables: [{name: sales}]}]\n")
    for model in range(number):
        sql, expect = _KINDS[mix[model % len(mix)]]
        (folder / "models" / f"model_{model}.ff.sql").write_text(sql)
        case = f"cases:\n  - name: two sales\n    given: {{raw.sales: [{_GIVEN}]}}\n{expect}"
        (folder / "tests" / "unit" / f"model_{model}.yml").write_text(f"model: model_{model}\n{case}")
