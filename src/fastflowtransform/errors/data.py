"""Errors in rows: of seeds, keys and cursors, checks and unit tests."""

from __future__ import annotations

from fastflowtransform.errors.base import FftError


class DataError(FftError):
    """The data is at fault."""

    exit_code = 1


class BadSeed(DataError):
    """A seed file is empty, ragged, not text in UTF-8, or holds what is no JSON or no value of its column's type."""

    code = "D100"


class NullKey(DataError):
    """A row to be merged has no value in a column of `unique_key`."""

    code = "D200"


class DuplicateKey(DataError):
    """Two rows to be merged have one key, and the model refuses that, or has no cursor to decide between them."""

    code = "D201"


class CheckFailed(DataError):
    """A check found rows that break its claim."""

    code = "D300"


class NotPublished(DataError):
    """A check fails on a model's new rows, so what stood in the warehouse was left as it was."""

    code = "D301"


class SourceStale(DataError):
    """The newest row of a source is older than its `error_after`, or there is none."""

    code = "D302"


class UnitTestFailed(DataError):
    """A unit test's model gives other rows than the test expects, or a second run over the same rows changes them."""

    code = "D310"


class NullCursor(DataError):
    """A row to be appended has no `updated_at`, so the next run could not recognise it."""

    code = "D202"
