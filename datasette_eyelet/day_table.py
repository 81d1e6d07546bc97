"""The table `hooks` of a day, or of all days, in Datasette: a search's filter ↔ the arguments of the table page.

Datasette's own column filters say most of a filter exactly. What they cannot say are arguments of ours, which such a
table takes besides: `_src` and `_project` (a name and what lies below it) and `_without` (`tool:Bash`; Datasette's own
`__not` leaves out what has no value, too), with the very SQL of the search, and `_q` (text, in the language of the
search), by `text_function`. No `_where` is needed, and so no right to write SQL.
Datasette's own search box asks for plain words and phrases of the text index, which a search can say too.
"""

import json
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from datasette.filters import FilterArguments
from datasette.utils.asgi import BadRequest

from datasette_eyelet import day_text, mounts, text_function
from datasette_eyelet.links import Links, Pairs
from datasette_eyelet.query import SEVERAL, STATUSES, is_of_calls
from datasette_eyelet.scope import Scope, scope_of
from datasette_eyelet.visible import one_line
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store import select, text_filters, text_query, text_schema
from eyelet_ingest.store.layout import PartitionKey, key_from_mount_name, safe_context
from eyelet_ingest.store.select import Filter

TABLE = "hooks"
SRC, PROJECT, WITHOUT, TEXT = "_src", "_project", "_without", "_q"
# Every row of a page has its link: a filter longer than this is not repeated in all of them.
QUERY_MAX_CHARS = 4_000
SAID_MAX_CHARS = 80
UNCHANGED = f"id not in (select id from {text_schema.GONE})"  # noqa: S608  our own name

# column → URL name of the search, for what both compare as it is
_EQUAL = {field: name for name, field in SEVERAL.items() if name not in ("context", "src", "project")}
_NAMES = {field: name for name, field in SEVERAL.items()} | {"errors": "is"}
# Columns in which every row has a value, so that Datasette's `__not` says what a search does
_NEVER_NULL = ("hook_type", "session_id")
# Arguments of Datasette's that choose rows, and that no search can repeat
_CHOOSING = ("_where", "_through", "_search")
_PLAIN = re.compile(r'\s+|(".*?")')  # what Datasette's own search box takes apart its text at (utils.escape_fts)
ENDLESS_US = 2**53
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class Reading:
    """A table page as a search: its `pairs`, and the names of the filters that no search can repeat exactly."""

    pairs: Pairs
    left_out: tuple[str, ...]
    is_filtered: bool


def day_of(datasette: Any, database: str) -> PartitionKey | None:
    """The day of ours that the running request reads under this name, or None: another's may be called like one."""
    day = mounts.day_of_request(datasette)
    return day.key if day is not None and day.name == database else None


def scope_of_request(datasette: Any, database: str) -> Scope | None:
    """What the database over days of this name is over, where the running request could read it; None for any other."""
    return scope_of(database) if mounts.is_ours(datasette, database) else None


def url(links: Links, where: Filter, key: PartitionKey) -> str:
    """The table page of a day that shows what `where` finds in it, newest first; "" where that would be too long, or no
    event is what it asks for."""
    if is_of_calls(where):
        return ""
    found = links.table(key, (*arguments(where, key), ("_sort_desc", "id")))
    return found if len(found) <= QUERY_MAX_CHARS else ""


def url_over_days(links: Links, where: Filter, over: Scope) -> str:
    """The same of the table over all days in this scope."""
    if is_of_calls(where):
        return ""
    asked = tuple(dict.fromkeys(map(safe_context, where.contexts)))
    contexts: Pairs = ()
    if asked and over.context is None:
        one = ("context_name__exact", asked[0])
        contexts = (one if len(asked) == 1 else ("context_name__in", json.dumps(asked)),)
    found = links.over_days(over.context, (*contexts, *_arguments(where, 0, ENDLESS_US), ("_sort_desc", "id")))
    return found if len(found) <= QUERY_MAX_CHARS else ""


def scope_for(datasette: Any, seen: frozenset[str] | None, contexts: Sequence[str] = ()) -> Scope | None:
    """The narrowest database over days that shows these contexts, or all, to whoever sees the contexts `seen` (all
    where None); None where there is none for him."""
    asked = set(map(safe_context, contexts))
    shown = asked if seen is None else asked & seen if asked else seen
    if len(shown) == 1:
        one = Scope(*shown)
        if scope_of(one.name) == one and one.name not in datasette.databases:
            return one
    return Scope(None) if seen is None and mounts.is_ours(datasette, Scope(None).name) else None


def arguments(where: Filter, key: PartitionKey) -> Pairs:
    """The arguments that make the day's table hold exactly what `where` finds in that day."""
    return _arguments(where, *key.bounds_us)


