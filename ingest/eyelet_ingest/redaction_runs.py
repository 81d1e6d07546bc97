"""Long runs of characters in a text, and what tells that one of them may be a token or an encoded text.

A run is twenty or more letters, digits, _ and -. Ordinary texts have few, and most tokens are one: whoever looks at
nothing but the beginnings of runs pays for all the prefixes that there are as for one. The hook imports this file on
every tool call, so it imports nothing.

Everything here takes bytes. `redaction_providers.py` and `redaction_encoded.py` hold the rules for which these are the
probes; both walk over the same runs.
"""

TYPE_CHECKING = False  # as typing has it, without its import
if TYPE_CHECKING:
    from collections.abc import Iterator

RUN_CHARS = 20  # a UUID has 36
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ALNUM = _LETTERS + b"0123456789"
_BYTES = bytes(range(256))


def _table(chars: bytes, yes: int = 1, no: int = 0) -> bytes:
    """What `translate` takes: one number for these characters and one for all others. Every event makes these: a loop
    over the characters takes ten times as long."""
    others = _BYTES.translate(None, chars)
    return bytes.maketrans(chars + others, bytes((yes,)) * len(chars) + bytes((no,)) * len(others))


RUN_SHAPE = _table(_ALNUM + b"_-", 97, 32)
RUN = b"a" * RUN_CHARS
# What tokens begin with that are a run; and what ends in a sign that no run has, and stands before the run of a token.
AT_RUNS = tuple(
    b"AKIA ASIA ABIA ACCA ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- gldt- glrt- glft- glptt- gloas-"
    b" glsoat- glimt- glagent- glcbt- glffct- glwt- glrtr- GR1348941 sk-ant- sk- sk_live_ rk_live_"
    b" sk_test_ rk_test_ sk_prod_ rk_prod_ sk_ whsec_ xox xapp- AIza GOCSPX- npm_ pypi-AgE hf_ api_org_"
    b" dop_v1_ doo_v1_ dor_v1_ dapi shpat_ shpca_ shppa_ shpss_ shpua_ shptka_ glsa_ eyJ lin_api_"
    b" lin_oauth_ ntn_ secret_ pul- sntryu_ sntrys_ ops_ A3- rubygems_ PMAK- NRAK- NRII- NRJS- sbp_"
    b" sb_secret_ nfp_ nfc_ nfo_ nfu_ nfb_ vcp_ vci_ vca_ vcr_ vck_ vercel_blob_rw_ cfk_ cfut_ cfat_"
    b" xkeysib- xsmtpsib- sgp_ pnu_ pnb_ rdme_ CLOJARS_ gsk_ r8_ pplx- xai- csk- tvly- phx_ rpa_ jina_"
    b" apify_api_ lsv2_pt_ lsv2_sk_ shippo_live_ shippo_test_ squ_ sqp_ sqa_ bkua_ p8e- API- ico- FLWSECK-"
    b" FLWSECK_TEST- key_ crsr_ napi_ key- AKCp cmVmd cio EZAK EZTK LTAI AKID ATBB ABSK oy2 EAAA EAAC EAAG"
    b" EAAM 4b1d HRKU- ATATT3 ATCTT3 dckr_pat_ dckr_oat_ pscale_tkn_ pscale_pw_ pscale_oauth_ eyt_ nvapi-"
    b" sq0atp- sq0csp- figd_ tfp_ fio-u- tk-us- duffel_live_ duffel_test_ dnkey- fo1_ fm1a_ fm1r_ tskey-"
    b" pat-na pat-eu access-sandbox- access-development- access-production- CFPAT- CCIPAT_ CCIPRJ_ AQVN"
    b" lip_live_ re_ AVNS_ s-s4t2ud- s-s4t2af- sm_aat_ sm_pat_ sm_sat_"
    b" AGE-PLUGIN- A3T"
    b" SK0 SK1 SK2 SK3 SK4 SK5 SK6 SK7 SK8 SK9 SKa SKb SKc SKd SKe SKf SKA SKB SKC SKD SKE SKF".split()  # Twilio's
)
BEFORE_RUNS = tuple(
    b"t1. xoxe. hvs. hvb. hvr. sha256~ sl. sl.u. .atlasv1. ya29. ya29.a. ya29.c. ya29.d. dp.pt. dp.ct. dp.sa. dp.st."
    b" dp.scim. dp.audit. v1. dt0c01. dt0s01.".split()
)
BEGINNINGS = frozenset([prefix[:3] for prefix in AT_RUNS])
JOINTS = b".~:=|"  # what stands before the run of a token that is more than the run
SHIFTING = b"\\%[;"  # what a token may be glued to
# One where a run with such a character before it, or at its beginning, has to be looked at.
ODD_BEFORE = _table(JOINTS + SHIFTING)
ODD_FIRST = _table(b"S0")
LONG_CHARS = 76
_MAILGUN_CHARS = 50
UUID_CHARS = 36
_PREFIX_MAX_CHARS = 24
# Where in base64 of ASCII text a character can be: each carries bits that are zero there.
_SEXTETS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_FIRST = _SEXTETS[:32]
_SECOND = b"".join([_SEXTETS[at : at + 8] for at in range(0, 64, 16)])
_THIRD = b"".join([_SEXTETS[at : at + 2] for at in range(0, 64, 4)])
PACKED_CHARS = 16  # as many are looked at
_HEX = b"0123456789abcdefABCDEF"
_HEX_CHARS = 40
_PACKED = _table(_SEXTETS + b"-_")
_HEX_SHAPE = _table(_HEX)
_STANDARD = bytes.maketrans(b"-_", b"+/")
_LINE_ENDS = (b"\r\n", b"\n", b"\\n", b"\\r\\n", b"\\\\n")
_LINE_MIN_CHARS = 40  # base64 is wrapped at 64 or 76


