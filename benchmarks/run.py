"""Measures fft against its floors, and prints figures and ratios of this one run; nothing fails when it is slow.

python benchmarks/run.py                      fft beside other tools; writes docs/benchmarks.md
python benchmarks/run.py all                  that, and each of the others
python benchmarks/run.py commands upsert      some of them
python benchmarks/run.py --quick              small sizes, one repetition: does it still run?
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import commands
import compare
import large
import memory
import partitions
import postgres
import python_model
import scaling
import skip
import spark
import start
import upsert
import utest
from sizes import FULL, QUICK

BENCHMARKS = {
    module.__name__: module.measure
    for module in (
        compare,
        commands,
        start,
        skip,
        upsert,
        memory,
        large,
        scaling,
        partitions,
        python_model,
        postgres,
        spark,
        utest,
    )
}


def main() -> None:
    """Run the benchmarks that are named, or all of them."""
    parser = argparse.ArgumentParser(description="Measure fft against its floors.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}; or all")
    parser.add_argument("--quick", action="store_true", help="small sizes, one repetition")
    parser.add_argument("--rounds", type=int, metavar="N", help="repetitions; with fewer than 3 no page is written")
    given = parser.parse_args()
    names = list(BENCHMARKS) if given.names == ["all"] else given.names or ["compare"]
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        parser.error(f'there is no benchmark "{unknown[0]}"; there are {", ".join(BENCHMARKS)}')
    sizes = QUICK if given.quick else FULL
    if given.rounds is not None:
        few = replace(sizes, rounds=given.rounds, short_rounds=given.rounds, compared=given.rounds)
        sizes = replace(few, is_full=sizes.is_full and given.rounds >= 3)
    print(_where())
    if given.quick:
        print("Small sizes: does everything still run? The bars are about the large ones.")
    with tempfile.TemporaryDirectory(prefix="fft-bench-") as folder:
        for name in names:
            BENCHMARKS[name](Path(folder), sizes)


def _where() -> str:
    packages = ("fastflowtransform", "ibis-framework", "duckdb", "sqlglot")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"{versions}\nPython {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
