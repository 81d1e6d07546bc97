"""`POST /v1/logs`: what an exporter sends is there once it is acknowledged, once however often it is sent, and nobody
else may send."""

import gzip
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasette_eyelet import instance
from datasette_eyelet.api import body, door, otlp, senders
from eyelet_ingest import telemetry, tokens
from eyelet_ingest.pipeline import ingest
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.sources import otlp as shape
from eyelet_ingest.sources.otlp import SHARED_MAX_CHARS
from eyelet_ingest.store import layout, spool
from eyelet_ingest.store.connect import FileLock
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.sources.shapes import JSON
from tests.sources.test_otlp import PAIRS, RECORD, record, request

TOOL = {"event.name": "tool_result", "tool_name": "Bash", "tool_use_id": "toolu_1", "success": "true"}


class Exporter:
    """Posts as an exporter of logs does, with the token it was given."""

    def __init__(self, site: Any, token: str) -> None:
        self.client, self.token = site.datasette.client, token

    async def __call__(self, content: Any, path: str = otlp.LOGS, **headers: str | None) -> Any:
        given = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        for name, value in headers.items():
            given.pop(name.replace("_", "-"), None)
            if value is not None:
                given[name.replace("_", "-")] = value
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        return await self.client.post(path, content=raw, headers=given)


@pytest.fixture
def export(site: Any, root: str) -> Exporter:
    said, _ = tokens.create(root, "exporter", [], ["write"])
    return Exporter(site, said)


def rows(store: Store, **where: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in store.search(Filter(**where), limit=1_000).rows]


async def test_a_log_record_is_a_row_when_it_is_acknowledged(export: Exporter, store: Store) -> None:
    answer = await export(request(record("claude_code.tool_result", **TOOL)))
    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["content-type"].startswith("application/json")
    (row,) = rows(store)
    assert (row["hook_type"], row["origin"], row["agent"]) == ("claude_code.tool_result", "otlp", "claude")
    assert (row["session_id"], row["tool_use_id"], row["src"]) == ("s-1", "toolu_1", "claude.otlp.tool_result.bash")
    assert json.loads(row["data"])["attributes"]["tool_name"] == "Bash"
    assert json.loads(row["meta"])["source"] == {"sender": "token:exporter"}
    assert str(row["timestamp"]).startswith("1767225600.123456")


async def test_what_is_sent_again_is_stored_once(export: Exporter, store: Store, root: str, tmp_path: Path) -> None:
    sent = request(*(record("claude_code.api_request", **{"event.sequence": n}) for n in range(20)))
    for _ in range(3):
        assert (await export(sent)).json() == {}
    assert store.count(Filter()).count == 20
    (tmp_path / "logs.jsonl").write_text(json.dumps(sent) + "\n", encoding="utf-8")
    done = ingest([str(tmp_path / "logs.jsonl")], root)
    assert (done.read, done.duplicates, done.stored) == (20, 20, 0)


async def test_a_record_without_a_time_is_of_the_moment_it_came(export: Exporter, store: Store) -> None:
    one = {"body": {"stringValue": "x"}}
    await export(request(one))
    await export(request(one))
    assert [json.loads(row["meta"])["timestamp_from"] for row in rows(store)] == ["receipt", "receipt"]


async def test_what_is_no_record_is_rejected_and_the_rest_is_stored(export: Exporter, store: Store) -> None:
    answer = await export(request(record("claude_code.user_prompt"), 7, "x"))
    assert answer.status_code == 200
    said = answer.json()["partialSuccess"]
    assert (said["rejectedLogRecords"], said["errorMessage"]) == ("2", "a log record must be an object")
    assert len(rows(store)) == 1


@pytest.mark.parametrize("content", [{}, {"resourceLogs": []}, {"resourceLogs": [], "tomorrow": 1}])
async def test_nothing_to_store_is_no_fault(export: Exporter, store: Store, content: Any) -> None:
    answer = await export(content)
    assert (answer.status_code, answer.json(), rows(store)) == (200, {}, [])


