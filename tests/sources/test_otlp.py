"""Log records of OpenTelemetry become events: the table of docs/events.md, what exporters send, and any JSON at all."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.events import Event
from eyelet_ingest.jsontext import canonical, dumps
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.sources import otlp
from tests.sources.shapes import EXAMPLES, JSON, hold_to_columns, hold_to_table, said, table

TIME_NS = 1_767_225_600_123_456_789


def any_value(value: object) -> dict[str, Any]:
    """The AnyValue that an exporter writes for a value."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(one) for one in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": pairs(value)}}
    return {"stringValue": str(value)}


def pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": any_value(value)} for key, value in attributes.items()]


def record(name: str, **attributes: Any) -> dict[str, Any]:
    """A log record as Claude Code sends it."""
    found: dict[str, Any] = {
        "timeUnixNano": str(TIME_NS),
        "observedTimeUnixNano": str(TIME_NS + 5_000),
        "severityNumber": 9,
        "severityText": "INFO",
        "body": {"stringValue": name},
    }
    return {**found, "attributes": pairs({"session.id": "s-1", **attributes})}


def request(*records: Any, **resource: Any) -> dict[str, Any]:
    """An export request, as an exporter posts it."""
    service = {"service.name": "claude-code", "service.version": "2.1.290", "host.name": "box", **resource}
    scope = {"name": "com.anthropic.claude_code.events", "version": "2.1.290"}
    logs = {"scope": scope, "logRecords": list(records)}
    return {"resourceLogs": [{"resource": {"attributes": pairs(service)}, "scopeLogs": [logs]}]}


def taken(value: dict[str, Any]) -> list[Any]:
    found = otlp.apart(value)
    assert found is not None
    return list(found)


def events(value: dict[str, Any]) -> list[Event]:
    return [otlp.normalise(one, dumps(one)) for one in taken(value)]


@pytest.mark.parametrize("line", table("OpenTelemetry"), ids=lambda line: f"{line['event']} {line['says'][:60]}")
def test_a_log_record_is_what_the_table_says(line: dict[str, str]) -> None:
    attributes = said(line)
    own = {name: attributes.pop(name) for name in ("severityNumber",) if name in attributes}
    body = attributes.pop("body", line["event"] if line["event"].startswith("claude_code.") else "")
    one = {"timeUnixNano": str(TIME_NS), "body": {"stringValue": body}, "attributes": pairs(attributes), **own}
    service = "my-service" if line["event"] == "log" else "claude-code"
    asked = request(one, **{"service.name": service})
    if line["event"] == "log":
        del asked["resourceLogs"][0]["scopeLogs"][0]["scope"]
    (event,) = events(asked)
    assert event.hook_type == line["event"]
    hold_to_table(event, line)


def test_columns_are_what_the_record_says() -> None:
    one = record(
        "claude_code.tool_result",
        **{"event.name": "tool_result", "tool_name": "Bash", "tool_use_id": "toolu_1", "success": "true"},
        duration_ms="3200",
        **{"vcs.ref.head.name": "main", "agent.id": "a-1", "model": "claude-x"},
    )
    (event,) = events(request(one))
    assert (event.session_id, event.tool_name, event.tool_use_id) == ("s-1", "Bash", "toolu_1")
    assert (event.agent, event.agent_id, event.model, event.origin) == ("claude", "a-1", "claude-x", "otlp")
    assert (event.duration_ms, event.hostname) == (3200, "box")
    assert event.meta == {"agent": {"version": "2.1.290"}, "git": {"branch": "main"}}
    assert otlp.time_us(taken(request(one))[0]) == TIME_NS // 1000


def test_what_the_record_says_is_whole_and_readable_by_name() -> None:
    one = record("claude_code.api_request", cost_usd=0.042, input_tokens=1500, list=["a", 1], inner={"k": {"x": True}})
    (found,) = taken(request({**one, "aFieldOfTomorrow": {"x": 1}, "traceId": "5b8e"}))
    attributes = found["attributes"]
    assert (attributes["cost_usd"], attributes["input_tokens"]) == (0.042, 1500)
    assert (attributes["list"], attributes["inner"]) == (["a", 1], {"k": {"x": True}})
    assert (found["fields"], found["traceId"]) == ({"aFieldOfTomorrow": {"x": 1}}, "5b8e")
    assert found["resource"]["attributes"]["service.name"] == "claude-code"
    assert found["scope"]["name"] == "com.anthropic.claude_code.events"


