"""Who shows a token of `eyelet token` is the actor `token:<name>`, who may what the token says and nothing else.

Rights hang on the object that is made here, for one request, from the root's own file: an actor that a cookie, another
plugin or a setting describes in the same words is a plain dict, and has none of them.
"""

import asyncio
from typing import Any

from datasette_eyelet import instance
from eyelet_ingest import tokens
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.tokens import Token

SHORT_BYTES = 8_192  # of the file of tokens: thirty of them
# What Datasette calls it → what a token calls it
_GRANT = {f"eyelet-{grant}": grant for grant in tokens.GRANTS}


class TokenActor(dict[str, Any]):
    """An actor as Datasette knows them, and the token behind it."""

    __slots__ = ("token",)

    def __init__(self, token: Token) -> None:
        contexts = None if token.contexts is None else list(token.contexts)
        super().__init__(id=f"token:{token.name}", eyelet={"contexts": contexts, "allow": list(token.allow)})
        self.token = token


def is_token(actor: object) -> bool:
    """Whether the actor is known by a token of ours: then `granted_by_token` decides, and nothing adds to it."""
    return isinstance(actor, TokenActor)


def granted_by_token(actor: object, action: str, context: str | None) -> bool:
    """Whether the actor's token grants the action (`eyelet-view`, `-write`, `-admin`) in the context of this safe name.

    In all contexts there are and will be where None. False for whoever is not known by a token of ours.
    """
    return isinstance(actor, TokenActor) and action in _GRANT and actor.token.grants(_GRANT[action], context)


def contexts_of_token(actor: object, action: str) -> frozenset[str] | None:
    """The safe names of the contexts, there or not, in which the actor's token grants the action; None for all."""
    if not isinstance(actor, TokenActor) or _GRANT.get(action) not in actor.token.allow:
        return frozenset()
    return None if actor.token.contexts is None else frozenset(actor.token.contexts)


def said_by(request: Any) -> str:
    """The token of ours that a request shows, good or not; "" where it shows none."""
    scheme, _, said = (request.headers.get("authorization") or "").strip().partition(" ")
    said = said.strip()
    return said if scheme.lower() == "bearer" and said.startswith(tokens.PREFIX) else ""


async def of_request(datasette: Any, request: Any) -> TokenActor | None:
    """The actor of the token that a request shows; None where there is none of that kind, or it was revoked.

    Looked up anew for each request: a revoked token stops at once.
    """
    said = said_by(request)
    if not said:
        return None
    root = instance.of(datasette).root
    try:
        at_hand = tokens.at_hand(root)
        if at_hand is not None:
            found = tokens.among(at_hand, said)
        elif tokens.size_bytes(root) <= SHORT_BYTES:  # it is read in the time it takes to wake a thread for it
            found = tokens.find(root, said)
        else:
            found = await asyncio.to_thread(tokens.find, root, said)
    except EyeletError:
        return None  # a file of tokens that cannot be trusted lets nobody in; `eyelet token list` says why
    return None if found is None else TokenActor(found)