def runs(raw: bytes) -> "Iterator[tuple[int, int]]":
    """Begin and end of every run, but for UUIDs, which most of them are, and no token is."""
    shape = raw.translate(RUN_SHAPE)
    at = shape.find(RUN)
    while at >= 0:
        end = shape.find(b" ", at)
        if end < 0:
            end = len(shape)
        if end - at != UUID_CHARS or raw[at + 8] != 45 or raw[at + 13] != 45:
            yield at, end
        at = shape.find(RUN, end)


def joints(raw: bytes, at: int, end: int) -> "list[int]":
    """Where else in the run a token may begin: behind a - or _ in it, as in the name of a branch or a file, where there
    is room for one."""
    found: list[int] = []
    for sign in (b"-", b"_"):
        joint = raw.find(sign, at, end - RUN_CHARS)
        while joint >= 0:
            if raw[joint + 1 : joint + 4] in BEGINNINGS:
                found.append(joint + 1)
            joint = raw.find(sign, joint + 1, end - RUN_CHARS)
    return found


def begins(raw: bytes, at: int) -> "tuple[int, ...]":
    """Where in the run at `at` a token may begin: there, or behind an escape or a terminal's colour that it is glued
    to."""
    before = raw[at - 1] if at else 32
    if before == 92:  # a backslash: \\n, \\u001b
        return (at, at + 1, at + 5) if raw[at] == 117 else (at, at + 1)
    if before == 37:  # %20
        return (at, at + 2)
    if before in b"[;":  # [32m
        found = raw.find(b"m", at, at + 4)
        return (at, found + 1) if found >= 0 else (at,)
    return (at,)


def run_tells(raw: bytes, at: int, end: int) -> bool:
    """Whether the run in these bounds may be a token, or a part of one."""
    if raw[at : at + 3] in BEGINNINGS and raw.startswith(AT_RUNS, at):
        return True
    before = raw[at - 1] if at else 32
    if ODD_BEFORE[before] or ODD_FIRST[raw[at]]:
        if before in b".~:/=|" and _is_joined(raw, at, end, before):
            return True
        for begin in begins(raw, at):
            if raw.startswith(b"SK", begin) or (
                raw[begin : begin + 3] in BEGINNINGS and raw.startswith(AT_RUNS, begin)
            ):
                return True
    if any(raw.startswith(AT_RUNS, begin) for begin in joints(raw, at, end)):
        return True
    if raw[end + 7 : end + 8] == b"." and raw[end] == 46:  # Discord's
        return True
    if raw[end - 4] == 95 and raw[end - 3 : end] == b"mmk":  # MaxMind's
        return True
    if raw[end - 9] == 45 and end - at >= _MAILGUN_CHARS and raw[end - 18] == 45:
        return True
    return ((raw[end - 4] == 45 or raw[end - 5] == 45) and b"-us" in raw[end - 5 : end]) or (
        end - at >= LONG_CHARS and b"JQQJ99" in raw[at:end]
    )


