"""What a function of the user's consists of: its own text, and that of all in the project that it can reach by name."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fastflowtransform.document import read_text
from fastflowtransform.errors import Location

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def source_of(function: Callable[..., Any], at: Location, folder: Path) -> str:
    """Return the code that a function consists of, without comments, formatting, docstrings and its decorators.

    Of its own file that is what it names, and what that names in turn; of the other files of the project that it
    imports, all. What is imported by a name that is only known as it runs is not found.

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
        own[0].decorator_list = []
        kept = _reached(own[0], tree)
    files: dict[Path, str] = {}
    for path in _imported(kept, folder):
        _follow(path, folder, files)
    return "\n".join([*map(ast.unparse, kept), *(files[path] for path in sorted(files))])


def _parsed(path: Path) -> ast.Module:
    tree = ast.parse(read_text(path))
    for node in ast.walk(tree):
        if isinstance(node, _Function | ast.ClassDef | ast.Module) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _first_line(node: _Function) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _reached(function: _Function, tree: ast.Module) -> list[ast.stmt]:
    """Return the statements of a file that a function needs; one that gives no name may do anything, and is kept."""
    kept = [node for node in tree.body if node is function or not _given(node)]
    wanted = {name for node in kept for name in _named(node)}
    while more := [node for node in tree.body if node not in kept and wanted & _given(node)]:
        kept += more
        wanted |= {name for node in more for name in _named(node)}
    return [node for node in tree.body if node in kept]


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


def _imported(statements: list[ast.stmt], folder: Path) -> Iterator[Path]:
    """Yield the files of the project that statements import, wherever in them."""
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                for name in node.names:
                    yield from _files(name.name, folder)
            elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
                for name in node.names:
                    yield from _files(f"{node.module}.{name.name}", folder)


def _files(module: str, folder: Path) -> Iterator[Path]:
    """Yield the files that importing a module runs, as far as they stand in the project."""
    place = folder
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
    for other in _imported(tree.body, folder):
        _follow(other, folder, files)
