"""What a node is, as two short texts that change when it does: one of what it computes, one of how it is built.

The body is what would be sent to the warehouse: a change of a macro or of a variable counts, as far as it reaches the
SQL; comments and white space do not, nor does the schema that the tables stand in.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, replace

from fastflowtransform.errors import FftError, UnreadableFile
from fastflowtransform.model import Model, PythonBody, Seed, Source, SqlBody
from fastflowtransform.project import Project
from fastflowtransform.python_source import source_of
from fastflowtransform.sql_model import Name, render
from fastflowtransform.template import Template


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a node computes, and how it is built."""

    body: str
    config: str

    def __str__(self) -> str:
        return f"{self.body} {self.config}"


_TOKEN = re.compile(
    r"""
    (?P<blank> \s+ | --[^\n]* | /\*(?!\+).*?\*/ )      # A comment that begins with a plus is a hint to the engine.
    | '(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*` | \$(?P<mark>\w*)\$.*?\$(?P=mark)\$
    | \w+ | .
    """,
    re.VERBOSE | re.DOTALL,
)


def tokens(sql: str) -> tuple[str, ...]:
    """Return the words and signs of a statement, without comments, white space and the semicolons at its end.

    A text with a backslash before a quote is one token: it depends on the engine where such a string ends.

    Examples
    --------
    >>> tokens("select  a -- the key\\nfrom t where b = 'x  y';")
    ('select', 'a', 'from', 't', 'where', 'b', '=', "'x  y'")
    """
    if re.search(r"\\['\"`]", sql):
        return (sql,)
    found = [token[0] for token in _TOKEN.finditer(sql) if token["blank"] is None]
    while found and found[-1] == ";":
        found.pop()
    return tuple(found)


def fingerprints(project: Project) -> dict[str, Fingerprint]:
    """Return the fingerprint of each node, by its name in the graph."""
    found = {name: fingerprint_of(model, project) for name, model in project.models.items()}
    found |= {name: Fingerprint(_content(seed), _settings(seed)) for name, seed in project.seeds.items()}
    return found | {node: Fingerprint("", _declared(source)) for node, source in project.sources.items()}


def fingerprint_of(model: Model, project: Project) -> Fingerprint:
    """Return the fingerprint of one model."""
    return Fingerprint(_body(model, project), _config(model))


def digest(*parts: object) -> str:
    """Return what tells parts from any others."""
    return hashlib.blake2b("\0".join(map(str, parts)).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _body(model: Model, project: Project) -> str:
    reads = [found.node for found in model.reads]
    delta = None if model.incremental is None else model.incremental.delta
    texts = [] if delta is None else [_text(delta.template, model, project, is_incremental=True)]
    if isinstance(model.body, PythonBody):
        return digest(reads, source_of(model.body.function, model.at, project.folder), *texts)
    template = model.body.template
    ways = (False, True) if model.body.own_delta else (False,)
    return digest(*(_text(template, model, project, is_incremental=way) for way in ways), *texts)


def _text(template: Template, model: Model, project: Project, *, is_incremental: bool) -> tuple[str, ...]:
    """Return the tokens of a template that is rendered with the inputs' names in the graph."""
    names = {found.node: Name(f'"{found.node}"', "", found.name) for found in model.reads}
    this = Name('"this"', "", model.name)
    try:
        return tokens(render(template, project.scope, names, this, is_incremental=is_incremental))
    except FftError:
        # It fails when it runs, too; until then its text is what there is to compare.
        return (template.text,)


def _config(model: Model) -> str:
    """Digest what decides how the table is made; what only describes the model is left out."""
    incremental = None if model.incremental is None else replace(model.incremental, delta=None)
    contract = model.contract
    promised = contract and (
        contract.enforcement,
        [(column.name, column.types) for column in contract.columns],
        [(constraint.type, sorted(constraint.arguments.items())) for constraint in contract.constraints],
    )
    body = model.body.dialect if isinstance(model.body, SqlBody) else model.body.frame
    layout = model.layout
    lies = (layout.indexes, layout.partition_by, layout.cluster_by, sorted(layout.table_properties.items()))
    return digest(model.materialized, incremental, lies, promised, sorted(model.requires.items()), body, model.engines)


def _content(seed: Seed) -> str:
    try:
        with seed.path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=12)).hexdigest()
    except OSError as error:
        raise UnreadableFile(f'cannot read the file: "{error.strerror}"', at=seed.at) from error


def _settings(seed: Seed) -> str:
    return digest(seed.relation.name, sorted(seed.types.items()))


def _declared(source: Source) -> str:
    freshness = source.freshness and asdict(replace(source.freshness, at=source.at))
    limits = freshness and {key: value for key, value in freshness.items() if key != "at"}
    return digest(source.relation.name, sorted(source.columns.items()), limits, source.version)
