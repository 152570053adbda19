"""Which tables and views a command may write to: those that this project made, and those that it is told to adopt.

The ledger knows what models and seeds made, and the marks of seeds know what `fft seed` loaded. Where there is no
ledger nothing is known, and only sources are kept safe.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from fastflowtransform import graph as graphs
from fastflowtransform.engines.base import Capabilities, Engine, Kind, Standing
from fastflowtransform.errors import (
    EngineError,
    FftError,
    ForeignRelation,
    ModelIsSource,
    NothingSelected,
    RowsWouldGo,
    hint_from,
)
from fastflowtransform.ledger import BEGUN, states_in
from fastflowtransform.materializations.adoption import fit_unchanged
from fastflowtransform.materializations.base import Adoption
from fastflowtransform.model import Materialized, Model, Seed, SqlBody
from fastflowtransform.normalize import Query, Tables
from fastflowtransform.plan import Plan
from fastflowtransform.project import Project
from fastflowtransform.relation import Relation
from fastflowtransform.results import UNCHANGED, Status
from fastflowtransform.rows import Named

_FEW = 100
"""The relations that a query of the ledger names."""
_MOST = 10
"""How many refused relations an error names."""


@dataclass(frozen=True, slots=True)
class LastMade:
    """The last relation that runs made under a name, as the ledger has it.

    Parameters
    ----------
    kind
        A table or a view; None where an earlier version of fft did not record it.
    is_incremental
        Whether it holds the rows of several runs.
    project
        The name of the project; None where an earlier version of fft did not record it.
    """

    kind: Kind | None
    is_incremental: bool
    project: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says of what may be written to.

    Parameters
    ----------
    adopt
        `--adopt`: names of models and seeds, or globs for them.
    full_refresh
        Whether incremental models are built anew, so that a table need not keep its rows.
    ledger
        Whether the ledger is to be believed.
    """

    adopt: tuple[str, ...] = ()
    full_refresh: bool = False
    ledger: bool = True


@dataclass(frozen=True, slots=True)
class _Standing:
    """A model or a seed, and what exists under its name."""

    item: Model | Seed
    relation: Relation
    over: Standing

    def __str__(self) -> str:
        return f'{self.over.kind} "{self.relation}"'

    @property
    def needs_full_refresh(self) -> bool:
        """Whether an incremental model finds a view, which cannot take up rows."""
        is_incremental = isinstance(self.item, Model) and self.item.incremental is not None
        return is_incremental and self.over.kind is Kind.VIEW


def adoptions(
    project: Project, names: Iterable[str], existing: Mapping[Relation, Standing], engine: Engine, asked: Asked
) -> dict[str, Adoption]:
    """Return why models and seeds may write to what fft did not make, by their names; raise for all others.

    Parameters
    ----------
    project
        The project.
    names
        The models and seeds that are to be made.
    existing
        What exists under their names, and whether the ledger does.
    engine
        Is asked for the ledger, where anything exists that a model or seed would write to.
    asked
        What the command line says.

    Raises
    ------
    ForeignRelation, RowsWouldGo, ModelIsSource
        A relation has to stay as it is; nothing was touched.
    NothingSelected
        `--adopt` names nothing of the project.
    """
    told = _matches(project, asked.adopt)
    items = [item for item in map(functools.partial(_written, project), names) if item is not None]
    _refuse_sources(project, [item for item in items if item.name not in told], engine.capabilities)
    standing = [_Standing(item, relation, existing[relation]) for item, relation in _places(project, items, existing)]
    if not standing:
        return {}
    relations = [str(each.relation) for each in standing]
    owners = _Owners(project, engine, _known(engine, project, existing, relations) if asked.ledger else None)
    found: dict[str, Adoption] = {}
    refused, shrinking = [], []
    for each in standing:
        if owners.is_ours(each):
            if owners.would_lose_rows(each) and not asked.full_refresh:
                shrinking.append(each)
        elif each.item.name in told:
            found[each.item.name] = Adoption.TOLD
        elif owners.fits(each) and not asked.full_refresh:
            found[each.item.name] = Adoption.FITS
        else:
            refused.append(each)
    if refused:
        raise _foreign([(each, owners.other_project(each)) for each in refused])
    if shrinking:
        raise _rows_would_go(shrinking)
    return found