def _is_joined(raw: bytes, at: int, end: int, before: int) -> bool:
    """Whether what stands before this run makes it a token."""
    head = raw[max(0, at - _PREFIX_MAX_CHARS) : at]
    if head.endswith(BEFORE_RUNS):
        return True
    if before == 58:  # a colon: Telegram's and Firebase's
        return raw.startswith((b"AA", b"APA91"), at) or (at > 9 and raw[at - 9 : at - 1].isdigit())  # and Asana's
    if before == 61:  # an address that is signed, the cookie of a session
        return head.endswith((b"Signature=", b"_session="))
    if before == 124:  # Facebook's
        return head[-16:-1].isdigit()
    if before == 47:  # Google's 1//0…
        return head.translate(None, b"\\").endswith(b"1//")
    if raw.startswith(b"acc-", at) or (end - at == 24 and head[-2:-1] == b"s"):  # Authress', Vault's old ones
        return True
    head = raw[max(0, at - 48) : at]  # a point: Airtable's, Harness', Doppler's with an environment, SendGrid's
    return head[-18:-15] == b"pat" or head[-27:-23] in (b"pat.", b"sat.") or b"dp.st." in head or b"SG." in head


def packed_lines(raw: bytes, at: int, end: int) -> "list[tuple[int, int]]":
    """Begins and ends of the lines of base64 of an ASCII text in which this run is; none where it is in no such."""
    if end - at < PACKED_CHARS or not raw[at : at + PACKED_CHARS].isalnum():
        return []
    begin = _packed_at(raw, at, end)
    if begin < 0:
        return []
    if raw[begin - 1 : begin] in (b"+", b"/"):  # the run is a part of it: back by groups of four
        while begin >= 4 and not raw[begin - 4 : begin].strip(_SEXTETS):
            begin -= 4
    lines: list[tuple[int, int]] = []
    while True:
        stop = _stretch_end(raw, begin)
        lines.append((begin, stop))
        line_end = raw[stop : stop + 5]
        gap = next((len(one) for one in _LINE_ENDS if line_end.startswith(one)), 0)
        if not gap or stop - begin < _LINE_MIN_CHARS or not (len(line_end) > gap and _PACKED[line_end[gap]]):
            return lines
        begin = stop + gap


def _stretch_end(raw: bytes, begin: int) -> int:
    """Where the characters of base64 that begin there end. Looks at twice as many at most."""
    size = 256
    while True:
        part = raw[begin : begin + size].translate(_PACKED)
        stop = part.find(b"\0")
        if stop >= 0 or len(part) < size:
            return begin + (stop if stop >= 0 else len(part))
        size *= 2


def unpacked(raw: bytes, lines: "list[tuple[int, int]]") -> bytes:
    """What these lines of base64 spell."""
    from binascii import a2b_base64

    packed = b"".join(raw[begin:end] for begin, end in lines).translate(_STANDARD)
    packed = packed[: len(packed) - (len(packed) % 4 == 1)]
    return a2b_base64(packed + b"=" * (-len(packed) % 4))


def unhexed(raw: bytes, begin: int, end: int) -> "tuple[list[tuple[int, int]], bytes]":
    """The part of these bounds that is pairs of hex digits, as the one line there is, and what it spells."""
    digits = raw[begin:end]
    other = digits.translate(_HEX_SHAPE).find(b"\0")
    digits = digits[: other if other >= 0 else len(digits)]
    digits = digits[: len(digits) // 2 * 2]
    return [(begin, begin + len(digits))], bytes.fromhex(digits.decode("ascii"))


def _packed_at(raw: bytes, at: int, end: int) -> int:
    before = raw[at - 1] if at else 32
    places = range(at, at + 4) if before in b"+/" else begins(raw, at)
    for begin in places:
        part = raw[begin : begin + PACKED_CHARS]
        if begin + PACKED_CHARS <= end and not (
            part[::4].strip(_FIRST) or part[1::4].strip(_SECOND) or part[2::4].strip(_THIRD)
        ):
            return begin
    return -1


def hex_at(raw: bytes, at: int, end: int) -> int:
    """Where in this run hex digits of an ASCII text begin; -1 where they do not."""
    if end - at < _HEX_CHARS or not raw[at : at + _HEX_CHARS].isalnum():
        return -1
    places = begins(raw, at)
    for begin in (*places, at + 2) if raw.startswith(b"0x", at) else places:
        part = raw[begin : begin + _HEX_CHARS]
        if begin + _HEX_CHARS <= end and not (part[::2].strip(b"0234567") or part.strip(_HEX)):
            return begin
    return -1
