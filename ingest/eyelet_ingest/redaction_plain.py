"""A secret in its plain form, so that one secret has one marker in whatever way it was written.

Loaded where a marker is made. What is taken off: escapes of JSON and of shells, at any depth; percent-encoding; white
space, of which a key over many lines has as much as its indentation. Two secrets that differ in nothing else get the
same marker, which costs nothing.
"""

from eyelet_ingest.patterns import A, I, compiled

TYPE_CHECKING = False  # as typing has it, without its import
if TYPE_CHECKING:
    import re

_ROUNDS = 8  # JSON in a string of JSON in a string of JSON, each a round
_ESCAPE = compiled(r"\\(?:u([0-9a-f]{4})|([\s\S]))", I | A)
_PERCENT = compiled(r"(?:%[0-9a-f]{2})+", I | A)
_CHARS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def plain(secret: str) -> str:
    """`secret` without escapes, percent-encoding and white space. The same for every way of writing it. Linear."""
    for _ in range(_ROUNDS):
        before = secret
        if "\\" in secret:
            secret = _ESCAPE.sub(_unescaped, secret)
        if "%" in secret:
            secret = _PERCENT.sub(_decoded, secret)
        if secret == before:
            break
    secret = "".join(secret.split())
    if not secret.isascii():  # a pair of escaped surrogates is the character that they spell
        secret = secret.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return secret


def _unescaped(escape: "re.Match[str]") -> str:
    return chr(int(escape[1], 16)) if escape[1] else _CHARS.get(escape[2], escape[2])


def _decoded(run: "re.Match[str]") -> str:
    return bytes.fromhex(run[0].replace("%", "")).decode("utf-8", "replace")
