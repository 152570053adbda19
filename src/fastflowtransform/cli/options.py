"""The options that commands share."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from fastflowtransform.config import is_timeout
from fastflowtransform.console import Output
from fastflowtransform.errors import UsageError
from fastflowtransform.settings import is_jobs

if TYPE_CHECKING:
    from fastflowtransform.model import Model
    from fastflowtransform.windows import Window

Command = TypeVar("Command", bound=Callable[..., Any])

_CHANGES: dict[str, Callable[[Output], Output]] = {
    "json": lambda output: replace(output, json=True),
    "quiet": lambda output: replace(output, verbosity=-1),
    "verbose": lambda output: replace(output, verbosity=1),
}


def output_options(command: Command) -> Command:
    """Let `-v`, `-q` and `--json` stand after the command as well."""

    def noted(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            found: Output = ctx.obj or Output()
            ctx.obj = _CHANGES[str(parameter.name)](found)

    for names, text in (
        (("--json", "json"), "Write one JSON event a line."),
        (("-q", "--quiet"), "Show errors only."),
        (("-v", "--verbose"), "Show each statement before it is sent."),
    ):
        command = click.option(*names, is_flag=True, expose_value=False, callback=noted, help=text)(command)
    return command


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the user says of a project on the command line."""

    folder: Path
    env: str | None = None
    variables: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    state: Path | None = None
    since: str | None = None
    defer: bool = False
    options: tuple[str, ...] = ()
    """All others that were given: what repeats the command, but for its environment and what it is about."""


def project_options(command: Callable[..., int]) -> Callable[..., int]:
    """Take the project's folder, its environment and variables, as the argument `chosen`."""

    @functools.wraps(command)
    def gathered(
        *args: Any,
        project: Path,
        env: str | None,
        variables: tuple[str, ...],
        select: tuple[str, ...] = (),
        exclude: tuple[str, ...] = (),
        state: Path | None = None,
        since: str | None = None,
        defer: bool = False,
        **others: Any,
    ) -> int:
        if since is not None:
            from fastflowtransform.select import Method, asked

            select = select if Method.STATE in asked(select, exclude) else (*select, "state:modified")
        chosen = Chosen(project, env, variables, select, exclude, state, since, defer, _given())
        return command(*args, chosen=chosen, **others)

    decorated = output_options(gathered)
    decorated = click.option(
        "--vars", "variables", multiple=True, metavar="NAME=VALUE", help="Set a variable for var(); may be repeated."
    )(decorated)
    decorated = click.option("--env", metavar="NAME", help="The environment, else FFT_ACTIVE_ENV, else dev.")(decorated)
    return click.argument("project", default=".", type=click.Path(path_type=Path))(decorated)


_ABOUT = ("env", "select", "exclude", "since")


def _given() -> tuple[str, ...]:
    """Return the options of the present command that were given on the command line, but for `_ABOUT`."""
    context = click.get_current_context()
    found: list[str] = []
    for option in context.command.params:
        name = option.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if not isinstance(option, click.Option) or not given or name in _ABOUT or not option.expose_value:
            continue
        value, flag = context.params[name], max(option.opts, key=len)
        for item in value if option.multiple else [value]:
            found += [flag] if option.is_flag else [flag, str(item)]
    return tuple(found)


def selection_options(command: Command) -> Command:
    """Take `--select` and `--exclude`, and what they compare with, as a part of `chosen`."""
    command = click.option(
        "--defer", is_flag=True, help="Read what is not selected from where the manifest.json in --state has it."
    )(command)
    command = click.option(
        "--changed-since",
        "since",
        metavar="GITREF",
        help="Compare with the project as git has it where this branch left GITREF; without a state: in --select, only "
        "what is new or modified.",
    )(command)
    command = click.option(
        "--state",
        type=click.Path(path_type=Path, resolve_path=True),
        metavar="DIR",
        help="Compare with the manifest.json in DIR, for state: in --select.",
    )(command)
    command = click.option(
        "-e", "--exclude", multiple=True, metavar="SELECTOR", help="Leave these out; may be repeated."
    )(command)
    return click.option(
        "-s",
        "--select",
        multiple=True,
        metavar="SELECTOR",
        help="Only these, as NAME, tag:T, path:P, source:S, state:S, result:R, +NAME, NAME+, @NAME; several narrow "
        "each other, "
        "inside one a space unites and a comma intersects.",
    )(command)


def cache_option(command: Command) -> Command:
    """Take `--cache`."""
    return click.option(
        "--cache",
        type=click.Choice(["off", "ro", "wo", "rw"]),
        default="off",
        show_default=True,
        help="Leave alone what is proven unchanged (ro), note what rows are written from (wo), or both (rw).",
    )(command)


@dataclass(frozen=True, slots=True)
class Noting:
    """What the command line says of what is noted in the warehouse: whether anything is, and what the cache does."""

    ledger: bool = True
    cache: str = "off"


