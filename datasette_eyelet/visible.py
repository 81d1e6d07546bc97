"""Recorded text as a page may show it: hostile characters as visible escapes, long text cut.

Escaping for HTML is Jinja's work (autoescape); this is about characters that HTML lets through and that
reorder, hide or forge what people read.
"""

import re

# Control characters but tab and newline; soft hyphen; direction marks, embeddings, overrides and isolates;
# zero-width space; line and paragraph separators; invisible operators; byte order mark; annotations; lone
# surrogates (which UTF-8 cannot even send); tags. Joiners stay: Persian and family emoji need them.
_HOSTILE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    """`text` with each such character written as its escape: `\\x1b`, `\\u202e`. Line ends become newlines."""
    return _HOSTILE.sub(_escape, text.replace("\r\n", "\n"))


def one_line(text: str, max_chars: int) -> str:
    """`text` on one line, made visible, and cut with an ellipsis after `max_chars` characters."""
    # A line of 1 MB is not split whole to show its beginning.
    cut = " ".join(text[: 4 * max_chars].split())
    whole = len(text) <= 4 * max_chars and len(cut) <= max_chars
    return visible(cut if whole else cut[:max_chars] + "…")


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
