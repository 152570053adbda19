"""A table that takes in what is new: the rule of `incremental`, executed over rows that are kept aside once.

Where an engine can (`engines.landing`), they are not staged, but land in the table at once, and are looked at there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fastflowtransform import incremental as rule
from fastflowtransform.engines.base import (
    Capabilities,
    Engine,
    Guard,
    Kind,
    Limiting,
    Noting,
    Standing,
    kind_of,
)
from fastflowtransform.engines.landing import Joined, Landed, Landing
from fastflowtransform.errors import NotATable
from fastflowtransform.incremental import STALE
from fastflowtransform.materializations.adoption import fit_unchanged
from fastflowtransform.materializations.audit import Audit, audited
from fastflowtransform.materializations.base import (
    OPEN,
    SILENT,
    Action,
    Adoption,
    Gate,
    Journal,
    Query,
    Target,
    Verb,
    because,
)
from fastflowtransform.materializations.candidates import Reach, candidates, has_own_delta, lasting, reach_of, windowed
from fastflowtransform.materializations.columns import Fit, complete, fit, roomy
from fastflowtransform.materializations.spelling import named_as, require_distinct
from fastflowtransform.model import Incremental, Model, OnNullKey
from fastflowtransform.results import Outcome, WriteCounts
from fastflowtransform.rows import Built, Named, Rows

if TYPE_CHECKING:
    import ibis.expr.types as ir


_NOTHING = WriteCounts(0, 0, "nothing to write")
_FEW = 1_000
"""Rows not after the watermark that are asked about as they are: as a rule all of them stand there already, and nothing
more is asked. Of more, it is kept what came of it, for the target is not to be joined twice; and they do not land, for
nearly all of them would have to go again."""


@dataclass(frozen=True, slots=True)
class _Write:
    """What is written, where, and who looks at it."""

    engine: Engine
    target: Target
    incremental: Incremental
    gate: Gate
    journal: Journal

    @property
    def rule(self) -> Incremental:
        """The settings that what is kept is known by."""
        return lasting(self.incremental)

    def spelt(self, columns: Iterable[str]) -> _Write:
        """Return the same with the key and the cursor spelt as these columns are."""
        folding = self.engine.capabilities.folding
        return replace(self, incremental=named_as(self.incremental, tuple(columns), folding))

    @contextlib.contextmanager
    def noted(
        self, rows: Rows, newest: str | None, over: int | None, outcome: Callable[[WriteCounts], Outcome]
    ) -> Iterator[None]:
        """Note what the block's write comes to; and the table's largest cursor, where the engine keeps notes.

        That was found over the version `over` of the table, and what is written; None where that is all of it.
        """
        name, engine = self.incremental.updated_at, self.engine
        with contextlib.ExitStack() as noting:
            if name is not None and newest is not None and isinstance(engine, Noting):
                noting.enter_context(engine.noting(name, rows.schema()[name], newest, over))
            noting.enter_context(self.journal.writing(engine, self.target.relation, outcome))
            yield


def decide(model: Model, over: Standing | None, capabilities: Capabilities, *, full_refresh: bool) -> Action:
    """Create the table, build it anew, or take in what is new."""
    assert model.incremental is not None
    if over is None:
        return Action(Verb.CREATE, "table", "there is none yet")
    if full_refresh:
        return Action(Verb.REPLACE, "table", because("full refresh", over))
    if over.kind is Kind.VIEW:
        raise NotATable(
            f'"{model.name}" is incremental, and a view stands under its name',
            at=model.at,
            hint="run it once with --full-refresh",
        )
    if model.incremental.unique_key:
        keys = ", ".join(model.incremental.unique_key)
        return Action(
            Verb.MERGE,
            f"by {keys} ({over.merged_by(model.incremental.unique_key)})",
            because(_which(model, model.incremental), over),
        )
    return Action(Verb.APPEND, "rows", because(_which(model, model.incremental), over))


def _which(model: Model, incremental: Incremental) -> str:
    """Say which rows a run takes."""
    if has_own_delta(model):
        return "the table stands: the rows of the model's own delta"
    if incremental.updated_at is None:
        return "the table stands, and there is no updated_at: the whole query"
    back = "" if incremental.lookback is None else f" less {incremental.lookback}"
    return f"the table stands: the rows from its newest {incremental.updated_at}{back} on"


def apply(engine: Engine, target: Target, query: Query, gate: Gate = OPEN, journal: Journal = SILENT) -> Outcome:
    """Write what the rule gives, once the gate has seen it, and what the table would be with it.

    Raises
    ------
    DataError
        The delta has rows that the model's settings refuse.
    SchemaChanged, DeltaColumnsDiffer, MissingColumn, BadCursor
        Its columns do not fit.
    """
    assert target.model.incremental is not None
    write = _Write(engine, target, target.model.incremental, gate, journal)
    return _build(write, query) if target.action.verb in (Verb.CREATE, Verb.REPLACE) else _increment(write, query)


def _build(write: _Write, query: Query) -> Outcome:
    """Make the table of the whole query, under the same rules: it never holds two rows of one key."""
    engine, target = write.engine, write.target
    with query.given(is_incremental=False) as given:
        require_distinct(given.columns, target.model, engine.capabilities.folding)
        write = write.spelt(given.columns)
        engine.preparing.says(rule.require_columns, given, write.rule)
        new = windowed(given, write.incremental)
        with _building(write, new) as landed, audited(engine, new, write.rule, None, landed) as (rows, audit):
            rows = rows.then(rule.newest, write.rule, engine.capabilities.comparing) if audit.duplicates else rows
            stays = not audit.dropped and not audit.duplicates
            twice = audit.duplicates and not write.gate.is_open

            def outcome(written: WriteCounts) -> Outcome:
                return Outcome(
                    strategy=written.strategy,
                    why=target.action.why,
                    inserted=written.inserted,
                    updated=written.updated,
                    unchanged=written.unchanged,
                    duplicates=audit.duplicates,
                    null_keys=audit.null_keys,
                    null_cursors=audit.null_cursors,
                    watermark_after=audit.newest,
                )

            with engine.stage(rows) if twice else contextlib.nullcontext(rows) as new:
                write.gate.judge(new)
                with write.noted(new, audit.newest, None, outcome):
                    if landed is not None and stays:
                        return outcome(landed.stay())
                    over, layout = kind_of(target.over), target.model.layout
                    written = outcome(engine.replace(target.relation, new, over=over, layout=layout))
                    if landed is not None:
                        landed.go()
                    return written


def _building(write: _Write, rows: Rows) -> contextlib.AbstractContextManager[Landed | None]:
    """Let the rows of a new table land, unless a gate has to see them, and to keep them where they do not pass."""
    engine, target = write.engine, write.target
    if not (isinstance(engine, Landing) and write.gate.is_open):
        return contextlib.nullcontext()
    return engine.building(target.relation, rows, over=kind_of(target.over))


def _increment(write: _Write, query: Query) -> Outcome:
    """Take the delta into the table that stands there."""
    engine, target = write.engine, write.target
    table = engine.found(target.relation)
    write = write.spelt(table.columns)
    incremental = write.incremental
    fits = target.action.adopts is Adoption.FITS
    # A table that may turn out not to fit gets its indexes and properties in the next run.
    if target.model.layout.set_by_user and not fits:
        engine.arrange(target.relation, target.model.layout)
    reach = reach_of(engine, table, target, incremental)
    watermark, whole = reach.watermark, reach.whole
    with candidates(engine, query, incremental, reach, table) as taken:
        engine.preparing.says(rule.require_columns, taken, write.rule)
        fitted = (fit_unchanged if fits else fit)(engine, taken, table, target, incremental)
        with (
            _adding(write, reach, fitted, table) as landed,
            audited(engine, fitted.rows, write.rule, watermark, landed) as (rows, audit),
        ):
            if landed is not None:
                table, fitted = landed.before, replace(fitted, target=landed.before)
            elif isinstance(engine, Limiting):
                fitted = roomy(fitted, engine.outgrown(target.relation, table, rows))
            before = None if watermark is None else watermark.text
            after = audit.newest if before is None or audit.late < audit.rows else before
            why = "the table has no watermark yet: the whole query" if whole else target.action.why
            if incremental.window is not None:
                why = f"the rows of {incremental.window}"

            def outcome(written: WriteCounts, left_out: _LeftOut) -> Outcome:
                return Outcome(
                    strategy=written.strategy,
                    why=why,
                    inserted=written.inserted,
                    updated=written.updated,
                    unchanged=left_out.unchanged,
                    stale=left_out.stale,
                    duplicates=audit.duplicates,
                    null_keys=audit.null_keys,
                    null_cursors=audit.null_cursors,
                    watermark_before=before,
                    watermark_after=after,
                    columns=fitted.words,
                    warning=written.warning,
                )

            take = _merge if incremental.unique_key else _append
            return take(write, _Delta(rows, audit, reach, table, fitted, after, outcome, landed))


def _adding(write: _Write, reach: Reach, fitted: Fit, table: Named) -> contextlib.AbstractContextManager[Joined | None]:
    """Let a delta land in its table, where the rule has chosen its rows so that nearly all of them stay.

    That is not so where rows are looked back for, or many stand at the watermark, such as the last load or day: they
    are taken again.
    """
    engine, settings, name = write.engine, write.incremental, write.incremental.updated_at
    if (
        not isinstance(engine, Landing)
        or name is None
        or reach.watermark is None
        or fitted.changes
        or fitted.changes.filled
        or fitted.kept
    ):
        return contextlib.nullcontext()
    chosen = settings.window is None and settings.lookback is None and not has_own_delta(write.target.model)
    if not (chosen and write.gate.is_open):
        return contextlib.nullcontext()
    again = table.then(rule.from_on, name, reach.watermark).then(_at_most, _FEW + 1)
    if settings.unique_key and _number(engine, again) > _FEW:
        return contextlib.nullcontext()
    return engine.adding(write.target.relation, fitted.rows, table)


@contextlib.contextmanager
def delta(engine: Engine, target: Target, query: Query) -> Iterator[ir.Table]:
    """Give the rows that `apply` would take up, before the rule decides about them; nothing is written."""
    incremental = target.model.incremental
    assert incremental is not None
    reach, table = Reach(None, True, -1), None
    if target.action.verb not in (Verb.CREATE, Verb.REPLACE):
        table = engine.found(target.relation)
        incremental = named_as(incremental, table.columns, engine.capabilities.folding)
        reach = reach_of(engine, table, target, incremental)
    with candidates(engine, query, incremental, reach, table) as taken:
        yield taken.table()


@dataclass(frozen=True, slots=True)
class _LeftOut:
    """How many rows of a delta are not written: all, and those that are older than the table's row of their key."""

    rows: int = 0
    stale: int = 0

    @property
    def unchanged(self) -> int:
        """Rows that stand there as they are."""
        return self.rows - self.stale


