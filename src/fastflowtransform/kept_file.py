"""A file in `target/` that keeps what a command has found for the next one.

It is never the truth of anything: one that is missing, damaged, of another version or of another user counts as empty,
and a folder that cannot be written to stays as it is. Both cost time, and nothing else.

It is sealed with a key of the user's, since it holds code that runs and SQL that is sent: one that came with somebody
else's project is not read. Where there is no place for a key, nothing is kept.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import marshal
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

from fastflowtransform.atomic_file import write_whole

_DIGEST = 32


class Entries:
    """What is kept, by the digest of what it was found for; threads may share it.

    Parameters
    ----------
    read
        Reads what earlier commands have kept, once something is asked for.
    """

    def __init__(self, read: Callable[[], Mapping[bytes, bytes]] = dict) -> None:
        self._read = read
        self.used: dict[bytes, bytes] = {}
        """What was asked for in this command, which is what a later one will ask for."""

    @functools.cached_property
    def read(self) -> Mapping[bytes, bytes]:
        """Return what earlier commands have kept."""
        return self._read()

    def get(self, key: bytes) -> bytes | None:
        """Return what is kept under a key."""
        found = self.used.get(key)
        if found is None and (found := self.read.get(key)) is not None:
            self.used[key] = found
        return found

    def put(self, key: bytes, value: bytes) -> None:
        """Keep something under a key."""
        self.used[key] = value


def key_of(*parts: object) -> bytes:
    """Return the key of what follows from the parts alone."""
    return hashlib.blake2b("\0".join(map(str, parts)).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def made_by(sources: Iterable[str], packages: Iterable[str]) -> bytes:
    """Return a digest of what entries depend on beside their keys.

    Parameters
    ----------
    sources
        Files and folders of this package that have a part in them, by their path in it.
    packages
        Installed packages that have. What is installed beside them counts too: to look up a version takes ten times
        what it takes to list a folder.
    """
    own = Path(__file__).parent
    files = [path for source in sources for path in (sorted((own / source).glob("*.py")) or [own / source])]
    texts = b"\0".join(path.read_bytes() for path in files)
    folders = {str(Path(spec.origin).parents[1]) for name in packages if (spec := find_spec(name)) and spec.origin}
    found = sorted(name for folder in folders for name in os.listdir(folder) if name.endswith(".dist-info"))
    return hashlib.sha256("\0".join([sys.version, *found]).encode() + texts).digest()


def read(path: Path, made_by: bytes) -> Mapping[bytes, bytes]:
    """Return the entries of a file that was made by the same; none where it is anything else."""
    try:
        content = path.read_bytes()
    except OSError:
        return {}
    by, seal, entries = content[:_DIGEST], content[_DIGEST : 2 * _DIGEST], content[2 * _DIGEST :]
    # Compared before it is unpacked: marshal trusts what it is given.
    key = _key() if by == made_by else None
    if key is None or not hmac.compare_digest(seal, _seal(key, by, entries)):
        return {}
    found: Mapping[bytes, bytes] = marshal.loads(entries)
    return found


def write(path: Path, made_by: bytes, entries: Mapping[bytes, bytes]) -> None:
    """Write beside the place and move it there, so that a reader never sees half of it, whoever else writes."""
    if (key := _key()) is None:
        return
    packed = marshal.dumps(dict(entries))
    with contextlib.suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        ignored = path.parent / ".gitignore"
        if not ignored.exists():
            write_whole(ignored, b"*\n")
        write_whole(path, made_by + _seal(key, made_by, packed) + packed, 0o600)


def _seal(key: bytes, made_by: bytes, entries: bytes) -> bytes:
    return hmac.digest(key, made_by + entries, "sha256")


@functools.cache
def _key() -> bytes | None:
    """Return the user's own key, which is made once; None where there is no place for it that is the user's alone."""
    try:
        path = Path.home() / ".cache" / "fastflowtransform" / "key"
        if not path.is_file():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, os.urandom(_DIGEST), 0o600)
        # Read again: of two commands that make it at once, one has the last word.
        key = path.read_bytes()
        is_own = not hasattr(os, "getuid") or path.stat().st_uid == os.getuid()
    except (OSError, RuntimeError):
        return None
    return key if is_own and len(key) == _DIGEST else None