async def test_gzip_is_taken_also_in_parts(export: Exporter, store: Store) -> None:
    sent = json.dumps(request(record("claude_code.user_prompt"))).encode()
    packed = gzip.compress(sent[:50]) + gzip.compress(sent[50:])
    assert (await export(packed, content_encoding="gzip")).status_code == 200
    assert len(rows(store)) == 1


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        (b"no JSON", 400, "no JSON"),
        (b'{"resourceLogs": 7}', 400, "must be a list"),
        (b"[1]", 400, "ExportLogsServiceRequest"),
        (b'{"resourceSpans": []}', 400, "traces and metrics"),
        (b"[" * 5_000, 400, "no JSON"),
    ],
)
async def test_what_is_no_request_is_refused_as_a_status(
    export: Exporter, store: Store, content: bytes, status: int, says: str
) -> None:
    answer = await export(content)
    assert answer.status_code == status
    assert answer.json()["code"] == 3 and says in answer.json()["message"]
    assert rows(store) == []


@pytest.mark.parametrize("kind", ["application/x-protobuf", "application/grpc"])
async def test_protobuf_is_refused_with_what_to_do(export: Exporter, kind: str) -> None:
    answer = await export(b"\x0a\x00", content_type=kind)
    assert answer.status_code == 415
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=http/json" in answer.json()["message"]


async def test_a_body_that_swells_is_stopped_where_it_is_too_long(export: Exporter, store: Store) -> None:
    bomb = gzip.compress(b"[" * (otlp.BODY_MAX_BYTES + 1))
    assert len(bomb) < 100_000
    assert (await export(bomb, content_encoding="gzip")).status_code == 413
    assert (await export(b"x", content_encoding="gzip")).status_code == 400
    assert (await export(bomb[:50], content_encoding="gzip")).status_code == 400
    members = gzip.compress(b"") * otlp.MEMBERS_MAX
    assert (await export(members + gzip.compress(b"{}"), content_encoding="gzip")).status_code == 400
    assert (await export(members[20:] + gzip.compress(b"{}"), content_encoding="gzip")).json() == {}
    assert (await export(b"{}", content_encoding="br")).status_code == 415
    assert (await export({}, content_length=str(otlp.BODY_MAX_BYTES + 1))).status_code == 413
    many = request(*[{}] * (otlp.RECORDS_MAX + 1))
    assert (await export(many)).status_code == 413
    assert rows(store) == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": None}, 401),
        ({"authorization": "Bearer eyt_unknown"}, 401),
        ({"host": "evil.example"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"content_type": "text/plain"}, 415),
        ({"content_type": None}, 415),
    ],
    ids=str,
)
async def test_who_may_not_is_refused_and_stores_nothing(
    export: Exporter, store: Store, headers: dict[str, str | None], status: int
) -> None:
    answer = await export(request(record("claude_code.user_prompt")), otlp.LOGS, **headers)
    assert answer.status_code == status, answer.text
    assert answer.json()["message"] and rows(store) == []


async def test_a_reading_token_and_another_context_are_refused(site: Any, root: str, store: Store) -> None:
    sent = request(record("claude_code.user_prompt"))
    reader, _ = tokens.create(root, "reader", [], ["view"])
    assert (await Exporter(site, reader)(sent)).status_code == 403
    narrow, _ = tokens.create(root, "narrow", ["work"], ["write"])
    assert (await Exporter(site, narrow)(sent, f"{otlp.LOGS}?context=home")).status_code == 403
    assert (await Exporter(site, narrow)(sent, x_eyelet_context="work")).status_code == 200
    assert [row["context_name"] for row in rows(store)] == ["work"]


async def test_nothing_is_recorded_where_the_environment_says_so(export: Exporter, store: Store) -> None:
    assert (await export(request(record("claude_code.user_prompt")), x_eyelet_disabled="1")).json() == {}
    assert rows(store) == []


