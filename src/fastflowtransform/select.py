"""Which nodes `--select` and `--exclude` mean.

    option  = word { " " word }                       a space unites
    word    = term { "," term }                       a comma intersects
    term    = [ "@" | [ depth ] "+" ] [ method ":" ] value [ "+" [ depth ] ]
    method  = "name" | "tag" | "path" | "source" | "check" | "type" | "state" | "result"
                                                      "name" where it is left out

A value is compared, case and all, with the words that a node answers to (`Selectable` lists them). In it, `*`
and `?` and `[ab]` stand for characters other than a slash, and `**` between slashes for any number of folders.
`+x` adds the ancestors of x, `x+` its descendants, each as deep as the number says; `@x` adds the descendants and
all ancestors of these. A space or a comma of a name has to be written as `?`.

`state:` and `result:` ask what changed and what came of the last run. Often nothing answers; then they stand for no
nodes, where another term that finds none is an error.

Where checks are among the nodes, a term that finds a model or seed finds its checks as well.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from types import MappingProxyType

from fastflowtransform.errors import BadSelector, NothingSelected, hint_from
from fastflowtransform.graph import Graph, order, reachable


class Kind(StrEnum):
    """What a node is."""

    MODEL = "model"
    SEED = "seed"
    SOURCE = "source"
    CHECK = "check"


class Method(StrEnum):
    """By what a term finds its nodes."""

    NAME = "name"
    TAG = "tag"
    PATH = "path"
    SOURCE = "source"
    CHECK = "check"
    TYPE = "type"
    STATE = "state"
    RESULT = "result"


VALUES: Mapping[Method, tuple[str, ...]] = MappingProxyType(
    {
        Method.STATE: ("new", "modified", "modified.body", "modified.config"),
        Method.RESULT: ("error", "fail", "warn", "skipped", "cancelled", "success"),
    }
)
"""The methods that ask of a moment, and not of the project; their values are these, and no globs."""


@dataclass(frozen=True, slots=True)
class Selectable:
    """What a selector can see of a node.

    Parameters
    ----------
    name
        Of a model or seed, the name (`events_base`): it answers to `events_base`, with or without `.ff`, `.ff.sql`
        or `.ff.py`. Of a source, the one that `source()` takes, joined (`raw.events`): it answers to
        `source:raw.events` and `source:raw`, and to no bare name. Of a check, its name: it answers to that, and to
        `check:` with it.
    kind
        Model, seed, source or check.
    tags
        It answers to `tag:` with each of them; a tag may hold colons.
    path
        Its file, from the project's folder, with forward slashes. It answers to `path:` with this file and with
        each folder above it.
    materialized
        How a model stands in the warehouse; no method asks for it yet.
    type
        What a check claims (`unique`): it answers to `type:` with it.
    states
        How it differs from what it was: it answers to `state:` with each.
    results
        What came of it in the last run: it answers to `result:` with each.
    """

    name: str
    kind: Kind
    tags: frozenset[str] = frozenset()
    path: str = ""
    materialized: str | None = None
    type: str = ""
    states: frozenset[str] = frozenset()
    results: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Term:
    """The smallest part of a selector: a set of nodes, and how far to go from there.

    Parameters
    ----------
    method
        By what the nodes are found.
    value
        The word to find, or a glob.
    ancestors, descendants
        How many edges to go up and down: 0 is none, None is all the way.
    at
        Whether to take the descendants, and all ancestors of these.
    """

    method: Method
    value: str
    ancestors: int | None = 0
    descendants: int | None = 0
    at: bool = False


# Possessive groups (`?+`), so that "tag:" and "@" are malformed rather than names.
_TERM = re.compile(
    r"""
    (?: (?P<at> @ ) | (?P<ancestors> [0-9]{0,9} ) \+ )?+
    (?: (?P<method> [^\s,:]* ) : )?+
    (?P<value> (?(method) | (?!@) ) [^\s,+] (?: [^\s,]*? [^\s,+] )?? )
    (?: \+ (?P<descendants> [0-9]{0,9} ) )?
    """,
    re.VERBOSE,
)
_GLOB = frozenset("*?[")
_SUFFIX = re.compile(r"(?<=.)\.ff(\.sql|\.py)?\Z")
_SHAPE = "write a name, or a method and a value such as tag:x; before it +, 2+ or @, after it + or +2 (but not with @)"


def parse(text: str) -> Term:
    """Read one term, which holds no space and no comma.

    Raises
    ------
    BadSelector
        The text is not a term, or names a method that does not exist.

    Examples
    --------
    >>> parse("2+tag:example:incremental_demo")
    Term(method=<Method.TAG: 'tag'>, value='example:incremental_demo', ancestors=2, descendants=0, at=False)
    >>> parse("events_base.ff+")
    Term(method=<Method.NAME: 'name'>, value='events_base', ancestors=0, descendants=None, at=False)
    >>> parse("tags:daily")
    Traceback (most recent call last):
    fastflowtransform.errors.project.BadSelector: S100 "tags:daily" has an unknown method, "tags"
    hint did you mean "tag"?
    """
    found = _TERM.fullmatch(text)
    if found is None or (found["at"] and found["descendants"] is not None):
        raise BadSelector(f'"{text}" is not a selector', hint=_SHAPE)
    name = Method.NAME if found["method"] is None else found["method"]
    if name not in set(Method):
        raise BadSelector(f'"{text}" has an unknown method, "{name}"', hint=hint_from(name, Method, "methods"))
    if (known := VALUES.get(Method(name))) is not None and found["value"] not in known:
        raise BadSelector(f'"{text}" asks for an unknown {name}', hint=hint_from(found["value"], known, f"{name}s"))
    return Term(
        method=Method(name),
        value=_plain(Method(name), found["value"]),
        ancestors=_depth(found["ancestors"]),
        descendants=_depth(found["descendants"]),
        at=found["at"] is not None,
    )


def select(
    graph: Graph, nodes: Mapping[str, Selectable], include: Sequence[str], exclude: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the nodes that the options mean, each after all that it reads.

    Parameters
    ----------
    graph
        The graph.
    nodes
        What a selector can see of each of its nodes, by the node's name in the graph.
    include
        The texts of `--select`. Each narrows the ones before it; none at all choose every node.
    exclude
        The texts of `--exclude`. Whatever one of them means is left out.

    Raises
    ------
    BadSelector
        A text is not of the grammar.
    NothingSelected
        A term or an intersection matches nothing, or there are options and together they leave nothing.

    Examples
    --------
    >>> from fastflowtransform.graph import build
    >>> graph = build({"events_base": ["source:raw.events"], "daily": ["events_base"]}, {})
    >>> nodes = {
    ...     "source:raw.events": Selectable("raw.events", Kind.SOURCE, path="sources.yml"),
    ...     "events_base": Selectable("events_base", Kind.MODEL, path="models/staging/events_base.ff.sql"),
    ...     "daily": Selectable("daily", Kind.MODEL, frozenset({"demo:daily"}), "models/daily.ff.py"),
    ... }
    >>> select(graph, nodes, ["source:raw.events+", "path:models"])
    ('events_base', 'daily')
    >>> select(graph, nodes, ["+daily"], exclude=["source:*"])
    ('events_base', 'daily')
    >>> select(graph, nodes, ["demo:daily"])
    Traceback (most recent call last):
    fastflowtransform.errors.project.BadSelector: S100 "demo:daily" has an unknown method, "demo"
    hint methods here: check, name, path, result, source, state, tag, type
    """
    kept = frozenset(nodes)
    for option in include:
        kept &= _of_option(graph, nodes, option)
    for option in exclude:
        kept -= _of_option(graph, nodes, option)
    if not kept and (include or exclude) and not asked(include, exclude) & VALUES.keys():
        given = [f'--select "{option}"' for option in include] + [f'--exclude "{option}"' for option in exclude]
        raise NothingSelected(
            f"nothing is left of {' '.join(given)}",
            hint='each --select narrows the ones before it; to unite them, write one: --select "a b"',
        )
    return tuple(node for node in order(graph) if node in kept)