_NONE_LEFT_OUT = _LeftOut()


@dataclass(frozen=True, slots=True)
class _Delta:
    """The delta where it is staged or has landed, what is known of it, and what it goes into."""

    rows: Rows
    audit: Audit
    reach: Reach
    table: Rows
    fitted: Fit
    newest: str | None
    outcome: Callable[[WriteCounts, _LeftOut], Outcome]
    landed: Joined | None

    @property
    def lies_well(self) -> bool:
        """Whether what has landed can stay, but for some of few rows: no key is there twice, and none was dropped."""
        audit = self.audit
        return not (audit.duplicates or audit.dropped or audit.late > _FEW)


def _merge(write: _Write, delta: _Delta) -> Outcome:
    """Merge by key; a part of the rule that the audit shows to have nothing to do is left out."""
    engine, key, audit, landed = write.engine, write.incremental.unique_key, delta.audit, delta.landed
    by, null_safe = engine.capabilities.comparing, _is_null_safe(audit, write.rule)

    def whole(rows: Rows) -> Rows:
        table, filled = delta.fitted.of(delta.table), delta.fitted.changes.filled
        all_columns = rows.into(complete, table, filled, key, by, null_safe=null_safe) if filled else rows
        return table.then(rule.merged, all_columns, key, by, null_safe=null_safe)

    with contextlib.ExitStack() as stages:
        fresh = _fresh(write, delta, stages, null_safe=null_safe)
        left_out = fresh.left_out
        write.gate.judge(fresh.rows, whole)
        if fresh.is_empty and not delta.fitted.changes:
            if landed is not None:
                landed.undo()
            return delta.outcome(_NOTHING, left_out)
        stays = landed if delta.lies_well else None
        if stays is not None and fresh.away is not None and left_out.rows:
            stays = stays.without(fresh.away, key, null_safe=null_safe)
        rows = fresh.rows
        if landed is not None and stays is None:
            # The newest of duplicates are kept aside already, with what is asked of them.
            rows = rows if audit.duplicates else stages.enter_context(engine.stage(rows))
            landed.go()
        with write.noted(delta.rows, delta.newest, delta.reach.version, lambda counts: delta.outcome(counts, left_out)):
            if stays is not None:
                counts = stays.supersede(key, null_safe=null_safe)
            else:
                counts = engine.merge(
                    write.target.relation,
                    rows,
                    key,
                    null_safe=null_safe,
                    changes=delta.fitted.changes,
                    guard=Guard(write.rule.updated_at, None if audit.late else audit.ends),
                )
    return delta.outcome(counts, left_out)


