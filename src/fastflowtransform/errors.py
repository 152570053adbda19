"""Every error that a user can meet: a code, a sentence, a place and a hint.

    FftError                     exit code 2 where nothing says otherwise
    ├── UsageError        C      the command line
    ├── SettingsError     P      project.yml, profiles.yml, .env and the other YAML files
    ├── ModelError        M      the text of a model, and what it says of itself
    ├── GraphError        G      what models say of each other
    ├── SelectionError    S      --select and --exclude
    ├── DataError         D      seeds, keys and cursors; exit code 1
    └── EngineError       E      the warehouse; exit code 1

The letters follow the order of a run. A class's docstring is its entry in `docs/reference/errors.md`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

from fastflowtransform.location import Location as Location


class FftError(Exception):
    """Something that the user can act on.

    Parameters
    ----------
    message
        What is wrong, with the value in double quotes; lower case, without a full stop.
    at
        Where it stands, if it stands somewhere.
    hint
        What to do, as an imperative or a question.
    """

    code: ClassVar[str] = ""
    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, at: Location | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.at = at
        self.hint = hint
        self.sql: str | None = None
        """The statement that failed, where one was sent."""

    def __str__(self) -> str:
        lines = [f"{self.code} {self.message}"]
        if self.at is not None:
            lines.append(f"at {self.at}")
        if self.hint is not None:
            lines.append(f"hint {self.hint}")
        return "\n".join(lines)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return a hint that names the known word closest to `word`, or None where none is close.

    Examples
    --------
    >>> nearest("evnt_id", ["event_id", "value"])
    'did you mean "event_id"?'
    >>> nearest("zebra", ["event_id", "value"]) is None
    True
    """
    import difflib

    matches = difflib.get_close_matches(word, sorted(known), n=1)
    return f'did you mean "{matches[0]}"?' if matches else None


def hint_from(word: str, known: Iterable[str], what: str) -> str:
    """Name the nearest known word; where none is near, list them all (at most ten).

    Examples
    --------
    >>> hint_from("zebra", ["b", "a"], "profiles")
    'profiles here: a, b'
    >>> hint_from("zebra", [], "profiles")
    'there are no profiles here'
    """
    names = sorted(known)
    if not names:
        return f"there are no {what} here"
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return nearest(word, names) or f"{what} here: {', '.join(names[:10])}{more}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "model"), counted(2, "model")
    ('1 model', '2 models')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def error_classes(base: type[FftError] = FftError) -> Iterator[type[FftError]]:
    """Yield each class that carries a code of its own, in the order of the codes' definition."""
    for cls in base.__subclasses__():
        if "code" in vars(cls):
            yield cls
        yield from error_classes(cls)


class UsageError(FftError):
    """The command line cannot be understood."""

    code = "C100"


class Interrupted(UsageError):
    """The command was stopped from outside (Ctrl-C, SIGTERM, SIGHUP); what had not been committed was rolled back."""

    code = "C130"
    exit_code = 130


class Unexpected(FftError):
    """A defect in fft itself. The full story is in the log file that the message names."""

    code = "C900"
    exit_code = 1


class SettingsError(FftError):
    """A settings file is wrong."""


class ProjectNotFound(SettingsError):
    """The folder holds no `project.yml`."""

    code = "P100"


class YamlSyntax(SettingsError):
    """A YAML file cannot be parsed."""

    code = "P101"


class UnknownKey(SettingsError):
    """A settings file or a `config()` call has a key that nothing reads."""

    code = "P102"


class MissingKey(SettingsError):
    """A settings file lacks a key that has no default."""

    code = "P103"


class BadValue(SettingsError):
    """A setting has a value of the wrong type, or one outside of the allowed ones."""

    code = "P104"


class CannotEdit(SettingsError):
    """A YAML file is written in a way in which fft cannot change a part and be sure to leave the rest as it is."""

    code = "P116"


class UnknownProfile(SettingsError):
    """`profiles.yml` has no profile of the active environment's name."""

    code = "P110"


class MissingVariable(SettingsError):
    """A settings file or a model asks for an environment variable or a `var` that is not set and has no default."""

    code = "P111"


class EnvSyntax(SettingsError):
    """A line of an `.env` file is not of the form `NAME=value`."""

    code = "P112"


class UnknownEngine(SettingsError):
    """A profile names an engine that is not installed."""

    code = "P113"


class UnreadableFile(SettingsError):
    """A file of the project cannot be read, or is not text in UTF-8."""

    code = "P114"


class UnwritableFolder(SettingsError):
    """A file or a folder that fft must write to refuses it."""

    code = "P115"


class ModelError(FftError):
    """A model is wrong in itself."""


class JinjaError(ModelError):
    """The Jinja of a model or a settings file cannot be parsed or rendered."""

    code = "M100"


class DuplicateName(ModelError):
    """Two models, seeds, sources, macros or checks have the same name, but for upper and lower case."""

    code = "M101"