def require_fit(plan: Plan, project: Project, engine: Engine) -> None:
    """Raise `ForeignRelation` where the query of a model does not fit the table that it would adopt by itself.

    It is known beforehand only of a SQL model that reads nothing which this command makes; of any other one it is found
    out when its rows are there, and it fails alone.
    """
    made = {step.model.name for step in plan.steps if step.model.materialized is not Materialized.EPHEMERAL}
    made |= {name for name in plan.order if name in project.seeds}
    for step in plan.steps:
        model, incremental = step.model, step.model.incremental
        if step.action.adopts is not Adoption.FITS or not isinstance(model.body, SqlBody) or incremental is None:
            continue
        if graphs.ancestors(project.graph, model.name) & made:
            continue
        try:
            with Query(model, Tables(project, engine)).given(is_incremental=True) as rows:
                fit_unchanged(engine, rows, engine.found(step.relation), step, incremental)
        except ForeignRelation:
            raise
        except FftError:
            continue  # What else is wrong with it is told when it runs.


class _Owners:
    """Who made what exists.

    Parameters
    ----------
    project, engine
        Whose models and seeds are asked about, and where.
    known
        What the ledger knows, by relation; None where it must not be read.
    """

    def __init__(self, project: Project, engine: Engine, known: Mapping[str, LastMade] | None) -> None:
        self._project = project
        self._engine = engine
        self._known = known

    def is_ours(self, standing: _Standing) -> bool:
        """Whether this project made it, by the ledger or by the mark of a seed; or nobody can know."""
        if self._known is None and isinstance(standing.item, Model):
            return True
        last, over = self._last(standing), standing.over
        if last is not None and last.project in (None, self._project.name) and last.kind in (None, over.kind):
            return True
        is_other = last is not None and last.project != self._project.name
        return over.kind is Kind.TABLE and not is_other and self._engine.is_marked(standing.relation, None)

    def would_lose_rows(self, standing: _Standing) -> bool:
        """Whether it holds the rows of several runs, and would not any more."""
        item, last = standing.item, self._last(standing)
        stays = isinstance(item, Model) and item.materialized is Materialized.INCREMENTAL
        return last is not None and last.is_incremental and not stays

    def fits(self, standing: _Standing) -> bool:
        """Whether an incremental model can take up rows into it, as far as its settings tell, and nobody owns it."""
        item = standing.item
        if not isinstance(item, Model) or item.incremental is None or standing.over.kind is not Kind.TABLE:
            return False
        if self._last(standing) is not None:
            return False
        cursor = item.incremental.updated_at
        needed = (*item.incremental.unique_key, *(() if cursor is None else (cursor,)))
        columns, folding = self._engine.found(standing.relation).columns, self._engine.capabilities.folding
        return all(folding.spelling(name, columns) is not None for name in needed)

    def other_project(self, standing: _Standing) -> str | None:
        """Return the other project that made it, if the ledger knows one."""
        last = self._last(standing)
        return None if last is None or last.project == self._project.name else last.project

    def _last(self, standing: _Standing) -> LastMade | None:
        return (self._known or {}).get(_folded(str(standing.relation), self._engine.capabilities))


def _matches(project: Project, patterns: Iterable[str]) -> frozenset[str]:
    """Return the models and seeds that `--adopt` names."""
    known = {*project.models, *project.seeds, *project.unread}
    found: set[str] = set()
    for pattern in (word for given in patterns for word in given.split()):
        matching = {name for name in known if name == pattern or fnmatchcase(name, pattern)}
        if not matching:
            raise NothingSelected(
                f'--adopt "{pattern}" names no model or seed', hint=hint_from(pattern, known, "models and seeds")
            )
        found |= matching
    return frozenset(found)


def _written(project: Project, name: str) -> Model | Seed | None:
    """Return the model or seed of a name, where it makes a table or a view."""
    model = project.models.get(name)
    if model is not None and model.materialized is Materialized.EPHEMERAL:
        return None
    return model or project.seeds.get(name)


def _places(
    project: Project, items: Iterable[Model | Seed], existing: Mapping[Relation, Standing]
) -> Iterator[tuple[Model | Seed, Relation]]:
    """Yield the models and seeds under whose names something exists."""
    for item in items:
        if (relation := project.relation(item.name)) in existing:
            yield item, relation


def _refuse_sources(project: Project, items: Iterable[Model | Seed], capabilities: Capabilities) -> None:
    """Raise `ModelIsSource` where a model would be the table of a source; a seed may fill one."""
    sources = {_folded(str(source.relation), capabilities): source for source in project.sources.values()}
    for item in items:
        relation = project.relation(item.name)
        source = sources.get(_folded(str(relation), capabilities))
        if source is not None and isinstance(item, Model):
            raise ModelIsSource(
                f'"{item.name}" would be the table "{relation}", which is the source "{source.name}" at {source.at}',
                at=item.at,
                hint=f"rename the model, or take the source away and read it with ref('{item.name}')",
            )


