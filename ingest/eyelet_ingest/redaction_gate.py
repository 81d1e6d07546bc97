"""Which of many texts may hold a secret: the answer of `redaction_probes.may_hold_secret`, three times as fast in bulk.

The hook asks for each literal by itself, because importing `re` costs it more. An import looks through many texts at
once: a search that begins with one character is as fast as one for a literal, and stands for all the literals that
hold the character. So every literal is asked for at its rarest one. What is found is only a reason to ask
`redaction_probes.may_hold_secret`: a pattern here may find too much, and never too little; the tests compare the two.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from eyelet_ingest.redaction import Redactor
from eyelet_ingest.redaction_probes import holds_userinfo, may_hold_secret
from eyelet_ingest.redaction_runs import (
    BEGINNINGS,
    LONG_CHARS,
    ODD_BEFORE,
    ODD_FIRST,
    PACKED_CHARS,
    RUN,
    RUN_CHARS,
    RUN_SHAPE,
    UUID_CHARS,
    hex_at,
    joints,
    packed_lines,
    run_tells,
)

# What may stand behind a telling name, as `redaction_probes._ends_name` has it.
_ENDS = rb"(?=[\"'`:=\]>*0-9\\\n_\- \t%|?(\x1b])"
# On the text in ASCII lower case.
_LOW = tuple(
    re.compile(pattern)
    for pattern in (
        rb"k(?:ey(?:(?<=[istegnrdhpkycl_\-. ]key)|[\"'`:=>* \\+]{1,40}(?=[a-z0-9+/=_.-]{0,39}[0-9])[a-z0-9+/=_.-]{20})"
        rb"|en(?<=token)" + _ENDS
        + rb"|init|ie(?<=cookie)|s(?<=hooks)(?:\.slack\.com|\.zapier\.com|(?<=/webhooks)))",
        rb"c(?:redential|ret(?<=secret)|_(?<=glc_))",
        rb"p(?:rivate>|ass(?:w(?!(?<=/passw)d)|phrase|code|(?<=sshpass)|(?<=pgpass)|" + _ENDS + rb")"
        rb"|wd(?<=[a-z0-9_.;-]pwd)" + _ENDS + rb")",
        rb"u(?:th(?<=auth)(?:orization|" + _ENDS + rb")|rl(?<=curl)|00[2-7](?<=\\u00.))",
        rb"b(?:earer|2(?<=webhookb2))",
    )
)  # fmt: skip
_PERCENT = re.compile(rb"%(?:[2-7][0-9a-fA-F]|0[9adAD])")
# Literals that hold a character so rare that looking at each of these is faster than a search: it, and its place.
_LOW_RARE = (b"q", b"mysql", 3)
_RAW_RARE = ((b"~", b"Q~", 1), (b"&", b"&sig=", 0), (b"?", b"?sig=", 0))
_OPTIONS = b"paAPwUbSu"
# So many of these characters in vain, and the literal itself is searched for: they are no longer rare.
_MISSES = 32


def suspects(texts: "Sequence[str]", redactor: Redactor) -> set[int]:
    """The places of those texts of which `redactor.may_hold` says yes."""
    parts = [text.encode("utf-8", "surrogatepass") for text in texts]
    ends = list(accumulate(len(part) + 1 for part in parts))
    raw = b"\n".join(parts)
    del parts
    found = {at for at, text in enumerate(texts) if "@" in text and _holds_address(text)} if b"@" in raw else set()
    found.update(_in_runs(raw, ends))
    for rare in _RAW_RARE:
        found.update(_found_rare(*rare, raw, ends))
    found.update(_found_literal(b"fm2_", raw, ends))
    found.update(_found_literal(b" -", raw, ends, _OPTIONS))
    if b"%" in raw:
        found.update(_found(_PERCENT, raw, ends))
    raw = raw.lower()
    for pattern in _LOW:
        found.update(_found(pattern, raw, ends))
    found.update(_found_literal(b"identified ", raw, ends, b"bw"))
    found.update(_found_rare(*_LOW_RARE, raw, ends))
    return {at for at in found if may_hold_secret(texts[at])} | redactor.own_suspects(texts)


def _holds_address(text: str) -> bool:
    return holds_userinfo(text) or "@tcp(" in text or "@unix(" in text


def _found(pattern: "re.Pattern[bytes]", data: bytes, ends: list[int]) -> Iterator[int]:
    """Which texts the pattern is found in; `ends` are the places where the next one begins."""
    hit = pattern.search(data)
    while hit:
        at = bisect_right(ends, hit.start())
        yield at
        hit = pattern.search(data, ends[at])


def _found_literal(literal: bytes, data: bytes, ends: list[int], behind: bytes = b"") -> Iterator[int]:
    """The same for a literal, with one of the characters `behind` it where there are any."""
    hit = data.find(literal)
    while hit >= 0:
        end = hit + len(literal)
        if behind and data[end : end + 1] not in behind:
            hit = data.find(literal, end)
            continue
        at = bisect_right(ends, hit)
        yield at
        hit = data.find(literal, ends[at])


def _found_rare(rare: bytes, literal: bytes, place: int, data: bytes, ends: list[int]) -> Iterator[int]:
    """The same for a literal with a rare character at that place: SIMD finds it where there is any."""
    misses = 0
    hit = data.find(rare)
    while hit >= 0:
        if hit >= place and data.startswith(literal, hit - place):
            at = bisect_right(ends, hit)
            yield at
            hit, misses = ends[at] - 1, 0
        elif misses == _MISSES:
            begin = data.find(literal, hit)
            if begin < 0:
                return
            hit = begin + place - 1
        else:
            misses += 1
        hit = data.find(rare, hit + 1)


def _is_packed(data: bytes, at: int, end: int) -> bool:
    return bool(packed_lines(data, at, end)) or hex_at(data, at, end) >= 0


def _in_runs(data: bytes, ends: list[int]) -> Iterator[int]:
    """The same for long runs that may be tokens."""
    shape = data.translate(RUN_SHAPE)
    at = shape.find(RUN)
    while at >= 0:
        end = shape.find(b" ", at)
        if end < 0:
            end = len(shape)
        # Most runs are passed over by their first characters, without a call: UUIDs are no tokens.
        if (end - at != UUID_CHARS or data[at + 8] != 45 or data[at + 13] != 45) and (
            (
                (
                    data[at : at + 3] in BEGINNINGS
                    or ODD_BEFORE[data[at - 1]]
                    or ODD_FIRST[data[at]]
                    or data[end - 4] == 45
                    or data[end - 4] == 95
                    or data[end - 5] == 45
                    or data[end - 9] == 45
                    or end - at >= LONG_CHARS
                    or data[end + 7 : end + 8] == b"."
                )
                and run_tells(data, at, end)
            )
            or (data[at : at + PACKED_CHARS].isalnum() and _is_packed(data, at, end))
            or (end - at > RUN_CHARS and joints(data, at, end))
        ):
            text = bisect_right(ends, at)
            yield text
            end = ends[text]
        at = shape.find(RUN, end)
