"""What is secret is shown nowhere: not on the terminal, not in `target/`, not in the ledger."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastflowtransform import secret_values
from fastflowtransform.engines.postgres_session import libpq
from fastflowtransform.secret_values import HIDDEN, SECRETS, Secrets
from tests.conftest import Answer, ProjectFolder, postgres_dsn

SECRET = "hunter2-Xq7"
DSN = f"postgresql://ada:{SECRET}@127.0.0.1:1/shop"

PG = "dev:\n  engine: postgres\n  postgres:\n    "

MISSPELT = {
    "the dsn stands one level too high": f"dev:\n  engine: postgres\n  dsn: {DSN}\n",
    "the dsn stands beside the profile": f"dev:\n  engine: postgres\ndsn: {DSN}\n",
    "the dsn is the engine": f"dev:\n  engine: {DSN}\n",
    "the dsn is the engine's settings": f"dev:\n  engine: postgres\n  postgres: {DSN}\n",
    "the dsn is the profile": f"dev: {DSN}\n",
    "the dsn is the file": f"{DSN}\n",
    "the dsn is a quoted file": f'"{DSN}"\n',
    "the dsn is a key": PG + f"? {DSN}\n",
    "the dsn is a key of the profile": f"dev:\n  engine: postgres\n  ? {DSN}\n",
    "the dsn is the profile's name": f"? {DSN}\n: {{engine: postgres}}\n",
    "the secret is a key": PG + f"dsn:\n      {SECRET}:\n",
    "the secret is a key beside": PG + f"{SECRET}: 1\n",
    "the dsn is a list": PG + f"dsn: [{DSN}]\n",
    "the dsn is a block list": PG + f"dsn:\n      - {DSN}\n",
    "the dsn is a mapping": PG + f"dsn: {{host: db, password: {SECRET}}}\n",
    "the settings are a list": PG + f"- dsn: {DSN}\n",
    "the profile is a list": f"dev:\n  - engine: postgres\n  - dsn: {DSN}\n",
    "the file is a list": f"- dev: {{engine: postgres, postgres: {{dsn: '{DSN}'}}}}\n",
    "the dsn has a tag": PG + f"dsn: !secret {DSN}\n",
    "the secret is a tag": PG + f"dsn: !{SECRET} x\n",
    "the secret is an alias": PG + f"dsn: *{SECRET}\n",
    "the secret is an anchor twice": f"dev:\n  a: &{SECRET} 1\n  b: &{SECRET} 2\n  c: *{SECRET}x\n",
    "the dsn is an alias of a mapping": f"x: &x {{dsn: '{DSN}'}}\ndev:\n  engine: postgres\n  postgres: {{dsn: *x}}\n",
    "the dsn is merged": f"x: &x {{dsns: '{DSN}'}}\ndev:\n  engine: postgres\n  postgres:\n    <<: *x\n",
    "the dsn's key is misspelt": PG + f"dns: {DSN}\n",
    "the dsn's key is another tool's": PG + f"url: {DSN}\n    host: db\n",
    "the password has a key of its own": PG + f"host: db\n    pass: {SECRET}\n",
    "the password stands beside the dsn": f"dev:\n  engine: postgres\n  postgres: {{dsn: h=d, pasword: {SECRET}}}\n",
    "the key stands twice": PG + f"dsn: {DSN}\n    dsn: {DSN}\n",
    "an @ is not escaped": PG + "dsn: postgresql://ada:hunter2@-Xq7@127.0.0.1:1/shop\n",
    "a / is not escaped": PG + "dsn: postgresql://ada:hunter2/-Xq7@127.0.0.1:1/shop\n",
    "a % is not escaped": PG + f"dsn: postgresql://ada:%zz{SECRET}@127.0.0.1:1/shop\n",
    "a # is not escaped": PG + f"dsn: 'postgresql://ada:#{SECRET}@127.0.0.1:1/shop'\n",
    "the scheme is another one": PG + f"dsn: mysql://ada:{SECRET}@127.0.0.1:1/shop\n",
    "the scheme is misspelt": PG + f"dsn: postgressql://ada:{SECRET}@127.0.0.1:1/shop\n",
    "the scheme is missing": PG + f"dsn: ada:{SECRET}@127.0.0.1:1/shop\n",
    "the scheme is a driver's": PG + f"dsn: postgresql+psycopg://ada:{SECRET}@127.0.0.1:1/shop\n",
    "the dsn is of JDBC": PG + f"dsn: jdbc:postgresql://127.0.0.1:1/s?password={SECRET}\n",
    "the port is no number": PG + f"dsn: postgresql://ada@127.0.0.1:{SECRET}/shop\n",
    "the password is a pair with a blank": PG + f"dsn: host=127.0.0.1 port=1 password={SECRET} {SECRET}\n",
    "the pair has no equals": PG + f"dsn: host=127.0.0.1 port=1 password {SECRET}\n",
    "the pair's key is misspelt": PG + f"dsn: host=127.0.0.1 port=1 pasword={SECRET}\n",
    "the query's key is misspelt": PG + f"dsn: postgresql://127.0.0.1:1/shop?pasword={SECRET}\n",
    "the query has no equals": PG + f"dsn: postgresql://127.0.0.1:1/shop?{SECRET}\n",
    "the dsn is not quoted Jinja": PG + f"dsn: {{{{ {SECRET} }}}}\n",
    "the dsn is half of Jinja": PG + f'dsn: "{DSN} {{{{ "\n',
    "the Jinja does not parse": PG + f"dsn: \"{{{{ env('A') {SECRET} }}}}\"\n",
    "the secret is a name of Jinja": PG + 'dsn: "{{ hunter2_Xq7 }}"\n',
    "the secret is a variable's name": PG + f"dsn: \"{{{{ env('{SECRET}') }}}}\"\n",
    "the string has no end": PG + f'dsn: "{DSN}\n',
    "the escape is unknown": PG + f'dsn: "\\q{SECRET}"\n',
    "the indent is wrong": f"dev:\n  engine: postgres\n  postgres:\n   dsn: {DSN}\n  x: 1\n : {SECRET}\n",
    "the value begins with a sign": PG + f"dsn: @{SECRET}\n",
    "a tab indents it": f"dev:\n  engine: postgres\n  postgres:\n\tdsn: {DSN}\n",
    "it is the path of another engine": f"dev:\n  engine: duckdb\n  duckdb:\n    path: {DSN}\n",
    "it is a number of another engine": f"dev:\n  engine: duckdb\n  duckdb:\n    path: w.duckdb\n    threads: {DSN}\n",
    "it is the jobs": f"dev:\n  engine: duckdb\n  jobs: {DSN}\n  duckdb: {{path: w.duckdb}}\n",
    "it is the schema of a number": f"dev:\n  engine: postgres\n  postgres: {{dsn: '{DSN}', lock_wait: {SECRET}}}\n",
    "the profile is of another name": f"prod:\n  engine: postgres\n  postgres: {{dsn: '{DSN}'}}\n",
}


def shown_by(project: ProjectFolder, answer: Answer) -> str:
    """Return all that a command has left behind: what it said, and what stands in `target/`."""
    files = [path for path in sorted((project.folder / "target").rglob("*")) if path.is_file()]
    return "\n".join([answer.out, answer.err, *(path.read_text("utf-8", "replace") for path in files)])


@pytest.mark.parametrize("case", MISSPELT)
@pytest.mark.parametrize("manner", [("run", "-v"), ("plan", "--json")])
def test_a_misspelt_profile_shows_nothing_of_its_secret(project: ProjectFolder, case: str, manner: tuple[str, str]):
    project.write({"models/a.ff.sql": "select 1 as id", "profiles.yml": MISSPELT[case]})

    answer = project.fft(*manner)

    shown = shown_by(project, answer)
    assert answer.code in (1, 2), answer
    assert "C900" not in shown
    assert not re.search("hunter2|Xq7", shown), shown


KEYS = st.sampled_from(["dev", "engine", "postgres", "dsn", "dsns", "password", "duckdb", "path", "schema", "x"])
LEAVES = st.sampled_from(
    ["postgres", "duckdb", "w.duckdb", DSN, SECRET, f"host=127.0.0.1 port=1 password={SECRET}", 1, None]
)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


@given(
    tree=st.dictionaries(st.just("dev"), TREES, min_size=1), cut=st.integers(0, 300), sign=st.sampled_from("@!*&'\"{:%")
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_no_profile_whatever_its_shape_shows_its_secret(project: ProjectFolder, tree: Mapping, cut: int, sign: str):
    text = yaml.safe_dump(tree)
    project.write({"models/a.ff.sql": "select 1 as id", "profiles.yml": text[:cut] + sign + text[cut:]})

    answer = project.fft("list")

    assert not re.search("hunter2|Xq7", answer.out + answer.err), (text, answer)


TABLE = "{{ config(materialized='table') }}\n"
LEAKS = {
    "an error of the warehouse": "select cast('{{ env('API_TOKEN') }}' as integer) as id",
    "a table that is not there": "select * from \"{{ env('API_TOKEN') }}\"",
    "a secret variable": "select cast('{{ var('api_key') }}' as integer) as id",
    "a variable marked secret": "select cast('{{ var('code') }}' as integer) as id",
    "another variable of the environment": "select cast('{{ env('PLANTED') }}' as integer) as id",
    "the rows of a failing check": "select '{{ env('API_TOKEN') }}' as id",
    "a comment": "select 1 as id -- {{ env('API_TOKEN') }}",
}


@pytest.mark.parametrize("case", LEAKS)
def test_the_environment_and_secret_variables_are_shown_nowhere(
    project: ProjectFolder, case: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("API_TOKEN", SECRET)
    monkeypatch.setenv("PLANTED", SECRET)
    project.write(
        {
            "project.yml": f"name: test\nsecret: [code]\nvars: {{api_key: {SECRET}, code: {SECRET}}}\n",
            "models/a.ff.sql": TABLE + LEAKS[case],
            "models/a.yml": "models: [{name: a, columns: [{name: id, tests: [{accepted_values: {values: ['x']}}]}]}]\n",
        }
    )

    answers = [
        project.fft(*words) for words in (["run", "-v"], ["test"], ["build", "--json"], ["compile"], ["show", "a"])
    ]

    shown = "\n".join(shown_by(project, answer) for answer in answers)
    notes = [
        project.sql(f"from demo.{name}")
        for name in ("fft_run", "fft_model_state")
        if name in str(project.sql("show tables"))
    ]
    assert SECRET not in shown, shown
    assert SECRET not in str(notes)
    assert HIDDEN in shown


def test_a_variable_of_the_command_line_is_shown_nowhere_and_retry_asks_for_it(project: ProjectFolder):
    project.write({"models/a.ff.sql": TABLE + "select cast('{{ var('token') }}' as integer) as id"})

    run = project.fft("run", "--vars", f"token={SECRET}")
    retry = project.fft("retry")

    notes = project.sql("select * from demo.fft_run")
    assert run.code == 1
    assert SECRET not in shown_by(project, run) + shown_by(project, retry) + str(notes)
    assert retry.code == 2
    assert "secret" in retry.err


@pytest.mark.parametrize(
    "said", [f"token {SECRET}", f"token=[{SECRET}", f"{{token: [{SECRET}", f"{{token: *{SECRET}}}"]
)
def test_a_variable_that_cannot_be_read_is_not_shown(project: ProjectFolder, said: str):
    answer = project.fft("run", "--vars", said)

    assert answer.code == 2
    assert SECRET not in answer.err


def test_files_that_hold_statements_or_rows_are_the_users_own(project: ProjectFolder):
    project.write({"models/a.ff.sql": "select 1 as id", "models/b.ff.sql": TABLE + "select cast('x' as int) as id"})

    project.fft("run")
    project.fft("compile")

    files = [path for path in (project.folder / "target").rglob("*") if path.suffix in (".sql", ".bin")]
    files.append(project.folder / "target" / "run_results.json")
    assert len(files) >= 4
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}


def test_a_statement_is_compiled_with_all_that_is_not_secret(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SINCE", "2026-01-01")
    project.write({"models/a.ff.sql": "select '{{ env('SINCE') }}' as a, {{ var('unique_key', 'order_id') }} as b"})

    project.fft("compile", "--vars", "unique_key=order_id")

    compiled = (project.folder / "target" / "compiled" / "a.sql").read_text()
    assert compiled == "select '2026-01-01' as a, order_id as b\n"


@pytest.mark.engine("postgres")
@pytest.mark.parametrize("password", ["p'w\"d 1", "pw%40{}", "ü€-secret", "a\\b=c&d?e#"])
def test_a_password_that_the_server_refuses_is_not_shown_however_it_is_escaped(project: ProjectFolder, password: str):
    server = psycopg.conninfo.conninfo_to_dict(postgres_dsn())
    uri = f"postgresql://nobody:{quote(password, safe='')}@/none?host={quote(str(server['host']), safe='')}"
    project.write(
        {"profiles.yml": f"dev: {{engine: postgres, postgres: {{dsn: '{uri}'}}}}\n", "models/a.ff.sql": "select 1"}
    )

    answer = project.fft("run", "-v")

    assert answer.code == 2
    assert password not in answer.err
    assert quote(password, safe="") not in answer.err


@given(st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=8, max_size=20))
def test_a_secret_is_hidden_in_each_way_in_which_it_is_escaped(secret: str):
    secrets = Secrets()
    secrets.add(secret)

    forms = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1], secret.replace("'", "''")}

    assert {secrets.redact(f"<{form}>") for form in forms} == {"<***>"}


def test_a_short_secret_is_not_looked_for_inside_of_other_words():
    secrets = Secrets()
    secrets.add("a", "cat")
    secrets.add("pass")

    assert secrets.redact('a cat passes "pass"') == 'a cat passes "***"'


def test_what_a_profile_says_of_places_is_shown_even_where_a_password_is_equal():
    SECRETS.clear()
    secret_values.learn_profiles(
        {
            "dev": {
                "engine": "postgres",
                "postgres": {"dsn": "postgresql://postgres:analytics@db/x", "schema": "analytics"},
            }
        }
    )

    shown = secret_values.redact("analytics.orders at postgresql://postgres:analytics@db/x")
    SECRETS.clear()

    assert shown == "analytics.orders at ***"


def test_the_log_of_a_defect_shows_no_secret(project: ProjectFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("API_TOKEN", SECRET)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("fastflowtransform.cli.session.select", lambda *_: {}[SECRET])
    project.write({"models/a.ff.sql": "select '{{ env('API_TOKEN') }}' as id"})

    answer = project.fft("list")

    (log,) = tmp_path.glob("fft-*.log")
    assert "C900" in answer.err
    assert SECRET not in answer.err + log.read_text()


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://",
        "postgresql://localhost",
        "postgres://ada:p%40ss@[fe80::1]:5432,db-2.example.org/shop?sslmode=require&application_name=a@b",
        "postgresql://ada:p:w?#=@db:5432,other:5433/shop",
        "postgresql://ada@%2Ftmp%2Fpg/shop",
        "postgresql:///shop?host=/tmp/pg",
        "host=db password='a://b@c' port=5432",
        "service=shop",
    ],
)
def test_each_dsn_that_libpq_understands_is_taken(dsn: str):
    assert libpq(dsn) == dsn
