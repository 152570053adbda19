"""Seed files of all kinds, sound and unsound."""

from __future__ import annotations

import csv
import io
import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from fastflowtransform.errors import BadSeed, BadValue, FftError, MissingColumn
from fastflowtransform.seed_files import columns, read_rows, separated
from tests.conftest import ProjectFolder

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from('",;\t\r\n '), max_size=6
)
NOT_NULL_TEXTS = st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(TEXTS, min_size=width, max_size=width)))
NAMES = ["*.csv", "a[b].csv", "a?.csv", "{a,b}.csv", "it's.csv", 'a"b.csv', "ü ñ.csv", "a\\b.csv"]
NULLABLE_TEXTS = st.lists(st.lists(st.none() | TEXTS, min_size=2, max_size=2))

in_one_folder = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(folder: Path, content: str | bytes, name: str = "seed.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def quoted(text: str | None) -> str:
    return "" if text is None else '"' + text.replace('"', '""') + '"'


def records(text: str) -> list[tuple[str, ...]] | None:
    """What Python makes of a text of two columns; None where it is unsound."""
    try:
        found = [tuple(record) for record in csv.reader(io.StringIO(text, newline=""), strict=True) if record]
    except csv.Error:
        return None
    return found if all(len(record) == 2 for record in found) else None


def rows(path: Path, **types: str) -> list[tuple[object, ...]]:
    with read_rows(path, types) as reader:
        return [tuple(row.values()) for row in reader.read_all().to_pylist()]


def refusal(path: Path, **types: str) -> FftError:
    with pytest.raises(FftError) as caught, read_rows(path, types):
        pytest.fail("no error before the first row")
    return caught.value


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (["1", "-2", "0"], "int64", [1, -2, 0]),
        (["9223372036854775807", "9223372036854775808"], "decimal(38, 0)", [2**63 - 1, 2**63]),
        (["1.5", "-2", ".5", "1e3"], "float64", [1.5, -2.0, 0.5, 1000.0]),
        (["true", "FALSE"], "boolean", [True, False]),
        (["2024-02-29"], "date", [date(2024, 2, 29)]),
        (["2024-02-29 10:30", "2024-02-29"], "timestamp(6)", [datetime(2024, 2, 29, 10, 30), datetime(2024, 2, 29)]),
        (["2024-02-29T10:30:00.5+02:00"], "timestamp('UTC', 6)", [datetime(2024, 2, 29, 8, 30, 0, 500000, UTC)]),
        ([" 7 ", ""], "int64", [7, None]),
    ],
)
def test_a_column_has_the_type_of_all_of_its_values(tmp_path, values, dtype, expected):
    path = written(tmp_path, "".join(f"{value},x\n" for value in ["a", *values]))

    assert columns(path, {})["a"] == dtype
    assert [row[0] for row in rows(path)] == expected


@pytest.mark.parametrize(
    "values",
    [
        ["00123", "456"],
        ["+49", "30"],
        ["-007"],
        ["9" * 39],
        ["12345678901234567890", "0.5"],
        ["1", "x"],
        ["true", "1"],
        ["2024-02-30"],
        ["01/02/2024"],
        ["2024-01-01", "2024-01-01T10:00Z"],
        ["2024-01-01 10:00:00.123456789"],
        ["nan"],
        ["10:30"],
        ["  "],
    ],
)
def test_a_column_stays_text_where_another_type_would_lose_or_guess(tmp_path, values):
    path = written(tmp_path, "".join(f"{value},x\n" for value in ["a", *values]))

    assert [row[0] for row in rows(path)] == values


def test_the_last_row_of_a_long_file_still_decides(tmp_path):
    path = written(tmp_path, "code\n" + "1\n" * 600_000 + "007\n")

    assert columns(path, {}) == {"code": "string"}


def test_a_column_without_values_is_text(tmp_path):
    assert columns(written(tmp_path, "a,b\n,1\n,2\n"), {}) == {"a": "string", "b": "int64"}


def test_declared_types_win(tmp_path):
    path = written(tmp_path, "id,price,day\n1,2.5,2024-01-31\n")

    assert rows(path, id="string", price="decimal(10,2)", day="timestamp") == [
        ("1", Decimal("2.50"), datetime(2024, 1, 31))
    ]
    assert columns(path, {"price": "decimal(10,2)"}) == {"id": "int64", "price": "decimal(10, 2)", "day": "date"}


