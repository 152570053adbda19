"""What a function of the user's consists of: its own text, and that of all in the project that it can reach by name."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fastflowtransform.errors import Location
from fastflowtransform.python_text import text_of

_Function = ast.FunctionDef | ast.AsyncFunctionDef

_IMPORTERS = frozenset({"import_module", "__import__"})
_LOADERS = frozenset({"find_spec", "run_module", "run_path", "SourceFileLoader", "spec_from_file_location"})
"""Functions that bring in code by a name or a path that only the running program knows."""
_READERS = frozenset({"eval", "exec", "globals", "locals", "vars"})
"""Functions that reach a name without naming it."""
_OURS = frozenset({"fastflowtransform"})
_DECORATORS = frozenset({"model", "engine_model"})


def source_of(function: Callable[..., Any], at: Location, folder: Path) -> str:
    """Return the code that a function consists of, without comments, formatting, docstrings and its decorators.

    Of its own file that is what it names, and what that names in turn; of the other files that it imports, all: those
    of the project, and those in folders that `PYTHONPATH` names. Where it imports something by a name that is only
    known as it runs, all Python files of the project count.

    Parameters
    ----------
    function
        The function.
    at
        Its file, and the line on which it, or the first of its decorators, stands.
    folder
        The project's.
    """
    tree = _parsed(at.path)
    own = [node for node in tree.body if isinstance(node, _Function) and _first_line(node) == at.line]
    if not own or own[0].name != function.__name__:
        kept: list[ast.stmt] = tree.body
    else:
        own[0].decorator_list = [each for each in own[0].decorator_list if _callee(each) not in _DECORATORS]
        kept = _reached(own[0], tree)
    files: dict[Path, str] = {}
    for path in _imported(kept, at.path, folder):
        _follow(path, folder, files)
    return "\n".join([*map(ast.unparse, kept), *(files[path] for path in sorted(files))])


def _parsed(path: Path) -> ast.Module:
    tree = ast.parse(text_of(path))
    for node in ast.walk(tree):
        if isinstance(node, _Function | ast.ClassDef | ast.Module) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _first_line(node: _Function) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _callee(node: ast.expr) -> str:
    """Return the last part of the name that an expression calls, or is."""
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _reached(function: _Function, tree: ast.Module) -> list[ast.stmt]:
    """Return the statements of a file that a function needs; one that gives no name may do anything, and is kept."""
    kept = [node for node in tree.body if node is function or not _given(node)]
    wanted = {name for node in kept for name in _named(node)}
    while more := [node for node in tree.body if node not in kept and wanted & _given(node)]:
        kept += more
        wanted |= {name for node in more for name in _named(node)}
    return tree.body if wanted & _READERS else [node for node in tree.body if node in kept]


def _given(statement: ast.stmt) -> frozenset[str]:
    """Return the names that a statement at the top of a file gives."""
    if isinstance(statement, _Function | ast.ClassDef):
        return frozenset({statement.name})
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return frozenset((name.asname or name.name).partition(".")[0] for name in statement.names) - {"*"}
    if not isinstance(statement, ast.Assign | ast.AnnAssign):
        return frozenset()
    stored = (node for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return frozenset(node.id for node in stored)


def _named(node: ast.AST) -> Iterator[str]:
    return (found.id for found in ast.walk(node) if isinstance(found, ast.Name))


def _imported(statements: list[ast.stmt], path: Path, folder: Path) -> Iterator[Path]:
    """Yield the files that statements of a file import, wherever in them."""
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                for name in node.names:
                    yield from _found(name.name, folder)
            elif isinstance(node, ast.ImportFrom):
                yield from _imported_from(node, path, folder)
            elif isinstance(node, ast.Call) and _callee(node) in _IMPORTERS | _LOADERS:
                yield from _loaded(node, path, folder)


def _imported_from(node: ast.ImportFrom, path: Path, folder: Path) -> Iterator[Path]:
    names = [f"{node.module}.{name.name}" if node.module else name.name for name in node.names]
    for name in names:
        yield from _relative(name, node.level, path) if node.level else _found(name, folder)


def _loaded(call: ast.Call, path: Path, folder: Path) -> Iterator[Path]:
    """Yield the files that a call imports: those of its name, and where that is not a plain text, all."""
    name = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
    if _callee(call) in _LOADERS or not isinstance(name, str):
        yield from sorted(each for each in folder.rglob("*.py") if not _is_hidden(each.relative_to(folder)))
        return
    level = len(name) - len(name.lstrip("."))
    yield from _relative(name.lstrip("."), level, path) if level else _found(name, folder)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part in ("target", "__pycache__") for part in path.parts)


def _relative(module: str, level: int, path: Path) -> Iterator[Path]:
    """Yield the files of a module that is named from the package of a file; one dot is that package itself."""
    package = path.parents[level - 1]
    if (package / "__init__.py").is_file():
        yield package / "__init__.py"
    yield from _files(module, package)


def _found(module: str, folder: Path) -> Iterator[Path]:
    """Yield the files of a module that the project has, or else a folder that Python looks in beside installed ones."""
    if module.partition(".")[0] in _OURS:
        return
    for place in (folder, *_added()):
        files = list(_files(module, place))
        yield from files
        if files:
            return


def _added() -> Iterator[Path]:
    """Yield the folders that Python looks in, but for its own library and what is installed."""
    installed = _installed()
    for entry in sys.path:
        place = Path(entry or ".").absolute()
        if place.is_dir() and not any(place.is_relative_to(one) for one in installed):
            yield place


@functools.cache
def _installed() -> frozenset[Path]:
    import sysconfig

    places = {Path(path) for name, path in sysconfig.get_paths().items() if name in _LIBRARIES}
    return frozenset(places | {place.resolve() for place in places})


_LIBRARIES = ("stdlib", "platstdlib", "purelib", "platlib")


def _files(module: str, place: Path) -> Iterator[Path]:
    """Yield the files that importing a module runs, as far as they stand below a folder."""
    for part in module.split("."):
        place = place / part
        for path in (place / "__init__.py", place.with_name(f"{part}.py")):
            if path.is_file():
                yield path


def _follow(path: Path, folder: Path, files: dict[Path, str]) -> None:
    if path in files:
        return
    tree = _parsed(path)
    files[path] = ast.unparse(tree)
    for other in _imported(tree.body, path, folder):
        _follow(other, folder, files)
