"""The whole store once more as a plain Python list, slow and obvious: what the laws and the machine compare it with.

Nothing of the store's own reading or writing is used here but the names of contexts, which test_layout.py proves; which
day a time belongs to `datetime` says.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from eyelet_ingest.events import Event
from eyelet_ingest.store import layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DAY_US = 86_400_000_000
NEW_YEAR_US = (datetime(2025, 1, 1, tzinfo=timezone.utc) - EPOCH) // timedelta(microseconds=1)  # after a day 366

Day = tuple[str, int, int]  # context, year, day of the year
Place = tuple[int, str]  # id, context: the order of every answer
DERIVED = ("git_branch", "error_code")
EQUAL = ("hook_type", "tool_name", "session_id", "status", "agent", "model", "loglevel", *DERIVED)
FIELDS = ("contexts", "src", "project_dir", "errors", *EQUAL)
COMPARED = ("src", "error", "data", "project_dir", *EQUAL)


@dataclass
class Kept:
    """One event that is stored."""

    id: int
    context: str
    uid: bytes
    fields: dict[str, Any]

    @property
    def place(self) -> Place:
        return self.id, self.context

    @property
    def day(self) -> Day:
        return day_of(self.context, self.id)


class PlainList:
    """Every event there is, and every day that has a file."""

    def __init__(self) -> None:
        self.kept: list[Kept] = []
        self.days: set[Day] = set()

    def append(self, pairs: Iterable[tuple[str, Event]]) -> tuple[int, int]:
        """Given context and event; returns how many were new and how many known."""
        batches: dict[Day, list[tuple[str, Event]]] = {}
        for given, event in pairs:
            context = layout.safe_context(given)
            batches.setdefault(day_of(context, event.time_us), []).append((context, event))
        stored = known = 0
        for day, batch in batches.items():
            self.days.add(day)
            here = [one for one in self.kept if one.day == day]
            uids, taken = {one.uid for one in here}, {one.id for one in here}
            fresh = []
            for context, event in batch:
                if event.uid in uids:
                    known += 1
                else:
                    uids.add(event.uid)
                    fresh.append((context, event))
            for context, event in sorted(fresh, key=lambda one: one[1].time_us):
                at = free_place(event.time_us, taken)
                taken.add(at)
                self.kept.append(Kept(at, context, event.uid, fields_of(event)))
                stored += 1
        return stored, known

    def matching(self, where: Filter, *, stored: bool = False) -> list[Kept]:
        """What is found; with `stored` what a deletion takes, which looks for a text in the payload as it is stored."""
        return [one for one in self.kept if matches(where, one, stored=stored)]

    def in_order(self, where: Filter, oldest_first: bool = False) -> list[Kept]:
        return sorted(self.matching(where), key=lambda one: one.place, reverse=not oldest_first)

    def delete(self, where: Filter) -> int:
        """Days that lie whole in a range without other conditions go as files, of others the rows."""
        gone = self.matching(where, stored=True)
        for day in list(self.days):
            first_us, end_us = bounds(day)
            in_range = (where.since_us or 0) <= first_us and (where.until_us is None or end_us <= where.until_us)
            if in_range and has_context(where, day[0]) and not asks_of_rows(where):
                self.days.remove(day)
        self.kept = [one for one in self.kept if one not in gone]
        return len(gone)

    def forget_day(self, day: Day) -> None:
        self.days.remove(day)
        self.kept = [one for one in self.kept if one.day != day]


def free_place(time_us: int, taken: set[int]) -> int:
    """The first free microsecond from the time on; at the end of its day the last one before."""
    end = (time_us // DAY_US + 1) * DAY_US
    at = time_us
    while at in taken and at < end:
        at += 1
    if at < end:
        return at
    at = time_us
    while at in taken:
        at -= 1
    return at


def day_of(context: str, time_us: int) -> Day:
    then = EPOCH + timedelta(microseconds=time_us)
    return context, then.year, then.timetuple().tm_yday


def bounds(day: Day) -> tuple[int, int]:
    first = datetime(day[1], 1, 1, tzinfo=timezone.utc) + timedelta(days=day[2] - 1)
    first_us = (first - EPOCH) // timedelta(microseconds=1)
    return first_us, first_us + DAY_US


def fields_of(event: Event) -> dict[str, Any]:
    fields = {name: getattr(event, name) for name in COMPARED if name not in DERIVED}
    fields["git_branch"] = event.meta.get("git", {}).get("branch")  # type: ignore[attr-defined]
    fields["error_code"] = event.meta.get("execution", {}).get("error_code")  # type: ignore[attr-defined]
    return fields


def has_context(where: Filter, context: str) -> bool:
    return not where.contexts or context in {layout.safe_context(given) for given in where.contexts}


def asks_of_rows(where: Filter) -> bool:
    asked = any(getattr(where, name) for name in (*EQUAL, "src", "project_dir", "errors", "text"))
    return asked or any(name != "contexts" for name, _ in where.without)


def matches(where: Filter, one: Kept, *, stored: bool = False) -> bool:
    """The filter's meaning, as its documentation says it."""
    fields = one.fields

    def has(field: str, values: Iterable[str]) -> bool:
        """Whether one of these values finds it."""
        if field == "errors":
            return bool(fields["error"] == 1)
        if field == "contexts":
            return one.context in {layout.safe_context(value) for value in values}
        if field == "src":
            return any(is_below(fields["src"], value) for value in values)
        if field == "project_dir":
            return any(is_in(fields["project_dir"], value) for value in values)
        return fields[field] in values

    return (
        (where.since_us is None or one.id >= where.since_us)
        and (where.until_us is None or one.id < where.until_us)
        and all(not asked or has(name, asked) for name in FIELDS if (asked := getattr(where, name)) is not False)
        and not any(has(name, (value,)) for name, value in where.without)
        and (not where.text or holds(where, fields["data"], stored))
    )


