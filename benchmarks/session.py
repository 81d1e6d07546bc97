"""The page of a session of 10,000 events, in a day with twice as many of others: telling it, its first part, a further
one, and what a browser waits for; against reading and parsing the same rows with plain sqlite3 and json.

`python benchmarks/session.py [--events 10000]`. The session has prompts and answers by hook and transcript, calls with
both hooks and both lines of a transcript, one in thirty of which fails, and a subagent in each hundred calls.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from many_days import Server
from painted import first_paint_ms

from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.session import page
from eyelet_ingest.store.store import Store

SESSION = "0d9c7f52-2d6f-4a7e-9f0e-6f1f3f0f6a11"
DAY = layout.PartitionKey("default", 2026, 60)
ROUNDS = 9
STEP_US = 2_000_000


def events(count: int, chance: random.Random) -> Iterator[Event]:
    """`count` events of the session, two seconds apart, and twice as many of other sessions between them."""
    made, at_us, number = 0, DAY.bounds_us[0], 0
    while made < count:
        number += 1
        for event in _turn(number, at_us, chance):
            made += 1
            yield event
            for other in range(2):
                yield _event(event.time_us + 1 + other, "PostToolUse", {"cwd": "/w"}, session_id=f"other-{number % 50}")
        at_us += 4 * STEP_US


def _turn(number: int, at_us: int, chance: random.Random) -> Iterator[Event]:
    """One call by its four witnesses; before each twentieth a prompt and an answer, each by both of theirs."""
    text = " ".join(chance.choices(["the", "store", "keeps", "every", "event", "of", "a", "day"], k=200))
    agent = f"agent-{number // 100}" if number % 100 > 80 else None
    if number % 20 == 1:
        said = f"Do the thing number {number}: {text[:300]}"
        yield _event(at_us, "UserPromptSubmit", {"prompt": said})
        record = {"type": "user", "message": {"role": "user", "content": said}}
        yield _event(at_us + 1, "user", record, origin="transcript", role="user")
    words = {"type": "assistant", "message": {"content": [{"type": "text", "text": f"Call {number}. {text}"}]}}
    yield _event(at_us + 2, "assistant", words, origin="transcript", role="assistant", agent_id=agent)
    failed = number % 30 == 0
    call: dict[str, Any] = {"tool_name": "Bash", "tool_use_id": f"toolu_{number}", "agent_id": agent}
    given = {"command": f"make part-{number} && {text[:100]}"}
    asked = {"message": {"content": [{"type": "tool_use", "id": f"toolu_{number}", "name": "Bash", "input": given}]}}
    got = {"message": {"content": [{"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": text}]}}
    status: dict[str, Any] = {"status": "error" if failed else "ok", "error": int(failed)}
    yield _event(at_us + 3, "assistant", asked, origin="transcript", role="assistant", **call)
    yield _event(at_us + 4, "PreToolUse", {"tool_input": given}, status="pending", **call)
    yield _event(at_us + STEP_US, "PostToolUse", {"tool_input": given, "tool_response": text}, **status, **call)
    yield _event(at_us + STEP_US + 1, "user", got, origin="transcript", role="user", **status, **call)


def _event(time_us: int, hook_type: str, data: dict[str, Any], **fields: Any) -> Event:
    fields = {"session_id": SESSION, "origin": "hook", "agent": "claude", "project_dir": "/w", **fields}
    return Event(time_us=time_us, uid=os.urandom(16), hook_type=hook_type, data=json.dumps(data), **fields)


def timed(ask: Callable[[], object]) -> float:
    started = time.perf_counter()
    ask()
    return (time.perf_counter() - started) * 1000


def plain(path: str) -> None:
    """What any reader of the session would do at least: its rows by the index, their payloads parsed."""
    conn = connect.open_reader(path)
    for (data,) in conn.execute("select data from hooks where session_id = ? order by id", (SESSION,)):
        json.loads(data)
    conn.close()


def measure_store(root: str) -> None:
    with Store(root) as store:
        told = store.session(SESSION)
        print(f"{told.totals.events} events, {len(told.steps)} steps, {len(told.agents) - 1} subagents")
        path = layout.db_path(root, DAY)
        sides: dict[str, Callable[[], object]] = {
            "sqlite3 and json: read and parse": lambda: plain(path),
            "the story told": lambda: store.session(SESSION),
            "tokens of it": lambda: store.usage(_of_session(), ("model",)),
            "a part found in it": lambda: page(told.steps, 100, after=told.steps[len(told.steps) // 2].key),
        }
        times: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(ROUNDS):
            for name, ask in sides.items():
                times[name].append(timed(ask))
    base = statistics.median(times["sqlite3 and json: read and parse"])
    print(f"{'in the process (median of ' + str(ROUNDS) + ')':48}{'ms':>8}{'÷ plain':>9}")
    for name, took in times.items():
        print(f"{name:48}{statistics.median(took):8.1f}{statistics.median(took) / base:9.2f}")


def _of_session() -> Filter:
    return Filter(session_id=(SESSION,), since_us=DAY.bounds_us[0], until_us=DAY.bounds_us[1])


def measure_pages(root: str) -> None:
    server = Server(root)
    base = f"/-/eyelet/session/{SESSION}"
    after = f"{DAY.bounds_us[0] + 4_000 * STEP_US}-0-0-default"
    try:
        sides = {
            "first page, told anew": base,
            "first page, nothing changed": base,
            "a part, in the middle": f"{base}/part?after={after}",
            "failures alone": f"{base}?failed=1",
            "JSON, 100 steps": f"{base}.json",
        }
        print(f"\n{'over HTTP (median of ' + str(ROUNDS) + ')':48}{'ms':>8}")
        for name, path in sides.items():
            if "anew" not in name:
                time.sleep(2.5)  # what changed a moment ago is not remembered
                timed(lambda path=path: _asked(server, path))  # type: ignore[misc]
            took = []
            for _ in range(ROUNDS):
                if "anew" in name:
                    os.utime(layout.db_path(root, DAY))
                took.append(timed(lambda path=path: _asked(server, path)))  # type: ignore[misc]
            print(f"{name:48}{statistics.median(took):8.1f}")
        measure_browser(server, base)
    finally:
        server.close()


def _asked(server: Server, path: str) -> None:
    server.connect_anew()
    status = server.get(path)
    if status != 200:
        raise SystemExit(f"{path} answers {status}")


def measure_browser(server: Server, path: str) -> None:
    """From the answer's first byte to the first paint with steps; beside it a page with next to nothing."""
    for name, asked, shown in (("", path, "li.eyelet-step"), (" of /-/versions", "/-/versions", "pre")):
        took_ms = first_paint_ms(server, asked, shown)
        if took_ms is not None:
            print(f"{'first paint after the first byte' + name:48}{took_ms:8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp()
    try:
        root = os.path.join(folder, "root")
        with Store(root) as store:
            store.append(events(arguments.events, random.Random(7)))
            store.text_build(DAY)  # else the server does, and something changes meanwhile
            store.checkpoint(mode="truncate")
        measure_store(root)
        measure_pages(root)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