def asked(*options: Sequence[str]) -> frozenset[Method]:
    """Return the methods that the texts of options use."""
    return frozenset(_method(text) for texts in options for text in _terms(texts))


def _terms(options: Iterable[str]) -> Iterator[str]:
    for option in options:
        yield from re.split(r"[\s,]+", option)


def names_alone(include: Sequence[str]) -> frozenset[str] | None:
    """Return the names in the texts of `--select`, where they mean these and what these read, and nothing else.

    Examples
    --------
    >>> sorted(names_alone(["orders 2+daily.ff"]))
    ['daily', 'orders']
    >>> names_alone(["orders+"]), names_alone(["tag:daily"]), names_alone(["ord*"]), names_alone([])
    (None, None, None, None)
    """
    terms = [parse(text) for text in _terms(include) if text]
    plain = all(
        term.method is Method.NAME and term.descendants == 0 and not term.at and _GLOB.isdisjoint(term.value)
        for term in terms
    )
    return frozenset(term.value for term in terms) if terms and plain else None


def _method(text: str) -> Method:
    """Return the method of one term, or what would be one; what is wrong with it is found where it is read."""
    found = _TERM.fullmatch(text)
    if found is None or found["method"] not in set(Method):
        return Method.NAME
    method = Method(found["method"])
    return method if found["value"] in VALUES.get(method, (found["value"],)) else Method.NAME


