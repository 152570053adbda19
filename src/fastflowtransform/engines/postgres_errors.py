"""PostgreSQL's errors in our words, without what the DSN keeps secret."""

from __future__ import annotations

import contextlib
import re
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import adbc_driver_manager as adbc

from fastflowtransform.engines.messages import whole_line
from fastflowtransform.errors import (
    ConnectionFailed,
    ConnectionLost,
    EngineError,
    Location,
    OutOfSpace,
    RelationMissing,
    ServerStarting,
    TimedOut,
    WriteConflict,
)

# By SQLSTATE, or by its first two characters where all of a class mean the same.
_KINDS: dict[str, tuple[type[EngineError], str | None]] = {
    "08": (ConnectionLost, None),
    "57P01": (ConnectionLost, None),
    "57P02": (ConnectionLost, None),
    "57P03": (ConnectionLost, None),
    "40001": (WriteConflict, None),
    "40P01": (WriteConflict, None),
    "55P03": (WriteConflict, None),
    "42P01": (RelationMissing, None),
    "3F000": (RelationMissing, None),
    "57014": (TimedOut, "raise statement_timeout in the dsn, or let the model read less"),
    "53": (OutOfSpace, None),
    "53100": (OutOfSpace, "make room on the server's disk"),
    "53200": (OutOfSpace, "give the server more memory, or set a smaller work_mem"),
    "53300": (OutOfSpace, "end other connections, or raise max_connections"),
    "42501": (EngineError, 'grant the role what the page "Postgres" lists under rights'),
}
_SECRETS = ("password", "sslpassword", "passfile", "oauth_client_secret")


class Translated(contextlib.AbstractContextManager[None]):
    """Turns the driver's errors into ours; `sql` is what was sent, where that is one statement."""

    def __init__(self, sql: str | None, dsn: str) -> None:
        self._sql = sql
        self._dsn = dsn

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        import pyarrow as pa

        if isinstance(error, adbc.Error):
            ours = _translated(error, self._sql, self._dsn)
        elif isinstance(error, (OSError, pa.ArrowException)) and "[libpq]" in str(error):
            # What fails while rows are streamed comes out of Arrow, without a code.
            ours = _without_code(str(error), self._dsn)
        else:
            return
        if isinstance(ours, EngineError):
            ours.sql = self._sql
        raise ours from error


def _translated(error: Any, sql: str | None, dsn: str) -> BaseException:
    details = {name.removeprefix("PG_DIAG_"): _text(value) for name, value in _named(error.details)}
    state = details.get("SQLSTATE") or error.sqlstate
    if state is None:
        return _without_code(str(error), dsn)
    message = details.get("MESSAGE_PRIMARY") or _first_line(str(error))
    if state == "57014" and "user request" in message:
        return KeyboardInterrupt()
    kind, hint = _KINDS.get(state) or _KINDS.get(state[:2]) or (EngineError, None)
    more = details.get("MESSAGE_DETAIL")
    position = details.get("STATEMENT_POSITION")
    return kind(
        redacted(f"{message}: {more.rstrip('.')}" if more else message, dsn),
        hint=hint or details.get("MESSAGE_HINT"),
        near=_line_at(sql, int(position)) if sql is not None and position else None,
    )


def _without_code(text: str, dsn: str) -> EngineError:
    """Return the error for a text of libpq alone: as a rule, that the connection is gone."""
    message = redacted(_first_line(text), dsn)
    gone = ("server closed the connection", "no connection to the server", "terminating connection", "SSL connection")
    if any(words in text for words in gone) or "could not receive data" in text or "could not send data" in text:
        return ConnectionLost(message, hint="see the server's log for why it ended the connection")
    return EngineError(message)


