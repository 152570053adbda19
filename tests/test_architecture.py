"""The house rules that a script can hold: the floors, who may import what, and a few sizes.

The floors refine the table of the design page: they add the modules that it does not name, and a floor wherever one
module of a row reads another. They are read from the source with `ast`, so an import counts wherever it is written.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

import pytest

from fastflowtransform import engines
from fastflowtransform.engines import preparing

PACKAGE = "fastflowtransform"
SRC = Path(__file__).parents[1] / "src" / PACKAGE

# From the ground up. A package stands for its modules, less those that are named on a floor of their own.
FLOORS = {
    "ground": ["working_folder"],
    "places": ["atomic_file", "dialects", "location", "plain_text", "row_values", "secret_values"],
    "words": ["errors", "names", "relation"],
    "yaml": ["yaml_nodes"],
    "grammar": ["files", "sql_comments", "template_functions", "plain_template", "yaml_scalars"],
    "texts": [
        "document",
        "graph",
        "kept_file",
        "results",
        "schedule",
        "starter",
        "steady",
        "streams",
        "template",
        "windows",
    ],
    "kept": ["kept", "python_text", "trimming"],
    "nouns": ["model", "report", "select", "settings"],
    "promises": ["arrow_types", "column_types", "contract", "pandas_columns"],
    "rule": ["config", "engines.notes", "engines.quoting", "incremental", "patterns", "seed_files", "terms"],
    "rows": ["engines.capabilities", "rows", "to_arrow"],
    "meaning": ["translation"],
    "engine": [
        "engines.base",
        "engines.compiling",
        "engines.evidence",
        "engines.interrupting",
        "engines.landing",
        "engines.messages",
        "engines.preparing",
        "engines.scratch",
    ],
    "work": ["work"],
    "thread": ["alone"],
    "shapes": ["attempts", "checks", "engines", "materializations", "sql_model", "workers"],
    "reading": ["py_model", "python_source", "reading", "source_columns", "sources"],
    "testing": ["frames", "own_checks", "own_names"],
    "declaring": ["declared", "utest.mark"],
    "whole": [PACKAGE, "project"],
    "wording": ["translating"],
    "binding": ["bound_columns"],
    "deciding": ["committing", "fingerprint", "freshness", "ledger", "normalize", "placing", "plan", "seed"],
    "comparing": ["ownership", "proof", "state"],
    "claiming": ["failing", "past"],
    "asking": ["run_checks"],
    "guarding": ["backfill", "gate"],
    "doing": ["compile", "run", "utest"],
    "telling": ["artifacts"],
    "terminal": ["console"],
    "door": ["cli"],
    "outside": ["__main__"],
}
FLOOR = {module: floor for floor, modules in enumerate(FLOORS.values()) for module in modules}

DRIVERS = {"_duckdb", "adbc_driver_postgresql", "duckdb", "psycopg", "pyspark"}
HEAVY = {"_duckdb", "duckdb", "ibis", "jinja2", "numpy", "pandas", "polars", "pyarrow", "rich", "sqlglot", "yaml"}
NOT_WARM = {"duckdb", "ibis", "numpy", "pandas", "pyarrow", "sqlglot"}
"""What a run of DuckDB has no need of where all is compiled; `duckdb` opens a database when it is imported."""

VAGUE = {"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}


def name_of(path: Path) -> str:
    """Return a file's module, without the package's name: `cli.run`; `cli` for its `__init__`."""
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or PACKAGE


TEXTS = {name_of(path): path.read_text(encoding="utf-8") for path in sorted(SRC.rglob("*.py"))}
TREES = {module: ast.parse(text) for module, text in TEXTS.items()}
NODES = [(module, node) for module, tree in TREES.items() for node in ast.walk(tree)]
LINES = sum(len(text.splitlines()) for text in TEXTS.values())


class Import(NamedTuple):
    """One imported module, by its full name."""

    name: str
    line: int
    for_types: bool

    @property
    def module(self) -> str:
        """Its name without the package's, where it is ours."""
        return self.name.removeprefix(f"{PACKAGE}.")

    @property
    def distribution(self) -> str:
        return self.name.partition(".")[0]


def imports(module: str) -> Iterator[Import]:
    """Yield what a module imports, at any depth."""
    guards = (node for node in ast.walk(TREES[module]) if isinstance(node, ast.If))
    typed = [guard for guard in guards if ast.unparse(guard.test).endswith("TYPE_CHECKING")]
    for_types = {node for guard in typed for statement in guard.body for node in ast.walk(statement)}
    for node in ast.walk(TREES[module]):
        for name in imported_names(node):
            yield Import(name, node.lineno, node in for_types)


