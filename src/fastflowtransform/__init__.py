"""Turn a folder of SQL and Python models into tables, on any of several engines.

A model is a function from tables to a table; a materialization makes the warehouse agree with it.
"""

from __future__ import annotations

import sys

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    # `python -m fastflowtransform`: Python puts the shell's folder first, where a project's `csv.py` would take the
    # place of Python's own.
    del sys.path[:1]

from fastflowtransform.own_checks import dq_test
from fastflowtransform.py_model import engine_model, model
from fastflowtransform.utest.mark import unit_test

__all__ = ["__version__", "dq_test", "engine_model", "model", "unit_test"]
__version__ = "0.1.0"
