"""What stands before every address of the API: who asks, may they, is there room; and what they hear where not.

Nothing is opened, and no body read, for whoever may do this nowhere. What is not allowed in one context is told in the
same words whether it is there or not.
"""

import json
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any

from datasette_eyelet import permissions, responses, token_actor
from datasette_eyelet.visible import visible
from eyelet_ingest import redactors
from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.store.layout import safe_context

Contexts = frozenset[str] | None  # safe names; None is all there are
View = Callable[..., Awaitable[Any]]

# How many requests of a kind are worked on at once; another hears 429.
ROOM = {"POST": 8, "export": 2, "hook": 1_024}
RETRY_AFTER_S = 1


class Problem(Exception):
    """What the asker hears instead of an answer: a status, a reason, headers."""

    def __init__(self, status: int, reason: str, **headers: str) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, headers


def guarded(
    view: View, action: str, *methods: str, refuse: "Callable[[Problem | EyeletError], Any] | None" = None
) -> View:
    """`view(datasette, request)`, for actors who may do `action` somewhere, by one of `methods`. `refuse` says what
    went wrong, where not as `refusal` does."""

    async def answered(datasette: Any, request: Any) -> Any:
        try:
            await _check(datasette, request, action)
            if request.method not in methods:
                allowed = ", ".join(methods)
                raise Problem(405, f"this address takes {allowed}, not {request.method}", Allow=allowed)
            return await view(datasette, request)
        except (Problem, EyeletError) as error:
            return (refuse or refusal)(error)

    return answered


async def nothing_here(datasette: Any, request: Any) -> Any:
    """404 in JSON, for everybody alike."""
    return refusal(Problem(404, "the API has no such address: see docs/api.md"))


def problem_of(error: Problem | EyeletError) -> Problem:
    """The status and the reason that the asker hears."""
    if isinstance(error, BadInput):
        return Problem(400, str(error))
    if isinstance(error, EyeletError):  # without the path: where the root is, is nobody's business
        hint = f" ({error.hint})" if error.hint else ""
        return Problem(503, f"{error.operation}: {error.reason}{hint}")
    return error


def refusal(error: Problem | EyeletError) -> Any:
    """What went wrong, in JSON."""
    problem = problem_of(error)
    said = visible(redactors.message(problem.reason))
    response = responses.json_text(json.dumps({"ok": False, "error": said}), problem.status)
    response.headers.update(problem.headers)
    return response


def answer(body: dict[str, object], status: int = 200) -> Any:
    return responses.json_text(json.dumps(body), status)


async def chosen(datasette: Any, actor: Any, action: str, given: tuple[str, ...]) -> Contexts:
    """The contexts that a request is about: those it names, else those in which the actor may do this.

    Problem 403 where it names one in which they may not.
    """
    if not given:
        return await permissions.contexts_for(datasette, actor, action)
    names = frozenset(safe_context(context) for context in given)
    for name in sorted(names):
        if not await permissions.may(datasette, actor, action, name):
            raise forbidden(action)
    return names


def forbidden(action: str) -> Problem:
    return Problem(403, f"{action} is not granted: show a token that allows it (`eyelet token create`), or sign in")


def who(request: Any) -> str:
    """The actor's name in the audit."""
    return who_is(request.actor)


def who_is(actor: Any) -> str:
    """The name of an actor."""
    return str((actor or {}).get("id") or "nobody")[:200]


@contextmanager
def room(datasette: Any, kind: str) -> Generator[None, None, None]:
    """One of the places of this kind of request, on the event loop; Problem 429 where all are taken."""
    taken: dict[str, int] = datasette.__dict__.setdefault("_eyelet_api_taken", dict.fromkeys(ROOM, 0))
    if taken[kind] >= ROOM[kind]:
        reason = f"{ROOM[kind]:,} requests of this kind are being worked on: try again"
        raise Problem(429, reason, **{"Retry-After": str(RETRY_AFTER_S)})
    taken[kind] += 1
    try:
        yield
    finally:
        taken[kind] -= 1


async def _check(datasette: Any, request: Any, action: str) -> None:
    if token_actor.said_by(request) and not token_actor.is_token(request.actor):
        reason = "the token is not known: it was revoked, or it is another server's"
        raise Problem(401, reason, **{"WWW-Authenticate": 'Bearer error="invalid_token"'})
    if not await _may_somewhere(datasette, request.actor, action):
        raise forbidden(action)


async def _may_somewhere(datasette: Any, actor: Any, action: str) -> bool:
    found = await permissions.contexts_for(datasette, actor, action)
    if found is None or found:
        return True
    # By a setting, in a context that is not there yet; a restricted token of Datasette's may not what its owner may.
    for context in permissions.granted(datasette, actor, action) or ():
        if await permissions.may(datasette, actor, action, context):
            return True
    return False
