"""What a node is, as two short texts that change when it does: one of what it computes, one of how it is built.

The body is what would be sent to the warehouse: a change of a macro or of a variable counts, as far as it reaches the
SQL; comments and white space do not, nor does the schema that the tables stand in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Set
from dataclasses import MISSING, dataclass, is_dataclass
from typing import Any

from fastflowtransform.errors import FftError, Location, UnreadableFile
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


DESCRIPTIVE = frozenset({"at", "description", "meta", "name", "path", "tags", "timeout"})
"""The fields of a node that say nothing of its rows or columns. All others are a part of its fingerprint."""
_IN_THE_BODY = frozenset({"delta", "function", "inputs", "said", "template"})
"""The fields that the fingerprint holds as what they come to: a rendered text, a function's code, a contract."""

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
    found |= {name: Fingerprint(_content(seed), _declared(seed)) for name, seed in project.seeds.items()}
    return found | {node: Fingerprint("", _declared(source)) for node, source in project.sources.items()}


def fingerprint_of(model: Model, project: Project) -> Fingerprint:
    """Return the fingerprint of one model."""
    dialect = project.dialect if isinstance(model.body, SqlBody) and model.body.dialect is None else None
    return Fingerprint(_body(model, project), digest(settings_of(model), dialect))


def digest(*parts: object) -> str:
    """Return what tells parts from any others."""
    return hashlib.blake2b("\0".join(map(str, parts)).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def settings_of(node: Model | Seed | Source) -> list[list[Any]]:
    """Return all that a node says of itself, but for what only describes it; a field that is added counts at once."""
    return _fields(node, DESCRIPTIVE | _IN_THE_BODY)


def _fields(value: Any, without: Set[str]) -> list[list[Any]]:
    """Return the fields that are not as they are where nothing is said: a new one changes no fingerprint of before."""
    found = []
    # What `dataclasses.fields` reads, which makes a tuple of it each time.
    for name, field in value.__dataclass_fields__.items():
        item = getattr(value, name)
        if item is field.default or name in without or (not item and field.default_factory is not MISSING):
            continue
        if type(item) is not type(field.default) or item != field.default:
            found.append([name, _plain(item)])
    return found


def _plain(value: Any) -> Any:
    """Return a value as lists and texts, which tell `1`, `1.0` and `True` apart; where it stands is left out."""
    if value is None or isinstance(value, str | bool):
        return repr(value)
    if isinstance(value, Location):
        return None
    if is_dataclass(value):
        return _fields(value, _IN_THE_BODY)
    if isinstance(value, Mapping):
        return sorted([repr(key), _plain(item)] for key, item in value.items())
    if isinstance(value, Set):
        return sorted(map(repr, value))
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else repr(value)


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


def _content(seed: Seed) -> str:
    try:
        with seed.path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=12)).hexdigest()
    except OSError as error:
        raise UnreadableFile(f'cannot read the file: "{error.strerror}"', at=seed.at) from error


def _declared(node: Seed | Source) -> str:
    """Digest what is declared of a node: the name of its table too, and not the schema, which is the environment's."""
    others = [[name, value] for name, value in settings_of(node) if name != "relation"]
    return digest(node.relation.name, others)
