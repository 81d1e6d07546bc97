"""Real recordings, found again by session, src and range with the same counts by library, command, JSON and page.

What is expected is counted from the files themselves, by code that shares nothing with the importer.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from eyelet_ingest import pipeline
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

EYELET = str(Path(sys.executable).parent / "eyelet")
MOST_SESSIONS = 8  # by command, JSON and page; by the library every session there is


def lines_of(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    return [
        (path, json.loads(line))
        for path in sorted(folder.rglob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def sessions_in(lines: list[tuple[Path, dict[str, Any]]]) -> Counter[str]:
    """By session; a record without one belongs to the session of the record before, else of the one after."""
    counts: Counter[str] = Counter()
    waiting: Counter[Path] = Counter()
    last: dict[Path, str] = {}
    for path, value in lines:
        session = value.get("session_id") or value.get("sessionId") or last.get(path)
        if session is None:
            waiting[path] += 1
            continue
        counts[session] += 1 + waiting.pop(path, 0)
        last[path] = session
    return counts


def timed_us(lines: list[tuple[Path, dict[str, Any]]]) -> list[int]:
    stamps = [value["timestamp"] for _, value in lines if "timestamp" in value]
    return [round(datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp() * 1e6) for stamp in stamps]


def by_command(root: str, *flags: str) -> int:
    command = [EYELET, "query", "search", "--root", root, "--limit", "0", "--nl", *flags]
    return len(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())


async def by_json(site: Any, **query: str) -> int:
    count, url = 0, f"/-/eyelet.json?{urlencode({'range': 'all', **query, '_size': '1000'})}"
    after = ""
    while True:
        page = await site.json(url + after)
        count += len(page["rows"])
        if not page["next"]:
            return count
        after = "&" + urlencode({"_next": page["next"]})


async def by_page(site: Any, **query: str) -> int:
    """Of every event: without `rows=events` a call is one row, which has two."""
    count, url = 0, f"/-/eyelet?{urlencode({'range': 'all', 'rows': 'events', **query, '_size': '1000'})}"
    while True:
        html = (await site.get(url)).text
        count += len(re.findall(r'<tr[^>]* class="eyelet-row', html))
        older = re.search(r'<a href="([^"]+)" rel="next"', html)
        if not older:
            return count
        url = older[1].replace("&amp;", "&")


async def test_every_event_is_found_again_the_same_way_everywhere(real: Path, root: str, open_site: Any) -> None:
    lines = lines_of(real)
    done = pipeline.ingest([str(real)], root)
    assert (done.read, done.stored, done.quarantined) == (len(lines), len(lines), 0)
    again = pipeline.ingest([str(real)], root)
    assert (again.read, again.stored, again.duplicates, again.quarantined) == (len(lines), 0, len(lines), 0)
    site = await open_site()
    with Store(root) as store:
        assert store.count(Filter()).count == len(lines)
        sessions = sessions_in(lines)
        for session, count in sessions.items():
            assert store.count(Filter(session_id=(session,))).count == count, session
        for session, count in sessions.most_common(MOST_SESSIONS):
            assert by_command(root, "--session", session) == count
            assert await by_json(site, session=session) == count
            assert await by_page(site, session=session) == count
        await check_sources(store, site, root, len(lines))
        await check_ranges(store, site, root, lines)


async def check_sources(store: Store, site: Any, root: str, total: int) -> None:
    rows = store.search(Filter(), limit=total).rows
    names = Counter(str(row["src"]) for row in rows)
    prefixes: Counter[str] = Counter()
    for name, count in names.items():
        parts = name.split(".")
        prefixes.update({".".join(parts[:end]): count for end in range(1, len(parts) + 1)})
    assert prefixes["claude"] == total
    for prefix, count in prefixes.items():
        assert store.count(Filter(src=(prefix,))).count == count, prefix
    for prefix in ("claude.posttooluse", "claude.transcript.user", "claude.pretooluse.bash"):
        assert by_command(root, "--src", prefix) == prefixes[prefix] > 0
        assert await by_json(site, src=prefix) == prefixes[prefix]
        assert await by_page(site, src=prefix) == prefixes[prefix]


async def check_ranges(store: Store, site: Any, root: str, lines: list[tuple[Path, dict[str, Any]]]) -> None:
    """Of the records that say their time, in ranges with no record without one in between."""
    times = sorted(timed_us(lines))
    for low, high in ((0, len(times)), (len(times) // 4, len(times) // 2), (len(times) // 2, len(times) // 2 + 1)):
        since_us, until_us = times[low], times[high - 1] + 1_000
        expected = sum(since_us <= time_us < until_us for time_us in times)
        where = Filter(since_us=since_us, until_us=until_us)
        stored = [row for row in store.search(where, limit=10_000).rows if "timestamp" in json.loads(str(row["data"]))]
        timed = [row for row in stored if json.loads(str(row["data"]))["timestamp"].__class__ is str]
        assert len(timed) == expected
        everything = store.count(where).count
        since, until = str(since_us), str(until_us)
        assert by_command(root, "--since", since, "--until", until) == everything
        assert await by_json(site, **{"from": since, "to": until}) == everything
        assert await by_page(site, **{"from": since, "to": until}) == everything


@pytest.mark.parametrize("flags", [["--session", "nobody"], ["--src", "nothing.here"]])
def test_what_is_not_there_is_not_found(root: str, flags: list[str]) -> None:
    assert by_command(root, *flags) == 0