def _of_option(graph: Graph, nodes: Mapping[str, Selectable], option: str) -> frozenset[str]:
    words = option.split()
    if not words:
        raise BadSelector(f'"{option}" is an empty selector', hint="name what you mean, or leave the option out")
    return frozenset().union(*(_of_word(graph, nodes, word) for word in words))


def _of_word(graph: Graph, nodes: Mapping[str, Selectable], word: str) -> frozenset[str]:
    texts = word.split(",")
    if not all(texts):
        raise BadSelector(
            f'"{word}" has a comma with nothing beside it', hint="write both sides without a space: tag:a,path:b"
        )
    found = frozenset.intersection(*[_of_term(graph, nodes, text) for text in texts])
    if not found and not asked([word]) & VALUES.keys():
        raise NothingSelected(f'"{word}" matches nothing', hint="a comma intersects; to unite, use a space")
    return found


def _of_term(graph: Graph, nodes: Mapping[str, Selectable], text: str) -> frozenset[str]:
    term = parse(text)
    words = _WORDS[term.method]
    found = frozenset(node for node, facts in nodes.items() if _answers(words(facts), term.value))
    if not found and term.method not in VALUES:
        raise NothingSelected(f'"{text}" matches nothing', hint=_hint(nodes.values(), term))
    if term.at:
        around = reachable(graph.upstream, reachable(graph.downstream, found))
    else:
        above = reachable(graph.upstream, found, term.ancestors)
        around = above | reachable(graph.downstream, found, term.descendants)
    return around | _checks_of(graph, nodes, around)


def _checks_of(graph: Graph, nodes: Mapping[str, Selectable], found: Iterable[str]) -> frozenset[str]:
    below = (name for node in found for name in graph.downstream[node])
    return frozenset(name for name in below if name in nodes and nodes[name].kind is Kind.CHECK)


def _names(facts: Selectable) -> tuple[str, ...]:
    return () if facts.kind is Kind.SOURCE else (facts.name,)


def _tags(facts: Selectable) -> tuple[str, ...]:
    return tuple(facts.tags)


def _paths(facts: Selectable) -> tuple[str, ...]:
    return (".", *itertools.accumulate(facts.path.split("/"), "{}/{}".format))


def _sources(facts: Selectable) -> tuple[str, ...]:
    return (facts.name, facts.name.partition(".")[0]) if facts.kind is Kind.SOURCE else ()


def _checks(facts: Selectable) -> tuple[str, ...]:
    return (facts.name,) if facts.kind is Kind.CHECK else ()


def _types(facts: Selectable) -> tuple[str, ...]:
    return (facts.type,) if facts.type else ()


def _states(facts: Selectable) -> tuple[str, ...]:
    return tuple(facts.states)


def _results(facts: Selectable) -> tuple[str, ...]:
    return tuple(facts.results)


_WORDS: Mapping[Method, Callable[[Selectable], tuple[str, ...]]] = MappingProxyType(
    {
        Method.NAME: _names,
        Method.TAG: _tags,
        Method.PATH: _paths,
        Method.SOURCE: _sources,
        Method.CHECK: _checks,
        Method.TYPE: _types,
        Method.STATE: _states,
        Method.RESULT: _results,
    }
)


def _answers(words: tuple[str, ...], value: str) -> bool:
    pattern = value.split("/")
    return value in words or any(_matches(word.split("/"), pattern) for word in words)


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Compare part by part, keeping all counts of parts that the pattern so far may have used up."""
    counts = {0}
    for glob in pattern:
        if glob == "**":
            counts = set(range(min(counts), len(parts) + 1))
        else:
            counts = {n + 1 for n in counts if n < len(parts) and fnmatchcase(parts[n], glob)}
        if not counts:
            return False
    return len(parts) in counts


def _hint(facts: Iterable[Selectable], term: Term) -> str:
    """Name the method under which the value would be found; failing that, the nearest word of the term's own."""
    known = {method: {word for node in facts for word in words(node)} for method, words in _WORDS.items()}
    for method, words in known.items():
        if term.value in words:
            return f'did you mean "{term.value if method is Method.NAME else f"{method}:{term.value}"}"?'
    return hint_from(term.value, known[term.method] - {"."}, f"{term.method}s")


def _plain(method: Method, value: str) -> str:
    """Write a value as the words are written: a name without its suffix, a path without `./` and a last slash."""
    if method is Method.NAME:
        return _SUFFIX.sub("", value)
    return str(PurePosixPath(value)) if method is Method.PATH else value


def _depth(text: str | None) -> int | None:
    """Read the number at a `+`: without the sign 0, without a number None."""
    if text is None:
        return 0
    return int(text) if text else None
