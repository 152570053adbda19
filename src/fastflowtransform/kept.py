"""What was found in files before, kept in `target/` so that a file is parsed once and not with each command.

Only what follows from a file's text alone is kept: the parts of a template, and the values of a YAML file. What
variables, macros, the environment or the engine make of them is found anew each time, so none of these can make it
stale.
"""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from fastflowtransform import document, template
from fastflowtransform.document import Section, read_text
from fastflowtransform.errors import Location
from fastflowtransform.template import Template

Found = TypeVar("Found")

NAME = "parsed.bin"
_DIGEST = 32


class Kept:
    """What texts were parsed to, by the text and its file.

    Parameters
    ----------
    entries
        As `keeping` read them; none makes all texts be parsed.
    """

    def __init__(self, entries: Mapping[bytes, bytes] | None = None) -> None:
        self.read = entries or {}
        """What was read of earlier commands."""
        self.used: dict[bytes, bytes] = {}
        """What was asked for, which is what a later command will ask for."""

    def template(self, path: Path) -> Template:
        """Return the template in a file; the errors are those of `read_text` and `compile_template`."""
        text, at = read_text(path), Location(path, 1)
        if "{" not in text:
            return template.compile_template(text, at)
        key = _key("template", path, text)
        if (packed := self._found(key)) is not None:
            return template.unpacked(packed, text, at)
        return self._noted(key, template.compile_template(text, at), template.packed)

    def document(self, path: Path, title: str) -> Section:
        """Return the YAML of a file, whose errors are those of `read_document`."""
        text = read_text(path)
        key = _key("document", path, text)
        if (packed := self._found(key)) is not None:
            return document.unpacked(packed, path, title)
        return self._noted(key, document.parse_document(text, path, title), document.packed)

    def _found(self, key: bytes) -> Any:
        if (entry := self.read.get(key)) is None:
            return None
        self.used[key] = entry
        return marshal.loads(entry)

    def _noted(self, key: bytes, found: Found, packed: Callable[[Found], Any]) -> Found:
        # A value that marshal does not know, such as a date, is parsed each time.
        with contextlib.suppress(ValueError):
            self.used[key] = marshal.dumps(packed(found))
        return found


@contextlib.contextmanager
def keeping(folder: Path) -> Iterator[Kept]:
    """Read what is kept of a project while the block runs, and write it where something was parsed in it.

    A file that is missing, damaged or of another version counts as empty, and a folder that cannot be written to stays
    as it is: both cost time, and nothing else.

    Parameters
    ----------
    folder
        The project's; what is kept stands in `target/`.
    """
    path = folder / "target" / NAME
    kept = Kept(read(path))
    # Until all files were read, what was not asked for is still wanted.
    wanted = {**kept.read}
    try:
        yield kept
        wanted = {}
    finally:
        wanted.update(kept.used)
        if wanted.keys() != kept.read.keys():
            _write(path, wanted)


def _key(kind: str, path: Path, text: str) -> bytes:
    # The file's name is in the code that Jinja makes, for the lines of errors.
    return hashlib.blake2b(f"{kind}\0{path}\0{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _made_by() -> bytes:
    """Return what the form of the entries depends on: the modules that parse, and what they parse with."""
    sources = b"".join(Path(module.__file__).read_bytes() for module in (document, template) if module.__file__)
    words = [sys.version, *(version(name) for name in ("fastflowtransform", "jinja2", "pyyaml"))]
    return hashlib.sha256("\0".join(words).encode() + sources).digest()


def read(path: Path) -> Mapping[bytes, bytes]:
    """Return what a file holds that was written by this version; nothing where it is anything else."""
    try:
        content = path.read_bytes()
    except OSError:
        return {}
    made_by, digest, entries = content[:_DIGEST], content[_DIGEST : 2 * _DIGEST], content[2 * _DIGEST :]
    # Compared before it is unpacked: marshal trusts what it is given.
    if made_by != _made_by() or digest != hashlib.sha256(entries).digest():
        return {}
    found: Mapping[bytes, bytes] = marshal.loads(entries)
    return found


def _write(path: Path, entries: Mapping[bytes, bytes]) -> None:
    """Write beside the place and move it there, so that a reader never sees half of it, whoever else writes."""
    packed = marshal.dumps(dict(entries))
    with contextlib.suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        ignored = path.parent / ".gitignore"
        if not ignored.exists():
            ignored.write_text("*\n", encoding="utf-8")
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{NAME}.", delete=False) as beside:
            try:
                beside.write(_made_by() + hashlib.sha256(packed).digest() + packed)
                beside.close()
                Path(beside.name).replace(path)
            except OSError:
                Path(beside.name).unlink(missing_ok=True)
                raise
