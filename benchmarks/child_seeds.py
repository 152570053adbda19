"""Loads seeds one after another in one process: `python child_seeds.py PROJECT SEED...`.

Each goes through the loop of `fft seed`; prints what each took, in the order given.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from measure import Silent, measured

from fastflowtransform import engines, project, seed, settings


def main(folder: Path, names: list[str]) -> None:
    """Load the seeds, and print their costs."""
    profile = settings.load(folder)
    kind = engines.find(profile.engine)
    read = project.load(folder, engine=kind.name, database=kind.database(profile), variables=profile.variables)
    engine = kind.connect(profile)
    costs = []
    for name in names:
        existing = engine.existing([read.seeds[name].relation])
        with measured() as clock:
            result = seed.load(read.seeds[name], existing, engine, Silent(), seed.Conditions(full_refresh=True))
        if result.error is not None:
            raise result.error
        costs.append(asdict(clock.cost))
    engine.close()
    print(json.dumps(costs))


main(Path(sys.argv[1]), sys.argv[2:])
