"""The environment and profiles.yml, read once into a frozen profile; nothing else reads the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from fastflowtransform.document import Section, read_document, render_values
from fastflowtransform.errors import (
    EnvSyntax,
    JinjaError,
    Location,
    MissingVariable,
    ProjectNotFound,
    UnknownProfile,
    hint_from,
)
from fastflowtransform.files import has_file, read_text
from fastflowtransform.secret_values import SECRETS, learn_profiles, learn_shell
from fastflowtransform.template import Scope, as_functions, compile_value, instead_of


@dataclass(frozen=True, slots=True)
class Profile:
    """Where a run goes, and what it may know of the environment.

    Parameters
    ----------
    name
        The active environment, such as `dev_duckdb`.
    engine
        The engine's name.
    options
        The engine's own settings; the engine reads them.
    variables
        The shell's environment over the `.env` files; never printed.
    folder
        The project's folder.
    jobs
        How many models at once: a number, or `auto`; None where it does not say.
    """

    name: str
    engine: str
    options: Section = field(repr=False)
    variables: Mapping[str, str] = field(repr=False)
    folder: Path
    jobs: str | None = None

    def with_variables(self, names: Mapping[str, str]) -> Section:
        """Return the options with environment variables laid over them.

        Parameters
        ----------
        names
            Key of an option by the variable that overrides it, such as `{"FF_DUCKDB_PATH": "path"}`.
        """
        given = {key: self.variables[name] for name, key in names.items() if self.variables.get(name)}
        learn_profiles(given)
        return self.options.overlaid(given)


def find_project(folder: Path) -> Path:
    """Return the project's folder, resolved.

    Raises
    ------
    ProjectNotFound
        There is no such folder, or no `project.yml` in it.
    """
    if has_file(folder / "project.yml"):
        return folder.resolve()
    if not folder.is_dir():
        raise ProjectNotFound(f'there is no folder "{folder}"', hint="fft init FOLDER makes a project")
    near = [path.parent.name for path in sorted(folder.glob("*/project.yml"))]
    hint = f'did you mean "{folder / near[0]}"?' if near else "fft init FOLDER makes a project"
    raise ProjectNotFound(f'there is no project.yml in "{folder}"', hint=hint)


def load(folder: Path, env: str | None = None) -> Profile:
    """Read the environment and the profile of a project.

    Parameters
    ----------
    folder
        The project's folder, as `find_project` gives it.
    env
        The environment's name; else `FFT_ACTIVE_ENV` of the shell, of `.env.local` or of `.env`; else `dev`.

    Raises
    ------
    EnvSyntax
        A line of an `.env` file is not an assignment.
    UnknownProfile
        `profiles.yml` has no such profile.
    """
    name, variables = environment(folder, env)
    path = folder / "profiles.yml"
    if not has_file(path):
        raise UnknownProfile(
            f'there is no profiles.yml, so no profile "{name}"', at=Location(path), hint="add the file"
        )
    profiles = read_document(path, "profiles.yml", hides=True)
    learn_profiles(profiles.values)
    if name not in profiles.values:
        known = [key for key, value in profiles.values.items() if isinstance(value, Mapping)]
        raise UnknownProfile(
            f'there is no profile "{name}"', at=Location(path), hint=hint_from(name, known, "profiles")
        )
    own = profiles.section(name, f'profile "{name}"')
    assert own is not None
    scope = Scope(variables=variables)
    context = as_functions({"env": scope.env, "project_dir": lambda: str(folder)})
    section = render_values(own, lambda text, at: _rendered(text, at, context))
    learn_profiles(section.values)
    engine = section.required_text("engine")
    if re.fullmatch(r"[A-Za-z_]\w*", engine) is None:
        raise section.bad("engine", "the name of an engine")
    SECRETS.allow(name, engine)
    options = section.section(engine) or Section({}, section.at(), f'"{engine}" of profile "{name}"')
    jobs = section.text("jobs")
    if jobs is not None and not is_jobs(jobs):
        raise section.bad("jobs", "a number of models, or auto")
    section.close()
    return Profile(name, engine, options, variables, folder, jobs)


def _rendered(text: str, at: Location, context: Mapping[str, object]) -> str:
    """Render a value of `profiles.yml`; what is wrong with its Jinja is told without the value.

    Raises
    ------
    JinjaError, MissingVariable
        It cannot be rendered.
    """
    try:
        return compile_value(text, at).render(context)
    except JinjaError as error:
        word = re.match(r'"(\w+)" is undefined', error.message)
        if word is None:
            raise JinjaError("a value is not valid Jinja", at=error.at, hint="write {{ env('NAME') }}") from None
        if (meant := instead_of(word[1])) is None:
            raise JinjaError("a value asks for a name that is not there", at=error.at, hint=_IN_PROFILES) from None
        raise JinjaError(error.message, at=error.at, hint=meant) from None
    except MissingVariable as error:
        if re.search(r'"[A-Z][A-Z0-9_]*"', error.message):
            raise
        raise MissingVariable(
            "an environment variable is not set", at=error.at, hint="set it, or give a default"
        ) from None


_IN_PROFILES = "profiles.yml knows env('NAME', 'default') and project_dir()"

AUTO = "auto"


def is_jobs(text: str) -> bool:
    """Whether a text says how many models are to be made at once."""
    return text == AUTO or (text.isascii() and text.isdigit() and int(text) > 0)


def environment(folder: Path, env: str | None = None) -> tuple[str, Mapping[str, str]]:
    """Return the active environment's name, and the shell's variables over those of the `.env` files."""
    shell = dict(os.environ)
    base = {**_dotenv(folder / ".env"), **_dotenv(folder / ".env.local")}
    name = env or shell.get("FFT_ACTIVE_ENV") or base.get("FFT_ACTIVE_ENV") or "dev"
    own = {**_dotenv(folder / f".env.{name}"), **_dotenv(folder / f".env.{name}.local")}
    variables = {**base, **own, **shell}
    learn_shell(variables)
    return name, MappingProxyType(variables)


def _dotenv(path: Path) -> dict[str, str]:
    if not has_file(path):
        return {}
    import io

    from dotenv.parser import parse_stream

    values: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(read_text(path))):
        if binding.error or (binding.key is not None and binding.value is None):
            raise EnvSyntax(
                "this line is not an assignment",
                at=Location(path, _first_line(binding.original)),
                hint="write NAME=value",
            )
        if binding.key is not None:
            values[binding.key] = binding.value or ""
    return values


def _first_line(original: object) -> int:
    """Return the line of a binding's first character that is not a blank one; the parser counts from the blanks."""
    text, line = original.string, original.line  # type: ignore[attr-defined]
    return int(line) + (len(text) - len(text.lstrip("\n")))
