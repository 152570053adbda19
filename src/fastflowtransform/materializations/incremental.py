"""A table that takes in what is new: the rule of `incremental`, executed over rows that are staged once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastflowtransform import incremental as rule
from fastflowtransform.engines.base import Capabilities, Engine, Guard, Kind, Noting, Standing, kind_of
from fastflowtransform.errors import DeltaColumnsDiffer, NotATable
from fastflowtransform.incremental import STALE, Comparing, Watermark
from fastflowtransform.materializations.audit import Audit, audited
from fastflowtransform.materializations.base import OPEN, SILENT, Action, Gate, Journal, Query, Target, Verb
from fastflowtransform.materializations.columns import Fit, changed, fit
from fastflowtransform.model import Incremental, Model, OnNullKey, SqlBody
from fastflowtransform.results import Outcome, WriteCounts

if TYPE_CHECKING:
    import ibis.expr.types as ir


_NOTHING = WriteCounts(0, 0, "nothing to write")
_FEW = 1_000
"""Rows not after the watermark that are asked about as they are: as a rule all of them stand there already, and nothing
more is asked. Of more, it is kept what came of it, for the target is not to be joined twice."""


@dataclass(frozen=True, slots=True)
class _Write:
    """What is written, where, and who looks at it."""

    engine: Engine
    target: Target
    incremental: Incremental
    gate: Gate
    journal: Journal

    @contextlib.contextmanager
    def noted(
        self, rows: ir.Table, newest: str | None, over: int | None, outcome: Callable[[WriteCounts], Outcome]
    ) -> Iterator[None]:
        """Note what the block's write comes to; and the table's largest cursor, where the engine keeps notes.

        That was found over the version `over` of the table, and what is written; None where that is all of it.
        """
        name, engine = self.incremental.updated_at, self.engine
        with contextlib.ExitStack() as noting:
            if name is not None and newest is not None and isinstance(engine, Noting):
                noting.enter_context(engine.noting(name, rows[name].type(), newest, over))
            noting.enter_context(self.journal.writing(engine, self.target.relation, outcome))
            yield


def decide(model: Model, over: Standing | None, capabilities: Capabilities, *, full_refresh: bool) -> Action:
    """Create the table, build it anew, or take in what is new."""
    assert model.incremental is not None
    if over is None:
        return Action(Verb.CREATE, "table", "there is none yet")
    if full_refresh:
        return Action(Verb.REPLACE, "table", "full refresh")
    if over.kind is Kind.VIEW:
        raise NotATable(
            f'"{model.name}" is incremental, and a view stands under its name',
            at=model.at,
            hint="run it once with --full-refresh",
        )
    if model.incremental.unique_key:
        keys = ", ".join(model.incremental.unique_key)
        return Action(
            Verb.MERGE, f"by {keys} ({over.merged_by(model.incremental.unique_key)})", _which(model, model.incremental)
        )
    return Action(Verb.APPEND, "rows", _which(model, model.incremental))


def _which(model: Model, incremental: Incremental) -> str:
    """Say which rows a run takes."""
    own = isinstance(model.body, SqlBody) and model.body.own_delta
    if own or incremental.delta is not None:
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
    engine, target, incremental = write.engine, write.target, write.incremental
    with query.table(is_incremental=False) as table:
        rule.require_columns(table, incremental)
        with audited(engine, rule.windowed(table, incremental), incremental, None) as (rows, audit):
            rows = rule.newest(rows, incremental, engine.capabilities.comparing) if audit.duplicates else rows
            twice = audit.duplicates and not write.gate.is_open

            def outcome(written: WriteCounts) -> Outcome:
                return Outcome(
                    strategy=written.strategy,
                    why=target.action.why,
                    inserted=written.inserted,
                    updated=0,
                    duplicates=audit.duplicates,
                    null_keys=audit.null_keys,
                    null_cursors=audit.null_cursors,
                    watermark_after=audit.newest,
                )

            with engine.stage(rows) if twice else contextlib.nullcontext(rows) as new:
                write.gate.judge(new)
                with write.noted(new, audit.newest, None, outcome):
                    return outcome(
                        engine.replace(target.relation, new, over=kind_of(target.over), layout=target.model.layout)
                    )


def _increment(write: _Write, query: Query) -> Outcome:
    """Take the delta into the table that stands there."""
    engine, target, incremental = write.engine, write.target, write.incremental
    table = engine.table(target.relation)
    if target.model.layout.set_by_user:
        engine.arrange(target.relation, target.model.layout)
    reach = _reach(engine, table, target, incremental)
    watermark, whole = reach.watermark, reach.whole
    with _candidates(query, incremental, watermark, engine.capabilities.comparing, whole=whole) as candidates:
        rule.require_columns(candidates, incremental)
        fitted = fit(engine, candidates, table, target.model, incremental)
        with audited(engine, fitted.rows, incremental, watermark) as (rows, audit):
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
            return take(write, _Delta(rows, audit, reach, table, fitted, after, outcome))


@contextlib.contextmanager
def delta(engine: Engine, target: Target, query: Query) -> Iterator[ir.Table]:
    """Give the rows that `apply` would take up, before the rule decides about them; nothing is written."""
    incremental = target.model.incremental
    assert incremental is not None
    watermark, whole = None, True
    if target.action.verb not in (Verb.CREATE, Verb.REPLACE):
        reach = _reach(engine, engine.table(target.relation), target, incremental)
        watermark, whole = reach.watermark, reach.whole
    with _candidates(query, incremental, watermark, engine.capabilities.comparing, whole=whole) as candidates:
        yield candidates


@dataclass(frozen=True, slots=True)
class _Reach:
    """The table's watermark, whether an increment takes the whole query, and the version of the table for both."""

    watermark: Watermark | None
    whole: bool
    version: int