def _known(
    engine: Engine, project: Project, existing: Mapping[Relation, Standing], relations: Sequence[str]
) -> Mapping[str, LastMade] | None:
    """Return what the ledger knows of relations; None where it must not be read."""
    states = states_in(project.database)
    if states.relation not in existing:
        return {}
    try:
        made = last_made(engine, states.relation, relations)
    except EngineError:
        return None
    return {_folded(relation, engine.capabilities): last for relation, last in made.items()}


def last_made(engine: Engine, states: Relation, relations: Sequence[str] = ()) -> dict[str, LastMade]:
    """Return what runs made last under each name, from a ledger that exists; at least of `relations`."""
    table = engine.found(states)
    # The ledger of an earlier version lacks these columns until the next run adds them.
    project, materialized = (
        f"t.{name}" if name in table.columns else "CAST(NULL AS VARCHAR(1))" for name in ("project", "materialized")
    )
    made = ", ".join(f"'{status}'" for status in (Status.SUCCESS, Status.WARN, BEGUN))
    by = ["t.relation", "t.strategy", *(column for column in (project, materialized) if column.startswith("t."))]
    # Plain SQL, since a run of tables needs no Ibis. Only rows of increments count updated rows.
    text = (
        f"SELECT t.relation AS relation, t.strategy AS strategy, {project} AS project, "
        f"{materialized} AS materialized, max(t.updated) AS updated, max(t.started_at) AS newest "
        f"FROM {table.name} t WHERE t.status IN ({made}) {_of_few(relations)}GROUP BY {', '.join(by)}"
    )
    rows = engine.rows(Named("last_made", {}, table.build, text))
    return {str(row["relation"]): _last_made(row) for row in sorted(rows, key=lambda row: str(row["newest"]))}


def _of_few(relations: Sequence[str]) -> str:
    """Return the condition for rows of a few relations; a ledger of a year has many of others.

    Examples
    --------
    >>> _of_few(["demo.Orders"]), _of_few(["demo.größe"])
    ("AND lower(t.relation) IN ('demo.orders') ", '')
    """
    if len(relations) > _FEW or not all(re.fullmatch(r"[\w.]+", name, re.ASCII) for name in relations):
        return ""
    names = ", ".join(sorted({f"'{name.lower()}'" for name in relations}))
    return f"AND lower(t.relation) IN ({names}) " if names else ""


def _last_made(row: Mapping[str, object]) -> LastMade:
    project = None if row["project"] is None else str(row["project"])
    if row["materialized"] is not None:
        kind = Kind.VIEW if row["materialized"] == Materialized.VIEW else Kind.TABLE
        return LastMade(kind, row["materialized"] == Materialized.INCREMENTAL, project)
    kinds = {"create view": Kind.VIEW, UNCHANGED: None}
    return LastMade(kinds.get(str(row["strategy"]), Kind.TABLE), row["updated"] is not None, project)


def _folded(relation: str, capabilities: Capabilities) -> str:
    return relation if capabilities.case_sensitive else relation.casefold()


def _foreign(refused: Sequence[tuple[_Standing, str | None]]) -> ForeignRelation:
    """Return the error for relations that are not ours, each with the project that made it, if one is known."""
    (first, other), *more = refused
    names = " ".join(standing.item.name for standing, _ in refused[:_MOST])
    if not more:
        made = "fft did not make" if other is None else f'the project "{other}" made'
        message = f'"{first.item.name}" would replace the {first}, which {made}'
        anew = " --full-refresh" if first.needs_full_refresh else ""
        hint = f'rename it, or let it take over what is there with --adopt "{names}"{anew}'
    else:
        shown = [
            f"the {standing} ({standing.item.name} at {standing.item.at}"
            + ("" if project is None else f', made by the project "{project}"')
            + ")"
            for standing, project in refused[:_MOST]
        ]
        rest = "" if len(refused) <= _MOST else f" and {len(refused) - _MOST} more"
        message = f"{len(refused)} relations would be replaced that this project did not make: {', '.join(shown)}{rest}"
        hint = f'rename them, or let them take over what is there with --adopt "{names}", or all with --adopt "*"'
    return ForeignRelation(message, at=first.item.at, hint=hint)


def _rows_would_go(shrinking: Sequence[_Standing]) -> RowsWouldGo:
    first, *more = shrinking
    now = f"a {first.item.materialized}" if isinstance(first.item, Model) else "a seed"
    also = "" if not more else f"; so would those of {', '.join(each.item.name for each in more)}"
    return RowsWouldGo(
        f'"{first.item.name}" was incremental and is {now} now: the rows of earlier runs in the {first} would be lost'
        f"{also}",
        at=first.item.at,
        hint="run it once with --full-refresh to replace them, or make it incremental again",
    )
