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

from eyelet_ingest.redaction_probes import holds_userinfo, may_hold_secret

# What may stand behind a telling name, as `redaction_probes._ends_name` has it.
_ENDS = rb"(?=[\"'`:=\]>*0-9\\\n_\- \t])"
# On the text in ASCII lower case.
_LOW = tuple(
    re.compile(pattern)
    for pattern in (
        rb"k(?:ey(?<=[istegnrdhp_\-. ]key)|en(?<=token)" + _ENDS + rb"|ie(?<=cookie)|-(?<=sk-)(?=[a-z0-9_-]{16})"
        rb"|_(?:live|test)_|s(?<=hooks)(?:\.slack\.com|(?<=/webhooks)))",
        rb"c(?:redential|ret(?<=secret))",
        rb"p(?:rivate>|ass(?:w(?!(?<=/passw)d)|phrase|code|(?<=sshpass)|" + _ENDS + rb")|wd(?<=[a-z0-9_.-]pwd)" + _ENDS
        + rb"|at-(?<=glpat-)|i(?<=dapi))",
        rb"u(?:th(?<=auth)(?:orization|" + _ENDS + rb")|rl(?<=curl)|00[2-7](?<=\\u00.))",
        rb"b(?:earer)",
    )
)  # fmt: skip
# Characters so rare that looking at each is faster than a search: the literals, and where the character stands in them.
_LOW_RARE = ((b"x", (b"xox", b"xapp-"), 0), (b"q", (b"mysql",), 3))
# On the text as it is.
_RAW = tuple(
    re.compile(pattern)
    for pattern in (
        rb"\.(?:eyJ|(?<=hvs\.)|(?<=ya29\.))",
        rb"_(?:(?<=gh[pousr]_)|(?<=github_pat_)|(?<=npm_)|(?<=hf_)|v1_)",
        rb"A(?:KIA|SIA|Iza|A(?<=:AA)|gE(?<=pypi-AgE))",
        rb"S(?:G\.|K[0-9a-fA-F]{32})",
    )
)


def suspects(texts: "Sequence[str]") -> set[int]:
    """The places of those texts of which `redaction_probes.may_hold_secret` says yes."""
    parts = [text.encode("utf-8", "surrogatepass") for text in texts]
    ends = list(accumulate(len(part) + 1 for part in parts))
    raw = b"\n".join(parts)
    del parts
    found = {at for at, text in enumerate(texts) if "@" in text and holds_userinfo(text)} if b"@" in raw else set()
    for pattern in _RAW:
        found.update(_found(pattern, raw, ends))
    raw = raw.lower()
    for pattern in _LOW:
        found.update(_found(pattern, raw, ends))
    for rare, literals, place in _LOW_RARE:
        found.update(_found_rare(rare, literals, place, raw, ends))
    return {at for at in found if may_hold_secret(texts[at])}


def _found(pattern: "re.Pattern[bytes]", data: bytes, ends: list[int]) -> Iterator[int]:
    """Which texts the pattern is found in; `ends` are the places where the next one begins."""
    hit = pattern.search(data)
    while hit:
        at = bisect_right(ends, hit.start())
        yield at
        hit = pattern.search(data, ends[at])


def _found_rare(rare: bytes, literals: "tuple[bytes, ...]", place: int, data: bytes, ends: list[int]) -> Iterator[int]:
    """The same for literals that all have one rare character at the same place: SIMD finds it where there is any."""
    hit = data.find(rare)
    while hit >= 0:
        if hit >= place and data.startswith(literals, hit - place):
            at = bisect_right(ends, hit)
            yield at
            hit = ends[at] - 1
        hit = data.find(rare, hit + 1)