@dataclass(frozen=True, slots=True)
class _Fresh:
    """What is to be written.

    Parameters
    ----------
    rows
        These rows; none, where `is_empty`.
    left_out
        How many of the delta's are not among them.
    away
        Rows that have the keys of those that were left out, and no others of the delta; None where none was.
    """

    rows: Rows
    left_out: _LeftOut = _NONE_LEFT_OUT
    away: Rows | None = None
    is_empty: bool = False


def _fresh(write: _Write, delta: _Delta, stages: contextlib.ExitStack, *, null_safe: bool) -> _Fresh:
    """Return what is to be written: of twins the newest, less what is older than the table's row or just like it."""
    engine, settings, key, audit = write.engine, write.rule, write.incremental.unique_key, delta.audit
    by, watermark, rows = engine.capabilities.comparing, delta.reach.watermark, delta.rows
    if audit.duplicates:
        rows = stages.enter_context(engine.stage(rows.then(rule.newest, settings, by)))
    rows = delta.fitted.written(rows)
    if not audit.late:
        return _Fresh(rows, is_empty=not audit.rows)
    doubtful: Rows = rows.then(rule.doubtful, settings, watermark, by)
    if delta.landed is not None and not audit.duplicates:
        # An engine would take them for a good part of the table, in which they are.
        few = audit.late <= _FEW
        doubtful = doubtful.then(_at_most, _FEW) if few else stages.enter_context(engine.stage(doubtful))
    old = _near(engine, doubtful, delta, key)
    settled: Rows = doubtful.into(rule.settled, old, settings, by, null_safe=null_safe)
    late = _number(engine, doubtful) if audit.duplicates else audit.late
    if late > _FEW:
        settled = stages.enter_context(engine.stage(settled))
    left_out = _counted(engine, settled)
    certain = rows.then(rule.certain, settings, watermark, by)
    if left_out.rows == late:
        return _Fresh(certain, left_out, doubtful, is_empty=audit.late == audit.rows)
    # Only then, because Postgres has no statistics for a union's columns, and joins it at a guess.
    if late <= _FEW:
        settled = stages.enter_context(engine.stage(settled))
    unsettled = doubtful.then(rule.unsettled, settled, settings, by, null_safe=null_safe)
    return _Fresh(certain.then(_both, unsettled), left_out, settled)


