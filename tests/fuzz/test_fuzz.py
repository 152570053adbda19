"""Mistakes at random, two minutes of them with the other tests; `nox -s fuzz -- 3600` tries for an hour."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.conftest import VARIABLES, postgres_dsn, postgres_engine
from tests.fuzz.trying import Tried, make_bases, try_once

SECONDS = float(os.environ.get("FFT_FUZZ_SECONDS", "90"))
FIRST = int(os.environ.get("FFT_FUZZ_FIRST", "0"))
"""The number of the first try; a fault names the number that makes it again."""
ENOUGH = 10
"""So many faults end the search."""


@pytest.fixture(autouse=True)
def no_settings_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 300)
def test_no_mistake_ends_in_a_defect_a_traceback_a_hang_or_a_secret(tmp_path: Path):
    faults = search(make_bases(tmp_path), tmp_path, SECONDS)

    assert not faults, report(faults)


@pytest.mark.slow
@pytest.mark.engine("postgres")
@pytest.mark.timeout(SECONDS + 300)
def test_no_mistake_ends_in_a_defect_a_traceback_a_hang_or_a_secret_on_postgresql(tmp_path: Path):
    postgres_engine().close()

    faults = search(make_bases(tmp_path, postgres_dsn()), tmp_path, SECONDS / 3)

    assert not faults, report(faults)


def search(bases: list[Path], folder: Path, seconds: float) -> list[Tried]:
    """Try until the time is over, and return what went wrong."""
    number, faults, end = FIRST, [], time.monotonic() + seconds
    while time.monotonic() < end and len(faults) < ENOUGH:
        tried = try_once(number, bases, folder)
        if tried.fault is not None:
            faults.append(tried)
        number += 1
    print(f"{number - FIRST} tries, {len(faults)} faults")
    return faults


def report(faults: list[Tried]) -> str:
    """Return what went wrong, each with what makes it again."""
    return "\n\n".join(
        f"FFT_FUZZ_FIRST={fault.number} FFT_FUZZ_SECONDS=0.1 pytest tests/fuzz\n{fault.told}\n{fault.fault}"
        for fault in faults
    )
