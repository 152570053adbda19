"""The door: arguments in, one call, an exit code out. The one place where anything is caught."""

from __future__ import annotations

import contextlib
import errno
import gc
import importlib
import os
import re
import signal
import sys
from pathlib import Path
from typing import NoReturn, TextIO

import click

from fastflowtransform import __version__
from fastflowtransform.cli.elsewhere import COMMANDS_ELSEWHERE, OPTIONS_ELSEWHERE
from fastflowtransform.cli.signals import heeded
from fastflowtransform.console import Console, Output
from fastflowtransform.errors import FftError, Interrupted, SystemRefused, Unexpected, UsageError, nearest
from fastflowtransform.secret_values import SECRETS, redact
from fastflowtransform.streams import drop, events_apart

COMMANDS = (
    "init",
    "seed",
    "run",
    "test",
    "utest",
    "build",
    "plan",
    "list",
    "compile",
    "show",
    "history",
    "retry",
    "source",
)


class Commands(click.Group):
    """Loads a command's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        # Not list(): the command of that name is a module of this package.
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"fastflowtransform.cli.{cmd_name}").command
        return command


@click.command(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="fft %(version)s")
@click.option("-v", "--verbose", is_flag=True, help="Show each statement before it is sent.")
@click.option("-q", "--quiet", is_flag=True, help="Show errors only.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON event a line.")
@click.pass_context
def group(ctx: click.Context, verbose: bool, quiet: bool, as_json: bool) -> None:
    """Turn a folder of SQL and Python models into tables.

    \b
    fft init my_project      make a project that runs
    fft seed my_project      load its seeds
    fft run my_project       build its models
    fft test my_project      check their contents
    fft build my_project     all three, and publish only what passes
    """
    ctx.obj = Output(as_json, int(verbose) - int(quiet))
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> NoReturn:
    """Run the command line, and leave with its exit code: 0 fine, 1 a model or check failed, 2 wrong input."""
    # What a command makes stays, and there may be a lot of it: looking through it for garbage, again and again, cost a
    # third of the time with 5,000 models.
    gc.set_threshold(500_000, 50, 100)
    # Who starts a process without them, as some daemons do, has nobody to be told anything.
    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()
    code = call(sys.argv[1:])
    # All is said: whoever is impatient now shall not get a traceback out of the interpreter's last steps.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Nor is it worth looking through once more at the end of the process.
    gc.freeze()
    sys.exit(code)


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


def call(arguments: list[str]) -> int:
    """Run one command, and return its exit code; whatever goes wrong becomes one short block of text."""
    SECRETS.clear()
    asked = Output(json="--json" in arguments)
    with heeded(), events_apart() if asked.json else contextlib.nullcontext():
        return _called(arguments, asked)


def _called(arguments: list[str], asked: Output) -> int:
    try:
        if any("\0" in argument for argument in arguments):
            raise UsageError("an argument holds a NUL character", hint="take it away")
        code = group.main(arguments, prog_name="fft", standalone_mode=False)
        if not sys.stdout.closed:
            sys.stdout.flush()
        return int(code or 0)
    except click.exceptions.Exit as left:
        return left.exit_code
    except FftError as error:
        return _told(error, asked)
    except click.UsageError as error:
        return _told(_usage(error), asked)
    except (KeyboardInterrupt, click.Abort):
        return _told(Interrupted("interrupted", hint="what was not committed is rolled back; run it again"), asked)
    except OSError as error:
        return _told(_refused(error), asked)
    except Exception as error:
        return _told(_unexpected(error), asked)


def _told(error: FftError, asked: Output) -> int:
    Console(asked).error(error)
    return error.exit_code


def _usage(error: click.UsageError) -> UsageError:
    """Return click's complaint in our own form, with the nearest word where there is one."""
    context = error.ctx.command_path if error.ctx is not None else "fft"
    hint = f"{context} --help shows what there is"
    if isinstance(error, click.NoSuchOption):
        message = f'there is no option "{error.option_name}"'
        meant = OPTIONS_ELSEWHERE.get(error.option_name) or nearest(error.option_name, error.possibilities or ())
        return UsageError(message, hint=meant or hint)
    message = error.format_message().rstrip(".").replace("'", '"')
    if (unknown := re.match(r'No such command "([^"]*)"', message)) is not None:
        group_at = None if error.ctx is None else error.ctx.command
        known = group_at.list_commands(error.ctx) if error.ctx and isinstance(group_at, click.Group) else COMMANDS
        meant = COMMANDS_ELSEWHERE.get(unknown[1]) or nearest(unknown[1], known)
        return UsageError(f'there is no command "{unknown[1]}"', hint=meant or hint)
    return UsageError(message[:1].lower() + message[1:], hint=hint)


def _refused(error: OSError) -> FftError:
    """Return the error for what the operating system does not let us do."""
    reason = error.strerror or str(error)
    if error.filename is None:
        if sys.stdout is not sys.stderr and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EPIPE):
            drop(sys.stdout)
            sys.stdout = sys.stderr
        return SystemRefused(f'the operating system refuses: "{reason}"', hint=_WAYS.get(error.errno or 0))
    path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else str(error.filename)
    return SystemRefused(f'the operating system refuses "{path}": "{reason}"', hint=_WAYS.get(error.errno or 0))


_WAYS = {
    errno.ENOENT: "is it still there? run fft in a folder that exists",
    errno.EACCES: "give yourself the right to read and write it",
    errno.EPERM: "give yourself the right to read and write it",
    errno.EROFS: "name a folder that can be written to",
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room on the disk",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.EMFILE: "raise the number of files that a process may open, with ulimit -n",
    errno.ENFILE: "end other programs that hold many files open",
    errno.ELOOP: "a link leads to itself: remove it",
}


def _unexpected(error: Exception) -> Unexpected:
    """Keep the traceback in a file, for whoever mends the defect; the user gets a sentence."""
    import tempfile
    import traceback

    hint = "please report it"
    with contextlib.suppress(OSError):
        with tempfile.NamedTemporaryFile(
            "w", prefix="fft-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as log:
            log.write(redact("".join(traceback.format_exception(error))))
        hint = f'please report it with the file "{Path(log.name)}"'
    return Unexpected(f'a defect in fft: {type(error).__name__}: "{error}"', hint=hint)
