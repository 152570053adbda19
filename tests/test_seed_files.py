"""Seed files of the other forms, why columns have their types, and that a file is read once."""

from __future__ import annotations

import gzip
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from fastflowtransform.errors import BadSeed, FftError, MissingColumn, UnwritableFolder
from fastflowtransform.seed_files import (
    OtherTypes,
    columns,
    described,
    fingerprint,
    open_seed,
    read_rows,
    separated,
    stow,
    streamed,
)
from fastflowtransform.seed_files.types import _PROOFS, PATTERNS, Candidates, _by_pattern, _left, bared, usual_types

VALUES = st.from_regex(r"\A[-+ ]?[0-9]{0,3}[.eE0-9]{0,18}[-+0-9eE]{0,3}\Z") | st.sampled_from(
    ["true", "FALSE", "0", "1", "-0", "00", "0x1F", "nan", "inf", "-inf", "1e5", "1.5E-7", "-.5", "5.", ".", "1_0", "é"]
    + ["2024-01-31", "2024-02-30", "2024-01-31 10", "2024-01-31 1030", "2024-01-31 10:30", "2024-01-31T10:30:05.123"]
    + ["2024-01-31 103005.123", "2024-01-31 10:30:05.1234567", "2024-01-31 10:30Z", "2024-01-31 24:00", "", " 1 "]
    + ["999999999999999", "1000000000000000", "1234567890123456.5", "9223372036854775808", "-9223372036854775808"]
)
VALUE = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.decimals(allow_nan=False, allow_infinity=False)
)

in_one_folder = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(folder: Path, content: str | bytes, name: str = "seed.csv") -> Path:
    path = folder / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.lower().endswith(".gz") else data)
    return path


def rows(path: Path, **types: str) -> list[tuple[object, ...]]:
    with read_rows(path, types) as reader:
        return [tuple(row.values()) for row in reader.read_all().to_pylist()]


def refusal(path: Path, **types: str) -> FftError:
    with pytest.raises(FftError) as caught, read_rows(path, types):
        pytest.fail("no error before the first row")
    return caught.value


@pytest.mark.parametrize("name", usual_types())
def test_the_usual_types_are_those_of_ibis(name: str):
    arrow, full_name = usual_types()[name]

    assert ibis.dtype(name).to_pyarrow() == arrow
    assert str(ibis.Schema.from_pyarrow(pa.schema([("it", arrow)]))["it"]) == full_name


@settings(deadline=None, max_examples=200)
@given(values=st.lists(st.none() | VALUES, min_size=1, max_size=8))
def test_the_reason_for_a_text_is_the_first_value_after_which_no_type_is_left(values: list[str | None]):
    column = pa.array(values, pa.string())
    candidates, _ = Candidates().narrowed(column)
    lengths = [length for length in range(1, len(values) + 1) if _left(PATTERNS, column.slice(0, length))[0] == ()]

    assert candidates.ended == ((lengths[0] - 1, values[lengths[0] - 1]) if lengths else None)


@settings(deadline=None, max_examples=400)
@given(values=st.lists(st.none() | VALUES, min_size=1, max_size=4))
def test_what_is_told_without_a_pattern_is_what_the_patterns_tell(values: list[str | None]):
    column = pa.array(values, pa.string())
    bare = bared(column)
    by_pattern = tuple(name for name in PATTERNS if _by_pattern(name, bare) is not None)

    left, found = _left(PATTERNS, column)

    assert left == (None if bare.null_count == len(bare) else by_pattern)
    assert not left or found.equals(_by_pattern(left[0], bare))


def test_everyday_values_need_no_pattern(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("fastflowtransform.seed_files.types._by_pattern", lambda *_: None)
    everyday = {
        "boolean": ["true", "False"],
        "int64": ["0", "-12", "9223372036854775807"],
        "float64": ["-0.5", "12.25", "0.8271463653052953", None],
        "date": ["2024-01-31"],
        "timestamp": ["2024-01-31T10:30", "2024-01-31 10:30:05.123"],
    }

    assert everyday.keys() == _PROOFS.keys()
    assert {name: Candidates((name,)).narrowed(pa.array(texts))[0].left for name, texts in everyday.items()} == {
        name: (name,) for name in everyday
    }


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("a,x\n12,\n", "all values"),
        ("a,x\n,1\n", "no values"),
        ("a,x\n1,\n\n007,\n", 'line 4 holds "007"'),
        ("a,x\nAnn,\n7,\n", 'line 2 holds "Ann"'),
        ('a,x\n1,"two\nlines"\n1.5,\nn/a,\n', 'line 5 holds "n/a"'),
        ("a,x\ntrue,\n1,\n", 'line 3 holds "1"'),
        ("a,x\n" + "9" * 50 + ",\n", f'line 2 holds "{"9" * 40}…"'),
    ],
)
def test_each_type_has_its_reason(tmp_path, content, why):
    assert described(written(tmp_path, content), {})[0].why == why