def why_not_open(error: Any, dsn: str) -> ConnectionFailed:
    """Return the error for a server that cannot be reached, or that refuses us."""
    text = str(error)
    answered = re.search(r"connection to server (?:at|on) .*?: (.*)", text) or re.search(
        r"(could not translate host name .*)", text
    )
    if answered is None and error.sqlstate is None and "Failed to connect" in text:
        # libpq shows the part of a DSN that it does not understand, and that may be the password.
        return ConnectionFailed(NOT_UNDERSTOOD, hint=DSN_HINT)
    starts = re.search(r"the database system is (?:starting up|shutting down|in recovery|not (?:yet )?accepting)", text)
    kind = ServerStarting if starts else ConnectionFailed
    reason = redacted(answered[1] if answered else _first_line(text), dsn)
    place = re.search(r'(at "[^"]*"(?: \([^)]*\))?, port \d+|on socket "[^"]*")', text)
    return kind(
        f"cannot connect to the server{' ' + place[1] if place else ''}: {reason.removeprefix('FATAL:').strip()}",
        hint="wait until it is up" if starts else "is it running, and is the dsn of the profile right?",
    )


def require_dsn(dsn: str, at: Location | None) -> None:
    """Raise for a DSN that libpq would read in another way than it is meant, and quote a part of it in its message.

    Raises
    ------
    ConnectionFailed
        Its scheme is another one, a port is no number, or a character of the password is not escaped.
    """
    scheme, mark, rest = dsn.partition("://")
    if not mark or "=" in scheme:
        is_understood = "=" in dsn
    else:
        # As libpq has it: the first @ ends the user, unless a / stands before it; a / or a ? ends the hosts.
        user, at_sign, _ = rest.partition("/")[0].partition("@")
        place = rest[len(user) + 1 :] if at_sign else rest
        hosts = re.split(r"[/?]", place, maxsplit=1)[0]
        ports = re.findall(":([^,]*)", re.sub(r"\[[^\]]*\]", "", hosts))
        is_understood = (
            scheme in ("postgres", "postgresql")
            and "@" not in place.partition("?")[0]
            and all(port == "" or port.isdigit() for port in ports)
            and re.search(r"%(?![0-9A-Fa-f]{2})", rest) is None
        )
    if not is_understood:
        raise ConnectionFailed(NOT_UNDERSTOOD, at=at, hint=DSN_HINT)


NOT_UNDERSTOOD = "the dsn of the profile cannot be understood"
DSN_HINT = "write postgresql://user:password@host:5432/database, with %40 for an @ in the password, %2F for a /"


def redacted(text: str, dsn: str) -> str:
    """Return a text without the passwords of a DSN.

    Examples
    --------
    >>> redacted('no "s3cret" here', "postgresql://ada:s3cret@db/shop")
    'no "***" here'
    >>> redacted("no s3cret here", "host=db password='s3cret'")
    'no *** here'
    """
    for secret in sorted(_secrets(dsn), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _secrets(dsn: str) -> set[str]:
    found: set[str] = set()
    if "://" in dsn:
        with contextlib.suppress(ValueError):
            parts = urlsplit(dsn)
            found |= {parts.password or "", unquote(parts.password or "")}
            found |= {value for name, value in parse_qsl(parts.query) if name in _SECRETS}
    names = "|".join(_SECRETS)
    for quoted, plain in re.findall(rf"(?:{names})\s*=\s*(?:'((?:[^'\\]|\\.)*)'|([^\s&]+))", dsn):
        found |= {quoted, plain}
    return found - {""}


def _line_at(sql: str, position: int) -> str:
    """Return the line of a statement that a character stands in; positions count from 1."""
    start = sql.rfind("\n", 0, position - 1) + 1
    return sql[start:].split("\n", 1)[0].strip()


def _first_line(text: str) -> str:
    """Return what libpq says, without the driver's words around it."""
    found = re.search(r"(?:ERROR|FATAL|PANIC):\s+(.*)", text, re.DOTALL) or re.search(
        r"\[libpq\] (.*)", text, re.DOTALL
    )
    said = found[1] if found else text.strip().removeprefix("IO: ")
    return whole_line(said.strip().splitlines()).rstrip(".")


def _named(details: Any) -> list[tuple[str, Any]]:
    return [(_text(name), value) for name, value in details or ()]


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
