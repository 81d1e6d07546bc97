"""What may never reach the disk: secrets become typed markers such as `[redacted:github-token]`.

The hook imports this file on every tool call, and with it the literal probes (`redaction_probes.py`) only. The rules
(`redaction_rules.py`) and `re` are loaded when a probe hits: importing them costs more than storing an event.

Two laws hold everything together, and the tests prove both: where `may_hold_secret` says no of a JSON text, its
value is left as it is; and redacting twice is redacting once. `docs/redaction.md` names what is covered.
"""

from eyelet_ingest.redaction_probes import may_hold_secret as may_hold_secret


def redact_text(text: str) -> str:
    """`text` with every secret replaced by its marker; the same object where there is none. Idempotent."""
    if not may_hold_secret(text):
        return text
    from eyelet_ingest import redaction_rules

    return redaction_rules.redact(text)


def redact_value(value: object) -> object:
    """Parsed JSON with every string redacted, keys too, and whole values under telling keys.

    The same object where nothing had to go, else a new one that shares what did not change. Any depth.
    """
    from eyelet_ingest import redaction_walk

    return redaction_walk.redact_value(value)


def redact_bytes(raw: bytes) -> bytes:
    """Bytes that are not JSON, such as a payload cut short: redacted as `redact_damaged` does.

    The same object where there is no secret. Bytes that are not UTF-8 survive as they are; UTF-16 with a secret in it
    comes back as UTF-8.
    """
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            text = raw.decode("utf-16")
        except UnicodeDecodeError:
            pass
        else:
            safe = redact_damaged(text)
            if safe is not text:
                return safe.encode("utf-8", "surrogatepass")
    text = raw.decode("utf-8", "surrogateescape")
    safe = redact_damaged(text)
    return raw if safe is text else safe.encode("utf-8", "surrogateescape")


def redact_damaged(text: str) -> str:
    """Text that should be JSON and does not parse: redacted as text, secrets behind JSON's escapes too.

    The same object where there is no secret. Where one is behind escapes, odd white space or NUL characters (UTF-16
    that was read as UTF-8), the text comes back without them. Idempotent.
    """
    if not may_hold_secret(text) and not ("\0" in text and may_hold_secret(text.replace("\0", ""))):
        return text
    from eyelet_ingest import redaction_rules

    return redaction_rules.redact_damaged(text)


def marker(kind: str, secret: str) -> str:
    """What stands where `secret` stood. The only place that makes a marker: `[redacted:<kind>]`."""
    return f"[redacted:{kind}]"