def test_a_declared_type_and_one_of_the_file_have_theirs(tmp_path):
    parquet.write_table(pa.table({"id": [1], "name": ["x"]}), tmp_path / "seed.parquet")

    found = described(tmp_path / "seed.parquet", {"id": "int8"})

    assert [(column.type, column.why) for column in found] == [("int8", "declared"), ("string", "the file's own")]


def test_the_reason_is_found_in_the_midst_of_many_rows(tmp_path):
    path = written(tmp_path, "a\n" + "1\n" * 100_000 + "1.5\n" * 7_777 + "-\n" + "3\n" * 9_999)

    assert described(path, {})[0].why == 'line 107779 holds "-"'


@pytest.mark.parametrize("in_memory", [0, 1 << 24])
@pytest.mark.parametrize(
    ("first", "then", "dtype"),
    [
        ("1", "1.5", "float64"),
        ("1", str(2**63), "decimal(38, 0)"),
        ("2024-01-31", "2024-01-31 10:30", "timestamp(6)"),
        ("", "7", "int64"),
        ("1.50", "x", "string"),
        (" 7 ", "x", "string"),
        ("TRUE", "1", "string"),
        ("2024-01-31T10:30", "x", "string"),
    ],
)
def test_a_type_that_changes_late_is_that_of_the_first_rows_too(tmp_path, monkeypatch, in_memory, first, then, dtype):
    monkeypatch.setattr(stow, "_IN_MEMORY", in_memory)
    monkeypatch.setattr(separated, "_PIECE", 1 << 12)
    path = written(tmp_path, "a,b\n" + f"{first},x\n" * 5_000 + f"{then},x\n")
    alone = written(tmp_path, f"a,b\n{first},x\n{then},x\n", "alone.csv")

    with read_rows(path, {}) as reader:
        found = reader.read_all()["a"]

    assert columns(path, {})["a"] == dtype
    assert len(found) == 5_001
    assert [found[0].as_py(), found[-1].as_py()] == [value for value, _ in rows(alone)]


def test_values_of_declared_types_survive_being_kept_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(stow, "_IN_MEMORY", 0)
    path = written(tmp_path, 'u,j,d\n6f1d0c4e-55a3-4c7e-8d0d-0d6f4c8b7d0a,"{""a"": 1}",1.10\n')

    ((uuid, document, amount),) = rows(path, u="uuid", j="json", d="decimal(10, 2)")

    assert (str(uuid), document, amount) == ("6f1d0c4e-55a3-4c7e-8d0d-0d6f4c8b7d0a", '{"a": 1}', Decimal("1.10"))


def test_a_file_that_is_written_to_while_it_is_read_is_refused(tmp_path):
    path = written(tmp_path, "a\n1\n")
    known = fingerprint(path, {})
    path.write_text("a\n2\n")

    with pytest.raises(BadSeed, match="changed while it was read"), open_seed(path, {}, known):
        pytest.fail("no error before the first row")


def test_a_file_that_is_written_to_while_its_rows_are_taken_is_refused(tmp_path):
    path = written(tmp_path, "a\n1\n")
    known = fingerprint(path, {})
    path.write_text("a\n2\n")

    with pytest.raises(BadSeed, match="changed while it was read"), streamed(path, {}, known) as found:
        found.rows.read_all()


def test_rows_are_given_before_the_last_one_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(separated, "_PIECE", 1 << 12)
    path = written(tmp_path, "a,b\n" + "1,x\n" * 50_000 + "1\n")

    with pytest.raises(BadSeed) as raised, streamed(path, {}, fingerprint(path, {})) as found:
        taken = 0
        while True:
            taken += found.rows.read_next_batch().num_rows

    assert raised.value.at.line == 50_002
    assert taken > 40_000