def imported_names(node: ast.AST) -> list[str]:
    """Return the modules that a statement imports; `from package import name` names a module where there is one."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module is not None:
        names = [(f"{node.module}.{alias.name}", node.module) for alias in node.names]
        return [name if name.removeprefix(f"{PACKAGE}.") in TREES else parent for name, parent in names]
    return []


def own_imports(module: str) -> list[Import]:
    return [found for found in imports(module) if found.distribution == PACKAGE]


def floor(module: str) -> int:
    """Return a module's floor, or its package's; the ground for one that has none, which fails a test of its own."""
    return FLOOR.get(module, FLOOR.get(module.partition(".")[0], 0))


def is_too_high(module: str, found: Import) -> bool:
    """Whether an import goes up; or sideways, other than within a package or for a type."""
    within = "." in module + found.module and module.partition(".")[0] == found.module.partition(".")[0]
    above = floor(found.module) - floor(module)
    return above > 0 or (above == 0 and not within and not found.for_types)


def is_broad(node: ast.AST) -> bool:
    """Whether it is a handler, or a `suppress`, of every error."""
    if isinstance(node, ast.ExceptHandler):
        caught = [node.type]
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
        caught = [*node.args]
    else:
        return False
    kinds = [kind for each in caught for kind in (each.elts if isinstance(each, ast.Tuple) else [each])]
    return any(kind is None or ast.unparse(kind) in {"BaseException", "Exception"} for kind in kinds)


def is_unfrozen(node: ast.AST) -> bool:
    """Whether it is a dataclass whose fields can be set."""
    decorators = [ast.unparse(each) for each in node.decorator_list] if isinstance(node, ast.ClassDef) else []
    return any(each.startswith(("dataclass", "dataclasses.")) and "frozen=True" not in each for each in decorators)


def reads_environment(node: ast.AST) -> bool:
    names = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) and node.module == "os" else set()
    return bool(names & {"environ", "getenv"}) or (
        isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}
    )


def loaded_by(statement: str) -> set[str]:
    """Return the modules that a new process holds after a statement."""
    code = f"import sys; {statement}; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(SRC.parent)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    # The statement may have printed something, too.
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("module", TREES)
def test_each_module_stands_on_a_floor(module: str):
    names = {module, module.partition(".")[0]}

    assert names & FLOOR.keys(), f'"{module}" is on no floor: add it to FLOORS, above all that it imports'


def test_the_floors_name_only_modules_that_exist():
    assert not FLOOR.keys() - TREES.keys()


@pytest.mark.parametrize("module", TREES)
def test_a_module_imports_only_from_floors_below(module: str):
    wrong = [
        f'line {found.line} of "{module}", on floor {floor(module)}, imports "{found.module}" of {floor(found.module)}'
        for found in own_imports(module)
        if is_too_high(module, found)
    ]

    assert not wrong


def test_no_module_imports_itself_through_others():
    graph = {module: [found.module for found in own_imports(module) if not found.for_types] for module in TREES}

    TopologicalSorter(graph).prepare()


def test_the_package_itself_takes_only_the_decorators_of_python_files():
    assert {found.module for found in own_imports(PACKAGE)} <= {"own_checks", "py_model", "utest.mark"}


def test_only_an_engine_imports_a_driver():
    importers = {module for module in TREES if DRIVERS & {found.distribution for found in imports(module)}}

    assert all(module.startswith("engines.") for module in importers), importers


def test_our_own_engines_are_the_entry_points_of_this_package():
    ours = [found for found in entry_points(group="fft.engines") if found.value.startswith(PACKAGE)]

    assert {found.name: tuple(found.value.split(":")) for found in ours} == engines.OWN


def test_importing_the_command_line_loads_nothing_heavy():
    assert not loaded_by(f"import {PACKAGE}.cli") & HEAVY


def test_a_seed_of_everyday_values_loads_neither_ibis_nor_pandas(tmp_path: Path):
    (tmp_path / "seeds").mkdir()
    (tmp_path / "project.yml").write_text("name: test\n")
    (tmp_path / "profiles.yml").write_text("dev:\n  engine: duckdb\n  duckdb: {path: w.duckdb}\n")
    rows = "".join(f"{n},{n}.5,2026-01-{n:02},name {n},\n" for n in range(10, 20))
    (tmp_path / "seeds" / "rows.csv").write_text(f"id,amount,day,name,nothing\n{rows}")
    seed = f"from {PACKAGE} import cli; assert cli.call(['seed', {str(tmp_path)!r}]) == 0"

    # Arrow and DuckDB load pandas for what Python gives them, which takes longer than the rows.
    assert not loaded_by(seed) & {"ibis", "pandas"}


def test_an_increment_that_was_compiled_before_loads_no_compiler(tmp_path: Path):
    (tmp_path / "models").mkdir()
    (tmp_path / "project.yml").write_text("name: test\n")
    (tmp_path / "profiles.yml").write_text("dev:\n  engine: duckdb\n  duckdb: {path: w.duckdb}\n")
    config = "config(materialized='incremental', unique_key='id', updated_at='at')"
    cursor = "date '2026-01-01' + cast(n as integer) as at"
    query = f"select n as id, {cursor}, {{{{ var('v') }}}} as v from range({{{{ var('n') }}}}) t(n)"
    (tmp_path / "models" / "m.ff.sql").write_text(f"{{{{ {config} }}}} {query}")
    command = f"['run', {str(tmp_path)!r}, '--vars', 'n=%d', '--vars', 'v=%d']"
    code = f"from fastflowtransform import cli; assert cli.call({command}) == 0"

    first, second = loaded_by(code % (3, 1)), loaded_by(code % (5, 1))
    # A row that is new, and late ones that differ.
    compiled, once_more = loaded_by(code % (6, 2)), loaded_by(code % (9, 3))

    assert all("ibis" in loaded for loaded in (first, second, compiled))
    assert not once_more & NOT_WARM


@pytest.mark.parametrize("command", ["build", "test", "run --cache rw", "plan --cache rw", "history", "history m"])
def test_what_was_compiled_and_parsed_before_loads_no_compiler_and_no_parser(tmp_path: Path, command: str):
    files = {
        "project.yml": "name: test\n",
        "profiles.yml": "dev:\n  engine: duckdb\n  duckdb: {path: w.duckdb}\n",
        "models/a.ff.sql": "{{ config(materialized='table') }} select 1 as id",
        "models/m.ff.sql": "select lower('A') as v, id from {{ ref('a') }}",
        "models/schema.yml": "models: [{name: a, tests: [unique: {column: id}, expression: {expression: id < 9}]}, "
        "{name: m, tests: [relationships: {column: id, to: ref('a'), field: id}]}]",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    word, *more = command.split()
    code = "from fastflowtransform import cli; assert cli.call(%r) == 0"
    again = code % [word, *more, str(tmp_path)]
    assert "ibis" in loaded_by(code % ["build", str(tmp_path), "--cache", "rw"])
    loaded_by(again)

    assert not loaded_by(again) & NOT_WARM


def test_whatever_makes_rows_of_rows_has_a_part_in_what_is_kept():
    makers = {
        module
        for module, node in NODES
        if isinstance(node, ast.Call)
        and (ast.unparse(node.func) == "Derived" or ast.unparse(node.func).endswith((".then", ".into")))
    }

    sources = {source.removesuffix(".py").replace("/", ".") for source in preparing._SOURCES}
    assert {module for module in makers if not {module, module.partition(".")[0]} & sources} == set()


def test_nothing_that_is_kept_asks_a_clock():
    makers = [
        module for module in TREES if module == "incremental" or module.split(".")[0] in ("checks", "materializations")
    ]
    asked = {
        f"{module}: {node.func.attr}"
        for module, node in NODES
        if module in makers
        and isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("now", "today", "utcnow", "time", "random", "uuid4")
    }

    assert not asked


def test_every_error_is_caught_in_one_place_and_that_is_the_door():
    assert [module for module, node in NODES if is_broad(node)] == ["cli"]


def test_only_the_settings_read_the_environment():
    assert {module for module, node in NODES if reads_environment(node)} <= {"settings"}


def test_every_dataclass_is_frozen():
    assert not [f"{module}: {node.name}" for module, node in NODES if is_unfrozen(node)]


def test_objects_are_hardly_asked_what_they_are():
    called = [ast.unparse(node.func) for _, node in NODES if isinstance(node, ast.Call)]

    # Six admired codebases stand at 0.4 to 3 in a thousand lines, and the cautionary one at 13.5.
    assert 1000 * (called.count("getattr") + called.count("hasattr")) / LINES <= 4


def test_no_module_has_a_name_that_fits_anything():
    assert not [module for module in TREES if VAGUE & set(module.replace(".", "_").split("_"))]


def test_no_file_is_longer_than_500_lines():
    assert not {module: len(text.splitlines()) for module, text in TEXTS.items() if len(text.splitlines()) > 500}


def test_no_function_is_longer_than_60_lines():
    functions = [(module, node) for module, node in NODES if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    assert not [f"{module}: {node.name}" for module, node in functions if node.end_lineno - node.lineno >= 60]
