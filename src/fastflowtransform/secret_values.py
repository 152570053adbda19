"""Values that no output may show, and the one function that hides them.

They are learnt where they are read: the values of a profile, the environment variables that `env()` gives, and the
variables that are secret. All that leaves the process passes `redact`: the terminal, the files in `target/`, the rows
of the ledger, and the log of a defect.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote

HIDDEN = "***"
"""What stands in the place of a secret."""

_SHORTEST = 4
"""Characters of the shortest secret that is looked for: shorter ones stand in too many other words."""
_LONG = 8
"""From this length on, a secret is hidden inside of a longer word too."""
_PUBLIC = {
    *("app_name", "catalog", "database", "engine", "jars", "jobs", "lock_wait", "master", "memory_limit", "path"),
    *("schema", "table_format", "temp_directory", "threads", "version", "warehouse_dir"),
}
"""The settings of profiles that say where something is, and how much of it: these may be shown."""
_STRONG = re.compile(
    r"password|passwd|passphrase|passcode|secret|token|credential|api_?key|access_?key|private_?key", re.IGNORECASE
)
_WEAK = re.compile(r"(?:^|[_.\-])(?:pass|pwd|dsn|keys?|auth|pat|passfile)(?:$|[_.\-])", re.IGNORECASE)
_OF_ROWS = re.compile(
    r"(?:unique|primary|foreign|partition|sort|cluster|clustering|dist|join|natural|surrogate|business|merge|order|"
    r"group|row|hash|date)_keys?|keys?_(?:columns?|cols?|names?|fields?)|(?:old)?pwd",
    re.IGNORECASE,
)
"""Names of keys that are columns, and the working directory's."""
_ORDINARY = re.compile(r"[\d\s.,:+\-/TZ]*|true|false|yes|no|on|off|null|none|auto", re.IGNORECASE)
"""Values that are no secret where the name does not say so: numbers, dates and words of yes or no."""
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*:/{1,2}[^\s:/@'\"]*):[^\s'\"]+@")
_PAIR = re.compile(r"([A-Za-z_][\w.\-]*)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|\"([^\"]*)\"|([^\s&;,'\"]+))")


class Secrets:
    """The values of a process that are not to be shown."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._public: set[str] = set()
        self._forms: tuple[str, ...] | None = ()
        self._lock = threading.Lock()

    def add(self, *values: str) -> None:
        """Hide values from now on, and the passwords that stand in them."""
        new = {part for value in values for part in (value, *credentials(value))} - self._values
        if new:
            with self._lock:
                self._values |= new
                self._forms = None

    def allow(self, *values: str) -> None:
        """Show values even where a secret is equal to them, as a password may be to a schema's name."""
        with self._lock:
            self._public |= {value.casefold() for value in values}
            self._forms = None

    def clear(self) -> None:
        """Forget all values."""
        with self._lock:
            self._values, self._public, self._forms = set(), set(), ()

    def redact(self, text: str) -> str:
        """Return a text in which `***` stands for each secret, in whatever way it is escaped.

        Examples
        --------
        >>> secrets = Secrets()
        >>> secrets.add("postgresql://ada:s3%40cret@db/shop")
        >>> secrets.redact('no pg_hba.conf entry for "s3@cret", see postgresql://ada:s3%40cret@db/shop')
        'no pg_hba.conf entry for "***", see ***'
        >>> secrets.redact("https://bob:hunter2@example.org is a text of the user's")
        "https://bob:***@example.org is a text of the user's"
        """
        forms = self._forms
        if forms is None:
            with self._lock:
                forms = self._forms = self._spelt()
        if forms and (found := [form for form in forms if form in text]):
            text = re.sub("|".join(map(_pattern, found)), HIDDEN, text)
        return _URI.sub(rf"\1:{HIDDEN}@", text) if ":/" in text and "@" in text else text

    def _spelt(self) -> tuple[str, ...]:
        forms = {form for value in self._values if value.casefold() not in self._public for form in _forms(value)}
        long = {form for form in forms if len(form) >= _SHORTEST and form.casefold() not in self._public}
        return tuple(sorted(long, key=len, reverse=True))


SECRETS = Secrets()


redact = SECRETS.redact
"""Returns a text without the secrets of this process."""


