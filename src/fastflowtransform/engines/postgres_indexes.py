"""The indexes that a model asks for: their names, which tell ours from others, and their definitions."""

from __future__ import annotations

import hashlib

from fastflowtransform.engines.quoting import quoted
from fastflowtransform.model import Index
from fastflowtransform.relation import Relation

OURS = "fft_ix_"


def name_of(relation: Relation, index: Index) -> str:
    """Return an index's name: the same for the same definition, and short enough for any server.

    Examples
    --------
    >>> name_of(Relation("demo", "orders"), Index(("id",), unique=True))
    'fft_ix_orders_762427420d'
    """
    text = repr((str(relation), index.columns, index.unique, index.method))
    return f"{OURS}{relation.name.encode()[:30].decode(errors='ignore')}_{short_hash(text)}"


def short_hash(text: str) -> str:
    """Return ten characters that stand for a text in a name."""
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def definition(name: str, table: str, index: Index) -> str:
    """Return the statement that makes an index on the table of a quoted name."""
    unique = "UNIQUE " if index.unique else ""
    method = f" USING {quoted(index.method)}" if index.method else ""
    return f"CREATE {unique}INDEX {quoted(name)} ON {table}{method} ({', '.join(map(quoted, index.columns))})"
