"""Python files of a project, compiled from the text that was read.

Python keeps what it compiles in `__pycache__`, and takes it for current by the time and the size of the file: a file
that was changed twice within a second, or restored with its old time, would run as it was. Nothing of a project is
compiled to such a file or taken from one. And each text is read once: a model's fingerprint is about the code that
runs, also where the file is edited meanwhile.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import Any

from fastflowtransform.files import read_text

_read: dict[Path, str] = {}
_folders: dict[Path, Callable[[str], Any]] = {}


def text_of(path: Path) -> str:
    """Return the text of a file: as it was compiled or read first in this command.

    Raises
    ------
    UnreadableFile
        It cannot be read, or is not UTF-8.
    """
    if path not in _read:
        _read[path] = read_text(path)
    return _read[path]


def spec_of(name: str, path: Path) -> ModuleSpec:
    """Return what Python makes a module of a file from, by its text."""
    spec = spec_from_file_location(name, path, loader=_FromText(name, str(path)))
    assert spec is not None
    return spec


def compile_from_text(folder: Path) -> None:
    """Let what is imported from a project's folder, and below it, be compiled from its text."""
    if folder not in _folders:
        _folders[folder] = FileFinder.path_hook((ExtensionFileLoader, EXTENSION_SUFFIXES), (_FromText, SOURCE_SUFFIXES))
        if _finder not in sys.path_hooks:
            sys.path_hooks.insert(0, _finder)
        for place in [place for place in sys.path_importer_cache if _is_below(place, folder)]:
            del sys.path_importer_cache[place]


def forget(folder: Path) -> None:
    """Forget what was read of a project, and what was imported of any: this process may have run a command before."""
    for path in [path for path in _read if path.is_relative_to(folder)]:
        del _read[path]
    if not _folders:
        return
    importlib.invalidate_caches()
    sys.path[:] = [place for place in sys.path if Path(place) not in _folders]
    for name, module in list(sys.modules.items()):
        if isinstance(getattr(module, "__loader__", None), _FromText) or _is_folder_of_a_project(module):
            del sys.modules[name]


class _FromText(SourceFileLoader):
    """Loads a module from its text, and never from what an earlier command compiled."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile the file's text."""
        path = self.get_filename(fullname)
        return compile(text_of(Path(path)), path, "exec", dont_inherit=True)


def _finder(place: str) -> Any:
    """Return what looks for modules in a folder of a project; an `ImportError` leaves all others to Python."""
    for folder, hook in _folders.items():
        if _is_below(place, folder):
            return hook(place)
    raise ImportError(f'"{place}" is in no project')


def _is_folder_of_a_project(module: object) -> bool:
    """Whether a module is a folder without an `__init__.py`, which no loader of ours has loaded."""
    places = () if getattr(module, "__file__", None) else getattr(module, "__path__", ())
    return any(_is_below(place, folder) for place in places for folder in _folders)


def _is_below(place: str, folder: Path) -> bool:
    return Path(place).is_relative_to(folder)