def _reach(engine: Engine, table: ir.Table, target: Target, incremental: Incremental) -> _Reach:
    watermark, version = _watermark(engine, table, target, incremental)
    whole = watermark is None and (incremental.updated_at is not None or _is_empty(engine, table))
    return _Reach(watermark, whole, version)


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
    """The staged delta, what is known of it, and what it goes into."""

    rows: ir.Table
    audit: Audit
    reach: _Reach
    table: ir.Table
    fitted: Fit
    newest: str | None
    outcome: Callable[[WriteCounts, _LeftOut], Outcome]


def _merge(write: _Write, delta: _Delta) -> Outcome:
    """Merge by key; a part of the rule that the audit shows to have nothing to do is left out."""
    engine, incremental = write.engine, write.incremental
    audit, fresh, null_safe = delta.audit, delta.rows, _is_null_safe(delta.audit, incremental)
    left_out, is_left = _NONE_LEFT_OUT, False
    by = engine.capabilities.comparing

    def whole(rows: ir.Table) -> ir.Table:
        old = changed(delta.table, delta.fitted.changes)
        return rule.merged(old, rows, incremental.unique_key, by, null_safe=null_safe)

    with contextlib.ExitStack() as stages:
        if audit.duplicates:
            fresh = stages.enter_context(engine.stage(rule.newest(fresh, incremental, by)))
        if audit.late:
            doubtful = rule.doubtful(fresh, incremental, delta.reach.watermark, by)
            old = delta.fitted.target
            if isinstance(engine, Noting):
                (found,) = engine.rows(rule.key_range(doubtful, incremental.unique_key))
                old = rule.within(old, doubtful, incremental.unique_key, found)
            settled = rule.settled(doubtful, old, incremental, by, null_safe=null_safe)
            late = _number(engine, doubtful) if audit.duplicates else audit.late
            if late > _FEW:
                settled = stages.enter_context(engine.stage(settled))
            left_out = _counted(engine, settled)
            fresh = rule.certain(fresh, incremental, delta.reach.watermark, by)
            is_left = left_out.rows < late
            if is_left:
                # Only then, because Postgres has no statistics for a union's columns, and joins it at a guess.
                if late <= _FEW:
                    settled = stages.enter_context(engine.stage(settled))
                decided = rule.unsettled(doubtful, settled, incremental, by, null_safe=null_safe)
                fresh = fresh.union(decided, distinct=False)
        write.gate.judge(fresh, whole)
        if audit.late == audit.rows and not is_left and not delta.fitted.changes:
            return delta.outcome(_NOTHING, left_out)
        with write.noted(delta.rows, delta.newest, delta.reach.version, lambda counts: delta.outcome(counts, left_out)):
            counts = engine.merge(
                write.target.relation,
                fresh,
                incremental.unique_key,
                null_safe=null_safe,
                changes=delta.fitted.changes,
                guard=Guard(incremental.updated_at, None if audit.late else audit.ends),
            )
    return delta.outcome(counts, left_out)