def test_what_is_no_pair_or_comes_twice_is_kept_as_a_pair_whose_value_can_be_looked_into() -> None:
    odd = [{"key": "a", "value": {"intValue": "1"}}, {"key": "a", "value": {"intValue": "2"}}, "x", {"value": 1}]
    (found,) = taken(request({"attributes": odd}))
    assert found["attributes"] == {"a": 1}
    assert found["fields"] == {"attributes": [{"key": "a", "value": 2}, "x", {"value": 1}]}
    words = {"arrayValue": {"values": [{"stringValue": "--password"}, {"stringValue": "hunter2"}]}}
    twice = [{"key": "args", "value": words}, {"key": "args", "value": words}]
    (found,) = taken(request({"attributes": twice, "body": {"kvlistValue": {"values": twice}}}))
    assert "hunter2" not in json.dumps(Redactor().value(found))
    strange = {"bytesValue": "AAEC"}, {"intValue": "1e400"}, {"stringValue": "a", "intValue": 1}, {"newValue": 1}, None
    (found,) = taken(request({"attributes": [{"key": str(at), "value": one} for at, one in enumerate(strange)]}))
    assert list(found["attributes"].values()) == [strange[0], "1e400", *strange[2:]]


def test_a_long_resource_stands_in_full_once() -> None:
    long = "x" * 100_000
    found = taken(request(*[record("claude_code.user_prompt")] * 50, long=long))
    assert found[0]["resource"]["attributes"]["long"] == long
    assert all(len(dumps(one)) < 2_000 for one in found[1:])
    assert {otlp.normalise(one, "{}").hostname for one in found} == {"box"}


def test_a_record_is_known_again_whoever_saw_it() -> None:
    one = record("claude_code.user_prompt")
    (sent,), (collected,) = taken(request(one)), taken(request({**one, "observedTimeUnixNano": "1"}))
    assert canonical(otlp.same(sent)) == canonical(otlp.same(collected))
    (timeless,) = taken(request({"observedTimeUnixNano": "5000"}))
    assert otlp.same(timeless) == timeless and otlp.time_us(timeless) == 5


def test_what_is_no_request_is_none() -> None:
    assert otlp.apart({"resourceLogs": {"a": 1}}) is None
    assert taken({"resourceLogs": []}) == []
    assert taken({"resourceLogs": [7, {"scopeLogs": [8, {"logRecords": [9]}]}]}) == [7, 8, 9]
    assert not otlp.is_record({"attributes": {}, "resource": {}})


ANY_VALUE = st.recursive(
    st.fixed_dictionaries({}, optional={"stringValue": JSON, "intValue": JSON, "boolValue": JSON, "doubleValue": JSON}),
    lambda inner: st.builds(lambda values: {"arrayValue": {"values": values}}, st.lists(inner, max_size=3)),
    max_leaves=4,
)
NAMES = (
    *("event.name", "session.id", "tool_name", "tool_use_id", "success", "error", "status_code", "duration_ms"),
    *("decision", "model", "tool_parameters", "arguments", "event.timestamp", "function_args", "error_type"),
)
PAIRS = st.lists(
    st.builds(lambda key, value: {"key": key, "value": value}, st.sampled_from(NAMES) | JSON, ANY_VALUE | JSON) | JSON,
    max_size=6,
)
RECORD = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("timeUnixNano", "observedTimeUnixNano", "severityNumber", "eventName", "x"), JSON),
        "body": ANY_VALUE | JSON,
        "attributes": PAIRS | JSON,
    },
)


@settings(max_examples=EXAMPLES)
@given(st.lists(RECORD | JSON, max_size=3), PAIRS | JSON, JSON)
def test_no_request_raises(records: list[object], resource: object, scope: object) -> None:
    inner = [{"scope": scope, "logRecords": records}]
    for found in taken({"resourceLogs": [{"resource": {"attributes": resource}, "scopeLogs": inner}]}):
        if isinstance(found, dict):
            assert otlp.is_record(found)
            hold_to_columns(otlp.normalise(found, "{}"))
            otlp.time_us(found)
            otlp.same(found)


@settings(max_examples=EXAMPLES)
@given(st.dictionaries(st.sampled_from(["resourceLogs", "attributes", "resource", "scope", "body"]), JSON))
def test_no_object_raises(value: dict[str, object]) -> None:
    for found in otlp.apart(value) or ():
        assert not isinstance(found, dict) or otlp.is_record(found)
    hold_to_columns(otlp.normalise(value, "{}"))
    json.dumps(otlp.time_us(value))
