"""`POST /v1/logs`: log records over OTLP/HTTP in JSON, acknowledged when they are safe. docs/otlp.md describes it.

The doors are the hook's. Answers are those of the specification (opentelemetry.io/docs/specs/otlp, "OTLP/HTTP"): 200
with an ExportLogsServiceResponse, `partialSuccess` where log records were rejected; else a Status, of `code` and
`message`: after 429 and 503 all may be sent again.
"""

import asyncio
import json
import os
import zlib
from itertools import islice
from typing import Any

from datasette_eyelet import instance, permissions, responses
from datasette_eyelet.api import body, door, senders
from datasette_eyelet.api.door import Problem, forbidden, room
from datasette_eyelet.permissions import WRITE
from datasette_eyelet.visible import visible
from eyelet_ingest import intake, pause, redactors, telemetry
from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.jsontext import parse
from eyelet_ingest.sources import otlp
from eyelet_ingest.store import layout
from eyelet_ingest.surroundings import Surroundings

LOGS = "/v1/logs"
BODY_MAX_BYTES = 16 * 2**20  # as it is sent, and as it is when decompressed
RECORDS_MAX = 10_000
MEMBERS_MAX = 64  # of a gzip stream, for each of which the rest is copied: exporters send one
REMEDY = "set OTEL_EXPORTER_OTLP_PROTOCOL=http/json (of logs alone: OTEL_EXPORTER_OTLP_LOGS_PROTOCOL)"
_PROTOBUF = ("application/x-protobuf", "application/protobuf", "application/grpc")
# google.rpc.Code of a status of HTTP.
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14}
_UNKNOWN = 2


async def view(datasette: Any, request: Any) -> Any:
    senders.check_token(request)
    coding = _coding(request)
    given = senders.given_context(request)
    if senders.is_off(request):
        return _done(0, "")
    held = instance.of(datasette)
    with room(datasette, "hook"), senders.bodies(datasette) as took:
        raw = await body.read_bytes(request, BODY_MAX_BYTES, took)
        if coding == "gzip":
            packed_bytes, raw = len(raw), await asyncio.to_thread(_unpacked, raw)
            took(len(raw) - packed_bytes)
        records = await asyncio.to_thread(_records, raw)
        del raw
        around = await asyncio.to_thread(_settings)
        if around is None:
            return _done(0, "")
        context = given or around.context
        if not await permissions.may(datasette, request.actor, WRITE, layout.safe_context(context)):
            raise forbidden(WRITE)
        if not records:
            return _done(0, "")
        done = await held.apart(_record, held, context, records, door.who(request), around)
    return _done(len(done.refused), done.refused[0] if done.refused else "")


def _record(
    held: instance.Instance, context: str, records: list[object], sender: str, around: Surroundings
) -> telemetry.Received:
    redactor = around.redactor_with(held.key)
    redactors.check_context(context, redactor)
    with held.writing.to(held.store) as store:
        return telemetry.record(
            *(store, context, records),
            sender=sender,
            redactor=redactor,
            settings=around.settings,
            plugins=held.plugins(),
        )


def _settings() -> Surroundings | None:
    """What the settings say, None where nothing is to be recorded. Of a folder they cannot be: no record names one."""
    around = Surroundings(os.sep)
    rests = not around.settings["enabled"] or pause.rests(around.home, around.folders())
    return None if rests else around


def _coding(request: Any) -> str:
    """`gzip` or `identity`; Problem 415 for another coding, and for another content than JSON."""
    given = str(request.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if given in _PROTOBUF:
        raise Problem(415, f"Content-Type: {given} is not taken, only application/json: {REMEDY}")
    if given not in body.JSON:
        raise Problem(415, f"Content-Type: {given or 'none'} is not taken, only {' or '.join(body.JSON)}")
    coding = str(request.headers.get("content-encoding") or "identity").strip().lower()
    if coding not in ("identity", "gzip"):
        raise Problem(415, f"Content-Encoding: {coding} is not taken, send gzip or the body as it is")
    return coding


def _records(raw: bytes) -> list[object]:
    """The log records of a body; Problem 400 for what is no export request of logs, 413 for one that is too long."""
    text, _ = intake.decode(raw)
    try:
        value = parse(text)
    except BadInput as bad:
        raise Problem(400, f"the body is no JSON: {bad.reason}") from bad
    if not isinstance(value, dict):
        raise Problem(400, "the body must be one JSON object, an ExportLogsServiceRequest")
    found = otlp.apart({otlp.CONTAINER: [], **value})
    if found is None:
        raise Problem(400, f"{otlp.CONTAINER}: must be a list")
    if not value.get(otlp.CONTAINER) and any(name in value for name in ("resourceSpans", "resourceMetrics")):
        raise Problem(400, "these are no logs: traces and metrics are not taken (OTEL_METRICS_EXPORTER=none)")
    records = list(islice(found, RECORDS_MAX + 1))
    if len(records) > RECORDS_MAX:
        raise Problem(413, f"more than {RECORDS_MAX:,} log records: send them in parts")
    return records


def _unpacked(raw: bytes) -> bytes:
    """What gzip packed, no more of it than BODY_MAX_BYTES."""
    found = b""
    for _ in range(MEMBERS_MAX):
        if not raw:
            return found
        unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            found += unpack.decompress(raw, BODY_MAX_BYTES + 1 - len(found))
        except zlib.error as bad:
            raise Problem(400, f"the body is no gzip: {bad}") from bad
        if len(found) > BODY_MAX_BYTES:
            raise Problem(413, f"the body is longer than {BODY_MAX_BYTES} bytes when decompressed: send it in parts")
        if not unpack.eof:
            raise Problem(400, "the body is no gzip: it is cut short")
        raw = unpack.unused_data
    if raw:
        raise Problem(400, f"the body is gzip of more than {MEMBERS_MAX} members: pack it in one")
    return found


def _done(rejected: int, why: str) -> Any:
    """ExportLogsServiceResponse; 64-bit numbers are text in the JSON of protobuf."""
    said: dict[str, Any] = {}
    if rejected:
        said["partialSuccess"] = {"rejectedLogRecords": str(rejected), "errorMessage": visible(why)}
    return responses.json_text(json.dumps(said))


def _refuse(error: Problem | EyeletError) -> Any:
    """A Status, as exporters expect it."""
    problem = door.problem_of(error)
    said = {"code": _CODES.get(problem.status, _UNKNOWN), "message": visible(problem.reason)}
    response = responses.json_text(json.dumps(said), problem.status)
    response.headers.update(problem.headers)
    if problem.status == 503:
        response.headers.setdefault("Retry-After", str(door.RETRY_AFTER_S))
    return response


_guarded = door.guarded(view, WRITE, "POST", refuse=_refuse)
ROUTES = [(rf"^{LOGS}$", senders.behind_the_door(_guarded, _refuse))]