def _arguments(where: Filter, start_us: int, end_us: int) -> Pairs:
    found: list[tuple[str, str]] = []
    if where.since_us is not None and where.since_us > start_us:
        found.append(("id__gte", str(where.since_us)))
    if where.until_us is not None and where.until_us < end_us:
        found.append(("id__lt", str(where.until_us)))
    for column in _EQUAL:
        values = tuple(dict.fromkeys(getattr(where, column)))
        if len(values) == 1:
            found.append((f"{column}__exact", values[0]))
        elif values:  # as JSON: Datasette would part a plain list at its commas
            found.append((f"{column}__in", json.dumps(values, ensure_ascii=False)))
    if where.errors:
        found.append(("error__exact", "1"))
    found += [(SRC, value) for value in where.src]
    found += [(PROJECT, value) for value in where.project_dir]
    found += [
        (WITHOUT, "is:error" if field == "errors" else f"{_NAMES[field]}:{value}") for field, value in where.without
    ]
    if where.text:
        found.append((TEXT, where.text))
    return tuple(found)


def filter_arguments(
    datasette: Any, database: str, table: str, request: Any
) -> Callable[[], Awaitable[FilterArguments]] | None:
    """Our own arguments as Datasette's hook gives conditions; None where nothing is asked. BadRequest as a search's."""
    asked, key = own_filter(request.args), key_from_mount_name(database)
    lacking = day_text.lacking(request)
    if table != TABLE or (asked == Filter() and not lacking) or not mounts.is_ours(datasette, database):
        return None

    async def conditions() -> FilterArguments:
        try:
            over = datasette.databases[database]
            several = key is None and over.roots().several
            told = text_filters.split(asked)
            clauses, params, said = own_conditions(
                told,
                (text_function.CONDITION,) if key is not None else text_function.conditions_over_days(several),
                key,
            )
            if told.text and key is not None:
                await text_function.find(datasette, key, told.text)
            elif told.text:
                narrowed = replace(narrowest(request.args, over.scope), text=told.text)
                await text_function.find_over_days(over, narrowed)
        except EyeletError as error:
            raise BadRequest(str(error)) from error
        if lacking:  # an old text of what changed is no hit either
            clauses, said = [*clauses, UNCHANGED], [*said, f"without what the index lacks ({lacking})"]
        return FilterArguments(clauses, params, said)

    return conditions


def own_filter(args: Any) -> Filter:
    """What our own arguments ask of a table. Blank ones say nothing, as in a search; of `_q` the last counts. A field
    that is none is refused by who makes conditions of it."""
    src, projects, without, texts = (
        tuple(value for value in dict.fromkeys(args.getlist(name)) if value.strip())
        for name in (SRC, PROJECT, WITHOUT, TEXT)
    )
    left_out = tuple(_left_out(one) for one in without)
    return Filter(src=src, project_dir=projects, without=left_out, text=texts[-1] if texts else "")


def _left_out(said: str) -> tuple[str, str]:
    """`tool:Bash` as a Filter's pair of field and value."""
    name, _, value = said.partition(":")
    return ("errors", "1") if said == "is:error" else (SEVERAL.get(name, name[:60]), value)


def own_conditions(
    where: Filter, of_text: Sequence[str] = (text_function.CONDITION,), key: PartitionKey | None = None
) -> tuple[list[str], dict[str, object], list[str]]:
    """Conditions with named parameters, as Datasette binds them, and what they say to people; `of_text` are those that
    a text is, each with a `?` for it; `key` is the day of the table, None for one over all days.

    BadInput for what no search takes either.
    """
    clauses, values = select.conditions(replace(where, text=""))
    _add_contexts(where, key, clauses, values)
    if where.text:
        text_query.parse(where.text)
        clauses += of_text
        values += [where.text] * len(of_text)
    params = {f"eyelet_{number}": value for number, value in enumerate(values)}
    names = iter(params)
    named = ["".join(_named(clause, names)) for clause in clauses]
    said = []
    if where.src:
        said.append(" or ".join(map(_src_said, where.src)))
    if where.project_dir:
        said.append(" or ".join(f"project is {_quoted(one)} or lies below it" for one in where.project_dir))
    for name, field in SEVERAL.items():
        if name not in ("src", "project") and (asked := getattr(where, field)):
            said.append(f"{name} is {' or '.join(map(_quoted, asked))}")
    said += ["error is 1"] if where.errors else []
    said += [f"not {_NAMES[field]}:{one_line(value, SAID_MAX_CHARS)}" for field, value in where.without]
    if where.text:
        said.append(f"the text has {_quoted(where.text)}")
    return named, params, said


