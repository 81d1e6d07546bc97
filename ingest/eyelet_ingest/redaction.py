"""What may never reach the disk: secrets become typed markers such as `[redacted:github-token:9f2c61]`.

The hook imports this file on every tool call, and with it the literal probes (`redaction_probes.py`) only. The rules
(`redaction_rules.py`) and `re` are loaded when a probe hits: importing them costs more than storing an event.

Two laws hold everything together, and the tests prove both: where `may_hold` says no of a JSON text, its value is left
as it is; and redacting twice is redacting once. `docs/redaction.md` names what is covered.
"""

from eyelet_ingest.redaction_probes import may_hold_secret as may_hold_secret

TYPE_CHECKING = False  # as typing has it, without its import
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eyelet_ingest.redaction_own import Allowed, OwnRules, Pattern

    Mark = Callable[[str, str], str]  # kind and secret → what takes the secret's place

HASH_BYTES = 3
PERSON = b"eyelet-redact"  # so that no other use of the root's key makes the same hash
MOST_KEYS = 8_192  # of objects, whose redaction is remembered; and as many texts without a secret
KEY_MAX_CHARS = 200
WITHHELD = "[redacted:withheld]"  # where something that could not be looked at stood


class Redactor:
    """Redaction for one root. `key` is the root's secret key, or what answers it when the first marker is made; without
    one (a message that belongs to no root) markers carry no hash.

    A marker is `[redacted:<kind>:<hash>]`: six hex digits of BLAKE2b, keyed, over the secret in its plain form. So the
    same secret has the same marker in one root, in whatever way it was written, and the hash tells nothing to who
    lacks the key. `patterns` and `allowed` are what the user's settings add, as `own_patterns` answers them.
    May be used by many threads at once.
    """

    __slots__ = ("_harmless", "_key", "_keys", "_own")

    def __init__(
        self,
        key: "bytes | Callable[[], bytes]" = b"",
        patterns: "tuple[Pattern, ...]" = (),
        allowed: "tuple[Allowed, ...]" = (),
    ) -> None:
        self._key = key
        self._keys: dict[str, str] = {}
        self._harmless: set[str] = set()  # paths, names of tools and their like: payloads have the same ones
        self._own: OwnRules | None = None
        if patterns or allowed:
            from eyelet_ingest import redaction_own

            self._own = redaction_own.OwnRules(patterns, allowed)

    def may_hold(self, text: str) -> bool:
        """Whether `text(…)` of it, or `value(…)` of what it spells as JSON, could change anything. No is certain."""
        return may_hold_secret(text) or (self._own is not None and self._own.may_hold(text))

    def own_suspects(self, texts: "Sequence[str]") -> "set[int]":
        """The places of those texts in which the user's patterns may find something."""
        own = self._own
        return set() if own is None else {at for at, text in enumerate(texts) if own.may_hold(text)}

    def text(self, text: str) -> str:
        """`text` with every secret replaced by its marker; the same object where there is none. Idempotent."""
        if text in self._harmless:
            return text
        safe = text
        if self.may_hold(text):
            from eyelet_ingest import redaction_rules

            safe = redaction_rules.redact(text, self.marker, self._users())
        if safe is text and len(text) <= KEY_MAX_CHARS:
            if len(self._harmless) >= MOST_KEYS:
                self._harmless = set()
            self._harmless.add(text)
        return safe

    def value(self, value: object) -> object:
        """Parsed JSON with every string redacted, keys too, and whole values under telling keys.

        The same object where nothing had to go, else a new one that shares what did not change. Any depth.
        """
        from eyelet_ingest import redaction_walk

        return redaction_walk.redact_value(value, self)

    def bytes(self, raw: bytes) -> bytes:
        """Bytes that are not JSON, such as a payload cut short: redacted as `damaged` does.

        The same object where there is no secret. Bytes that are not UTF-8 survive as they are; UTF-16 with a secret in
        it comes back as UTF-8.
        """
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            try:
                text = raw.decode("utf-16")
            except UnicodeDecodeError:
                pass
            else:
                safe = self.damaged(text)
                if safe is not text:
                    return safe.encode("utf-8", "surrogatepass")
        text = raw.decode("utf-8", "surrogateescape")
        safe = self.damaged(text)
        return raw if safe is text else safe.encode("utf-8", "surrogateescape")

    def damaged(self, text: str) -> str:
        """Text that should be JSON and does not parse: redacted as text, secrets behind JSON's escapes too.

        The same object where there is no secret. Where one is behind escapes, odd white space or NUL characters
        (UTF-16 that was read as UTF-8), the text comes back without them. Idempotent.
        """
        if not self.may_hold(text) and not ("\0" in text and self.may_hold(text.replace("\0", ""))):
            return text
        from eyelet_ingest import redaction_rules

        return redaction_rules.redact_damaged(text, self.marker, self._users())

    def name(self, key: str) -> str:
        """`text` of the key of an object: payloads of one kind have the same ones, and they are short."""
        if len(key) > KEY_MAX_CHARS:
            return self.text(key)
        safe = self._keys.get(key)
        if safe is None:
            if len(self._keys) >= MOST_KEYS:
                self._keys = {}
            safe = self._keys[key] = self.text(key)
        return safe

    def marker(self, kind: str, secret: str) -> str:
        """What stands where `secret` stood: the secret itself where the user lets it stay. The only place that makes a
        marker; the rules know it as `mark`."""
        from eyelet_ingest.redaction_plain import plain

        bare = plain(secret)
        if self._own is not None and self._own.allows(kind, secret, bare):
            return secret
        if callable(self._key):
            self._key = self._key()
        if not self._key:
            return f"[redacted:{kind}]"
        from _blake2 import blake2b

        raw = bare.encode("utf-8", "surrogatepass")
        return f"[redacted:{kind}:{blake2b(raw, digest_size=HASH_BYTES, key=self._key, person=PERSON).hexdigest()}]"

    def _users(self) -> "Callable[[str], str] | None":
        own = self._own
        return None if own is None else lambda text: own.redacted(text, self.marker)