def test_a_stream_of_rows_ends_where_a_type_is_another(tmp_path, monkeypatch):
    monkeypatch.setattr(separated, "_PIECE", 1 << 12)
    path = written(tmp_path, "a,b\n" + "1,x\n" * 5_000 + "1.5,x\n")

    with pytest.raises(OtherTypes), streamed(path, {}, fingerprint(path, {})) as found:
        found.rows.read_all()


@pytest.mark.parametrize("content", ["a,b\n1,x\n,y\n", "a\n", "a;b\n1.5;2024-01-01\n"])
def test_a_stream_gives_what_a_whole_reading_gives(tmp_path, content):
    path = written(tmp_path, content)

    with streamed(path, {}, fingerprint(path, {})) as found:
        rows = found.rows.read_all()

    with read_rows(path, {}) as reader:
        assert rows.equals(reader.read_all())
    assert found.columns() == described(path, {})


def test_a_parquet_file_that_changes_while_its_rows_are_taken_is_refused(tmp_path):
    path = tmp_path / "seed.parquet"
    parquet.write_table(pa.table({"id": [1]}), path)

    with open_seed(path, {}, fingerprint(path, {})) as found:
        path.touch()
        with pytest.raises(BadSeed, match="changed while it was read"):
            found.rows.read_all()


def test_a_fingerprint_is_of_content_types_and_form(tmp_path):
    first = fingerprint(written(tmp_path, "a\n1\n"), {}).text

    assert fingerprint(written(tmp_path, "a\n1\n", "other.csv"), {}).text == first
    assert fingerprint(written(tmp_path, "a\n2\n"), {}).text != first
    assert fingerprint(written(tmp_path, "a\n1\n"), {"a": "string"}).text != first
    assert fingerprint(written(tmp_path, "a\n1\n", "seed.tsv"), {}).text != first


def test_a_disk_without_room_for_the_rows_is_reported(tmp_path, monkeypatch):
    def full() -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stow, "_IN_MEMORY", 0)
    monkeypatch.setattr(stow.tempfile, "TemporaryFile", full)

    error = refusal(written(tmp_path, "a\n1\n"))

    assert isinstance(error, UnwritableFolder)
    assert error.message == 'cannot keep the rows of a seed on the disk: "No space left on device"'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("seed.csv.gz", "id,name\n1,Ann\n2,\n"),
        ("seed.tsv.gz", "id\tname\n1\tAnn\n2\t\n"),
        ("seed.CSV.GZ", "\ufeffid;name\r\n1;Ann\r\n2;\r\n"),
        ("seed.jsonl", '{"id": 1, "name": "Ann"}\n\n{"id": 2}\n'),
        ("seed.ndjson", '\ufeff{"id": 1, "name": "Ann"}\r\n{"name": null, "id": 2}'),
        ("seed.jsonl.gz", '{"id": 1, "name": "Ann"}\n{"id": 2, "name": null}\n'),
    ],
)
def test_all_forms_of_text_give_the_same_rows(tmp_path, name, content):
    assert rows(written(tmp_path, content, name)) == [(1, "Ann"), (2, None)]


@pytest.mark.parametrize(
    "data", [b"a\n1\n", gzip.compress(b"a\n" + b"12345\n" * 999)[:-9], gzip.compress(b"a\n1\n")[:8]]
)
def test_what_is_no_whole_gzip_is_refused(tmp_path, data):
    (tmp_path / "seed.csv.gz").write_bytes(data)

    assert refusal(tmp_path / "seed.csv.gz").message.startswith("the file is no whole gzip")


