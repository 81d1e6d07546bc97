"""What the audit keeps of a request: what was asked, without what may be a secret."""

import json

from eyelet_ingest import intake
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.store import account
from eyelet_ingest.store.select import Filter


def facts(where: Filter, contexts: frozenset[str] | None, redactor: Redactor) -> dict[str, object]:
    """The filter's conditions, and the contexts it was limited to. Of what was typed is kept how much it was: who
    deletes what holds a secret, or a session, does not want to find it here."""
    said = account.asked(where)
    said["contexts"] = None if contexts is None else sorted(contexts)
    clean, _ = intake.clean(json.dumps(said), said, redactor)
    return clean if isinstance(clean, dict) else {}