def is_below(src: str, wanted: str) -> bool:
    return src.startswith(wanted[:-1]) if wanted.endswith("*") else src == wanted or src.startswith(wanted + ".")


def is_in(folder: str | None, wanted: str) -> bool:
    """A path is that folder and what lies below it, a name each folder of that name."""
    if folder is None:
        return False
    if "/" not in wanted:
        return wanted in folder.split("/")
    return (folder + "/").startswith(wanted.rstrip("/") + "/")


def holds(where: Filter, data: str, stored: bool) -> bool:
    if stored:
        return any(folded(spelt) in folded(data) for spelt in spellings(where.text))
    assert where.exact, "the language of queries has an oracle of its own"
    return where.text in json.loads(data)["text"]


def spellings(text: str) -> Iterator[str]:
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]


def folded(text: str) -> str:
    """Without regard to ASCII case, and to no other."""
    return "".join(char.lower() if char.isascii() else char for char in text)


def place_of(row: dict[str, Any]) -> Place:
    return row["id"], row["context_name"]


def expect_rows(rows: list[dict[str, Any]], wanted: list[Kept]) -> None:
    """The same events in the same order, with the same content."""
    assert [place_of(row) for row in rows] == [one.place for one in wanted]
    for row, one in zip(rows, wanted, strict=True):
        assert row["uid"] == one.uid.hex()
        assert {name: row[name] for name in COMPARED} == one.fields


def expect_pages(store: Store, plain: PlainList, where: Filter, size: int, oldest_first: bool) -> None:
    """Every page is full but the last, which alone has no cursor; together they are the sorted list."""
    wanted = plain.in_order(where, oldest_first)
    after, start = None, 0
    while True:
        page = store.search(where, limit=size, after=after, oldest_first=oldest_first)
        assert page.partitions.complete and not page.partitions.unreadable
        assert page.partitions.scanned + page.partitions.skipped == len(plain.days)
        expect_rows(page.rows, wanted[start : start + size])
        start += size
        after = page.next
        assert (after is None) == (start >= len(wanted))
        if after is None:
            return


def expect_sums(store: Store, plain: PlainList, where: Filter) -> None:
    """Counts of every kind are what counting the list says."""
    wanted = plain.matching(where)
    assert store.count(where).count == len(wanted)
    summary = store.summary(where)
    assert (summary.events, summary.errors) == (len(wanted), sum(one.fields["error"] for one in wanted))
    ids = [one.id for one in wanted]
    assert (summary.first_us, summary.last_us) == (min(ids, default=None), max(ids, default=None))
    assert summary.sessions == len({(one.context, name) for one in wanted if (name := one.fields["session_id"])})
    for name, counts in (("hook_type", summary.by_type), ("tool_name", summary.by_tool), ("status", summary.by_status)):
        assert counts == Counter(one.fields[name] for one in wanted if one.fields[name] is not None)
    assert summary.by_context == Counter(one.context for one in wanted)
    assert sum(store.error_codes(where).values()) == summary.errors
    assert sum(store.histogram(where, buckets=7).counts) == len(wanted)
    facet = store.facets(where, ["agent"], limit=100).fields["agent"]
    if not where.agent and not where.left_out("agent"):
        assert dict(facet.values) == Counter(one.fields["agent"] for one in wanted if one.fields["agent"])
    if not asks_of_rows(replace(where, src=())):
        found = {one.src: (one.count, one.newest_us) for one in store.sources(where).sources}
        counts = Counter(one.fields["src"] for one in wanted)
        assert found == {src: (n, max(o.id for o in wanted if o.fields["src"] == src)) for src, n in counts.items()}


def expect_places(store: Store, plain: PlainList) -> None:
    """Which contexts and days there are."""
    assert store.contexts() == sorted({day[0] for day in plain.days})
    for contexts in ((), ("one",), ("One", "a-b")):
        safe = {layout.safe_context(given) for given in contexts}
        days = [(year, day, context) for context, year, day in plain.days if not safe or context in safe]
        newest = store.newest_day(contexts)
        found = (newest.year, newest.day, newest.context) if newest else None
        assert found == max(days, default=None)
    newest_event = max((one.id for one in plain.kept), default=None)
    assert store.newest_event_us(Filter()) == newest_event


