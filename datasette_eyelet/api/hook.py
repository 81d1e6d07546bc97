"""`POST /-/eyelet/hook`: one hook payload as the body, acknowledged when it is safe, with nothing an agent would read.

Only for programs on this machine that show a token: a page in a browser has neither the Host nor the Origin, and a
cookie counts for nothing here. docs/http-hook.md describes it.
"""

import asyncio
import itertools
import os
import re
import time
from hashlib import blake2b
from typing import Any

from datasette_eyelet import instance, permissions, responses, token_actor
from datasette_eyelet.api import body, door, senders
from datasette_eyelet.api.door import Problem, forbidden, room
from datasette_eyelet.handed_over import HandedOver, Tell
from datasette_eyelet.permissions import WRITE
from eyelet_ingest import intake, live, metadata, pause, posting, redactors
from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.events import Event
from eyelet_ingest.jsontext import parse
from eyelet_ingest.store import identity, layout
from eyelet_ingest.surroundings import Surroundings

HOOK = "/-/eyelet/hook"
BODY_MAX_BYTES = 64 * 2**20
TRUSTED_CLOCK_NS = 60 * 10**9  # a sender's time counts when it is this near to ours
SHARED_S = 0.05  # how long events that come together share what was found out about their folder
SHARED_MAX = 64  # folders at once: a line that never gets empty shall not remember all that was ever named
FOLDER_MAX_CHARS = 4_096  # no system opens a longer path
_SECRET, _numbers = os.urandom(identity.KEY_BYTES), itertools.count()
_UID, _NS = re.compile(r"[0-9a-f]{32}", re.ASCII), re.compile(r"[0-9]{1,20}", re.ASCII)


async def view(datasette: Any, request: Any) -> Any:
    senders.check_token(request)
    body.content_type(request, *body.JSON)
    given = senders.given_context(request)
    if senders.is_off(request):
        return _done()
    held = instance.of(datasette)
    with room(datasette, "hook"):
        with senders.bodies(datasette) as took:
            raw = await body.read_bytes(request, BODY_MAX_BYTES, took)
            if not raw.strip():
                raise Problem(400, "the body is empty: it is the payload of a hook")
            agent = str(request.headers.get(posting.AGENT.lower()) or "")
            taking = _Taking(held, raw, given, senders.is_near(request), _named(request), agent, request.actor)
            del raw
        try:
            if token_actor.is_token(request.actor):
                taking.line = held.handed_over()
                await taking.line.done(taking.at_once)
            else:
                await taking.after_asking(datasette)
        except BadInput:
            raise
        except EyeletError as bad:  # its reason may name files
            raise Problem(503, f"the event is recorded nowhere: {bad.hint}") from bad
    return _done()


