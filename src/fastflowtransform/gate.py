"""What a model's new rows have to pass before they are published: the columns of its contract, and its checks.

Checks look at the rows where they are staged, and where a check looks at more than single rows, at what the table would
be. Rows that do not pass are kept beside, and what stood in the warehouse stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from fastflowtransform.contract import differences
from fastflowtransform.engines.base import Engine, Kind, kind_of
from fastflowtransform.errors import ContractBroken, EngineError, FftError, NotPublished, counted
from fastflowtransform.failing import Failing
from fastflowtransform.model import Check, Contract, Enforcement
from fastflowtransform.project import Project
from fastflowtransform.relation import Relation
from fastflowtransform.report import Report
from fastflowtransform.results import CheckResult, Status
from fastflowtransform.rows import Rows
from fastflowtransform.run_checks import Asked, ask, count_all, judge, kept_as, run_checks

if TYPE_CHECKING:
    import pyarrow as pa

    from fastflowtransform.materializations.base import Whole


class Audit:
    """The checks that a command asks before it publishes.

    Parameters
    ----------
    checks
        By the node before whose rows are published they are asked.
    project, engine
        Where the tables are.
    """

    def __init__(self, checks: Mapping[str, tuple[Check, ...]], project: Project, engine: Engine) -> None:
        self.checks = checks
        self._project = project
        self._plain = engine.capabilities.plain_names
        self._kept = engine.existing([self._keeps(node) for node in checks]) if checks else {}

    def gate(self, node: str, engine: Engine, report: Report) -> Gate:
        """Return what the new rows of a node have to pass, at one connection."""
        model = self._project.models.get(node)
        keeps = self._keeps(node)
        return Gate(
            NodeChecks(node, self.checks.get(node, ()), self._project, engine, report),
            None if model is None else model.contract,
            keeps,
            is_kept=keeps in self._kept,
        )

    def of_source(self, source: str, engine: Engine, report: Report) -> tuple[CheckResult, ...]:
        """Ask the checks of a source, which something else fills."""
        return run_checks(self.checks.get(source, ()), self._project, engine, report)

    def unasked(self, node: str) -> tuple[CheckResult, ...]:
        """Return the checks of a node of which none was asked."""
        return tuple(_unasked(check) for check in self.checks.get(node, ()))

    def _keeps(self, node: str) -> Relation:
        return kept_as(self._project.database, f"{node}__fft_failed", plain=self._plain)


def _unasked(check: Check) -> CheckResult:
    return CheckResult(check.name, check.node, check.type, Status.SKIPPED)


class NodeChecks:
    """The checks of one node, asked of rows that stand in its place."""

    def __init__(self, node: str, checks: tuple[Check, ...], project: Project, engine: Engine, report: Report) -> None:
        self.node = node
        self.checks = checks
        self.engine = engine
        self._project = project
        self._report = report

    def asked(self, rows: Rows, whole: Whole | None) -> list[tuple[Asked, bool]]:
        """Return each check's failing rows, counted, and whether only the new rows were looked at.

        Raises
        ------
        EngineError
            Something passing is in the way, and trying again may help.
        """
        new = self._instead(rows)
        full = new if whole is None else self._instead(whole(rows))
        found = []
        for check in self.checks:
            asked, new_only = ask(check, new, self.engine), False
            if whole is not None:
                new_only = asked.rows is not None and new.is_by_row(check, asked.rows)
                asked = asked if new_only else ask(check, full, self.engine)
            found.append((asked, new_only))
        numbers = count_all([asked for asked, _ in found], self.engine)
        _require_time(asked.error for asked in numbers)
        return [(asked, new_only) for asked, (_, new_only) in zip(numbers, found, strict=True)]

    def judged(self, rows: Rows, whole: Whole | None) -> tuple[CheckResult, ...]:
        """Return what came of each check."""
        asked = self.asked(rows, whole)
        results = tuple(
            replace(judge(each, self._project, self.engine, self._report), new_only=new_only)
            for each, new_only in asked
        )
        _require_time(result.error for result in results)
        return results

    def shown(
        self, results: tuple[CheckResult, ...], rows: Rows | None = None, whole: Whole | None = None
    ) -> tuple[CheckResult, ...]:
        """Return the results with the SQL that finds the failing rows where they are to be found afterwards.

        `rows` are those that are kept; None for what stands under the node's own name.
        """
        if all(result.sql is None for result in results):
            return results
        new = Failing(self._project, self.engine) if rows is None else self._instead(rows)
        full = new if rows is None or whole is None else self._instead(whole(rows))
        by_name = {check.name: check for check in self.checks}
        found = []
        for result in results:
            if result.sql is not None:
                asked = ask(by_name[result.name], new if result.new_only else full, self.engine)
                result = replace(result, sql=None if asked.rows is None else self.engine.compiled(asked.rows))
            found.append(result)
        return tuple(found)

    def _instead(self, rows: Rows) -> Failing:
        """Return checks that see rows in place of the node, and of a source that is the same table."""
        upstream = self._project.graph.upstream
        sources = [node for node in self._project.sources if upstream[node] == {self.node}]
        return Failing(self._project, self.engine, {node: rows for node in (self.node, *sources)})


class Gate:
    """What the new rows of one node have to pass; `results` are of the last time that it was asked."""

    def __init__(self, node_checks: NodeChecks, contract: Contract | None, keeps: Relation, *, is_kept: bool) -> None:
        self._node_checks = node_checks
        self._contract = contract
        self._keeps = keeps
        self._is_kept = is_kept
        self._engine = node_checks.engine
        self.checks = node_checks.checks
        self.results: tuple[CheckResult, ...] = ()
        self.contract_words: tuple[str, ...] = ()
        self.kept: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether nothing is asked of the rows."""
        return not self.checks

    def columns(self, rows: Rows | pa.RecordBatchReader) -> None:
        """Compare a query's columns with the contract.

        Raises
        ------
        ContractBroken
            They differ, and the contract is enforced.
        """
        if self._contract is None:
            return
        import ibis

        folding = self._engine.capabilities.folding
        table = rows.table() if isinstance(rows, Rows) else None
        found = differences(
            self._contract, ibis.Schema.from_pyarrow(rows.schema) if table is None else table.schema(), folding
        )
        if found and table is not None:
            # Ibis' own idea of a type may be another one than the engine's.
            found = differences(self._contract, self._engine.schema(table), folding)
        self.contract_words = tuple(difference.words for difference in found)
        if found and self._contract.enforcement is Enforcement.ENFORCED:
            raise ContractBroken(
                f'"{self._node_checks.node}" breaks its contract: {"; ".join(self.contract_words)}',
                at=found[0].at,
                hint="mend the model, or change the contract",
            )

    def judge(self, rows: Rows, whole: Whole | None = None, *, staged: bool = True) -> None:
        """Ask the checks; the parameters are those of `materializations.base.Gate`."""
        if self.is_open:
            return
        self.kept = None
        self.results = self._node_checks.judged(rows, whole)
        failed = [result.name for result in self.results if result.status is Status.ERROR]
        if not failed:
            if self._is_kept:
                self._engine.drop(self._keeps)
                self._is_kept = False
            return
        hint = "mend its rows, its query or the check"
        if staged:
            hint = self._keep(rows, whole)
        names = ", ".join(f'"{name}"' for name in failed[:3]) + (" and others" if len(failed) > 3 else "")
        raise NotPublished(
            f'"{self._node_checks.node}" is not published: {counted(len(failed), "check")} of {len(self.checks)} '
            f"{'fails' if len(failed) == 1 else 'fail'} on its new rows: {names}",
            hint=hint,
        )

    def published(self) -> None:
        """Let the results show the rows where they are now."""
        self.results = self._node_checks.shown(self.results)

    def answers(self) -> tuple[CheckResult, ...]:
        """Return what came of each check; those that were not asked are skipped."""
        found = {result.name: result for result in self.results}
        return tuple(found.get(check.name) or _unasked(check) for check in self.checks)

    def abandoned(self) -> None:
        """Let the results show no rows: those that were looked at are gone, for another reason than these checks."""
        self.results = tuple(replace(result, sql=None) for result in self.results)

    def _keep(self, rows: Rows, whole: Whole | None) -> str:
        """Keep the rows that are not published, and return a hint that says where."""
        try:
            if kind_of(self._engine.existing([self._keeps]).get(self._keeps)) is Kind.TABLE:
                self._engine.drop(self._keeps)
            written = self._engine.replace(self._keeps, rows, over=None).inserted
            self._is_kept = True
            self.results = self._node_checks.shown(self.results, self._engine.found(self._keeps), whole)
        except EngineError as error:
            _require_time([error])
            self.abandoned()
            return f"its new rows could not be kept: {error.code} {error.message}"
        if not written:
            self._engine.drop(self._keeps)
            return "it has no new rows, so look at those that stand, or at the check"
        self.kept = str(self._keeps)
        return f"{counted(written, 'new row')} {'is' if written == 1 else 'are'} kept in {self.kept}"


def _require_time(errors: Iterable[FftError | None]) -> None:
    """Raise the first error that may be gone a moment later, so that the write is tried again as a whole."""
    for error in errors:
        if isinstance(error, EngineError) and error.transient:
            raise error