def _is_null_safe(audit: Audit, incremental: Incremental) -> bool:
    """Whether the rows to be merged hold a key with a NULL part: only where NULL is to match NULL."""
    return audit.null_keys > 0 and incremental.on_null_key is OnNullKey.MATCH


def _counted(engine: Engine, settled: ir.Table) -> _LeftOut:
    (found,) = engine.rows(settled.agg(rows=settled.count(), stale=settled[STALE].sum()))
    return _LeftOut(int(str(found["rows"])), int(str(found["stale"] or 0)))


def _number(engine: Engine, rows: ir.Table) -> int:
    (found,) = engine.rows(rows.agg(rows=rows.count()))
    return int(str(found["rows"]))


def _append(write: _Write, delta: _Delta) -> Outcome:
    """Add what is after the watermark; what the user's own delta holds besides is counted as stale."""
    engine, rows, left_out = write.engine, delta.rows, _NONE_LEFT_OUT
    if delta.reach.watermark is not None and delta.audit.late:
        rows = rule.delta(rows, write.incremental, delta.reach.watermark, engine.capabilities.comparing)
        left_out = _LeftOut(delta.audit.late, delta.audit.late)
    write.gate.judge(rows, lambda new: changed(delta.table, delta.fitted.changes).union(new, distinct=False))
    with write.noted(delta.rows, delta.newest, delta.reach.version, lambda counts: delta.outcome(counts, left_out)):
        counts = engine.append(write.target.relation, rows, delta.fitted.changes)
    return delta.outcome(counts, left_out)


def _watermark(
    engine: Engine, table: ir.Table, target: Target, incremental: Incremental
) -> tuple[Watermark | None, int]:
    """Return the table's largest cursor, and the version of the table that has it.

    Where an exact note says what it is, the table is not read; where one says what it was, the rows from there on are
    asked first.
    """
    rule.require_target_columns(table, target.model.name, incremental)
    name = incremental.updated_at
    if name is None:
        return None, -1
    by, cursor = engine.capabilities.comparing, table[name]
    dtype, version = cursor.type(), -1
    if isinstance(engine, Noting) and rule.has_maximum(dtype):
        noted = engine.newest_noted(target.relation, name, dtype)
        version = noted.version
        if noted.newest is not None:
            near = Watermark(noted.newest, dtype)
            if noted.is_exact:
                return near, version
            rows = table.filter(cursor >= near.literal())
            # There is none where somebody took the newest rows away.
            if (found := rule.highest_of(engine.rows(rule.highest(rows, name, by)), dtype)) is not None:
                return found, version
    return rule.highest_of(engine.rows(rule.highest(table, name, by)), dtype), version


def _is_empty(engine: Engine, table: ir.Table) -> bool:
    return not engine.rows(table.limit(1))


@contextlib.contextmanager
def _candidates(
    query: Query, incremental: Incremental, watermark: Watermark | None, by: Comparing, *, whole: bool
) -> Iterator[ir.Table]:
    """Give the delta: all of the query, the user's own delta, or the rows that the watermark leaves."""
    with query.table(is_incremental=not whole) as full:
        rule.require_columns(full, incremental)
        own = isinstance(query.model.body, SqlBody) and query.model.body.own_delta
        given = None if whole else query.delta()
        if given is not None:
            yield _same_columns(given, full, incremental, query.model)
        elif incremental.window is not None:
            yield rule.windowed(full, incremental)
        elif whole or own:
            yield full
        else:
            yield rule.delta(full, incremental, watermark, by)


def _same_columns(given: ir.Table, full: ir.Table, incremental: Incremental, model: Model) -> ir.Table:
    missing = [name for name in full.columns if name not in given.columns]
    extra = [name for name in given.columns if name not in full.columns]
    if not missing and not extra:
        return given.select(*full.columns)
    assert incremental.delta is not None
    words = [f'lacks "{name}"' for name in missing] + [f'has "{name}" besides' for name in extra]
    raise DeltaColumnsDiffer(
        f'the delta of "{model.name}" differs from its query: {", ".join(words)}',
        at=incremental.delta.template.at,
        hint="select the same columns in both",
    )
