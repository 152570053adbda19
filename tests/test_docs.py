"""The documentation says what the program does: its examples are run, and its lists are compared with the code."""

from __future__ import annotations

import ast
import inspect
import re
import runpy
from dataclasses import fields
from pathlib import Path

import pytest
from markdown.extensions.toc import slugify

from fastflowtransform import checks, cli, errors
from fastflowtransform.results import Outcome

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "src" / "fastflowtransform"
GENERATE = runpy.run_path(str(DOCS / "_generate.py"))

# The quickstart takes long, because each of its commands is a process.
PAGES = [
    pytest.param(
        page, id=page.relative_to(DOCS).as_posix(), marks=[pytest.mark.slow] if page.name == "quickstart.md" else []
    )
    for page in sorted(DOCS.rglob("*.md"))
]
CLASSES = {cls.code: cls for cls in errors.error_classes()}
READERS = {
    "choice",
    "duration",
    "flag",
    "has",
    "integer",
    "raw",
    "required_text",
    "section",
    "sections",
    "text",
    "texts",
}


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """Return the text below a heading, up to the next one."""
    return re.split(r"^#+ .*$", page.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def anchors(page: Path) -> set[str]:
    """Return what a link to a page can end in."""
    bare = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", bare, flags=re.MULTILINE)
    return {slugify(re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", ""), "-") for heading in headings}


def links(page: Path) -> list[tuple[Path, str]]:
    """Return the file and anchor of each link of a page that leads to a page."""
    found = re.findall(r"\]\((?!\w+:)([^)#\s]*)#?([^)\s]*)\)", page.read_text(encoding="utf-8"))
    return [((page.parent / path).resolve() if path else page, anchor) for path, anchor in found]


def keys_read_in(path: Path) -> set[str]:
    """Return the keys that a module asks a mapping of the user's for."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READERS:
            found |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
        elif isinstance(node, ast.For | ast.comprehension) and isinstance(node.iter, ast.Tuple):
            found |= {item.value for item in node.iter.elts if isinstance(item, ast.Constant)}
    return found


def not_named(words: set[str], page: str) -> set[str]:
    """Return the words that do not stand in any `code` of a page's tables and sentences."""
    named = {word for code in re.findall(r"`([^`\n]+)`", page) for word in re.findall(r"\w+", code)}
    return words - named


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_what_its_examples_give(page: Path):
    assert page.read_text(encoding="utf-8") == GENERATE["renewed"](page), "python docs/_generate.py writes it anew"


def test_the_demo_shows_the_same_rows_on_each_engine():
    tabs = re.findall(
        r'^=== "(\w+)"\n\n    ```\w+\n    \$[^\n]*\n(.*?)^    ```$',
        text("examples/incremental_demo.md"),
        re.MULTILINE | re.DOTALL,
    )
    shown = {engine: rows.splitlines() for engine, rows in tabs}

    assert list(shown) == ["DuckDB", "Postgres", "Spark"]
    assert shown["Spark"] == shown["Postgres"] == shown["DuckDB"]
    assert shown["DuckDB"][-1].strip() == "6 rows"


@pytest.mark.parametrize("page", PAGES)
def test_a_python_block_is_run(page: Path):
    fences = re.findall(r"^ *```[ {.]*(\S*).*$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)

    assert not {"py", "python3", "pycon"} & set(fences), 'call it "python", and it is run, or written where it is read'


@pytest.mark.parametrize("page", PAGES)
def test_a_link_leads_somewhere(page: Path):
    broken = [
        f"{target.relative_to(ROOT)}#{anchor}"
        for target, anchor in links(page)
        if not target.is_file() or (anchor and anchor not in anchors(target))
    ]

    assert not broken


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_nothing_of_the_machine_it_was_written_on(page: Path):
    assert not re.search(r"/work/|/root\b|/tmp/(?!fft-1x2y3z4w)|/venv/", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_a_command_has_a_section_with_its_help(command: str):
    assert f"$ fft {command} --help\n" in section(text("reference/cli.md"), f"## fft {command}")


def test_the_command_line_page_has_no_command_that_is_not_there():
    assert re.findall(r"^## fft (\w+)$", text("reference/cli.md"), flags=re.MULTILINE) == list(cli.COMMANDS)


@pytest.mark.parametrize("code", CLASSES)
def test_an_error_has_an_entry_with_its_sentence(code: str):
    entry = section(text("reference/errors.md"), f"### {code} {CLASSES[code].__name__}")

    assert " ".join((inspect.getdoc(CLASSES[code]) or "").split()) in entry
    assert "What to do: " in entry


def test_the_page_of_errors_has_no_code_that_is_not_there():
    assert set(re.findall(r"^### (\w+) ", text("reference/errors.md"), flags=re.MULTILINE)) == set(CLASSES)


@pytest.mark.parametrize("module", ["config.py", "py_model.py"])
def test_each_key_of_a_model_is_documented(module: str):
    assert not not_named(keys_read_in(PACKAGE / module), text("reference/config_keys.md"))


@pytest.mark.parametrize("module", ["contract.py", "engines/duckdb.py", "project.py", "settings.py", "sources.py"])
def test_each_key_of_a_file_is_documented(module: str):
    assert not not_named(keys_read_in(PACKAGE / module), text("reference/project_files.md"))


@pytest.mark.parametrize("module", ["declared.py", "own_checks.py", "terms.py"])
def test_each_key_of_a_check_is_documented(module: str):
    assert not not_named(
        keys_read_in(PACKAGE / module), text("reference/checks.md") + text("reference/project_files.md")
    )


def test_each_key_of_a_unit_test_is_documented():
    assert not not_named(keys_read_in(PACKAGE / "utest" / "read.py"), text("reference/unit_tests.md"))


@pytest.mark.parametrize("check", checks.BY_NAME)
def test_a_check_has_an_entry_with_what_its_module_says(check: str):
    # tests/checks/test_checks.py holds the module's docstring to the arguments that it reads.
    assert f"\n{GENERATE['entry'](check)}".rstrip() in text("reference/checks.md")
    assert f"[`{check}`](#{check})" in text("reference/checks.md").partition("\n## ")[0]


def test_the_page_of_checks_has_no_check_that_is_not_there():
    entries = text("reference/checks.md").partition("\n## The checks\n")[2]

    assert re.findall(r"^## (\w+)$", entries, flags=re.MULTILINE) == list(checks.BY_NAME)


def test_each_event_is_documented():
    sources = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))

    assert not not_named(set(re.findall(r'\.event\(\s*"(\w+)"', sources)), text("reference/artifacts.md"))


def test_each_field_of_an_outcome_is_documented():
    assert not not_named({field.name for field in fields(Outcome)}, text("reference/artifacts.md"))