# What is drawn: few values, so that things meet.
CONTEXTS = st.sampled_from(["one", "two", "One", "a-b", "z", ""])
TIMES = st.one_of(
    st.sampled_from([NEW_YEAR_US + step for step in (-DAY_US, -2, -1, 0, 1, 2, 5, DAY_US - 1, DAY_US, 20 * DAY_US)]),
    st.integers(NEW_YEAR_US - 3, NEW_YEAR_US + 3),
    st.integers(NEW_YEAR_US - 2 * DAY_US, NEW_YEAR_US + 2 * DAY_US),
)
SOURCES = st.sampled_from(
    ["", "hero", "hero.proc", "hero.proc.worker", "hero.process", "hero/x", "hero-x", "a.b", "a.b.c.d.e.f.g.h", "é.x"]
)
TEXTS = st.sampled_from(["needle", "NEEDLE two", 'qu"ote\n', "100%_!", "é É", "\\u00e9", "x" * 400, "日本"])


@st.composite
def events(draw: st.DrawFn, times: st.SearchStrategy[int] = TIMES) -> Event:
    failed = draw(st.booleans())
    branch = draw(st.sampled_from(["main", "dev", None]))
    meta: dict[str, object] = {"git": {"branch": branch}} if branch else {}
    if failed and draw(st.booleans()):
        meta["execution"] = {"error_code": draw(st.sampled_from(["exit:1", "timeout"]))}
    return Event(
        time_us=draw(times),
        uid=draw(st.integers(0, 2**128 - 1)).to_bytes(16, "big"),
        hook_type=draw(st.sampled_from(["PreToolUse", "PostToolUse"])),
        tool_name=draw(st.sampled_from(["Bash", "Read", None])),
        session_id=draw(st.sampled_from(["", "s1", "s2"])),
        status="error" if failed else draw(st.sampled_from(["ok", "denied"])),
        error=int(failed),
        src=draw(SOURCES),
        project_dir=draw(st.sampled_from([None, "/w/a", "/w/a/b", "/w/ab", "/x/a"])),
        loglevel=draw(st.sampled_from(["info", "error"])),
        agent=draw(st.sampled_from(["claude", None])),
        model=draw(st.sampled_from(["m1", None])),
        data=json.dumps({"text": draw(TEXTS)}, ensure_ascii=draw(st.booleans())),
        meta=meta,
    )


def _maybe(*values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    """Mostly no condition: many conditions at once find nothing."""
    return st.one_of(st.just(()), st.just(()), st.sampled_from(values))


LEFT_OUT = st.sampled_from(
    [
        *(("contexts", name) for name in ("one", "One", "nobody")),
        *(("src", name) for name in ("hero.proc", "hero.proc*", "a.b", "nothing")),
        *(("hook_type", name) for name in ("PreToolUse", "PostToolUse")),
        *(("tool_name", name) for name in ("Bash", "Read")),
        *(("session_id", name) for name in ("s1", "")),
        *(("status", name) for name in ("ok", "error")),
        *(("project_dir", name) for name in ("/w/a", "a")),
        ("agent", "claude"),
        ("model", "m1"),
        ("git_branch", "main"),
        ("error_code", "exit:1"),
        ("loglevel", "info"),
        ("errors", "1"),
    ]
)
FILTERS = st.builds(
    Filter,
    since_us=st.none() | TIMES,
    until_us=st.none() | TIMES,
    contexts=_maybe(("one",), ("One", "nobody"), ("two", "a-b", "z")),
    src=_maybe(("hero.proc",), ("hero.proc*",), ("hero", "a.b"), ("*",), ("é",), ("nothing",)),
    hook_type=_maybe(("PreToolUse",), ("PreToolUse", "PostToolUse")),
    tool_name=_maybe(("Bash",), ("Bash", "Read")),
    session_id=_maybe(("s1",), ("s1", "")),
    status=_maybe(("ok",), ("error", "denied")),
    agent=_maybe(("claude",)),
    model=_maybe(("m1",)),
    git_branch=_maybe(("main",), ("dev", "nothing")),
    error_code=_maybe(("exit:1",), ("timeout", "nothing")),
    project_dir=_maybe(("/w/a",), ("/w/a/", "/nowhere"), ("a",), ("b", "/x/a")),
    loglevel=_maybe(("error",), ("info", "error")),
    without=st.lists(LEFT_OUT, max_size=3).map(tuple),
    errors=st.sampled_from([False, False, True]),
    text=st.sampled_from(["", "", "", "needle", 'u"ote\n', "0%_", "É", "\\", "本"]),
    exact=st.just(True),
)
# A deletion has to be told which contexts are meant.
TO_DELETE = FILTERS.map(lambda where: replace(where, without=tuple(p for p in where.without if p[0] != "contexts")))
