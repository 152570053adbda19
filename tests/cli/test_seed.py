"""`fft seed` and the seeds of `fft plan`: what is loaded, what is left alone, and what is said of it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.conftest import PROFILES, ProjectFolder

CSV = "code,n,at\n007,1,2026-01-01 10:00\n112,,2026-01-02 11:30\n"
Change = Callable[[ProjectFolder], object]


@pytest.fixture
def seeded(each_project: ProjectFolder) -> ProjectFolder:
    """A project with a seed that is loaded, on each engine."""
    each_project.write({"seeds/codes.csv": CSV})
    assert each_project.fft("seed").code == 0
    return each_project


def strategies(project: ProjectFolder) -> dict[str, str]:
    """Return what the last command did about each seed."""
    results = json.loads((project.folder / "target/run_results.json").read_text())
    return {step["name"]: step["outcome"]["strategy"] for step in results["steps"]}


def test_a_seed_that_has_not_changed_is_left_alone_and_that_is_said(seeded: ProjectFolder):
    answer = seeded.fft("seed")

    assert answer.code == 0
    assert "1/1 ok    codes  unchanged in " in answer.out
    assert strategies(seeded) == {"codes": "unchanged"}


CHANGES: dict[str, Change] = {
    "other rows": lambda p: p.write({"seeds/codes.csv": CSV + "113,3,2026-01-03 10:00\n"}),
    "one byte": lambda p: p.write({"seeds/codes.csv": CSV.replace("112", "113")}),
    "a declared type": lambda p: p.write(
        {"seeds/schema.yml": "seeds: [{name: codes, columns: [{name: n, type: int16}]}]"}
    ),
    "another table": lambda p: p.write({"seeds/schema.yml": "seeds: [{name: codes, table: other}]"}),
    "a table that was dropped": lambda p: p.sql("DROP TABLE codes"),
    "a table that was edited": lambda p: p.sql("UPDATE codes SET n = 5 WHERE code = '007'"),
    "a table that lost a row": lambda p: p.sql("DELETE FROM codes WHERE code = '007'"),
    "a table that was replaced": lambda p: p.sql("DROP TABLE codes; CREATE TABLE codes AS SELECT 1 AS x"),
    "a view in its place": lambda p: p.sql("DROP TABLE codes; CREATE VIEW codes AS SELECT 1 AS x"),
    "no notes": lambda p: p.sql("DROP TABLE fft_seeds"),
}


FOREIGN = ("a view in its place", "no notes")
"""The changes after which fft cannot know that it made what is there."""

NOTED = pytest.mark.never("spark", reason="the notes are in the commits, and not in a table")
TOLD = pytest.mark.never("spark", reason="its commits tell that somebody else made the table, which is refused")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(change, id=name, marks=[TOLD] if name == "a table that was replaced" else [])
        for name, change in CHANGES.items()
        if name not in FOREIGN
    ],
)
def test_a_seed_is_loaded_again_after_any_change(seeded: ProjectFolder, change: Change):
    change(seeded)

    assert seeded.fft("seed").code == 0
    assert strategies(seeded) == {"codes": "load"}
    assert seeded.fft("seed").code == 0
    assert strategies(seeded) == {"codes": "unchanged"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[NOTED] if name == "no notes" else []) for name in FOREIGN])
def test_a_seed_is_loaded_over_what_fft_may_not_have_made_only_where_it_adopts_that(seeded: ProjectFolder, name: str):
    CHANGES[name](seeded)

    refused = seeded.fft("seed")
    assert (refused.code, refused.err[:4]) == (2, "M120")
    assert seeded.fft("seed", "--adopt", "codes").code == 0
    assert strategies(seeded) == {"codes": "load"}
    assert seeded.fft("seed").code == 0
    assert strategies(seeded) == {"codes": "unchanged"}


@pytest.mark.parametrize("schema", ["demo", "w", "W"])
def test_a_schema_may_be_called_as_the_file_of_the_database(project: ProjectFolder, schema: str):
    project.write({"seeds/codes.csv": CSV, "profiles.yml": PROFILES.replace("schema: demo", f"schema: {schema}")})

    assert [project.fft("seed").code, strategies(project)] == [0, {"codes": "load"}]
    assert [project.fft("seed").code, strategies(project)] == [0, {"codes": "unchanged"}]


def test_no_seed_or_model_takes_the_place_of_the_notes(project: ProjectFolder):
    project.write({"seeds/fft_seeds.csv": CSV})

    answer = project.fft("seed")

    assert answer.code == 2
    assert answer.err.startswith('M101 "fft_seeds" would be the table "demo.fft_seeds", which fft has for itself')


def test_full_refresh_loads_what_has_not_changed(seeded: ProjectFolder):
    assert seeded.fft("seed", "--full-refresh").code == 0
    assert strategies(seeded) == {"codes": "load"}


def test_only_what_is_selected_and_changed_is_loaded(seeded: ProjectFolder):
    seeded.write({"seeds/more.csv": "a\n1\n", "seeds/third.csv": "a\n1\n"})

    assert seeded.fft("seed", "--select", "codes more").code == 0
    assert strategies(seeded) == {"codes": "unchanged", "more": "load"}


def test_a_bad_file_leaves_table_and_note_as_they_were(seeded: ProjectFolder):
    seeded.write({"seeds/codes.csv": CSV + "x\n"})
    assert seeded.fft("seed").code == 1

    seeded.write({"seeds/codes.csv": CSV})

    assert seeded.fft("seed").code == 0
    assert strategies(seeded) == {"codes": "unchanged"}


# More than is read at once, so that an engine has rows of it before the last one is seen.
MANY = "code,n,at\n" + "112,1,2026-01-01 10:00\n" * 100_000


def test_a_bad_row_late_in_a_large_file_is_named_and_leaves_table_and_note_as_they_were(seeded: ProjectFolder):
    seeded.write({"seeds/codes.csv": MANY + "x\n"})

    answer = seeded.fft("seed")

    assert answer.code == 1
    assert 'the number of values is "1", and that of columns "3"' in answer.err
    assert "codes.csv:100002" in answer.err
    seeded.write({"seeds/codes.csv": CSV})
    assert seeded.fft("seed").code == 0
    assert strategies(seeded) == {"codes": "unchanged"}


@pytest.mark.parametrize(
    ("late", "code", "n"), [("113,1.5,", 112, 1.0), ("x,1,", "112", 1), (f"112,{2**63},", 112, Decimal(1))]
)
def test_a_late_row_of_another_type_gives_the_first_ones_that_type_too(each_project: ProjectFolder, late, code, n):
    each_project.write({"seeds/codes.csv": f"{MANY}{late}\n"})

    assert each_project.fft("seed").code == 0
    assert each_project.sql("SELECT count(*) FROM codes") == [(100_001,)]
    ((found_code, found_n),) = each_project.sql("SELECT DISTINCT code, n FROM codes WHERE code::text = '112' AND n = 1")
    assert (found_code, found_n) == (code, n)
    assert (type(found_code), type(found_n)) == (type(code), type(n))


@pytest.mark.parametrize("engine_reads", ["run", "build"])
def test_a_value_that_is_not_of_its_declared_type_is_named_late_in_a_file_too(seeded: ProjectFolder, engine_reads):
    seeded.write({"seeds/schema.yml": "seeds: [{name: codes, columns: [{name: n, type: int16}]}]"})
    seeded.write({"seeds/codes.csv": MANY + "112,many,\n"})

    answer = seeded.fft("seed") if engine_reads == "run" else seeded.fft("build")

    assert '"many" in the column "n" is not of the type "int16"' in answer.err
    assert seeded.sql("SELECT count(*) FROM codes") == [(2,)]


def test_a_later_batch_and_the_first_one_are_told_apart(seeded: ProjectFolder, tmp_path: Path):
    seeded.write({"later/codes.csv": CSV + "113,3,2026-01-03 10:00\n"})

    assert seeded.fft("seed", "--from", str(seeded.folder / "later")).code == 0
    assert strategies(seeded) == {"codes": "load"}
    assert seeded.fft("seed").code == 0
    assert strategies(seeded) == {"codes": "load"}
    assert seeded.sql("SELECT count(*) FROM codes") == [(2,)]


def test_the_types_and_their_reasons_are_shown_when_a_seed_is_loaded(each_project: ProjectFolder):
    each_project.write(
        {
            "seeds/codes.csv": CSV,
            "seeds/schema.yml": "seeds: [{name: codes, columns: [{name: n, type: int16}]}]",
        }
    )

    answer = each_project.fft("seed")

    assert 'note codes: code string (line 2 holds "007"), n int16 (declared), at timestamp(6)\n' in answer.out


def test_the_plan_shows_seeds_and_their_types_and_touches_nothing(each_project: ProjectFolder):
    each_project.write({"seeds/codes.csv": CSV, "models/m.ff.sql": "select * from {{ ref('codes') }}"})

    answer = each_project.fft("plan")

    assert answer.out == (
        f"test: 1 seed and 1 model on {engine_of(answer.out)} (dev)\n"
        "seed   action  why                    relation\n"
        "codes  load    there is no table yet  demo.codes\n"
        "\n"
        "seed   column  type          why\n"
        'codes  code    string        line 2 holds "007"\n'
        "codes  n       int64         all values\n"
        "codes  at      timestamp(6)  all values\n"
        "\n"
        "model  action       why                relation\n"
        "m      create view  there is none yet  demo.m\n"
    )


def engine_of(out: str) -> str:
    return out.partition(" on ")[2].partition(" ")[0]


def test_the_plan_says_which_seeds_have_not_changed_and_why_others_are_loaded(seeded: ProjectFolder):
    seeded.write({"seeds/more.csv": "a\n1\n"})

    def said(*arguments: str) -> list[str]:
        return [" ".join(line.split()) for line in seeded.fft("plan", *arguments).out.splitlines()[2:4]]

    as_it_was = "codes unchanged the file and the table are as they were when it was loaded demo.codes"
    assert said() == [as_it_was, "more load there is no table yet demo.more"]
    assert said("--select", "codes", "--full-refresh")[0] == "codes load --full-refresh demo.codes"
    seeded.sql("DELETE FROM codes")
    assert said("--select", "codes")[0] == "codes load the file, its types or the table changed demo.codes"


def test_the_plan_as_events_has_the_columns_of_each_seed(seeded: ProjectFolder):
    events = [json.loads(line) for line in seeded.fft("plan", "--json").out.splitlines()]

    (planned,) = [event for event in events if event["event"] == "seed_planned"]
    assert planned["action"] == "unchanged"
    assert planned["columns"][0] == {"name": "code", "type": "string", "why": 'line 2 holds "007"'}


def test_a_bad_seed_is_an_error_of_the_plan(each_project: ProjectFolder):
    each_project.write({"seeds/codes.csv": "a,b\n1\n"})

    answer = each_project.fft("plan")

    assert answer.code == 1
    assert "codes.csv:2" in answer.err


def test_all_forms_of_a_file_give_the_same_table(each_project: ProjectFolder):
    lines = '{"code": "007", "n": 1, "at": "2026-01-01 10:00"}\n{"code": "112", "at": "2026-01-02 11:30"}\n'
    each_project.write(
        {"seeds/a.csv": CSV, "seeds/b.tsv": CSV.replace(",", "\t"), "seeds/c.jsonl": lines, "seeds/d.ndjson": lines}
    )
    for name, text in {"e.csv.gz": CSV, "f.tsv.gz": CSV.replace(",", "\t"), "g.jsonl.gz": lines}.items():
        (each_project.folder / "seeds" / name).write_bytes(gzip.compress(text.encode()))

    answer = each_project.fft("seed")

    assert answer.code == 0, answer.err
    found = [each_project.sql(f'SELECT code, n, "at" FROM {name} ORDER BY code') for name in "abcdefg"]
    assert found == [found[0]] * 7
    assert [row[:2] for row in found[0]] == [("007", 1), ("112", None)]


def test_compressed_files_of_another_folder_are_taken_too(seeded: ProjectFolder):
    (seeded.folder / "later").mkdir()
    (seeded.folder / "later/codes.csv.gz").write_bytes(gzip.compress(b"code,n,at\n1,1,\n"))

    assert seeded.fft("seed", "--from", str(seeded.folder / "later")).code == 0
    assert seeded.sql("SELECT count(*) FROM codes") == [(1,)]


def test_many_columns_are_shown_in_the_plan_only(project: ProjectFolder):
    names = [f"c{number}" for number in range(30)]
    project.write({"seeds/wide.csv": ",".join(names) + "\n" + ",".join("1" for _ in names) + "\n"})

    assert "c19 int64 and 10 more, see fft plan\n" in project.fft("seed").out
    assert "c29" in project.fft("plan").out


def test_a_selection_without_models_or_seeds_is_an_error_of_the_plan(project: ProjectFolder):
    project.write({"sources.yml": "sources: [{name: raw, tables: [{name: t}]}]"})

    assert project.fft("plan", "--select", "source:raw").err.startswith("S101 the selection holds no model or seed")
