"""The files of a project: found without leaving any out, read as text, and named without leaving the project.

A file that a project may need is read, or its path is in an error. Nothing is skipped but names that begin with a dot,
which editors, notebooks and systems keep for themselves.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path

from fastflowtransform.errors import BadPath, Location, UnreadableFile

LIMIT = 1 << 26
"""The largest text file that is read, in bytes."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_LONGEST_NAME = 200


def files_in(folder: Path, *endings: str) -> list[Path]:
    """Return the files in a folder and below whose names end so, sorted; none if there is no such folder.

    A link to a folder is followed, unless that folder holds `folder` itself. A folder that is reached in several ways
    is read once, by its own path if that is below `folder`.

    Parameters
    ----------
    folder
        The folder.
    endings
        Such as `.ff.sql`.

    Raises
    ------
    UnreadableFile
        A folder or a link cannot be read, or something with such a name is not a file, or a name is not UTF-8.
    """
    found: list[Path] = []
    if not _kind_of(folder):
        return found
    links = [folder]
    with _readable(folder):
        seen = {_identity(above) for above in Path(os.path.realpath(folder)).parents}
    while links:
        linked: list[Path] = []
        for link in sorted(links):
            linked += _read_folder(link, endings, seen, found)
        links = linked
    return sorted(found)


def _read_folder(folder: Path, endings: tuple[str, ...], seen: set[tuple[int, int]], found: list[Path]) -> list[Path]:
    """Add the files of a folder and of those below it to `found`, and return the links to folders."""
    links: list[Path] = []
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        with _readable(place):
            if (identity := _identity(place)) in seen:
                continue
            seen.add(identity)
            with os.scandir(place) as scanned:
                entries = [entry for entry in scanned if not entry.name.startswith(".")]
        for entry in entries:
            path = place / entry.name
            if entry.is_dir(follow_symlinks=False) and not entry.name.endswith(endings):
                waiting.append(path)
            elif entry.is_symlink() and _is_folder(path) and not entry.name.endswith(endings):
                links.append(path)
            elif entry.name.endswith(endings):
                _require_utf8(path)
                require_file(path)
                found.append(path)
    return links


def _identity(path: Path) -> tuple[int, int]:
    """Return what two paths of one folder share."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _is_folder(link: Path) -> bool:
    with _readable(link):
        return stat.S_ISDIR(link.stat().st_mode)


def _require_utf8(path: Path) -> None:
    shown = path.name.encode(errors="backslashreplace").decode()
    if shown != path.name:
        raise UnreadableFile(f'the name "{shown}" is not UTF-8', at=Location(path.parent), hint="rename the file")


def has_file(path: Path) -> bool:
    """Whether there is a file; what is there and cannot be read as one is an error.

    Raises
    ------
    UnreadableFile
        It is a folder, a link that leads nowhere, or anything else that is not a file; or its folder cannot be read.
    """
    if not _kind_of(path):
        return False
    require_file(path)
    return True


def require_file(path: Path) -> os.stat_result:
    """Return the status of a regular file.

    Raises
    ------
    UnreadableFile
        There is none, or it is anything else.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(status.st_mode):
        kind = next((words for applies, words in _KINDS if applies(status.st_mode)), "no file")
        raise UnreadableFile(f"this is {kind}, not a file", at=Location(path), hint="put a file there, or rename it")
    return status


def _kind_of(path: Path) -> int:
    """Return what the file system says a path is, links not followed; 0 if nothing is there."""
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


class _readable:
    """A stretch in which the file system is asked for a path, whose complaints are `UnreadableFile`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError):
            raise _unreadable(self._path, error) from error


def _unreadable(path: Path, error: OSError | ValueError) -> UnreadableFile:
    if not isinstance(error, OSError):
        return UnreadableFile("the path holds a NUL character", at=Location(path.parent))
    if os.path.islink(path) and error.errno in (errno.ENOENT, errno.ENOTDIR):
        target = os.readlink(path)
        return UnreadableFile(
            f'this is a link to "{target}", which is not there', at=Location(path), hint="mend the link, or remove it"
        )
    if error.errno == errno.ENOTDIR and os.path.isfile(path):
        return UnreadableFile(
            "this is a file, not a folder", at=Location(path), hint="put a folder there, or rename it"
        )
    if error.errno == errno.ELOOP:
        return UnreadableFile("this link leads to itself", at=Location(path), hint="mend the link, or remove it")
    what = "folder" if os.path.isdir(path) else "file"
    return UnreadableFile(f'cannot read the {what}: "{error.strerror}"', at=Location(path))


def read_text(path: Path) -> str:
    """Return a file's text.

    Raises
    ------
    UnreadableFile
        It cannot be opened, is not a regular file of at most `LIMIT` bytes, is not UTF-8, or holds a NUL character,
        behind which a database would not read a statement.
    """
    size = require_file(path).st_size
    if size > LIMIT:
        raise UnreadableFile(
            f'the file has "{size}" bytes, and a text may have {LIMIT}',
            at=Location(path),
            hint="split it; rows belong in seeds/, or in a table",
        )
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f'byte "0x{error.object[error.start]:02x}" is not UTF-8',
            at=Location(path, content[: error.start].count(b"\n") + 1),
            hint="save the file as UTF-8",
        ) from error
    if "\0" in text:
        line, column = place_of("\0", text)
        hint = "save the file as UTF-8" if text.count("\0") > len(text) // 4 else "take the character away"
        raise UnreadableFile(f'column "{column}" holds a NUL character', at=Location(path, line), hint=hint)
    # As text files are read: each line ends in "\n".
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def place_of(character: str, text: str) -> tuple[int, int]:
    """Return the line and the column of the first such character in a text; both count from 1.

    Examples
    --------
    >>> place_of("x", "a\\nbx")
    (2, 2)
    """
    before = text[: text.index(character)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def project_of(path: Path) -> Path:
    """Return the folder of the project that a file belongs to."""
    return next((folder for folder in path.parents if (folder / "project.yml").exists()), path.parent)


def inside(project: Path, folder: Path, name: str, at: Location) -> Path:
    """Return the path that a file of the project names, which has to be in the project.

    Parameters
    ----------
    project
        The project's folder.
    folder
        The folder that `name` counts from.
    name
        A relative path.
    at
        Where it is written.

    Raises
    ------
    BadPath
        It leads out of the project.
    """
    path = Path(os.path.normpath(folder / name))
    if "\0" in name or not path.is_relative_to(project):
        shown = name.replace("\0", "\\0")
        raise BadPath(
            f'the path "{shown}" leads out of the project', at=at, hint="name a file of the project, by a relative path"
        )
    return path


def file_name(name: str) -> str:
    """Return a file's name for the name of a model or a check: no two names share one, and none leads elsewhere.

    Examples
    --------
    >>> file_name("a/b"), file_name("..")
    ('a%2Fb', '%2E%2E')
    >>> len(file_name("a" * 1000))
    200
    """
    from urllib.parse import quote

    encoded = quote(name, safe=" ", errors="surrogatepass")
    if encoded.startswith("."):
        # A file of such a name would be hidden; and two dots are the folder above.
        encoded = encoded.replace(".", "%2E")
    if len(encoded) <= _LONGEST_NAME:
        return encoded
    # "=" is in no encoded name.
    digest = hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=10).hexdigest()
    return f"{encoded[: _LONGEST_NAME - len(digest) - 1]}={digest}"