class _Taking:
    """A payload on its way from its bytes to being safe."""

    def __init__(
        self,
        held: instance.Instance,
        raw: bytes,
        given: str,
        is_near: bool,
        named: tuple[bytes, int],
        agent: str,
        actor: Any,
    ) -> None:
        self.held, self.grouped, self.agent, self.actor = held, held.grouped, agent, actor
        self.raw, self.given, self.is_near, self.named = raw, given, is_near, named
        self.line: HandedOver | None = None

    def at_once(self, tell: Tell) -> None:
        """All of it in one thread, and then the writer's: for a token, which says itself where it may record."""
        context, event = self.event()
        if event is None:
            return tell(None)
        if not token_actor.granted_by_token(self.actor, WRITE, layout.safe_context(context)):
            return tell(forbidden(WRITE))
        self.sign(event)
        done = self.grouped.put(context, event, more=self.line is not None and self.line.has_more())
        if done is None:
            self.grouped.spool(context, event)
            return tell(None)
        done.add_done_callback(lambda one: tell(one.exception()))

    async def after_asking(self, datasette: Any) -> None:
        """The same for another plugin's token: whether it may is asked on the event loop."""
        context, event = await asyncio.to_thread(self.event)
        if event is None:
            return
        if not await permissions.may(datasette, self.actor, WRITE, layout.safe_context(context)):
            raise forbidden(WRITE)
        self.sign(event)
        done = self.grouped.put(context, event)
        if done is None:
            await self.held.apart(self.grouped.spool, context, event)
        else:
            await asyncio.shield(asyncio.wrap_future(done))

    def sign(self, event: Event) -> None:
        """Say who sent it."""
        event.meta["source"] = {**_source(event), "sender": door.who_is(self.actor)}

    def event(self) -> tuple[str, Event | None]:
        """The context to record into and the event of the payload; None where nothing is to be recorded.

        Whoever asks from this machine has the settings of the folder that the payload names; where it is written, a
        payload does not say.
        """
        around = self.around()
        if around is None:
            return "", None
        redactor = around.redactor
        if self.given:
            redactors.check_context(self.given, redactor)
        plugins = self.held.plugins()
        uid, received_ns = self.named
        event, payload = live.event_of(self.raw, received_ns, redactor, around.settings, plugins, self.agent)
        event.uid = uid or _new_uid(received_ns)
        if self.is_near:
            metadata.add(event, around)
            plugins.redact_metadata(event)
        plugins.enrich(event, payload, redactor)
        return self.given or around.context, event

    def around(self) -> Surroundings | None:
        """The settings of the folder that the payload names; None where nothing is to be recorded there.

        Agents start several hooks at once in one folder: those that wait in line together share one look.
        """
        said = _folder(self.raw) if self.is_near else ""
        shared = self.line.shared if self.line is not None else {}
        found: Surroundings | None
        until_s, found = shared.get(said, (0.0, None))
        now_s = time.monotonic()
        if now_s < until_s:
            return found
        around = Surroundings(said if said and os.path.isdir(said) else os.sep)
        is_wanted = around.settings["enabled"] and not pause.rests(around.home, around.folders())
        around.redactor = around.redactor_with(self.held.key)
        around.settings["environment"] = ()  # the server's is not the agent's
        if len(shared) >= SHARED_MAX:
            shared.clear()
        shared[said] = now_s + SHARED_S, around if is_wanted else None
        return around if is_wanted else None


def _named(request: Any) -> tuple[bytes, int]:
    """The event's uid and the nanosecond it was received, as the sender says where it would store the event itself
    without an answer; else b"", for a new one, and now."""
    now_ns = time.time_ns()
    uid, _, received_ns = str(request.headers.get(posting.EVENT.lower()) or "").partition(" ")
    if _UID.fullmatch(uid) and _NS.fullmatch(received_ns) and abs(int(received_ns) - now_ns) < TRUSTED_CLOCK_NS:
        return bytes.fromhex(uid), int(received_ns)
    return b"", now_ns


def _folder(raw: bytes) -> str:
    """The folder that the agent works in, absolute; "" where the payload names none, in which case it is the root's."""
    try:
        payload = parse(intake.decode(raw)[0])
    except BadInput:
        return ""
    cwd = payload.get("cwd") if isinstance(payload, dict) else None
    if isinstance(payload, dict) and not cwd:  # Cursor's name the workspace
        roots = payload.get("workspace_roots")
        cwd = roots[0] if isinstance(roots, list) and roots else None
    is_path = isinstance(cwd, str) and os.path.isabs(cwd) and "\0" not in cwd and len(cwd) <= FOLDER_MAX_CHARS
    return str(cwd) if is_path else ""


def _new_uid(received_ns: int) -> bytes:
    """For an event that nobody named: two equal payloads are two events. The system is asked for a secret once, as
    each time costs a thread its turn; the time tells apart processes that began as copies of one another."""
    said = b"%d:%d:%d" % (os.getpid(), next(_numbers), received_ns)
    return blake2b(said, digest_size=identity.UID_BYTES, key=_SECRET).digest()


def _source(event: Event) -> "dict[str, object]":
    source = event.meta.get("source")
    return source if isinstance(source, dict) else {}


def _done() -> Any:
    """What every agent takes for "go on": an object that says nothing."""
    response = responses.json_text("{}")
    response.headers["Content-Length"] = "2"  # else it would be sent in chunks
    return response


answered = senders.behind_the_door(door.guarded(view, WRITE, "POST"))
ROUTES = [(rf"^{HOOK}$", answered)]
