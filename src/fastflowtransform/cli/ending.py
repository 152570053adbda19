"""How commands that do work end: with totals, and with what is left to do where they were stopped."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from fastflowtransform.console import Console
from fastflowtransform.errors import Interrupted
from fastflowtransform.results import RunResult
from fastflowtransform.work import Ending


def summed_up(console: Console, result: RunResult) -> int:
    """Show the totals, and return the exit code."""
    console.summary(result)
    if result.interrupted:
        hint = "what was not committed is rolled back; fft retry does what is left"
        console.error(Interrupted("interrupted", hint=hint))
    return result.exit_code


def left_behind(ending: Ending, told: Callable[[], int]) -> None:
    """End the process where something goes on that does not stop, once `told` has told of it all.

    A connection cannot be closed while another thread is at work with it. So it ends with the process, and what was
    not committed is rolled back, as after any crash.
    """
    if ending is Ending.ABANDONED:
        code = told()
        sys.stdout.flush()
        os._exit(code)