def _add_contexts(where: Filter, key: PartitionKey | None, clauses: list[str], values: list[object]) -> None:
    """What is asked of contexts, which a day's rows have no column for."""
    for given, is_out in ((where.contexts, False), (where.left_out("contexts"), True)):
        names = tuple(dict.fromkeys(map(safe_context, given)))
        if names and key is not None:
            clauses += ["0"] if (key.context in names) == is_out else []
        elif names:
            clauses.append(f"context_name {'not in' if is_out else 'in'} ({', '.join('?' * len(names))})")
            values += names


def reading(args: Any, over: PartitionKey | Scope) -> Reading:
    """The search that finds what the table page with these arguments shows, as far as a search can say it."""
    bounds = over.bounds_us if isinstance(over, PartitionKey) else (0, ENDLESS_US)
    low, high = bounds
    pairs: dict[str, tuple[str, ...]] = {}
    left_out: dict[str, None] = {}
    own = own_filter(args)
    for name, asked in (("src", own.src), ("project", own.project_dir)):
        if asked:
            pairs[name] = asked
    for field, value in own.without:
        if field != "errors" and field in _NAMES:
            pairs[f"-{_NAMES[field]}"] = (*pairs.get(f"-{_NAMES[field]}", ()), value)
        else:
            left_out[WITHOUT] = None
    searched, is_said = box_text(args)
    if text := " ".join(filter(None, (f"({own.text})" if own.text and searched else own.text, searched))):
        pairs["q"] = (text,)
    for column, lookup, value in _selections(args):
        narrowed = _narrowed(column, lookup, value, low, high)
        name, values = _equal(column, lookup, value)
        if narrowed:
            low, high = narrowed
        elif name.startswith("-"):
            pairs[name] = tuple(dict.fromkeys((*pairs.get(name, ()), *values)))
        elif name and pairs.get(name, values) == values:
            pairs[name] = values
        else:
            left_out[column] = None
    if over.context is not None and over.context not in (pairs.pop("context", None) or (over.context,)):
        left_out["context_name"] = None  # both, of which a search would make either
    left_out |= dict.fromkeys(_clashing(pairs, over.context))
    choosing = _CHOOSING[:-1] if is_said else _CHOOSING
    left_out |= {name: None for name in choosing for given in args if given == name or given.startswith(f"{name}_")}
    several = tuple((name, value) for name, values in pairs.items() for value in values)
    times = _times(over, low, high) if isinstance(over, PartitionKey) else _open_times(low, high)
    context = (("context", over.context),) if over.context is not None else ()
    return Reading(
        pairs=(*context, *times, *several),
        left_out=tuple(left_out),
        is_filtered=bool(several or left_out or (low, high) != bounds),
    )


def _clashing(pairs: dict[str, tuple[str, ...]], context: str | None) -> Iterator[str]:
    """Takes out of `pairs` what no search takes together: a field that the text asks for otherwise (`tool:Bash` beside
    `tool_name__exact=Edit`), or else the text. Their names on the table page."""
    if "q" not in pairs:
        return
    asked = Filter(text=pairs["q"][0], contexts=(context,) if context is not None else ())
    if not _can_be_meant(asked):
        del pairs["q"]
        yield TEXT
        return
    for name in [name for name in pairs if name in SEVERAL]:
        beside: dict[str, Any] = {SEVERAL[name]: pairs[name]}
        if not _can_be_meant(replace(asked, **beside)):
            del pairs[name]
            yield {"context": "context_name", "src": SRC, "project": PROJECT}.get(name) or SEVERAL[name]


def _can_be_meant(asked: Filter) -> bool:
    try:
        text_filters.split(asked, STATUSES)
    except text_query.BadQuery:
        return False
    return True


def narrowest(args: Any, over: Scope) -> Filter:
    """What a table page over all days asks, as far as a search can say it: no more events are looked for than these."""
    low, high = 0, ENDLESS_US
    found: dict[str, Any] = {} if over.context is None else {"contexts": (over.context,)}
    for column, lookup, value in _selections(args):
        name, values = _equal(column, lookup, value)
        if narrowed := _narrowed(column, lookup, value, low, high):
            low, high = narrowed
        elif name == "errors":
            found["errors"] = True
        elif name and name in SEVERAL:
            found.setdefault(SEVERAL[name], values)
    return replace(own_filter(args), since_us=low or None, until_us=high if high < ENDLESS_US else None, **found)


