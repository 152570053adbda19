"""The options that commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from fastflowtransform.console import Output

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
        **others: Any,
    ) -> int:
        return command(*args, chosen=Chosen(project, env, variables, select, exclude), **others)

    decorated = output_options(gathered)
    decorated = click.option(
        "--vars", "variables", multiple=True, metavar="NAME=VALUE", help="Set a variable for var(); may be repeated."
    )(decorated)
    decorated = click.option("--env", metavar="NAME", help="The environment, else FFT_ACTIVE_ENV, else dev.")(decorated)
    return click.argument("project", default=".", type=click.Path(path_type=Path))(decorated)


def selection_options(command: Command) -> Command:
    """Take `--select` and `--exclude`, as a part of `chosen`."""
    command = click.option(
        "-e", "--exclude", multiple=True, metavar="SELECTOR", help="Leave these out; may be repeated."
    )(command)
    return click.option(
        "-s",
        "--select",
        multiple=True,
        metavar="SELECTOR",
        help="Only these, as NAME, tag:T, path:P, source:S, +NAME, NAME+, @NAME; several narrow each other, "
        "inside one a space unites and a comma intersects.",
    )(command)


def given_variables(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Return `--vars` as a mapping; a value is read as YAML, and so is a whole mapping such as `{a: 1}`.

    Raises
    ------
    click.UsageError
        It is neither.
    """
    import yaml

    given: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        try:
            if pair.lstrip().startswith("{"):
                given.update(yaml.safe_load(pair))
            elif equals and name.strip():
                given[name.strip()] = yaml.safe_load(value)
            else:
                raise click.UsageError(f'--vars "{pair}" is not NAME=VALUE')
        except yaml.YAMLError as error:
            raise click.UsageError(f'--vars "{pair}" cannot be read as YAML') from error
    return given