def adopt_option(command: Command) -> Command:
    """Take `--adopt`."""
    return click.option(
        "--adopt",
        multiple=True,
        metavar="NAME",
        help="Let this model or seed, or those of a glob such as 'stg_*', take over what fft did not make; may be "
        "repeated.",
    )(command)


def noting_options(command: Callable[..., int]) -> Callable[..., int]:
    """Take `--cache` and `--no-ledger` as the argument `noting`."""

    @functools.wraps(command)
    def gathered(*args: Any, cache: str, no_ledger: bool, **others: Any) -> int:
        if no_ledger and cache != "off":
            raise UsageError(f'--cache "{cache}" needs the ledger, and --no-ledger leaves it out', hint="take one away")
        return command(*args, noting=Noting(not no_ledger, cache), **others)

    decorated = click.option("--no-ledger", is_flag=True, help="Leave no note of the run in the warehouse.")(gathered)
    return cache_option(decorated)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the command line says of the cursors to take up: all that is new, where it says nothing."""

    start: str | None = None
    end: str | None = None
    step: str | None = None
    resumes: bool = False

    def windows(self, models: Iterable[Model], *, full_refresh: bool) -> tuple[Window, ...]:
        """Return the windows that models are to be run in; none where they take up what is new."""
        if self.start is None or self.end is None:
            return ()
        from fastflowtransform.backfill import windows_of

        return windows_of(models, self.start, self.end, self.step, full_refresh=full_refresh)


def windows_options(command: Callable[..., int]) -> Callable[..., int]:
    """Take `--from`, `--to`, `--step` and `--resume` as the argument `stretch`."""

    @functools.wraps(command)
    def gathered(*args: Any, start: str | None, end: str | None, step: str | None, resume: bool, **others: Any) -> int:
        if (start is None) != (end is None) or (start is None and (step is not None or resume)):
            raise UsageError("--from and --to belong together, and --step and --resume to them", hint="give both")
        return command(*args, stretch=Stretch(start, end, step, resume), **others)

    decorated = click.option("--resume", is_flag=True, help="Go on with a backfill that was stopped.")(gathered)
    decorated = click.option(
        "--step", metavar="LENGTH", help="Cut that into windows of this length: '1 day', '12 hours', or a number."
    )(decorated)
    decorated = click.option("--to", "end", metavar="VALUE", help="The first value that is left out.")(decorated)
    return click.option(
        "--from", "start", metavar="VALUE", help="Take up the rows whose cursor is from this value on, new or not."
    )(decorated)


class _Jobs(click.ParamType[str]):
    """A number above 0, or `auto`."""

    name = "jobs"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not is_jobs(str(value)):
            self.fail(f'"{value}" is neither a number of models nor auto', param, ctx)
        return str(value)


class _Seconds(click.ParamType[float]):
    """A length of time above 0."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0
        if not is_timeout(seconds):
            self.fail(f'"{value}" is no number of seconds above 0', param, ctx)
        return seconds


@dataclass(frozen=True, slots=True)
class Limits:
    """What the command line says of how many at once, and how long each: `jobs` as the profile has it."""

    jobs: str | None = None
    timeout: float | None = None


def limits_options(what: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Take `--jobs` and `--timeout` as the argument `limits`; `what` is what they are about, as in `model`."""

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(command)
        def gathered(*args: Any, jobs: str | None, timeout: float | None, **others: Any) -> int:
            return command(*args, limits=Limits(jobs, timeout), **others)

        decorated = click.option(
            "--timeout",
            type=_Seconds(),
            metavar="SECONDS",
            help=f"Cancel the work on a {what} that takes longer, and roll it back.",
        )(gathered)
        return click.option(
            "-j",
            "--jobs",
            type=_Jobs(),
            metavar="N|auto",
            help=f"How many {what}s to work on at once, else what the profile says, else 1.",
        )(decorated)

    return decorate


def given_variables(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Return `--vars` as a mapping; a value is read as in a YAML file, and so is a whole mapping such as `{a: 1}`.

    Raises
    ------
    click.UsageError
        It is neither.
    """
    if not pairs:
        return {}
    import yaml

    from fastflowtransform.yaml_scalars import parse

    given: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        is_mapping = pair.lstrip().startswith("{")
        if not is_mapping and not (equals and name.strip()):
            # A text may be secret; a word is a name as a rule.
            shown = f' "{pair}"' if re.fullmatch("[A-Za-z_]{1,30}", pair) else ": what stands there"
            raise click.UsageError(f"--vars{shown} is not NAME=VALUE")
        try:
            found = parse(pair if is_mapping else value)
        except yaml.YAMLError as error:
            # The value may be secret, so only its name is shown.
            of = "" if is_mapping else f' of "{name.strip()}"'
            raise click.UsageError(f"--vars: the value{of} cannot be read as YAML") from error
        if not is_mapping:
            given[name.strip()] = found
        elif isinstance(found, dict):
            given.update({str(key): item for key, item in found.items()})
        else:
            raise click.UsageError("--vars: what stands there is not a mapping")
    return given