class BadPythonModel(ModelError):
    """A `*.ff.py` file cannot be loaded, or a decorated function cannot be a model or a check."""

    code = "M102"


class ConflictingSettings(ModelError):
    """The same incremental setting is given twice, with different values."""

    code = "M103"


class MissingDeltaFile(ModelError):
    """`delta_config` names a file that is not there."""

    code = "M104"


class BadSql(ModelError):
    """A model's SQL cannot be parsed, or has no translation into the engine's dialect."""

    code = "M105"


class MissingColumn(ModelError):
    """A setting or a check names a column that the model's query does not have."""

    code = "M210"


class DeltaColumnsDiffer(ModelError):
    """A model's delta SQL gives other columns than the model's query."""

    code = "M211"


class SchemaChanged(ModelError):
    """The columns of the query differ from those of the table, and `on_schema_change` does not accept it."""

    code = "M212"
    exit_code = 1


class BadCursor(ModelError):
    """`updated_at` names a column of a type that has no order, or one that `lookback` cannot be taken from."""

    code = "M213"


class ContractBroken(ModelError):
    """The columns that a model's query gives are not those that its contract promises."""

    code = "M214"
    exit_code = 1


class PythonModelFailed(ModelError):
    """A Python model, or a check, raised an error."""

    code = "M220"
    exit_code = 1


class WrongResult(ModelError):
    """A Python model, or a check, returned something that is no table, or not of the kind that it declares."""

    code = "M221"
    exit_code = 1


class NotATable(ModelError):
    """An incremental model's name belongs to a view in the warehouse."""

    code = "M222"


class GraphError(FftError):
    """The models do not fit together."""


class UnknownRef(GraphError):
    """A model refers to a model or seed that is not in the project."""

    code = "G101"


class UnknownSource(GraphError):
    """A model reads a source that `sources.yml` does not declare."""

    code = "G102"


class Cycle(GraphError):
    """Models depend on each other in a circle."""

    code = "G103"


class SelectionError(FftError):
    """A selection is wrong."""


class BadSelector(SelectionError):
    """A selector is not of the selector grammar."""

    code = "S100"


class NothingSelected(SelectionError):
    """A selector, or all of them together, match nothing."""

    code = "S101"


class NoState(SelectionError):
    """What a selection compares with is not there, or cannot be read."""

    code = "S102"


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


class EngineError(FftError):
    """The warehouse refused a statement; its own words follow."""

    code = "E100"
    exit_code = 1
    transient: ClassVar[bool] = False
    """Whether the same statement may succeed a moment later, so that a run tries again."""

    def __init__(
        self, message: str, *, at: Location | None = None, hint: str | None = None, near: str | None = None
    ) -> None:
        super().__init__(message, at=at, hint=hint)
        self.near = near
        """The text that the warehouse points at, where it does."""


class ConnectionFailed(EngineError):
    """The warehouse cannot be opened."""

    code = "E101"
    exit_code = 2


class DatabaseLocked(ConnectionFailed):
    """Another process holds the database file."""

    code = "E102"


class DatabaseCorrupt(ConnectionFailed):
    """The database file is not one, is of a later version, or is damaged."""

    code = "E103"


class ConnectionLost(EngineError):
    """The connection to the warehouse ended while it was in use."""

    code = "E104"
    transient = True


class OutcomeUnknown(EngineError):
    """The connection was lost during a commit, and the warehouse could not be asked what came of it."""

    code = "E105"


class WriteConflict(EngineError):
    """Another transaction was in the way of a write: a deadlock, or rows that both changed."""

    code = "E120"
    transient = True


class RelationBusy(EngineError):
    """Another run writes to the same table or view, and did not end in time."""

    code = "E121"


class DependentsInTheWay(EngineError):
    """A table or view cannot be replaced as the model asks, because views or other objects read it."""

    code = "E122"


class TimedOut(EngineError):
    """A statement took longer than the warehouse allows it."""

    code = "E123"


class OutOfSpace(EngineError):
    """The warehouse has no room left: disk, memory or connections."""

    code = "E124"


class NameTooLong(EngineError):
    """A name is longer than the warehouse keeps, so that two of them could become one."""

    code = "E125"


class BadName(EngineError):
    """A table has a name that the warehouse does not take."""

    code = "E126"


class OutOfTime(EngineError):
    """A model took longer than `--timeout`, or its own `timeout`, allows; what it had not committed was rolled back."""

    code = "E127"


class RelationMissing(EngineError):
    """A table or view that a model or a check reads is not in the warehouse."""

    code = "E110"
    usual: ClassVar[str] = "run or seed it first; of a source, sources.yml names the schema"

    def names(self, table: str) -> bool:
        """Whether it names this table, and not another one whose name has this one in it."""
        return re.search(rf"(?<!\w){re.escape(table)}(?!\w)", self.message, re.IGNORECASE) is not None