def redact_values(value: Any) -> Any:
    """Return a JSON value in whose texts no secret stands; keys are not touched."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: redact_values(item) for key, item in value.items()}
    return [redact_values(item) for item in value] if isinstance(value, list | tuple) else value


@functools.cache
def is_secret(name: str) -> bool:
    """Whether a name says that its value is secret.

    Examples
    --------
    >>> [name for name in ("db_password", "apiKey", "key", "unique_key", "schema", "PWD") if is_secret(name)]
    ['db_password', 'apiKey', 'key']
    """
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    if _STRONG.search(snake):
        return True
    return _WEAK.search(_OF_ROWS.sub("", snake)) is not None


def holds_secret(value: object) -> bool:
    """Whether a value has a key below it whose name is secret, or a password in one of its texts."""
    return any(is_secret(key) or credentials(text) for key, text in _scalars(value, ""))


def learn_profiles(values: object) -> None:
    """Hide all values of `profiles.yml`, but for those that say where something is."""
    for key, value in _scalars(values, ""):
        if key in _PUBLIC or key.startswith("extra_conf.") and not is_secret(key):
            SECRETS.add(*credentials(value))
            SECRETS.allow(value)
        elif not _ORDINARY.fullmatch(value) or is_secret(key):
            SECRETS.add(value)


def learn_environment(name: str, value: str) -> None:
    """Hide an environment variable that a template or a profile asks for."""
    if is_secret(name) or (len(value) >= _SHORTEST + 2 and not _ORDINARY.fullmatch(value)):
        SECRETS.add(value)


def learn_shell(variables: Mapping[str, str]) -> None:
    """Hide the environment variables whose names say that they are secret, whoever asks for them."""
    SECRETS.add(*(value for name, value in variables.items() if _STRONG.search(name)))


def learn_variables(variables: Mapping[str, Any], secret: Iterable[str] = ()) -> None:
    """Hide the variables whose names say that they are secret, and those that are said to be."""
    marked = set(secret)
    for name, value in variables.items():
        if name in marked or is_secret(str(name)):
            SECRETS.add(*(text for _, text in _scalars(value, "")))


def credentials(text: str) -> set[str]:
    """Return the passwords that stand in a connection string, in each way in which it can be read.

    Examples
    --------
    >>> sorted(credentials("postgresql://ada:p%40ss@db/shop?sslpassword=two"))
    ['p%40ss', 'p@ss', 'two']
    >>> sorted(credentials("host=db password='s3 cret'"))
    ['s3 cret']
    >>> credentials("demo.duckdb")
    set()
    """
    found: set[str] = set()
    _, mark, rest = text.partition("://")
    if mark and "@" in rest:
        password = rest[: rest.rindex("@")].partition(":")[2]
        # Where an @ or a / is not escaped, a driver takes a part of the password for the host, and shows that.
        found |= {password, *re.split(r"[@/]", password)}
    if "=" in text:
        for name, *ways in _PAIR.findall(text):
            if is_secret(name):
                found |= set(ways)
        found |= {value for name, value in parse_qsl(text.partition("?")[2]) if is_secret(name)}
    return {form for value in found for form in (value, unquote(value))} - {""}


def _scalars(value: object, key: str) -> Iterator[tuple[str, str]]:
    """Yield each text and number below a value, with its key; a list's items have the list's."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _scalars(item, f"{key}.{name}" if key.startswith("extra_conf") else str(name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _scalars(item, key)
    elif value is not None and not isinstance(value, bool):
        yield key, str(value)


def _forms(value: str) -> Iterator[str]:
    """Yield the ways in which messages, statements and files spell a value."""
    for text in {value, value.strip(), unquote(value)}:
        yield from (text, quote(text, safe="", errors="replace"), quote_plus(text, errors="replace"))
        yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1])
        yield text.replace("'", "''")
        with contextlib.suppress(UnicodeError):
            yield text.encode("unicode_escape").decode()
    if "\n" in value:
        yield from (line.strip() for line in value.splitlines() if len(line.strip()) >= _LONG)


def _pattern(form: str) -> str:
    """Return a pattern for a form; a short one is not looked for inside of other words."""
    if len(form) >= _LONG:
        return re.escape(form)
    before = r"(?<!\w)" if form[0].isalnum() else ""
    return before + re.escape(form) + (r"(?!\w)" if form[-1].isalnum() else "")