def test_a_bad_row_of_a_compressed_file_has_its_line(tmp_path):
    path = written(tmp_path, "a,b\n1,2\n3\n", "seed.csv.gz")
    undecodable = written(tmp_path, b"a,b\n1,2\n3,\xe9\n", "other.csv.gz")

    assert str(refusal(path).at) == f"{path}:3"
    assert str(refusal(undecodable).at) == f"{undecodable}:3"


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (["1", "-2"], "int64", [1, -2]),
        (["1", "2.5", "1e3"], "float64", [1.0, 2.5, 1000.0]),
        ([str(2**63)], "decimal(38, 0)", [Decimal(2**63)]),
        (["true", "null", "false"], "boolean", [True, None, False]),
        (['"2024-01-31"'], "date", [date(2024, 1, 31)]),
        (['"1"', '"2"'], "string", ["1", "2"]),
        (['"007"', "7"], "string", ["007", "7"]),
        (["true", "1"], "string", ["true", "1"]),
        (['{"b": 1.10, "a": [null, "é"]}', "[1]"], "json", ['{"b": 1.10, "a": [null, "é"]}', "[1]"]),
        (["[1]", "1"], "string", ["[1]", "1"]),
        (["12345678901234567890.5"], "string", ["12345678901234567890.5"]),
        (["1e400"], "string", ["1e400"]),
        (["null"], "string", [None]),
    ],
)
def test_json_says_itself_what_is_a_number_and_what_a_text(tmp_path, values, dtype, expected):
    path = written(tmp_path, "".join(f'{{"a": {value}}}\n' for value in values), "seed.jsonl")

    assert columns(path, {}) == {"a": dtype}
    assert [value for (value,) in rows(path)] == expected


def test_values_of_several_kinds_are_the_reason_for_a_text(tmp_path):
    path = written(tmp_path, '{"a": 1, "b": "x"}\n{"a": "x", "b": "y"}\n', "seed.jsonl")

    assert [column.why for column in described(path, {})] == ["values of several kinds", 'line 1 holds "x"']


def test_a_json_column_may_come_late_and_go(tmp_path):
    content = '{"a": 1}\n' * 20_000 + '{"b": "x"}\n' + '{"a": 2, "b": "y"}\n'

    found = rows(written(tmp_path, content, "seed.jsonl"))

    assert (found[0], found[-2:]) == ((1, None), [(None, "x"), (2, "y")])


@in_one_folder
@given(table=st.lists(st.tuples(VALUE, VALUE), min_size=1))
def test_json_texts_are_what_was_written(tmp_path, table):
    def text(value: Any) -> str | None:
        return value if value is None or isinstance(value, str) else json.dumps(value, default=float)

    lines = "".join(json.dumps({"a": a, "b": b}, default=float) + "\n" for a, b in table)

    assert rows(written(tmp_path, lines, "seed.jsonl"), a="string", b="string") == [
        (text(a), text(b)) for a, b in table
    ]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ('{"a": 1}\n{"a": }\n', 2, "the line is no JSON object: Expecting value at character 7"),
        ('{"a": 1}\n\n[1]\n', 3, "the line is no JSON object: it is not an object"),
        ('{"a": 1, "a": 2}\n', 1, 'the line is no JSON object: the key "a" stands in it twice'),
        ('{"a": NaN}\n', 1, 'the line is no JSON object: "NaN" is no number of JSON'),
        ('{"a": 1}\n{"A": 1}\n', 2, 'the column "A" stands here twice'),
        ('{"": 1}\n', 1, 'column "1" has no name'),
        ("[" * 100_000 + "\n", 1, "the line is no JSON object: it is nested too deeply"),
        (b'{"a": 1}\n{"a": "\xe9"}\n', 2, 'byte "0xe9" is not UTF-8'),
    ],
)
def test_a_line_that_is_no_sound_object_is_refused(tmp_path, content, line, message):
    path = written(tmp_path, content, "seed.jsonl")
    error = refusal(path)

    assert isinstance(error, BadSeed)
    assert (error.message, str(error.at)) == (message, f"{path}:{line}")


def test_a_json_value_that_is_not_of_its_declared_type_is_named(tmp_path):
    path = written(tmp_path, '{"a": 1}\n\n{"a": "abc"}\n', "seed.jsonl")
    error = refusal(path, a="int64")

    assert error.message == '"abc" in the column "a" is not of the type "int64"'
    assert str(error.at) == f"{path}:3"


def test_a_type_for_a_column_that_no_object_has_is_reported(tmp_path):
    error = refusal(written(tmp_path, '{"amount": 1}\n', "seed.jsonl"), amont="int64")

    assert isinstance(error, MissingColumn)
    assert error.hint == 'did you mean "amount"?'


def test_an_empty_file_of_json_is_refused(tmp_path):
    assert refusal(written(tmp_path, "\n", "seed.jsonl")).message == "the file is empty"
