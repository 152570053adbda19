"""The processes that tests start hear signals, whatever the suite was started under."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ASKING_TO_END, process

SLEEP = "import time; print('here', flush=True); time.sleep(60)"


@pytest.fixture
def ignored() -> Iterator[None]:
    """This process ignores the signals, as under `nohup` and in the background of a script."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ASKING_TO_END}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("ignored")
@pytest.mark.parametrize("number", ASKING_TO_END)
def test_a_process_hears_a_signal_that_this_one_ignores(number: signal.Signals):
    with process([sys.executable, "-c", SLEEP]) as started:
        assert started.stdout is not None and started.stdout.readline() == "here\n"
        started.send_signal(number)
        started.communicate(timeout=30)

    # Python raises KeyboardInterrupt and then ends as the signal would have ended it.
    assert started.returncode == -number
    assert signal.getsignal(number) is signal.SIG_IGN


def test_a_process_that_still_runs_when_a_test_fails_is_killed():
    with pytest.raises(ZeroDivisionError), process([sys.executable, "-c", SLEEP]) as started:
        raise ZeroDivisionError

    assert started.returncode == -signal.SIGKILL


def test_a_test_that_hangs_fails_alone(tmp_path: Path):
    (tmp_path / "test_two.py").write_text(
        "import time, pytest\n"
        "@pytest.mark.timeout(0.5)\n"
        "def test_hangs(): time.sleep(60)\n"
        "def test_next(): assert True\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]

    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert "1 failed, 1 passed" in answer.stdout
