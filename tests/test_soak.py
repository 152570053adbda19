"""Many runs in one process leave nothing behind; `benchmarks/soak.py` does the same for 500 of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import postgres_dsn

SOAK = Path(__file__).parents[1] / "benchmarks" / "soak.py"


@pytest.mark.slow
@pytest.mark.parametrize(
    "engine", ["duckdb", pytest.param("postgres", marks=pytest.mark.engine("postgres"))], ids=["duckdb", "postgres"]
)
def test_runs_leave_no_memory_connections_files_threads_or_staged_rows(engine: str):
    server = {"FFT_TEST_PG_DSN": postgres_dsn()} if engine == "postgres" else {}
    done = subprocess.run(
        [sys.executable, SOAK, "--runs", "50", "--engine", engine],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
        env={**os.environ, **server},
    )

    first, last = json.loads(done.stdout)["after"].values()
    for kind in ("files", "threads", "connections", "temporary", "staged"):
        assert last[kind] <= first[kind], kind
    assert last["connections"] == last["staged"] == 0
    assert last["objects"] - first["objects"] < 2_000
    assert last["rss_mb"] - first["rss_mb"] < 30
