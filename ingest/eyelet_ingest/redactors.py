"""The redactor of a root for commands and servers, which may take a millisecond; hooks have that of `surroundings`."""

from eyelet_ingest.redaction import Redactor
from eyelet_ingest.store import identity


def of_root(root: str) -> Redactor:
    """Redaction with the root's key. RootError where that can neither be read nor made."""
    return Redactor(identity.load_key(root))
