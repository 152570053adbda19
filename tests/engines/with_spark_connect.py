"""Runs a command beside a Spark Connect server of its own on loopback, which ends with it.

    python with_spark_connect.py pytest --engine spark

The command finds the server in FFT_TEST_SPARK_REMOTE.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyspark

from fastflowtransform.engines.spark_session import Settings, _conf

_WAIT = 120.0
"""Seconds that the server may take to answer."""


def main(command: list[str]) -> int:
    """Return the command's exit code."""
    with tempfile.TemporaryDirectory(prefix="fft-connect-") as name:
        folder = Path(name)
        port = _free_port()
        log = folder / "server.log"
        with log.open("wb") as words:
            server = subprocess.Popen(_server(folder, port), stdout=words, stderr=words, cwd=folder)
        try:
            deadline = time.monotonic() + _WAIT
            while not _answers(port):
                if server.poll() is not None or time.monotonic() > deadline:
                    print(log.read_text()[-5000:], file=sys.stderr)
                    return 1
                time.sleep(0.2)
            remote = f"sc://127.0.0.1:{port}"
            return subprocess.run(command, env={**os.environ, "FFT_TEST_SPARK_REMOTE": remote}).returncode
        finally:
            server.terminate()
            server.wait(30)


def _server(folder: Path, port: int) -> list[str]:
    conf = {"spark.sql.catalogImplementation": "in-memory"}
    settings = {
        **_conf(Settings("local[2]", "fft-connect", folder / "warehouse", conf=conf)),
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.sources.default": "delta",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
    }
    given = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
    program = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    return [
        str(program),
        "--class",
        "org.apache.spark.sql.connect.service.SparkConnectServer",
        *given,
        "spark-internal",
    ]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
