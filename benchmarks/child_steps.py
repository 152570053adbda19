"""Runs models one after another in one process: `python child_steps.py PROJECT MODEL...`.

Each goes through the plan and the loop of `fft run`, with the statements that an earlier `fft run` has kept; prints
what each step took, in the order given.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from measure import Silent, measured

from fastflowtransform import engines, plan, project, settings
from fastflowtransform.engines import preparing
from fastflowtransform.gate import Audit
from fastflowtransform.run import How, run


def main(folder: Path, names: list[str]) -> None:
    """Run the models, and print their costs."""
    profile = settings.load(folder)
    kind = engines.find(profile.engine)
    read = project.load(folder, engine=kind.name, database=kind.database(profile), variables=profile.variables)
    engine = kind.connect(profile)
    costs = []
    with preparing.keeping(folder) as engine.preparing.statements:
        for name in names:
            existing = engine.existing([read.relation(name)])
            with measured() as clock:
                steps = plan.build(read, [name], existing, engine.capabilities)
                (result,) = run(steps, read, engine, Silent(), How(Audit({}, read, engine))).steps
            if result.error is not None:
                raise result.error
            costs.append(asdict(clock.cost))
    engine.close()
    print(json.dumps(costs))


main(Path(sys.argv[1]), sys.argv[2:])
