"""Log records of OpenTelemetry in OTLP's JSON → Events: what an agent exports of itself, and any other program's too.

    {"resourceLogs": [{"resource": {"attributes": […]}, "scopeLogs": [{"scope": {…}, "logRecords": [{…}]}]}]}

`apart` makes of each log record one object that says all of it: the record's own fields by their names, attributes as
`{"name": value}` instead of a list of pairs, `resource` and `scope` beside them. `normalise` makes of that an Event.

Sources: opentelemetry.io/docs/specs/otlp ("JSON Protobuf Encoding": names in lowerCamelCase, 64-bit numbers as text,
unknown fields are passed over), open-telemetry/opentelemetry-proto logs/v1/logs.proto. Events of agents:
code.claude.com/docs/en/monitoring-usage ("Events": `claude_code.*`), openai/codex codex-rs/otel/src/events (`codex.*`),
google-gemini/gemini-cli docs/cli/telemetry.md (`gemini_cli.*`). What none of these names is kept whole all the same.
"""

from collections.abc import Iterator

from eyelet_ingest.events import Event
from eyelet_ingest.jsontext import dumps
from eyelet_ingest.sources.claude_hooks import execution
from eyelet_ingest.sources.embedded import command_of, opened
from eyelet_ingest.sources.failure import code_of, message_of
from eyelet_ingest.sources.reader import Reader, Record
from eyelet_ingest.sources.src import command_parts, src, tool_parts
from eyelet_ingest.sources.text import PATH_MAX_CHARS, duration_ms, optional, plain
from eyelet_ingest.sources.times import payload_time_us

CONTAINER = "resourceLogs"
ORIGIN = "otlp"
LOG = "log"  # the type of a record that has no name
SHARED_MAX_CHARS = 8_192  # of a resource or scope: a longer one is kept with the first of its records only
DEEPEST = 64  # levels of a value; what lies deeper stays as it was sent

# Fields of a log record that keep their name; any other goes under `fields`, where it meets none of ours.
_OWN = frozenset(
    (
        *("timeUnixNano", "observedTimeUnixNano", "severityNumber", "severityText", "traceId", "spanId", "flags"),
        *("eventName", "droppedAttributesCount"),
    )
)
# How an agent's events begin → the agent. Claude Code writes its attribute `event.name` without that beginning.
_PREFIXES = {"claude_code.": "claude", "codex.": "codex", "gemini_cli.": "gemini"}
_BEGINNINGS = {agent: prefix for prefix, agent in _PREFIXES.items()}
_SHELLS = frozenset(("Bash", "shell", "exec_command", "shell_command", "local_shell", "run_shell_command"))
_REFUSED = frozenset(("reject", "rejected", "denied", "abort", "aborted"))
_LEVELS = {"error": "error", "interrupted": "warn", "denied": "warn"}
_FAILURES = ("api_error", "api_retries_exhausted", "internal_error", "api_refusal")  # an event of this name is one
_ROLES = {"user_prompt": "user", "assistant_response": "assistant"}


def apart(value: Record) -> "Iterator[object] | None":
    """Each log record of an export request; what is none of OTLP's shape comes out as it is. None: it is no request."""
    groups = value.get(CONTAINER)
    return _records(groups) if isinstance(groups, list) else None


def is_record(record: Record) -> bool:
    """Whether it is what `apart` makes of a log record."""
    return all(isinstance(record.get(name), dict) for name in ("resource", "scope", "attributes"))


def time_us(record: Record) -> int | None:
    """When the event was, else when it was first seen, in microseconds; None where the record says neither."""
    for name in ("timeUnixNano", "observedTimeUnixNano"):
        found = _integer(record.get(name))
        if found is not None and found > 0:
            return found // 1_000
    return payload_time_us(_object(record.get("attributes")).get("event.timestamp"))


def same(record: Record) -> Record:
    """What two copies of one record have in common: when it was seen first depends on who saw it."""
    if not _integer(record.get("timeUnixNano")):
        return record
    return {name: value for name, value in record.items() if name != "observedTimeUnixNano"}