async def test_what_is_secret_reaches_no_byte_of_the_root(export: Exporter, root: str) -> None:
    secret = "hunter2hunter2hunter2"
    parameters = json.dumps({"full_command": f"export DB_PASSWORD={secret}"})
    await export(request(record("claude_code.tool_result", **TOOL, tool_parameters=parameters, password=secret)))
    for path in Path(root).rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes(), path


async def test_what_its_day_cannot_take_waits_in_the_spool(export: Exporter, store: Store, root: str) -> None:
    await export(request(record("claude_code.user_prompt")))
    key = layout.PartitionKey("default", 2026, 1)
    with FileLock(layout.lock_path(root, key), time.monotonic_ns() + 10**9):
        answer = await export(request(record("claude_code.api_request")))
    assert (answer.status_code, answer.json()) == (200, {})
    assert len(spool.waiting(root)) == 1
    instance.of(export.client.ds).drain_when_due()


@pytest.mark.parametrize("value", ["\ud800", "\0", "x" * 100_000])
async def test_texts_that_sqlite_cannot_hold_are_replaced(export: Exporter, store: Store, value: str) -> None:
    one = record("claude_code.user_prompt", prompt=value, **{"session.id": value})
    assert (await export(json.dumps(request(one)).encode())).json() == {}
    assert len(rows(store)) == 1


@settings(max_examples=200)
@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()), st.booleans())
def test_any_body_is_a_request_or_refused(raw: bytes, is_packed: bool) -> None:
    try:
        found = otlp._records(otlp._unpacked(gzip.compress(raw)) if is_packed else raw)
    except door.Problem as problem:
        assert problem.status in (400, 413) and problem.reason
    else:
        assert isinstance(found, list)
    try:
        otlp._unpacked(raw)
    except door.Problem as problem:
        assert problem.status in (400, 413)


async def test_what_swells_counts_as_long_as_it_is_held(export: Exporter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(senders, "BODIES_MAX_BYTES", 10_000)
    packed = gzip.compress(json.dumps(request(record("claude_code.user_prompt", prompt="x" * 20_000))).encode())
    assert len(packed) < 1_000
    answer = await export(packed, content_encoding="gzip")
    assert answer.status_code == 503 and answer.headers["retry-after"]
    assert (await export(request(record("claude_code.user_prompt")))).status_code == 200  # what was held is let go


@settings(max_examples=60, deadline=None)
@given(st.lists(RECORD | JSON, max_size=4), PAIRS | JSON)
def test_any_request_is_stored_or_rejected(records: list[object], resource: object) -> None:
    value: dict[str, object] = {
        "resourceLogs": [{"resource": {"attributes": resource}, "scopeLogs": [{"logRecords": records}]}]
    }
    with TemporaryDirectory() as folder, Store(folder) as store:
        taken = list(shape.apart(value) or ())
        done = telemetry.record(store, "fuzz", taken, sender="test", redactor=Redactor())
        assert done.stored + done.known + done.spooled + len(done.refused) == len(taken)
        assert done.spooled == 0


def test_every_limit_of_the_documentation_is_the_code_s() -> None:
    docs = (Path(__file__).resolve().parents[2] / "docs" / "otlp.md").read_text("utf-8")
    assert f"{otlp.BODY_MAX_BYTES // 2**20} MiB" in docs and f"{otlp.RECORDS_MAX:,} log records" in docs
    assert f"{door.ROOM['hook']:,}" in docs and f"{telemetry.DEADLINE_MS:,} ms" in docs
    assert f"{SHARED_MAX_CHARS:,} characters" in docs and f"{body.READ_TIMEOUT_S:.0f} seconds" in docs
    for name in (otlp.LOGS, "OTEL_EXPORTER_OTLP_PROTOCOL=http/json", "X-Eyelet-Context", "X-Eyelet-Disabled"):
        assert name in docs
