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
from eyelet_ingest.redaction_probes import (
    AT_SIGNS,
    KEY_MAX_CHARS,
    KEY_WINDOW,
    holds_key,
    holds_userinfo,
    may_hold_secret,
)
from eyelet_ingest.redaction_runs import (
    BEGINNINGS,
    LONG_CHARS,
    ODD_BEFORE,
    ODD_FIRST,
    PACKED_CHARS,
    RUN,
    RUN_SHAPE,
    UUID_CHARS,
    hex_at,
    joints,
    packed_lines,
    run_tells,
)

# What may stand behind a telling name, as `redaction_probes._ends_name` has it.
_ENDS = rb"(?=[\"'`:=\]>*0-9\\\n_\- \t%|?(\x1b])"
_OPTION = re.compile(rb"-(?<= -)(?:[paAPwUbSu]|-[uU]ser|[kKtT][ =]|[dD]sonar\.login=)")
# On the text in ASCII lower case. What the first group has is certain: `may_hold_secret` asks no more. What the second
# has may be a name.
_LOW = tuple(
    re.compile(pattern)
    for pattern in (
        rb"k(?:(ie(?<=cookie)|s(?<=hooks)(?:\.slack\.com|\.zapier\.com|(?<=/webhooks)))"
        rb"|(ey(?:(?<=[istegnrdhpkycl_\-. ]key)"
        rb"|[\"'`:=>* \\+]{1,40}(?=[a-z0-9+/=_.-]{0,39}[0-9])[a-z0-9+/=_.-]{20}))"
        rb"|en(?<=token)" + _ENDS + rb"|init)",
        rb"c(?:(redential|ret(?<=secret))|url|_(?<=glc_))",
        rb"p(?:rivate>|(ass(?:w(?!(?<=/passw)d)|phrase|code|(?<=sshpass)|(?<=pgpass)))|ass" + _ENDS
        + rb"|wd(?<=[a-z0-9_.;-]pwd)" + _ENDS + rb")",
        rb"u(?:(th(?<=auth)orization|00[2-7](?<=\\u00.))|th(?<=auth)" + _ENDS + rb")",
        rb"b(earer)",
    )
)  # fmt: skip
_PERCENT = re.compile(rb"%(?:[2-7][0-9a-fA-F]|0[9adAD])")
_KEY = 2
# Literals that hold a character so rare that looking at each of these is faster than a search: it, and its place.
_LOW_RARE = ((b"q", b"mysql", 3), (b"q", b"sqlplus", 1))
# Literals that are searched for as they are.
_RAW_LITERALS = (b"fm2_", b"PAT=")
_LOW_LITERALS = (b"identified ", b"jwt.sign(", b"<<<")
_RAW_RARE = ((b"~", b"Q~", 1), (b"&", b"&sig=", 0), (b"?", b"?sig=", 0), (b"&", b"&code=", 0), (b"?", b"?code=", 0))
# So many of these characters in vain, and the literal itself is searched for: they are no longer rare.
_MISSES = 32


def suspects(texts: "Sequence[str]", redactor: Redactor) -> set[int]:
    """The places of those texts of which `redactor.may_hold` says yes."""
    parts = [text.encode("utf-8", "surrogatepass") for text in texts]
    ends = list(accumulate([len(part) + 1 for part in parts]))
    raw = b"\n".join(parts)
    del parts
    certain = {at for at, text in enumerate(texts) if "@" in text and _holds_address(text)} if b"@" in raw else set()
    found = _in_runs(raw, ends)
    _find(_OPTION, raw, ends, found, certain)
    for literal in _RAW_LITERALS:
        found.update(_found(literal, raw, ends))
    for rare in _RAW_RARE:
        found.update(_found_rare(*rare, raw, ends))
    if b"%" in raw:
        _find(_PERCENT, raw, ends, found, certain)
    raw = raw.lower()
    for pattern in _LOW:
        _find(pattern, raw, ends, found, certain)
    for rare in _LOW_RARE:
        found.update(_found_rare(*rare, raw, ends))
    for literal in _LOW_LITERALS:
        found.update(_found(literal, raw, ends))
    certain.update([at for at in found - certain if may_hold_secret(texts[at])])
    return certain | redactor.own_suspects(texts)


def _holds_address(text: str) -> bool:
    if holds_userinfo(text):
        return True
    low = text.lower().encode("utf-8", "surrogatepass")
    return any(sign in low for sign in AT_SIGNS)


def _find(pattern: "re.Pattern[bytes]", data: bytes, ends: list[int], found: set[int], certain: set[int]) -> None:
    """Adds the texts in which the pattern is found to one of the sets; `ends` are the places where the next one begins.

    Of each text what is found first counts, but for names that end in `key` and tell of nothing.
    """
    hit = pattern.search(data)
    while hit:
        begin = hit.start()
        at = bisect_right(ends, begin)
        if hit.lastindex == _KEY and not _tells_key(data, begin, ends[at - 1] if at else 0, ends[at]):
            hit = pattern.search(data, begin + 1)
            continue
        (certain if hit.lastindex else found).add(at)
        hit = pattern.search(data, ends[at])


def _tells_key(data: bytes, begin: int, least: int, most: int) -> bool:
    """Whether the `key` that begins there, in the text with these bounds, ends a telling name."""
    return holds_key(data[max(least, begin - KEY_WINDOW) : min(most - 1, begin + KEY_MAX_CHARS)])


def _found(literal: bytes, data: bytes, ends: list[int]) -> Iterator[int]:
    """The texts in which the literal is."""
    hit = data.find(literal)
    while hit >= 0:
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


def _in_runs(data: bytes, ends: list[int]) -> set[int]:
    """The texts with long runs that may be tokens."""
    found: set[int] = set()
    plain: set[bytes] = set()  # runs without a joint: ids are the same in many texts
    shape = data.translate(RUN_SHAPE)
    at = shape.find(RUN)
    while at >= 0:
        end = shape.find(b" ", at)
        if end < 0:
            end = len(shape)
        # Most runs are passed over by their first characters, without a call: UUIDs are no tokens.
        if end - at != UUID_CHARS or data[at + 8] != 45 or data[at + 13] != 45:
            run = data[at:end]
            if (
                (
                    (
                        run[:3] in BEGINNINGS
                        or ODD_BEFORE[data[at - 1]]
                        or ODD_FIRST[run[0]]
                        or run[-4] == 45
                        or run[-4] == 95
                        or run[-5] == 45
                        or run[-9] == 45
                        or end - at >= LONG_CHARS
                        or data[end + 7 : end + 8] == b"."
                    )
                    and run_tells(data, at, end)
                )
                or (run[:PACKED_CHARS].isalnum() and _is_packed(data, at, end))
                or (run not in plain and joints(run, 0, end - at))
            ):
                text = bisect_right(ends, at)
                found.add(text)
                end = ends[text]
            else:
                plain.add(run)
        at = shape.find(RUN, end)
    return found