def normalise(record: Record, data: str, said: str = "") -> Event:
    """The event of a redacted log record and its JSON text. The time and the uid are the caller's to set."""
    attributes = _object(record.get("attributes"))
    resource = _object(_object(record.get("resource")).get("attributes"))
    get = attributes.get
    agent, hook_type = _named(record, attributes, resource)
    kind = hook_type.removeprefix(_BEGINNINGS.get(agent or "", "\0"))
    tool_name = _first(attributes, "tool_name", "function_name", "gen_ai.tool.name")
    status, code, message = _outcome(kind, attributes, record)
    level = _LEVELS.get(status) or _level(record.get("severityNumber"))
    service = agent or plain(resource.get("service.name")) or "unknown"
    return Event(
        hook_type=hook_type,
        session_id=_first(attributes, "session.id", "conversation.id", "gen_ai.conversation.id")
        or plain(resource.get("session.id")),
        tool_name=tool_name,
        tool_use_id=_first(attributes, "tool_use_id", "call_id", "gen_ai.tool.call.id"),
        status=status,
        src=src(service, ORIGIN, *kind.split("."), *_tool_parts(tool_name, attributes)),
        loglevel=level,
        error=int(status == "error"),
        origin=ORIGIN,
        agent=agent,
        agent_id=_first(attributes, "agent_id", "agent.id"),
        role=_ROLES.get(kind),
        model=_first(attributes, "model", "gen_ai.request.model", "gen_ai.response.model"),
        duration_ms=_duration(attributes),
        project_dir=optional(get("cwd"), PATH_MAX_CHARS),
        hostname=optional(resource.get("host.name")),
        data=data,
        meta=_meta(attributes, resource, status, code, message),
    )


class Logs(Reader):
    """The log records of one file."""

    def time_us(self, record: Record) -> int | None:
        return time_us(record)

    def same(self, record: Record) -> Record:
        return same(record)

    def event(self, record: Record, text: str) -> Event:
        return normalise(record, text)


def _records(groups: "list[object]") -> "Iterator[object]":
    for group in groups:
        if not isinstance(group, dict):
            yield group
            continue
        resource = _Shared(group.get("resource"), _rest(group, "resource", "scopeLogs"))
        for inner in _list(group.get("scopeLogs")):
            if not isinstance(inner, dict):
                yield inner
                continue
            scope = _Shared(inner.get("scope"), _rest(inner, "scope", "logRecords"))
            for record in _list(inner.get("logRecords")):
                yield _record(record, resource, scope) if isinstance(record, dict) else record


def _record(record: Record, resource: "_Shared", scope: "_Shared") -> Record:
    found: Record = {name: value for name, value in record.items() if name in _OWN}
    if "body" in record:
        found["body"] = _value(record["body"], 0)
    found["attributes"], odd = _attributes(record.get("attributes"), 0)
    others = _rest(record, "body", "attributes", *_OWN)
    if odd:
        others["attributes"] = odd
    if others:
        found["fields"] = others
    found["resource"], found["scope"] = resource.next(), scope.next()
    return found


class _Shared:
    """A resource or scope, which stands once for many records: a long one goes with the first of them only."""

    __slots__ = ("_short", "_whole")

    def __init__(self, said: object, beside: Record) -> None:
        given = said if isinstance(said, dict) else {}
        whole: Record = _rest(given, "attributes") | beside
        whole["attributes"], odd = _attributes(given.get("attributes"), 0)
        if odd:
            whole["otherAttributes"] = odd
        if said is not None and said is not given:
            whole["asSent"] = said
        self._whole = self._short = whole
        if _is_long(whole):
            attributes = _object(whole["attributes"])
            short = {name: plain(attributes[name]) for name in _KEPT if name in attributes}
            self._short = {"attributes": short, "omitted": "it is long, and stands in full with the first record"}

    def next(self) -> Record:
        found, self._whole = self._whole, self._short
        return found


_KEPT = ("service.name", "service.version", "host.name", "session.id")


def _is_long(value: Record) -> bool:
    try:
        return len(dumps(value)) > SHARED_MAX_CHARS
    except ValueError:  # a number beyond what Python spells
        return True


def _attributes(given: object, level: int) -> "tuple[Record, list[object]]":
    """The pairs of a list as one object, and those that are none, or have a name that was there before."""
    found: Record = {}
    odd: list[object] = []
    for pair in _list(given):
        key = pair.get("key") if isinstance(pair, dict) else None
        if not isinstance(pair, dict) or not isinstance(key, str) or key in found or set(pair) > {"key", "value"}:
            odd.append(_pair(pair, level))
        else:
            found[key] = _value(pair.get("value"), level + 1)
    return found, odd


def _value(given: object, level: int) -> object:
    """What an AnyValue says; one that says it in no way that is known stays as it was sent."""
    if not isinstance(given, dict) or len(given) != 1 or level > DEEPEST:
        return given
    ((kind, value),) = given.items()
    if kind in ("stringValue", "boolValue", "doubleValue"):
        return value
    if kind == "intValue":
        number = _integer(value)
        return value if number is None else number
    if kind == "arrayValue" and isinstance(value, dict) and isinstance(value.get("values"), list) and len(value) == 1:
        return [_value(one, level + 1) for one in value["values"]]
    if kind == "kvlistValue" and isinstance(value, dict) and isinstance(value.get("values"), list) and len(value) == 1:
        found, odd = _attributes(value["values"], level + 1)
        return {kind: {"values": [_pair(pair, level) for pair in value["values"]]}} if odd else found
    return given