def box_text(args: Any) -> tuple[str, bool]:
    """What Datasette's search box asks, in the language of the search; and whether that says all of it."""
    names = [name for name in args if name == "_search" or name.startswith("_search_")]
    if not names:
        return "", True
    if args.get("_searchmode") == "raw" or any(len(args.getlist(name)) > 1 for name in names):
        return "", False
    asked = ["_search"] if "_search" in names else names  # where both are there, Datasette asks the first
    said = []
    for name in asked:
        column = name.partition("_search_")[2]
        if column and column not in text_schema.TEXT_COLUMNS:
            return "", False
        text = args.get(name)
        bits = [bit for bit in _PLAIN.split(text + '"' * (text.count('"') % 2)) if bit and bit != '""']
        if any(not isinstance(text_query.word(bit, False, None), text_query.Phrase) for bit in bits):
            return "", False  # the index knows no such word, and a search looks into the text for it
        words = " ".join(bit if bit.startswith('"') else f'"{bit}"' for bit in bits)
        said.append(f"{column}:({words})" if column and words else words)
    return " ".join(filter(None, said)), True


def whole(key: PartitionKey) -> Pairs:
    """The search over a whole day."""
    return (("context", key.context), *_times(key, *key.bounds_us))


def everywhere(context: str | None) -> Pairs:
    """The search over all days, of a context or of all."""
    return (*((("context", context),) if context is not None else ()), ("range", "all"))


def _named(clause: str, names: Iterator[str]) -> Iterator[str]:
    """The clause with `:name` for each `?`; it holds none but those that stand for a value."""
    first, *rest = clause.split("?")
    yield first
    for part in rest:
        yield f":{next(names)}{part}"


def _src_said(value: str) -> str:
    if value.endswith("*"):
        return f"src begins with {_quoted(value[:-1])}"
    return f"src is {_quoted(value)} or lies below it"


def _quoted(value: str) -> str:
    return f'"{one_line(value, SAID_MAX_CHARS)}"'


def _selections(args: Any) -> Iterator[tuple[str, str, str]]:
    """Column, lookup and value of each column filter, as Datasette reads them."""
    for name in args:
        if name.startswith("_") and "__" not in name:
            continue
        column, _, lookup = name.rpartition("__") if "__" in name else (name, "", "exact")
        for value in args.getlist(name):
            yield column, lookup, value


def _narrowed(column: str, lookup: str, value: str, low: int, high: int) -> tuple[int, int] | None:
    """The range of ids within low ≤ id < high that the filter leaves; None where it is none on ids, or leaves none."""
    if column != "id" or not (value.isascii() and value.isdigit() and len(value) <= 18):
        return None
    number = int(value)
    since, until = {
        "gte": (number, high),
        "gt": (number + 1, high),
        "lt": (low, number),
        "lte": (low, number + 1),
        "exact": (number, number + 1),
    }.get(lookup, (high, low))
    since, until = max(low, since), min(high, until)
    return (since, until) if since < until else None


def _equal(column: str, lookup: str, value: str) -> tuple[str, tuple[str, ...]]:
    """The search's parameter and its values; "" and none where no search says exactly this."""
    if (column, lookup, value) == ("error", "exact", "1"):
        return "errors", ("1",)
    values = _listed(value) if lookup in ("in", "notin") else [value] if lookup in ("exact", "not") else []
    texts = tuple(text for text in values if isinstance(text, str) and text.strip())
    if column == "context_name" and not lookup.startswith("not") and 0 < len(texts) == len(values) <= select.VALUES_MAX:
        return "context", tuple(dict.fromkeys(texts))
    can_say = column in _EQUAL and 0 < len(texts) == len(values) <= select.VALUES_MAX
    if lookup.startswith("not"):
        return (f"-{_EQUAL[column]}", texts) if can_say and column in _NEVER_NULL else ("", ())
    if not can_say or (column == "status" and not set(texts) <= set(STATUSES)):
        return "", ()
    return _EQUAL[column], tuple(dict.fromkeys(texts))


def _listed(value: str) -> Sequence[object]:
    if not value.startswith("["):
        return [part.strip() for part in value.split(",")]
    try:
        found: list[object] = json.loads(value)
    except (ValueError, RecursionError):
        return []
    return found


def _times(key: PartitionKey, low: int, high: int) -> Pairs:
    """`from` and `to` of a part of the day, in UTC: the day's name where it begins or ends with it."""
    start_us, end_us = key.bounds_us
    since = key.date if low == start_us else iso_us(low)
    until = key.date if high == end_us else iso_us(high)
    return (("from", since), ("to", until))


def _open_times(low: int, high: int) -> Pairs:
    """The same of all days: an end that no filter narrows is left out."""
    since = (("from", iso_us(low)),) if low else ()
    until = (("to", iso_us(high)),) if high < ENDLESS_US else ()
    return (*since, *until) or (("range", "all"),)


def iso_us(us: int) -> str:
    return f"{_EPOCH + timedelta(microseconds=us):%Y-%m-%dT%H:%M:%S.%fZ}"