def _at_most(rows: ir.Table, number: int) -> ir.Table:
    return rows.limit(number)


def _near(engine: Engine, doubtful: Rows, delta: _Delta, key: tuple[str, ...]) -> Rows:
    """Return the table, without what cannot have the keys of doubtful rows where the engine can leave that unread."""
    old = delta.fitted.target
    if not isinstance(engine, Noting):
        return old
    (found,) = engine.rows(doubtful.into(rule.key_range, key))
    return Built(rule.within(old.table(), doubtful.table(), key, found))


def _both(rows: ir.Table, others: ir.Table) -> ir.Table:
    same = rows.columns == others.columns
    return rows.union(others if same else others.select(*rows.columns), distinct=False)


def _is_null_safe(audit: Audit, incremental: Incremental) -> bool:
    """Whether the rows to be merged hold a key with a NULL part: only where NULL is to match NULL."""
    return audit.null_keys > 0 and incremental.on_null_key is OnNullKey.MATCH


def _counted(engine: Engine, settled: Rows) -> _LeftOut:
    (found,) = engine.rows(settled.into(_numbers))
    return _LeftOut(int(str(found["rows"])), int(str(found["stale"] or 0)))


def _numbers(settled: ir.Table) -> ir.Table:
    return settled.agg(rows=settled.count(), stale=settled[STALE].sum())


def _number(engine: Engine, rows: Rows) -> int:
    (found,) = engine.rows(rows.into(_how_many))
    return int(str(found["rows"]))


def _how_many(rows: ir.Table) -> ir.Table:
    return rows.agg(rows=rows.count())


def _append(write: _Write, delta: _Delta) -> Outcome:
    """Add what is after the watermark; what the user's own delta holds besides is counted as stale."""
    engine, left_out, landed = write.engine, _NONE_LEFT_OUT, delta.landed
    rows = delta.fitted.written(delta.rows)
    with contextlib.ExitStack() as stages:
        if delta.reach.watermark is not None and delta.audit.late:
            rows = rows.then(rule.delta, write.rule, delta.reach.watermark, engine.capabilities.comparing)
            left_out = _LeftOut(delta.audit.late, delta.audit.late)
            if landed is not None:
                # A cursor that is another one each time it is asked for.
                rows = stages.enter_context(engine.stage(rows))
                landed.go()
                landed = None

        def whole(new: Rows) -> Rows:
            table, filled = delta.fitted.of(delta.table), delta.fitted.changes.filled
            by = engine.capabilities.comparing
            return table.then(_both, new.into(complete, table, filled, (), by, null_safe=False) if filled else new)

        write.gate.judge(rows, whole)
        with write.noted(delta.rows, delta.newest, delta.reach.version, lambda counts: delta.outcome(counts, left_out)):
            if landed is not None:
                counts = landed.stay()
            else:
                counts = engine.append(write.target.relation, rows, delta.fitted.changes)
    return delta.outcome(counts, left_out)