def _pair(given: object, level: int) -> object:
    """A pair that stays a pair. Its value is opened all the same: redaction asks of lists what stands before what."""
    if not isinstance(given, dict) or "value" not in given:
        return given
    return {**given, "value": _value(given["value"], level + 1)}


def _named(record: Record, attributes: Record, resource: Record) -> "tuple[str | None, str]":
    """The agent, None for another program, and the event's name: with the agent's beginning, where it has one."""
    body = record.get("body")
    name = plain(record.get("eventName")) or plain(attributes.get("event.name"))
    for text in (name, body if isinstance(body, str) and " " not in body[:200] else ""):
        for prefix, agent in _PREFIXES.items():
            if text.startswith(prefix):
                return agent, plain(text)
    service = plain(resource.get("service.name")).replace("-", "_")
    scopes = plain(_object(record.get("scope")).get("name")).split(".")
    for prefix, agent in _PREFIXES.items():
        if f"{service}_".startswith(f"{prefix[:-1]}_") or prefix[:-1] in scopes:
            return agent, (name if "." in name else prefix + name) if name else LOG
    return None, name or LOG


def _outcome(kind: str, attributes: Record, record: Record) -> "tuple[str, str | None, str]":
    """status, error code and error message."""
    get = attributes.get
    if plain(get("decision")).lower() in _REFUSED:
        return "denied", None, ""
    said = _first(attributes, "error", "error.message", "error_message") or ""
    failed = plain(get("success")).lower() == "false" or kind in _FAILURES or get("status") == "failed"
    http = _integer(get("status_code", get("http.response.status_code")))
    number = _integer(record.get("severityNumber"))
    if not (failed or said or (http is not None and http >= 400) or (number is not None and number >= 17)):
        return "ok", None, ""
    body = record.get("body")
    message = message_of(said) or (message_of(body) if isinstance(body, str) and " " in body else "")
    return "error", _code(kind, attributes, http, message), message


def _code(kind: str, attributes: Record, http: int | None, message: str) -> str | None:
    """The error's code: what the message tells, else the name that the event gives it, else HTTP's number."""
    named = _first(attributes, "error_code", "error_type", "error.type", "error_name", "error_category") or ""
    found = code_of(message)
    if found or named:
        return found or plain(named.rpartition(":")[2], 64)
    if http is not None and http >= 400:
        return f"http:{http}"
    return "refusal" if kind == "api_refusal" else None


def _meta(attributes: Record, resource: Record, status: str, code: str | None, message: str) -> Record:
    meta: Record = {}
    if status != "ok":
        meta["execution"] = execution(status, code, message)
    version = plain(attributes.get("app.version")) or plain(resource.get("service.version"))
    branch = plain(attributes.get("vcs.ref.head.name"))
    if version:
        meta["agent"] = {"version": version}
    if branch:
        meta["git"] = {"branch": branch}
    return meta


def _tool_parts(tool_name: str | None, attributes: Record) -> "list[str]":
    """What `src` says of the tool: of a shell its program and subcommand, of an MCP tool its server and name."""
    parameters = opened(attributes.get("tool_parameters"))
    if isinstance(parameters, dict):
        server, tool = plain(parameters.get("mcp_server_name")), plain(parameters.get("mcp_tool_name"))
        if server and tool:
            return ["mcp", server, tool]
    if tool_name not in _SHELLS or tool_name is None:
        return tool_parts(tool_name)
    command = None
    if isinstance(parameters, dict):
        command = parameters.get("full_command") or parameters.get("bash_command")
    for name in ("tool_input", "arguments", "function_args"):
        command = command or command_of(attributes.get(name))
    return [tool_name, *command_parts(command)] if isinstance(command, str) else [tool_name]


def _duration(attributes: Record) -> float | None:
    for name in ("duration_ms", "total_duration_ms"):
        value = attributes.get(name)
        if isinstance(value, str):  # Claude Code writes numbers as text
            value = _integer(value)
        found = duration_ms(value)
        if found is not None:
            return found
    return None


def _level(number: object) -> str:
    """By the ranges of the log data model: up to 8 trace and debug, then info, from 13 warn, from 17 error."""
    found = _integer(number) or 9
    return "debug" if found < 9 else "info" if found < 13 else "warn" if found < 17 else "error"


def _first(attributes: Record, *names: str) -> str | None:
    for name in names:
        if found := optional(attributes.get(name)):
            return found
    return None


def _integer(value: object) -> int | None:
    """A whole number, which OTLP may write as text; None for what is none of 64 bits."""
    if isinstance(value, str) and value.isascii() and value.lstrip("-").isdigit() and len(value) <= 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -(2**63) <= value < 2**64 else None


def _object(value: object) -> Record:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> "list[object]":
    """The list; what is none is one thing that does not belong there."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _rest(given: Record, *known: str) -> Record:
    return {name: value for name, value in given.items() if name not in known}
