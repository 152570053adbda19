"""What was found in files before, kept in `target/` so that a file is parsed once and not with each command.

Only what follows from a file's text alone is kept: the parts of a template, and the values of a YAML file. What
variables, macros, the environment or the engine make of them is found anew each time, so none of these can make it
stale.
"""

from __future__ import annotations

import contextlib
import marshal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from fastflowtransform import document, kept_file, template
from fastflowtransform.document import Section
from fastflowtransform.errors import Location
from fastflowtransform.files import read_text
from fastflowtransform.kept_file import Entries, key_of
from fastflowtransform.template import Template

Found = TypeVar("Found")

NAME = "parsed.bin"
_READERS = ("document.py", "plain_template.py", "template.py", "template_functions.py", "yaml_scalars.py")


class Kept:
    """What texts were parsed to, by the text and its file.

    Parameters
    ----------
    entries
        What is kept of earlier commands; without, all texts are parsed.
    """

    def __init__(self, entries: Entries | None = None) -> None:
        self.entries = entries or Entries()

    def template(self, path: Path) -> Template:
        """Return the template in a file; the errors are those of `read_text` and `compile_template`."""
        text, at = read_text(path), Location(path, 1)
        if (plain := template.plain(text, at)) is not None:
            return plain
        key = key_of("template", path, text)
        if (packed := self._found(key)) is not None:
            return template.unpacked(packed, text, at)
        return self._noted(key, template.compile_template(text, at), template.packed)

    def document(self, path: Path, title: str) -> Section:
        """Return the YAML of a file, whose errors are those of `read_document`."""
        text = read_text(path)
        key = key_of("document", path, text)
        if (packed := self._found(key)) is not None:
            return document.unpacked(packed, path, title)
        return self._noted(key, document.parse_document(text, path, title), document.packed)

    def _found(self, key: bytes) -> Any:
        return None if (entry := self.entries.get(key)) is None else marshal.loads(entry)

    def _noted(self, key: bytes, found: Found, packed: Callable[[Found], Any]) -> Found:
        # A value that marshal does not know, such as a date, is parsed each time.
        with contextlib.suppress(ValueError):
            self.entries.put(key, marshal.dumps(packed(found)))
        return found


@contextlib.contextmanager
def keeping(folder: Path, *, whole: bool = True) -> Iterator[Kept]:
    """Read what is kept of a project while the block runs, and write it where something was parsed in it.

    Parameters
    ----------
    folder
        The project's; what is kept stands in `target/`.
    whole
        Whether the block reads all of the project: else nothing is written, since what is kept of the rest would stay
        for ever.
    """
    path, by = folder / "target" / NAME, made_by()
    entries = Entries(lambda: kept_file.read(path, by))
    if not whole:
        yield Kept(entries)
        return
    # Until all files were read, what was not asked for is still wanted.
    wanted = {**entries.read}
    try:
        yield Kept(entries)
        wanted = {}
    finally:
        wanted.update(entries.used)
        if wanted.keys() != entries.read.keys():
            kept_file.write(path, by, wanted)


def made_by() -> bytes:
    """Return what the form of the entries depends on: the modules that parse, and what they parse with."""
    # A file's name is in each key, and so in the code that Jinja makes, for the lines of errors.
    return kept_file.made_by(_READERS, ["jinja2", "yaml"])
