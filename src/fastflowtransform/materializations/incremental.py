"""A table that takes in what is new: the rule of `incremental`, executed over rows that are staged once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fastflowtransform import incremental as rule
from fastflowtransform.engines.base import Capabilities, Engine, Guard, Kind, Landed, Landing, Noting, Standing, kind_of
from fastflowtransform.errors import DeltaColumnsDiffer, NotATable
from fastflowtransform.incremental import STALE
from fastflowtransform.materializations.audit import Audit, audited
from fastflowtransform.materializations.base import OPEN, SILENT, Action, Gate, Journal, Query, Target, Verb
from fastflowtransform.materializations.columns import Fit, changed, fit
from fastflowtransform.model import Incremental, Model, OnNullKey, SqlBody
from fastflowtransform.results import Outcome, WriteCounts
from fastflowtransform.rows import Built, Named, Newest, Rows

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

    @property
    def rule(self) -> Incremental:
        """The settings that what is kept is known by."""
        return _lasting(self.incremental)

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


def _lasting(incremental: Incremental) -> Incremental:
    """Return the settings without what only this run has, or this model: so that others have the same ones."""
    return replace(incremental, delta=None, window=None)


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
    if _is_own(model) or incremental.delta is not None:
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
    with query.given(is_incremental=False) as given:
        engine.preparing.says(rule.require_columns, given, write.rule)
        new = _windowed(given, incremental)
        with _building(write, new) as landed, audited(engine, new, write.rule, None, landed) as (rows, audit):
            rows = rows.then(rule.newest, write.rule, engine.capabilities.comparing) if audit.duplicates else rows
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
                    if landed is not None and new is landed.rows:
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
    engine, target, incremental = write.engine, write.target, write.incremental
    table = engine.found(target.relation)
    if target.model.layout.set_by_user:
        engine.arrange(target.relation, target.model.layout)
    reach = _reach(engine, table, target, incremental)
    watermark, whole = reach.watermark, reach.whole
    with _candidates(engine, query, incremental, reach) as candidates:
        engine.preparing.says(rule.require_columns, candidates, write.rule)
        fitted = fit(engine, candidates, table, target.model, incremental)
        with (
            _adding(write, reach, fitted, table) as landed,
            audited(engine, fitted.rows, write.rule, watermark, landed) as (rows, audit),
        ):
            if landed is not None and landed.before is not None:
                table, fitted = landed.before, replace(fitted, target=landed.before)
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


def _adding(
    write: _Write, reach: _Reach, fitted: Fit, table: Named
) -> contextlib.AbstractContextManager[Landed | None]:
    """Let a delta land in its table, where the rule has chosen its rows so that nearly all of them stay.

    That is not so where rows are looked back for, or a day is taken again since its date is the cursor.
    """
    engine, settings, name = write.engine, write.incremental, write.incremental.updated_at
    if not isinstance(engine, Landing) or name is None or reach.watermark is None or fitted.changes:
        return contextlib.nullcontext()
    chosen = settings.delta is None and settings.window is None and settings.lookback is None
    if not (chosen and write.gate.is_open) or _is_own(write.target.model):
        return contextlib.nullcontext()
    if engine.preparing.says(_is_date, table, name):
        return contextlib.nullcontext()
    return engine.adding(write.target.relation, fitted.rows, table)


def _is_date(rows: ir.Table, name: str) -> bool:
    return bool(rows[name].type().is_date())


def _is_own(model: Model) -> bool:
    """Whether the query of an increment is the delta, as the user wrote it."""
    return isinstance(model.body, SqlBody) and model.body.own_delta


@contextlib.contextmanager
def delta(engine: Engine, target: Target, query: Query) -> Iterator[ir.Table]:
    """Give the rows that `apply` would take up, before the rule decides about them; nothing is written."""
    incremental = target.model.incremental
    assert incremental is not None
    reach = _Reach(None, True, -1)
    if target.action.verb not in (Verb.CREATE, Verb.REPLACE):
        reach = _reach(engine, engine.found(target.relation), target, incremental)
    with _candidates(engine, query, incremental, reach) as candidates:
        yield candidates.table()


@dataclass(frozen=True, slots=True)
class _Reach:
    """The table's watermark, whether an increment takes the whole query, and the version of the table for both."""

    watermark: Newest | None
    whole: bool
    version: int