def test_an_empty_field_is_null_and_a_quoted_one_an_empty_text(tmp_path):
    assert rows(written(tmp_path, 'a,b\n,x\n"",x\n')) == [(None, "x"), ("", "x")]


def test_a_quoted_empty_field_is_null_in_a_column_that_holds_no_texts(tmp_path):
    assert rows(written(tmp_path, 'a,b\n"1",""\n"",""\n'), b="date") == [(1, None), (None, None)]


def test_words_such_as_null_are_words(tmp_path):
    assert rows(written(tmp_path, "a,b\nNULL,NA\n#N/A,\\N\n")) == [("NULL", "NA"), ("#N/A", "\\N")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_header_tells_what_separates_columns(tmp_path, delimiter):
    path = written(tmp_path, 'a;b\n"x,y";1\n'.replace(";", delimiter))

    assert rows(path) == [("x,y", 1)]


def test_a_tsv_file_has_tabs(tmp_path):
    assert columns(written(tmp_path, "a,b\tc\n1\t2\n", "seed.tsv"), {}) == {"a,b": "int64", "c": "int64"}


def test_a_file_may_have_one_column_whatever_stands_in_it(tmp_path):
    assert rows(written(tmp_path, "name\nAnn;Lee\nBob|Ray\n")) == [("Ann;Lee",), ("Bob|Ray",)]


def test_a_header_is_a_header_even_if_it_looks_like_a_row(tmp_path):
    assert columns(written(tmp_path, "1,2\n3,4\n"), {}) == {"1": "int64", "2": "int64"}


def test_spaces_around_a_name_are_no_part_of_it_and_those_around_a_text_are(tmp_path):
    assert rows(written(tmp_path, "a, b\nx, y \n"), b="string") == [("x", " y ")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_all_line_endings_are_understood(tmp_path, end):
    assert rows(written(tmp_path, f'a,b{end}1,"x{end}y"{end}2,z')) == [(1, f"x{end}y"), (2, "z")]


def test_line_endings_may_change_within_a_file(tmp_path):
    assert rows(written(tmp_path, 'a,b\r\n1,"x"\n2,"y"\r\n')) == [(1, "x"), (2, "y")]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    assert columns(written(tmp_path, b"\xef\xbb\xbfa,b\n1,2\n"), {}) == {"a": "int64", "b": "int64"}


def test_blank_lines_are_skipped(tmp_path):
    assert rows(written(tmp_path, "\na,b\n\n1,2\n\n\n3,4\n\n")) == [(1, 2), (3, 4)]


def test_a_quote_inside_of_an_unquoted_value_is_an_ordinary_character(tmp_path):
    assert rows(written(tmp_path, 'a,b\n5" pipe,1\n')) == [('5" pipe', 1)]


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_file_with_a_header_alone_has_no_rows(tmp_path, end):
    path = written(tmp_path, f"id,name{end}")

    assert rows(path, id="int64") == []
    assert columns(path, {"id": "int64"}) == {"id": "int64", "name": "string"}


@in_one_folder
@given(table=NOT_NULL_TEXTS, piece=st.integers(1, 64))
def test_what_python_writes_is_read_back_exactly(tmp_path, table, piece):
    path = tmp_path / "seed.csv"
    names = [f"c{number}" for number in range(len(table[0]) if table else 1)]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([names, *table])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(separated, "_PIECE", piece)
        assert rows(path, **dict.fromkeys(names, "string")) == [tuple(row) for row in table]


@in_one_folder
@given(table=NULLABLE_TEXTS, piece=st.integers(1, 64), end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_null_is_told_from_the_empty_text_wherever_the_file_is_cut(tmp_path, table, piece, end):
    path = written(tmp_path, "".join(f"{quoted(left)},{quoted(right)}{end}" for left, right in [["a", "b"], *table]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(separated, "_PIECE", piece)
        assert rows(path, a="string", b="string") == [tuple(row) for row in table]


@in_one_folder
@given(text=st.text('x ",\r\n', max_size=30), piece=st.integers(1, 16))
def test_whatever_text_it_is_it_is_refused_or_read_as_python_reads_it(tmp_path, text, piece):
    path = written(tmp_path, f"a,b\n{text}")
    expected = records(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(separated, "_PIECE", piece)
        try:
            found = [tuple(value or "" for value in row) for row in rows(path)]
        except BadSeed:
            found = None
    assert found == expected


def test_many_rows_come_in_several_batches_and_in_order(tmp_path):
    path = written(tmp_path, "id,text\n" + "".join(f'{number},"line\nand line"\n' for number in range(300_000)))

    with read_rows(path, {}) as reader:
        batches = list(reader)

    assert len(batches) > 3
    assert pa.Table.from_batches(batches)["id"].to_pylist() == list(range(300_000))


def test_one_long_value_is_read_as_a_whole(tmp_path):
    text = "x" * 3_000_000

    assert rows(written(tmp_path, f"id,text\n1,{text}\n2,y\n")) == [(1, text), (2, "y")]


def test_the_reader_gives_no_more_after_its_block(tmp_path):
    with read_rows(written(tmp_path, "a\n1\n"), {}) as reader:
        pass

    assert list(reader) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_name_means_that_file_and_no_other(tmp_path, name):
    written(tmp_path, "x\nwrong\n", "ab.csv")
    (tmp_path / "year=2024").mkdir()

    assert rows(written(tmp_path / "year=2024", "x\nright\n", name)) == [("right",)]


@pytest.mark.parametrize("name", ["seed.txt", "seed"])
def test_other_formats_are_refused(tmp_path, name):
    assert refusal(written(tmp_path, "a\n1\n", name)).hint == "use .csv, .tsv, .jsonl, .ndjson or .parquet"


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path, content):
    assert refusal(written(tmp_path, content)).message == "the file is empty"


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ('a,b\n1,"x\ny"\n\n2\n', 5, 'the number of values is "1", and that of columns "2"'),
        ('a,b\r\n1,"x\r\ny"\r\n2,3,4\r\n', 4, 'the number of values is "3", and that of columns "2"'),
        ("a,b\n1,2,\n", 2, 'the number of values is "3", and that of columns "2"'),
        ("a\n1,2\n", 2, 'the number of values is "2", and that of columns "1"'),
        ('a,b\n1,x\n2,"y\n3,z\n', 3, "a quote in the row is missing or out of place"),
        ('a,b\n1,x\n"y\n', 3, "a quote in the row is missing or out of place"),
        ('a,"b\n1,x\n', 1, "a quote in the row is missing or out of place"),
        ('a,b\n1,"x"y\n2,z\n', 2, "a quote in the row is missing or out of place"),
        (b"a,b\n1,x\n2,\xe9t\xe9\n", 3, 'byte "0xe9" is not UTF-8'),
        ("a,b\n1,x\n".encode("utf-16"), 1, 'byte "0xff" is not UTF-8'),
        (b"a,b\n1,x\n2,y\0z\n", 3, "the line holds a NUL character"),
        (b'a,"b\0"\n1,x\n', 1, "the line holds a NUL character"),
        ("\nid,name,ID\n", 2, 'the column "ID" stands here twice'),
        ("id,,name\n", 1, 'column "2" has no name'),
    ],
)
def test_an_unsound_row_is_refused_with_its_line(tmp_path, content, line, message):
    path = written(tmp_path, content)
    error = refusal(path)

    assert isinstance(error, BadSeed)
    assert (error.message, str(error.at)) == (message, f"{path}:{line}")


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ("abc", "int64"),
        ("1.5", "int64"),
        ("300", "int8"),
        ("1.005", "decimal(10,2)"),
        ("2024-02-30", "date"),
        ("2024-01-01 10:00", "date"),
        ("2024-01-01T10:00Z", "timestamp"),
        ("2024-01-01T10:00", "timestamp('UTC')"),
        ("maybe", "boolean"),
    ],
)
def test_a_value_that_is_not_of_its_declared_type_is_refused_with_its_line_and_never_rounded(tmp_path, value, dtype):
    path = written(tmp_path, f'note,a\n"two\nlines",\n\nx,{value}\n')
    error = refusal(path, a=dtype)

    assert error.message == f'"{value}" in the column "a" is not of the type "{dtype}"'
    assert str(error.at) == f"{path}:5"


def test_a_fault_far_down_is_found_before_the_first_row_is_given(tmp_path):
    path = written(tmp_path, "a,b\n" + "1,2\n" * 600_000 + "3\n")

    assert str(refusal(path).at) == f"{path}:600002"


def test_a_type_for_a_column_that_is_not_there_is_reported_with_the_nearest(tmp_path):
    error = refusal(written(tmp_path, "id,amount\n1,2\n"), amont="int64")

    assert isinstance(error, MissingColumn)
    assert error.hint == 'did you mean "amount"?'


@pytest.mark.parametrize("dtype", ["integer", "decimal(99, 2)", "array<int64>", "point", ""])
def test_an_unknown_type_is_reported(tmp_path, dtype):
    error = refusal(written(tmp_path, "a\n1\n"), a=dtype)

    assert isinstance(error, BadValue)
    assert error.message == f'the type of the column "a" is "{dtype}"'


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet"])
def test_a_file_that_cannot_be_opened_is_reported(tmp_path, ending):
    (tmp_path / f"folder{ending}").mkdir()

    assert refusal(tmp_path / f"folder{ending}").message == 'cannot read the file: "Is a directory"'
    assert refusal(tmp_path / f"none{ending}").message == 'cannot read the file: "No such file or directory"'


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_reported(tmp_path):
    path = written(tmp_path, "a\n1\n")
    path.chmod(0)

    assert refusal(path).message == 'cannot read the file: "Permission denied"'


def test_a_parquet_file_keeps_its_types_and_declared_ones_win(tmp_path):
    table = pa.table({"id": pa.array([1, 2], pa.int32()), "tag": pa.array(["x", "y"]).dictionary_encode()})
    parquet.write_table(table, tmp_path / "seed.parquet")

    assert columns(tmp_path / "seed.parquet", {}) == {"id": "int32", "tag": "string"}
    assert rows(tmp_path / "seed.parquet", id="string") == [("1", "x"), ("2", "y")]


def test_a_parquet_value_that_is_not_of_its_declared_type_is_refused(tmp_path):
    parquet.write_table(pa.table({"id": [1.0, 1.5]}), tmp_path / "seed.parquet")

    error = refusal(tmp_path / "seed.parquet", id="int64")

    assert error.message == '"1.5" in the column "id" is not of the type "int64"'


def test_what_is_no_parquet_is_refused(tmp_path):
    assert refusal(written(tmp_path, "a,b\n1,2\n", "seed.parquet")).message.startswith("the file is no Parquet")


UUID = "6f1d0c4e-55a3-4c7e-8d0d-0d6f4c8b7d0a"


@pytest.mark.never("spark", reason="it has no information_schema, no UUID and no JSON")
def test_a_seed_has_the_types_that_are_declared_for_it_on_each_engine(each_project: ProjectFolder):
    each_project.write(
        {
            "seeds/s.csv": f'u,j,d,z,t\n{UUID},"{{""a"": 1}}",1.10,2026-01-01 01:00+02,""\n,,,,x\n',
            "seeds/schema.yml": "seeds: [{name: s, columns: [{name: u, type: uuid}, {name: j, type: json}, "
            "{name: d, type: 'decimal(10, 2)'}, {name: z, type: \"timestamp('UTC')\"}]}]",
        }
    )

    answer = each_project.fft("seed")

    assert answer.code == 0, answer.err
    found = each_project.sql(
        "SELECT data_type FROM information_schema.columns WHERE table_name = 's' ORDER BY column_name"
    )
    assert [dtype.lower().partition("(")[0] for (dtype,) in found] in (
        ["decimal", "json", "varchar", "uuid", "timestamp with time zone"],
        ["numeric", "jsonb", "text", "uuid", "timestamp with time zone"],
    )
    rows = each_project.sql(
        "SELECT cast(u as varchar), cast(j as varchar), d, z = TIMESTAMPTZ '2025-12-31 23:00:00+00', t FROM s"
    )
    assert sorted(rows, key=str, reverse=True) == [
        (None, None, None, None, "x"),
        (UUID, '{"a": 1}', Decimal("1.10"), True, ""),
    ]


@pytest.mark.parametrize(("dtype", "value"), [("uuid", "6f1d"), ("json", "{a}")])
def test_a_value_that_is_no_uuid_or_json_is_named(project: ProjectFolder, dtype: str, value: str):
    project.write(
        {
            "seeds/s.csv": f"id,x\n1,\n2,{value}\n",
            "seeds/schema.yml": f"seeds: [{{name: s, columns: [{{name: x, type: {dtype}}}]}}]",
        }
    )

    answer = project.fft("seed")

    assert f'"{value}" in the column "x" is not of the type "{dtype}"' in answer.err
    assert "s.csv:3" in answer.err
