"""What the audit keeps of a request: what was asked, without what may be a secret."""

import json
from dataclasses import asdict

from eyelet_ingest import intake
from eyelet_ingest.store.select import Filter


def facts(where: Filter, contexts: frozenset[str] | None) -> dict[str, object]:
    """The filter's conditions, and the contexts it was limited to. A text that was searched for is kept as its length:
    who deletes what holds a secret does not want to find it here."""
    said = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(where).items() if value}
    if where.text:
        said["text"] = f"{len(where.text)} characters"
    said["contexts"] = None if contexts is None else sorted(contexts)
    clean, _ = intake.clean(json.dumps(said), said)
    return clean if isinstance(clean, dict) else {}
