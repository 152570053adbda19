"""The keys that all checks have in common: on what terms a check runs, warns and fails."""

from __future__ import annotations

import re

from fastflowtransform.document import Section
from fastflowtransform.errors import BadValue
from fastflowtransform.model import ANY_ROW, COMPARISONS, Severity, Terms, Threshold

KEYS = frozenset({"name", "severity", "where", "warn_if", "error_if", "limit", "store_failures", "tags"})

_SPELLINGS = {"==": "=", "<>": "!="}
_THRESHOLD = re.compile(r"\s*(?P<operator>[<>=!]{1,2})\s*(?P<number>\d+)\s*")


def read_terms(section: Section) -> Terms:
    """Read the common keys of a check, but for its name.

    Raises
    ------
    BadValue
        A value does not fit, or two of them do not go together.

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastflowtransform.errors import Location
    >>> section = Section({"error_if": ">10", "limit": 100}, Location(Path("project.yml"), 7), "check")
    >>> terms = read_terms(section)
    >>> str(terms.error_if), str(terms.warn_if), terms.limit
    ('> 10', '!= 0', 100)
    """
    severity = section.choice("severity", Severity, Severity.ERROR)
    if severity is Severity.WARN and section.has("error_if"):
        raise BadValue(
            f'{section.title} has the severity "warn", so its error_if is never asked',
            at=section.at("error_if"),
            hint="take one of the two away",
        )
    limit = section.integer("limit")
    if limit is not None and limit < 0:
        raise section.bad("limit", "zero or more")
    return Terms(
        severity=severity,
        where=section.text("where"),
        warn_if=_threshold(section, "warn_if"),
        error_if=_threshold(section, "error_if"),
        limit=limit,
        store_failures=section.flag("store_failures"),
        tags=frozenset(section.texts("tags")),
    )


def _threshold(section: Section, key: str) -> Threshold:
    text = section.text(key)
    if text is None:
        return ANY_ROW
    found = _THRESHOLD.fullmatch(text)
    operator = "" if found is None else _SPELLINGS.get(found["operator"], found["operator"])
    if found is None or operator not in COMPARISONS:
        error = section.bad(key, "a number of failing rows to compare with")
        error.hint = 'write an operator and a whole number, such as ">10" or "!=0"'
        raise error
    return Threshold(operator, int(found["number"]))
