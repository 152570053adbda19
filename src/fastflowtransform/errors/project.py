"""Errors in what the user wrote: the command line, YAML files, models, references and selectors."""

from __future__ import annotations

from fastflowtransform.errors.base import FftError


class UsageError(FftError):
    """The command line cannot be understood."""

    code = "C100"


class Interrupted(UsageError):
    """The command was stopped from outside (Ctrl-C, SIGTERM, SIGHUP); what had not been committed was rolled back."""

    code = "C130"
    exit_code = 130


class SystemRefused(UsageError):
    """The operating system refuses a file, a folder or a stream that the command needs."""

    code = "C101"


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
    """A file of the project cannot be read, or is not text in UTF-8 without NUL characters."""

    code = "P114"


class BadPath(SettingsError):
    """A setting names a file that is not in the project."""

    code = "P120"


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
    """A setting is given twice with different values, or a text calls `config()` twice or in a comment."""

    code = "M103"


class MissingDeltaFile(ModelError):
    """`delta_config` names a file that is not there."""

    code = "M104"


class BadSql(ModelError):
    """A model's SQL cannot be parsed, or has no translation into the engine's dialect."""

    code = "M105"


class SwallowedSql(ModelError):
    """A tag of a template takes away the end of a comment's line, so that SQL becomes a part of the comment."""

    code = "M106"


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


class AmbiguousColumns(ModelError):
    """An incremental model's query has two columns that are one to the warehouse: their names differ in case only."""

    code = "M215"


class ReservedColumn(ModelError):
    """An incremental model's query has a column whose name begins with `__fft_`, as those of fft's own do."""

    code = "M216"


class PythonModelFailed(ModelError):
    """A Python model, or a check, raised an error."""

    code = "M220"
    exit_code = 1


class WrongResult(ModelError):
    """A Python model, or a check, returned no table, or one that is not of its kind or that no warehouse can hold."""

    code = "M221"
    exit_code = 1


class NotATable(ModelError):
    """An incremental model's name belongs to a view in the warehouse."""

    code = "M222"


class PackageMissing(ModelError):
    """A Python model is a function of the tables of a package that is not installed."""

    code = "M223"


class UnknownInputColumn(ModelError):
    """A unit test gives a column that the input does not have."""

    code = "M224"


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
