"""The redactor of a root for commands and servers, which may take a millisecond; hooks have that of `surroundings`."""

import os
from typing import TYPE_CHECKING

from eyelet_ingest.errors import BadInput
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.store import identity
from eyelet_ingest.surroundings import Surroundings

if TYPE_CHECKING:
    from eyelet_ingest.redaction_own import Allowed, Pattern


def of_root(root: str) -> Redactor:
    """Redaction with the root's key and what the global settings add to our rules.

    RootError where the key can neither be read nor made; BadInput, with file and line, where the settings are wrong:
    who brings something in must not do it without the patterns he wrote.
    """
    return Redactor(identity.load_key(root), *own())


def own() -> "tuple[tuple[Pattern, ...], tuple[Allowed, ...]]":
    """The patterns and the allowed values of the global settings, as a Redactor takes them. BadInput likewise; what is
    wrong elsewhere in the file is no reason."""
    from eyelet_ingest import settings

    held = settings.of_redaction(settings.global_file())
    return held["patterns"], held["allowed"]


def message(text: str) -> str:
    """What is said to somebody, without the secrets that it may quote: markers have no hash. Never raises."""
    return Surroundings(os.sep).redactor_with(b"").text(text)


def check_context(name: str, redactor: Redactor) -> None:
    """BadInput for the name of a context that is, or holds, a secret: it would name folders."""
    if redactor.text(name) != name:
        raise BadInput("record into the context", reason="its name holds what looks like a secret", hint="name another")