def _reach(engine: Engine, table: Rows, target: Target, incremental: Incremental) -> _Reach:
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
    """The delta where it is staged or has landed, what is known of it, and what it goes into."""

    rows: Rows
    audit: Audit
    reach: _Reach
    table: Rows
    fitted: Fit
    newest: str | None
    outcome: Callable[[WriteCounts, _LeftOut], Outcome]
    landed: Landed | None


def _merge(write: _Write, delta: _Delta) -> Outcome:
    """Merge by key; a part of the rule that the audit shows to have nothing to do is left out."""
    engine, key, audit, landed = write.engine, write.incremental.unique_key, delta.audit, delta.landed
    by, null_safe = engine.capabilities.comparing, _is_null_safe(audit, write.rule)

    def whole(rows: Rows) -> Rows:
        return changed(delta.table, delta.fitted.changes).then(rule.merged, rows, key, by, null_safe=null_safe)

    with contextlib.ExitStack() as stages:
        fresh, left_out, nothing = _fresh(write, delta, stages)
        write.gate.judge(fresh, whole)
        stays = not nothing and _stays(delta, left_out)
        if nothing:
            if landed is not None:
                landed.undo()
            return delta.outcome(_NOTHING, left_out)
        if landed is not None and not stays:
            fresh = stages.enter_context(engine.stage(fresh))
            landed.go()
        with write.noted(delta.rows, delta.newest, delta.reach.version, lambda counts: delta.outcome(counts, left_out)):
            if landed is not None and stays:
                counts = landed.stay(key, null_safe=null_safe, same=left_out.unchanged)
            else:
                counts = engine.merge(
                    write.target.relation,
                    fresh,
                    key,
                    null_safe=null_safe,
                    changes=delta.fitted.changes,
                    guard=Guard(write.rule.updated_at, None if audit.late else audit.ends),
                )
    return delta.outcome(counts, left_out)


def _fresh(write: _Write, delta: _Delta, stages: contextlib.ExitStack) -> tuple[Rows, _LeftOut, bool]:
    """Return what is to be written, what is left out of it, and whether that is nothing."""
    engine, settings, key, audit = write.engine, write.rule, write.incremental.unique_key, delta.audit
    by, watermark, null_safe = engine.capabilities.comparing, delta.reach.watermark, _is_null_safe(audit, settings)
    fresh, left_out, is_left = delta.rows, _NONE_LEFT_OUT, False
    if audit.duplicates:
        fresh = stages.enter_context(engine.stage(fresh.then(rule.newest, settings, by)))
    if audit.late:
        doubtful: Rows = fresh.then(rule.doubtful, settings, watermark, by)
        if delta.landed is not None:
            # An engine would take them for a good part of the table, in which they are.
            few = audit.late <= _FEW
            doubtful = doubtful.then(_at_most, _FEW) if few else stages.enter_context(engine.stage(doubtful))
        old = _near(engine, doubtful, delta, key)
        settled: Rows = doubtful.into(rule.settled, old, settings, by, null_safe=null_safe)
        late = _number(engine, doubtful) if audit.duplicates else audit.late
        if late > _FEW:
            settled = stages.enter_context(engine.stage(settled))
        left_out = _counted(engine, settled)
        fresh = fresh.then(rule.certain, settings, watermark, by)
        is_left = left_out.rows < late
        if is_left:
            # Only then, because Postgres has no statistics for a union's columns, and joins it at a guess.
            if late <= _FEW:
                settled = stages.enter_context(engine.stage(settled))
            fresh = fresh.then(_both, doubtful.then(rule.unsettled, settled, settings, by, null_safe=null_safe))
    return fresh, left_out, audit.late == audit.rows and not is_left and not delta.fitted.changes


def _at_most(rows: ir.Table, number: int) -> ir.Table:
    return rows.limit(number)


def _stays(delta: _Delta, left_out: _LeftOut) -> bool:
    """Whether what has landed is what is to be written, but for a few rows that stand there just so."""
    landed = delta.landed is not None and delta.rows is delta.landed.rows
    return landed and not delta.audit.duplicates and left_out.rows <= _FEW and not left_out.stale


