"""Mistakes that are made in files and command lines at random; the same random numbers make the same mistakes."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

STARTS = [
    "\x00",
    "\ufeff",
    "\u202e",
    "\x1b[2J",
    "\r\n",
    "::error::x\n",
    "##[error]x",
    "é",
    "🐢",
    "\ud83d",
]
YAML = """\
2026-13-45|2026-02-30 25:61:61|0x_|0b|0o9|1e999|-.inf|.nan|!!python/object:os.system x|!!binary "%"|!!timestamp x|!x y
&a [*a]|*a|&a {k: *a}|<<: 1|<<: [*x]|? [1]|? {a: b}|[[[[[[[[|{{{{|- - - - -|"\\ud83d"|'|"|: :|@x|`x`|%x|>9|| |~|null
true|no|99999999999999999999999999999999|-1|0|1.5|1e308 days|99999999999 weeks|0 seconds|[]|{}|[1, {a: []}]|2026-01-01
12:30:45|{a: 1, a: 2}|&a &b x|!!set {a}|!!omap [a: 1]|!!map []|!!seq {}|!!int x|!!float x|!!null x|!!bool x|"{{ x }}"
"{% x %}"|"{{"|duckbd|postgresql|envv|view|table|incremental|ephemeral|error|warn|not_null|unique|ignore
append_new_columns|sync_all_columns\
""".replace("\n", "|").split("|")
JINJA = [
    "{{ 1/0 }}",
    "{{ x }}",
    "{{ ref() }}",
    "{{ ref(1) }}",
    "{{ ref('x', 'y', 'z') }}",
    "{{ source('a') }}",
    "{{ config(x=1) }}",
    "{{ var('x') }}",
    "{% if %}",
    "{{",
    "{% endfor %}",
    "{{ config }}",
    "{{ this.x.y }}",
    "{{ ref('orders')|upper }}",
    "{{ env('X') }}",
    "{{ env_var('X') }}",
    "{{ env(1) }}",
    "{# ",
    "{% macro _x() %}a",
    "{{ config(materialized='incremental', unique_key='x') }}",
    "{{ config(tags=[[]]) }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ '%d' % 'x' }}",
    "{{ ref('fct_orders') }}",
    "{{ is_incremental }}",
    "{% set x = [] %}{% set _ = x.append(x) %}{{ x }}",
    "{{ [1] | map('x') | list }}",
]
SQL = [
    "select",
    "from",
    "where",
    "--",
    "/*",
    "*/",
    ";",
    "'",
    '"',
    "$$",
    "1/0",
    "cast('x' as int)",
    "(",
    ")",
    "null",
    "*",
    "count(*)",
    "union all select 1",
    "group by all",
    "date 'infinity'",
    "timestamp '20000-01-01'",
    "interval '1 month'",
    "'\\xff'::blob",
    "1e400",
    'as "a"',
    ", 1 as a, 2 as a",
    "limit 0",
    "limit -1",
    "{'a': 1}",
    "[1, 'x']",
    "error('x')",
    "; drop table x",
    "pragma version",
    "hugeint",
    "uuid()",
    "struct_pack(a := 1)",
    "map {1: 2}",
    "unnest([1, 2])",
    "where false",
]
PYTHON = [
    "raise KeyboardInterrupt",
    "raise SystemExit(3)",
    "raise GeneratorExit",
    "1/0",
    "return None",
    "return 3",
    "import nothing_of_that_name",
    "def f(",
    "yield 1",
    "class E(BaseException): pass",
    "raise type('E', (BaseException,), {})('x')",
    "raise Exception('\\x1b[2J\\n::error::x')",
    "raise Exception()",
    "raise type('E', (Exception,), {'__str__': lambda self: 1/0})",
    "@model",
    "@model()",
    "@model(x=1)",
    "@model(materialized=[])",
    "async def f(): pass",
    "return fct_orders.nothing",
    "return fct_orders.group_by('x')",
    "return 'x'",
    "f = 1",
    "del model",
    "import os; os.chdir('/')",
    "lambda: 0",
    "recursion = lambda: recursion()",
    "raise RecursionError",
    "raise MemoryError",
    "raise StopIteration",
    "raise UnicodeDecodeError('utf-8', b'x', 0, 1, 'x')",
    "from fastflowtransform import nothing",
]
CSV = [
    '"',
    ",",
    ",,,\n",
    "\n\n",
    "'",
    "1e999",
    "9999-99-99",
    "infinity",
    "\t",
    ";",
    "NaN",
    "é",
    "0x1",
    "'=cmd",
    "999999999999999999999999999999",
    "true",
    "2026-01-01T00:00:00+99:99",
]
OF_KIND = {".yml": YAML, ".sql": [*SQL, *JINJA], ".py": PYTHON, ".csv": CSV, ".json": YAML, ".env": YAML}

WORDS = (
    """\
|.|..|x|*|+orders|orders+|+|@|@orders|tag:|tag:x|path:|path:..|path:/|source:|source:raw.orders|a,b
state:|state:new|state:x|result:error|result:|a b|-1|0|1e999|99999999999999999999|auto|nan|1 day|1 week
999999999 weeks|0 days|2026-01-01|2026-13-45|infinity|-infinity|a=b|a=[|{a: 1}|{a|=x|a=|orders.ff
models/orders.ff.sql|prod|dev|postgres|duckdb|spark|postgresql|order_id|amount|nothing|\udcff|\x1b[2J|::error::x\
""".replace("\n", "|").split("|")
    + ["x" * 300]
)
COMMANDS = [
    line.split()
    for line in """\
run
run --full-refresh
run -v --select fct_orders
run --jobs 2
run --cache rw
run --fail-fast --timeout 5
run --audit --vars a=1
run --from 2026-01-01 --to 2026-01-03 --step 1day
run --select result:error
run --select state:modified --state target
build
build --select orders+ --json
seed
seed --full-refresh --json
test
test --select fct_orders -v
utest
utest --json
plan
plan --cache ro --json
plan --from 1 --to 3 --step 1
plan --state target --select state:new
list
list --json
list --select +customers
list --changed-since HEAD
compile
compile --engine postgres
compile --json --select orders
show orders
show fct_orders --order-by amount --limit 1
show source:raw.orders --json
history
history orders --limit 2
retry
retry --json
source freshness
source sync --diff
run --defer --state target
run --env prod
list --env prod --json
""".splitlines()
]


def mutated_text(text: str, kind: str, choose: random.Random) -> str:
    """Return a text with a mistake of those that people, editors and merges make."""
    ways = (
        _without_a_line,
        _with_a_line_twice,
        _with_lines_swapped,
        _cut,
        _without_a_part,
        _with_a_word,
        _with_another_value,
        _indented,
    )
    return choose.choice(ways)(text, OF_KIND.get(kind, YAML), choose)


def _lines(text: str, choose: random.Random) -> tuple[list[str], int]:
    lines = text.splitlines(keepends=True) or [""]
    return lines, choose.randrange(len(lines))


def _without_a_line(text: str, _: Sequence[str], choose: random.Random) -> str:
    lines, at = _lines(text, choose)
    return "".join([*lines[:at], *lines[at + 1 :]])


def _with_a_line_twice(text: str, _: Sequence[str], choose: random.Random) -> str:
    lines, at = _lines(text, choose)
    return "".join([*lines[:at], lines[at], *lines[at:]])


def _with_lines_swapped(text: str, _: Sequence[str], choose: random.Random) -> str:
    lines, at = _lines(text, choose)
    other = choose.randrange(len(lines))
    lines[at], lines[other] = lines[other], lines[at]
    return "".join(lines)


def _cut(text: str, _: Sequence[str], choose: random.Random) -> str:
    return text[: choose.randint(0, len(text))]


def _without_a_part(text: str, _: Sequence[str], choose: random.Random) -> str:
    start = choose.randint(0, len(text))
    return text[:start] + text[start + choose.randint(1, 12) :]


def _with_a_word(text: str, words: Sequence[str], choose: random.Random) -> str:
    at = choose.randint(0, len(text))
    word = choose.choice([*words, *STARTS])
    return text[:at] + word + text[at:]


def _with_another_value(text: str, words: Sequence[str], choose: random.Random) -> str:
    """Put another word in the place of one, or of all that stands behind a colon."""
    found = list(re.finditer(r"(?<=: )\S.*|\w+|\S+", text))
    if not found:
        return choose.choice(words)
    place = choose.choice(found)
    return text[: place.start()] + choose.choice([*words, choose.choice(found)[0]]) + text[place.end() :]


def _indented(text: str, _: Sequence[str], choose: random.Random) -> str:
    lines, at = _lines(text, choose)
    lines[at] = choose.choice(["  ", "\t", " ", "- "]) + lines[at]
    return "".join(lines)


def mutated_json(value: Any, choose: random.Random) -> Any:
    """Return a JSON value of which a part is another one, or is missing."""
    if choose.random() < 0.25 or not isinstance(value, dict | list) or not value:
        return choose.choice([None, [], {}, "", "x", -1, 1e308, True, [[]], {"": None}, "\ud83d", {"name": 1}, 10**30])
    if isinstance(value, list):
        at = choose.randrange(len(value))
        return [*value[:at], mutated_json(value[at], choose), *value[at + 1 :]]
    key = choose.choice(list(value))
    if choose.random() < 0.2:
        return {name: item for name, item in value.items() if name != key}
    return {**value, key: mutated_json(value[key], choose)}


def mutate_project(folder: Path, choose: random.Random) -> list[str]:
    """Make one to three mistakes in the files of a project, and return what they are."""
    said = []
    for _ in range(choose.choice([1, 1, 1, 2, 3])):
        files = sorted(
            path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".duckdb", ".wal", ".bin")
        )
        if not files:
            break
        path = choose.choice([*files, *(file for file in files if file.suffix in (".yml", ".sql"))])
        name, way = path.relative_to(folder), choose.random()
        if way < 0.05:
            _FILES[choice := choose.choice(list(_FILES))](path)
            said.append(f"{name}: {choice}")
            continue
        text = path.read_text("utf-8", "surrogateescape")
        if path.suffix == ".json" and way < 0.7:
            try:
                new = json.dumps(mutated_json(json.loads(text), choose))
            except ValueError:
                new = mutated_text(text, path.suffix, choose)
        else:
            new = mutated_text(text, path.suffix, choose)
        path.write_text(new, "utf-8", "surrogatepass", newline="")
        said.append(f"{name}: {new if len(new) < 1500 else new[:1500]!r}")
    return said


def _be_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _lead_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "nothing")


def _lead_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


_FILES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "a folder": _be_a_folder,
    "a link to nothing": _lead_nowhere,
    "a link to itself": _lead_to_itself,
    "bytes": lambda path: path.write_bytes(bytes(range(256))),
    "NUL": lambda path: path.write_bytes(path.read_bytes()[:20] + b"\0" + path.read_bytes()[20:]),
    "UTF-16": lambda path: path.write_bytes(path.read_bytes().decode("utf-8", "replace").encode("utf-16")),
    "deep": lambda path: path.write_text("[" * 5000 + "]" * 5000),
    "deeper": lambda path: path.write_text("a:\n" + "".join(" " * depth + "a:\n" for depth in range(1, 1500))),
    "billion laughs": lambda path: path.write_text(
        "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    ),
}


def mutated_command(choose: random.Random) -> list[str]:
    """Return a command line, as a rule with a mistake in it."""
    words = list(choose.choice(COMMANDS))
    for _ in range(choose.choice([0, 0, 1, 1, 2])):
        at = choose.randrange(len(words) + 1)
        way = choose.random()
        if way < 0.3:
            words.insert(at, choose.choice(WORDS))
        elif way < 0.6 and len(words) > 1:
            words[min(max(at, 1), len(words) - 1)] = choose.choice(WORDS)
        elif way < 0.8:
            words[at:at] = choose.choice(choose.choice(COMMANDS)[1:] and [choose.choice(COMMANDS)[1:]] or [["--x"]])
        elif len(words) > 1:
            del words[min(at, len(words) - 1)]
    return [word for word in words if not word.startswith(("init", "/"))] or ["list"]
