"""Searches saved and removed, by a command or a page alike: without secrets, and audited first."""

import time
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit

from eyelet_ingest.errors import BadInput
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.store import audit, saved
from eyelet_ingest.store.saved import Saved

NOT_SAVED = ("_next", "_after", "live")  # a place in an answer, not a search


def query_of(address: str) -> str:
    """The query string of a search: of a whole address of the page, of what stands behind its `?`, or of that with it.
    BadInput for what holds no parameter."""
    query = urlsplit(address).query if "://" in address or address.startswith("/") else address.removeprefix("?")
    try:
        pairs = parse_qsl(query, strict_parsing=bool(query), max_num_fields=200, errors="strict")
    except ValueError as bad:
        hint = "give the address of a search page, or what stands behind its ?, such as range=7d&tool=Bash"
        raise BadInput("save the search", reason=f"it cannot be read ({bad})", hint=hint) from bad
    return text_of(pairs)


def text_of(pairs: Sequence[tuple[str, str]]) -> str:
    """The query string of these parameters, without those that are of one page of an answer."""
    return urlencode([pair for pair in pairs if pair[0] not in NOT_SAVED], errors="replace")


def save(root: str, who: str, name: str, query: str, redactor: Redactor, *, again: bool = False) -> Saved:
    """Save it; what becomes of it is said as by `store.saved.keep`. BadInput where it holds what looks like a secret:
    it would stand in a file."""
    saved.check(name, query)
    for text in (name, *(value for pair in parse_qsl(query) for value in pair)):
        if redactor.text(text) != text:
            hint = "search for something beside it, or redact it where it was recorded"
            raise BadInput("save the search", reason="it holds what looks like a secret", hint=hint)
    made = Saved(name, query, who, time.time_ns() // 1_000)
    if not again and any(one.name == name for one in saved.known(root)):
        raise BadInput("save the search", name, "there is one of this name", "name it otherwise, or replace it")
    audit.record(root, who, "saved.add", {"name": name, "chars": len(query), "again": again})
    saved.keep(root, made, again=again)
    return made


def remove(root: str, who: str, name: str) -> None:
    """Remove it; BadInput where there is none of this name."""
    saved.named(root, name)
    audit.record(root, who, "saved.remove", {"name": name})
    saved.remove(root, name)