def _near(engine: Engine, doubtful: Rows, delta: _Delta, key: tuple[str, ...]) -> Rows:
    """Return the table, without what cannot have the keys of doubtful rows where the engine can leave that unread."""
    old = delta.fitted.target
    if not isinstance(engine, Noting):
        return old
    (found,) = engine.rows(doubtful.into(rule.key_range, key))
    return Built(rule.within(old.table(), doubtful.table(), key, found))


def _both(rows: ir.Table, others: ir.Table) -> ir.Table:
    return rows.union(others, distinct=False)


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
    engine, rows, left_out, landed = write.engine, delta.rows, _NONE_LEFT_OUT, delta.landed
    if delta.reach.watermark is not None and delta.audit.late:
        rows = rows.then(rule.delta, write.rule, delta.reach.watermark, engine.capabilities.comparing)
        left_out = _LeftOut(delta.audit.late, delta.audit.late)
    write.gate.judge(rows, lambda new: changed(delta.table, delta.fitted.changes).then(_both, new))
    with write.noted(delta.rows, delta.newest, delta.reach.version, lambda counts: delta.outcome(counts, left_out)):
        if landed is not None:
            # The rule takes none that is not after the watermark, or it is refused.
            assert rows is landed.rows
            counts = landed.stay()
        else:
            counts = engine.append(write.target.relation, rows, delta.fitted.changes)
    return delta.outcome(counts, left_out)


def _watermark(engine: Engine, table: Rows, target: Target, incremental: Incremental) -> tuple[Newest | None, int]:
    """Return the table's largest cursor, and the version of the table that has it.

    Where an exact note says what it is, the table is not read; where one says what it was, the rows from there on are
    asked first.
    """
    rule.require_target_columns(table.columns, target.model.name, incremental)
    name = incremental.updated_at
    if name is None:
        return None, -1
    by, version = engine.capabilities.comparing, -1

    def highest(rows: Rows) -> Newest | None:
        found = rule.highest_of(engine.rows(rows.into(rule.highest, name, by)))
        return None if found is None else Newest(found, table, name)

    if isinstance(engine, Noting) and rule.has_maximum(table.schema()[name]):
        noted = engine.newest_noted(target.relation, name, table.schema()[name])
        version = noted.version
        if noted.newest is not None:
            near = Newest(noted.newest, table, name)
            if noted.is_exact:
                return near, version
            # There is none where somebody took the newest rows away.
            if (found := highest(table.then(rule.from_on, name, near))) is not None:
                return found, version
    return highest(table), version


def _is_empty(engine: Engine, table: Rows) -> bool:
    return not engine.rows(table.into(_first))


def _first(rows: ir.Table) -> ir.Table:
    import ibis

    return rows.limit(1).select(one=ibis.literal(1))


@contextlib.contextmanager
def _candidates(engine: Engine, query: Query, incremental: Incremental, reach: _Reach) -> Iterator[Rows]:
    """Give the delta: all of the query, the user's own delta, or the rows that the watermark leaves."""
    settings = _lasting(incremental)
    with query.given(is_incremental=not reach.whole) as full:
        engine.preparing.says(rule.require_columns, full, settings)
        delta = None if reach.whole else query.delta()
        if delta is not None:
            yield _same_columns(delta, full, incremental, query.model)
        elif incremental.window is not None:
            yield _windowed(full, incremental)
        elif reach.whole or _is_own(query.model) or reach.watermark is None:
            yield full
        else:
            yield full.then(rule.delta, settings, reach.watermark, engine.capabilities.comparing)


def _windowed(rows: Rows, incremental: Incremental) -> Rows:
    """Keep the rows of this run's window; each run has another one."""
    return rows if incremental.window is None else Built(rule.windowed(rows.table(), incremental))


def _same_columns(given: Rows, full: Rows, incremental: Incremental, model: Model) -> Rows:
    missing = [name for name in full.columns if name not in given.columns]
    extra = [name for name in given.columns if name not in full.columns]
    if not missing and not extra:
        return given
    assert incremental.delta is not None
    words = [f'lacks "{name}"' for name in missing] + [f'has "{name}" besides' for name in extra]
    raise DeltaColumnsDiffer(
        f'the delta of "{model.name}" differs from its query: {", ".join(words)}',
        at=incremental.delta.template.at,
        hint="select the same columns in both",
    )
