"""Runs models one after another in one process: `python child_steps.py PROJECT MODEL...`.

Each step goes through the plan and the loop of `fft run`; prints what each took, in the order given.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from measure import measured

from fastflowtransform import plan
from fastflowtransform.cli.session import open_project
from fastflowtransform.console import Console, Output
from fastflowtransform.run import run


def main(folder: Path, names: list[str]) -> None:
    """Run the models, and print their costs."""
    opened = open_project(folder, None)
    console = Console(Output(verbosity=-1), opened.project.folder)
    costs = []
    with opened.connected(console) as engine:
        for name in names:
            steps = plan.build(opened.project, [name], opened.existing(engine, [name]), engine.capabilities)
            with measured() as clock:
                (result,) = run(steps, opened.project, engine, console)
            if result.error is not None:
                raise result.error
            costs.append(asdict(clock.cost))
    print(json.dumps(costs))


main(Path(sys.argv[1]), sys.argv[2:])
