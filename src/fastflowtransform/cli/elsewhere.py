"""What commands and options of other tools are called here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

OPTIONS_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("--target", "--profile", "-t"), "--env NAME takes another profile"),
        **dict.fromkeys(("--models", "--model", "-m", "--selector"), "--select NAME takes some of the models"),
        **dict.fromkeys(("--project-dir", "--profiles-dir"), "name the project's folder as the last argument"),
        **dict.fromkeys(("--log-format", "--output"), "--json writes one JSON event a line"),
        **dict.fromkeys(("--debug", "--log-level", "-d"), "-v shows each statement"),
        "--threads": "--jobs N works on several models at once",
        "--favor-state": "--defer --state DIR reads what is not selected from elsewhere",
        "--store-failures": "write store_failures: true at the check",
        "--event-time-start": "--from VALUE --to VALUE takes up the rows of a stretch",
        "--event-time-end": "--from VALUE --to VALUE takes up the rows of a stretch",
        "--batch-size": "--step LENGTH cuts a stretch into windows",
        "--inline": "fft show takes the name of a model, a seed or a source",
        "--empty": "fft plan shows what a run would do",
        "--target-path": "files are written to target/ of the project",
        "--no-partial-parse": "leave it out: what was parsed before is known by its content",
        "--partial-parse": "leave it out: what was parsed before is known by its content",
    }
)
COMMANDS_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "ls": "fft list lists models, seeds and sources",
        "parse": "fft list reads the whole project",
        "debug": "fft plan opens the warehouse and touches nothing",
        "deps": "there are no packages to install; pip installs what Python models import",
        "clean": "delete the folder target/ of the project",
        "snapshot": "an incremental model with unique_key keeps what has changed: fft run",
        "freshness": "fft source freshness says how new sources are",
        "preview": "fft show NAME shows the first rows",
    }
)
