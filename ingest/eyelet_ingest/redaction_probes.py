"""Whether a text may hold a secret: literal searches, so that most texts never meet a rule.

The hook imports this file on every tool call, so it imports nothing but its like. No is certain, and the tests prove
it; yes is a reason to load the rules.
"""

from eyelet_ingest.redaction_runs import (
    PACKED_CHARS,
    RUN,
    RUN_SHAPE,
    UUID_CHARS,
    hex_at,
    packed_lines,
    run_tells,
    unhexed,
    unpacked,
)

TYPE_CHECKING = False  # as typing has it, without its import
if TYPE_CHECKING:
    from collections.abc import Iterator

# Every probe is a search through the whole text, 0.6 ns a character: the fewer, the better. So prefixes of tokens are
# asked for only before and in long runs (`redaction_runs.py`). Texts are compared in ASCII lower case as bytes:
# `str.lower` would also map the Kelvin sign to k, and JSON that spells it as an escape would then hide what it shows.
_PROBES = (*(b"secret", b"bearer", b"cookie", b"credential"),)
_NAMES = (b"secret", b"credential", b"cookie")
_KEY_NAMES = (
    *(b"apikey", b"accesskey", b"privatekey", b"secretkey", b"signingkey", b"encryptionkey", b"masterkey"),
    *(b"accountkey", b"sharedkey", b"servicekey", b"servicerolekey", b"authkey", b"appkey", b"puttyuserkey"),
    *(b"adminkey", b"writekey", b"sdkkey", b"licensekey", b"storagekey", b"ingestkey", b"insertkey", b"integrationkey"),
    *(b"deploykey", b"hmackey", b"jwtkey", b"sessionkey", b"cookiekey", b"consumerkey", b"subscriptionkey", b"aeskey"),
    *(
        b"webhookkey",
        b"rootkey",
        b"functionskey",
        b"functionkey",
        b"vaultkey",
        b"unsealkey",
        b"presharedkey",
        b"wepkey",
    ),
)
_NAME_BYTES = b"abcdefghijklmnopqrstuvwxyz0123456789_.-"
# What may stand behind the last word of a telling name, and the words that may follow it there.
_ENDS_NAME = b"\"'`:=]>*0123456789"
_QUOTES = b"\"'`\\"
_SEPARATES = b"=:!*\"'`\\"
_TRAILING = (
    *(b"prod", b"dev", b"stag", b"test", b"live", b"sandbox", b"local", b"base", b"b64", b"value", b"new", b"old"),
    *(b"current", b"confirm", b"primary", b"secondary", b"main", b"default", b"backup", b"root", b"admin"),
    *(b"master", b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9"),
)
_PRINTABLE_ESCAPES = (b"\\u002", b"\\u003", b"\\u004", b"\\u005", b"\\u006", b"\\u007")
KEY_WINDOW = 64
KEY_MAX_CHARS = 83  # `key`, what separates it from its value, and of that as much as is looked at
FORMS = 2  # base64 of what is percent-encoded
# A random value behind any name that ends in `key`.
KEY_VALUE_CHARS = 20
SPOKEN_CHARS = 16
_SPOKEN_WINDOW = 128
_BEHIND_KEY = tuple(bytes((code,)) for code in b"\"'`:=>\\ *")
_TO_VALUE = b" \"'`:=>\\*+"
_VALUE_CHARS = _NAME_BYTES + b"/+="
# What stands before or behind an @, or has one in it, where that tells of a secret.
AT_SIGNS = (b"@tcp(", b"@unix(", b":thin:", b"impacket", b"webhookb2")
# Options that take a password, by their letters, and the commands before them in which they do.
_OPTIONS = b"pawubs"
_COMMANDS = (
    *(b"docker", b"podman", b"nerdctl", b"buildah", b"skopeo", b"oras", b"helm", b"az ", b"mongo", b"sqlcmd"),
    *(b"redis-cli", b"ldap", b"smbclient", b"7z", b"zip", b"curl", b"http", b"sudo", b"twine", b"useradd", b"usermod"),
    b"securestring",
)
_COMMAND_MAX_CHARS = 400
_ASKED_OFTEN = 8
_DIGITS = b"0123456789abcdefABCDEF"


def may_hold_secret(text: str, depth: int = FORMS) -> bool:
    """Whether `redact_text(text)`, or `redact_value` of the value that JSON `text` spells, could change anything.

    Literal searches only, no imports. No is certain; yes is a reason to look. Yes also for JSON that spells
    printable ASCII as `\\u00XX`: a prefix could hide behind it. `depth` forms within each other are looked through.
    """
    raw = text.encode("utf-8", "surrogatepass")
    low = raw.lower()
    for probe in _PROBES:
        if probe in low:
            return True
    return (
        _names_secret(raw, low)
        or _holds_sign(raw)
        or _holds_run(raw, depth)
        or ("@" in text and (holds_userinfo(text) or any(sign in low for sign in AT_SIGNS)))
        or _holds_option(low)
        or (b"<" in low and (b"private>" in low or (b"<<<" in low and (b"kinit" in low or b"login" in low))))
        or (b"(" in low and b"jwt.sign(" in low)
        or (b"=" in low and b"PAT=" in raw)
        or (b"hooks" in low and (b"hooks.slack.com" in low or b"/webhooks" in low or b"hooks.zapier.com" in low))
        or (b"identified " in low and (b"identified by" in low or b"identified with" in low))
        or (
            b"q" in low and (b"sqlplus" in low or (b"mysql" in low and b"-p" in low))
        )  # one character is found 20 times as fast
        or (depth > 0 and b"%" in raw and _spelled_in_percents(raw, depth))
        or (b"\\u00" in low and any(escape in low for escape in _PRINTABLE_ESCAPES))
    )


def may_tell(name: str) -> bool:
    """Whether `name`, a key or a variable, could be a telling one: the probe that the law rests on for names."""
    raw = name.encode("utf-8", "surrogatepass") + b'"'
    low = raw.lower()
    return b"key" in low or any(probe in low for probe in _NAMES) or _names_secret(raw, low)


def _names_secret(raw: bytes, low: bytes) -> bool:
    """Whether a telling name may be there, but for those that a probe of their own finds."""
    return (
        holds_key(low)
        or (b"token" in low and any(_ends_name(low, b"token")))
        or (b"pass" in low and _holds_pass(raw, low))
        or (b"auth" in low and _holds_auth(low))
        or (b"pwd" in low and _holds_pwd(low))
    )


def holds_key(low: bytes) -> bool:
    """`apikey` and its kin, with whatever joins their words."""
    at = low.find(b"key")
    while at >= 0:
        if low[max(0, at - KEY_WINDOW) : at + 3].translate(None, b"_-. ").endswith(_KEY_NAMES):
            return True
        if low[at + 3 : at + 4] in _BEHIND_KEY:
            value = low[at + 3 : at + KEY_MAX_CHARS].lstrip(_TO_VALUE)[:40]
            value = value[: len(value) - len(value.lstrip(_VALUE_CHARS))]
            if len(value) >= KEY_VALUE_CHARS and value.translate(None, b"0123456789") != value:
                return True
        at = low.find(b"key", at + 3)
    return False


def _holds_pass(raw: bytes, low: bytes) -> bool:
    """`password` and its kin, or `pass` as a name; not /etc/passwd, `bypass_all`, `tests pass`, `PASS: test_x`."""
    if low.count(b"passw") > low.count(b"/passwd"):
        return True
    if b"pgpass" in low or b"passphrase" in low or b"passcode" in low or b"sshpass" in low or b"requirepass" in low:
        return True
    for end in _ends_name(low, b"pass"):
        before = low[end - 5 : end - 4] if end > 4 else b""
        is_verdict = raw[end - 4 : end] == b"PASS" and not (before and before in b"_-.")
        if not is_verdict and low[max(0, end - 6) : end - 4] != b"by":
            return True
    return False


def _holds_auth(low: bytes) -> bool:
    return (
        b"authorization" in low
        or b"masterauth " in low
        or any(_ends_name(low, b"auth"))
        or (b"auth(" in low and any(call in low for call in (b"auth('", b'auth("', b"auth(\\")))
    )


def _holds_pwd(low: bytes) -> bool:
    """`DB_PWD`, `dbPwd`, `--db-pwd`; the command and the variable that name the folder are no secret."""
    for end in _ends_name(low, b"pwd"):
        before = low[end - 4 : end - 3] if end > 3 else b""
        if before.isalnum() or (before and before in b"_-.;"):
            return True
    return False


def _ends_name(low: bytes, stem: bytes) -> "Iterator[int]":
    """Where `stem` ends what could be a name with a value behind it.

    Of JSON text at least every place that its parsed strings have: what JSON escapes is asked for both ways.
    """
    at = low.find(stem)
    while at >= 0:
        end = at + len(stem)
        behind = low[end : end + 1]
        if not behind:
            return
        if (
            behind in _ENDS_NAME
            or (behind == b"\\" and (low[end + 1 : end + 2] in _QUOTES or b"value:" in low[end : end + 96]))
            or behind == b"\x1b"
            or low.startswith(b"\\u001b", end)
            or (behind == b"\n" and b"value:" in low[end : end + 48])
            or (behind in b"_-" and low.startswith(_TRAILING, end + 1))
            or ((behind in b" \t|?(-" or low.startswith(b"\\t", end)) and _is_separated(low, at, end))
        ):
            yield end
        at = low.find(stem, end)


def _is_separated(low: bytes, at: int, end: int) -> bool:
    """Whether a sign stands behind the spaces, or the name is an option: `token = …`, `--token …`."""
    behind = low[end : end + _SPOKEN_WINDOW].replace(b"\\t", b" ").replace(b"\\/", b"/").lstrip(b" \t")
    if behind[:2] in (b"||", b"??") and behind[2:8].lstrip(b" \t")[:1] in _QUOTES:
        return True
    if _is_spoken(behind):
        return True
    if (behind and behind[:1] in _SEPARATES) or behind.startswith((b"{ get", b"{get")):
        return True
    head = low[max(0, at - 40) : at]
    return head[len(head.rstrip(_NAME_BYTES)) :].startswith(b"-") or head.endswith(b":_auth")


def _is_spoken(behind: bytes) -> bool:
    """Whether what is random may stand there: `token is …`, `ENV TOKEN …`, the next cell of a table, a call."""
    value = behind.lstrip(b" \t|>-(")
    if value.startswith(b"is"):
        value = value[2:].lstrip(b": ")
    value = value.lstrip(b"*\"'`\\")[:40]
    value = value[: len(value) - len(value.lstrip(_VALUE_CHARS))]
    return len(value) >= SPOKEN_CHARS and value.translate(None, b"0123456789") != value


def _holds_sign(raw: bytes) -> bool:
    """Whether what tells of Azure's and Fly's is there, which have no long run at their beginning."""
    return (
        b"fm2_" in raw
        or b"glc_" in raw
        or (b"~" in raw and b"Q~" in raw)
        or (b"&" in raw and (b"&sig=" in raw or b"&code=" in raw))
        or (b"?" in raw and (b"?sig=" in raw or b"?code=" in raw))
    )


def _holds_option(low: bytes) -> bool:
    """Whether an option is there that is a password's in the command before it: `docker login -p`, not `mkdir -p`."""
    commands: tuple[bytes, ...] = _COMMANDS
    asked = 0
    at = low.find(b" -")
    while at >= 0:
        letter = low[at + 2 : at + 3]
        if letter in _OPTIONS:
            head = low[max(0, at - _COMMAND_MAX_CHARS) : at]
            if any(command in head for command in commands):
                return True
            asked += 1
            if asked == _ASKED_OFTEN:  # from here on only for those that are in the text at all
                commands = tuple(command for command in commands if command in low)
                if not commands:
                    return False
        elif letter in b"ktd-" and low[at + 3 : at + 4] in b" =us" and _is_rare_option(low, at, letter):
            return True
        at = low.find(b" -", at + 2)
    return False


def _is_rare_option(low: bytes, at: int, letter: bytes) -> bool:
    """`curl … --user …`, `openssl … -k …`, `doctl … -t …`, `sonar-scanner -Dsonar.login=…`"""
    if letter == b"-":
        return low.startswith(b"user", at + 3) and b"curl" in low[max(0, at - _COMMAND_MAX_CHARS) : at]
    if letter == b"d":
        return low.startswith(b"sonar.login=", at + 3)
    return (
        low[at + 3 : at + 4] in b" ="
        and (b"openssl" if letter == b"k" else b"doctl") in low[max(0, at - _COMMAND_MAX_CHARS) : at]
    )


def _holds_run(raw: bytes, depth: int) -> bool:
    """Whether a long run is there that may be a token."""
    shape = raw.translate(RUN_SHAPE)
    at = shape.find(RUN)
    while at >= 0:
        end = shape.find(b" ", at)
        if end < 0:
            end = len(raw)
        if end - at == UUID_CHARS and raw[at + 8] == 45 == raw[at + 13]:
            at = shape.find(RUN, end)  # no token, as `runs` has it
            continue
        if run_tells(raw, at, end):
            return True
        if depth > 0 and raw[at : at + PACKED_CHARS].isalnum():
            stop = _spelled_end(raw, at, end, depth)
            if stop < 0:
                return True
            end = max(end, stop)
        at = shape.find(RUN, end)
    return False


def _spelled_end(raw: bytes, at: int, end: int, depth: int) -> int:
    """Where what this run spells in base64 or hex digits ends; 0 where it spells nothing, -1 where a secret may be in
    it."""
    lines = packed_lines(raw, at, end)
    if lines:
        decoded = unpacked(raw, lines)
    else:
        begin = hex_at(raw, at, end)
        if begin < 0:
            return 0
        lines, decoded = unhexed(raw, begin, end)
    return -1 if may_hold_secret(decoded.decode("latin-1"), depth - 1) else lines[-1][1]


def _spelled_in_percents(raw: bytes, depth: int) -> bool:
    decoded = _unescaped(raw)
    return decoded != raw and may_hold_secret(decoded.decode("utf-8", "replace"), depth - 1)


def _unescaped(raw: bytes) -> bytes:
    """`raw` with percent-encoded ASCII as it is."""
    pieces = raw.split(b"%")
    return pieces[0] + b"".join([_percent_char(piece[:2]) + piece[2:] for piece in pieces[1:]])


def _percent_char(code: bytes) -> bytes:
    """What `%` and this code spell: printable ASCII, tabs and line ends; anything else as it is."""
    first, second = code[:1], code[1:]
    if second and ((first in b"234567" and second in _DIGITS) or (first == b"0" and second in b"9adAD")):
        return bytes((int(code, 16),))
    return b"%" + code


def holds_userinfo(text: str) -> bool:
    """Whether an @ stands in what could be the authority of a URL, its slashes escaped or not."""
    plain = text.replace("\\", "") if "/\\" in text or ":\\" in text else text
    start = plain.find("://")
    while start >= 0:
        at = plain.find("@", start)
        if at < 0:
            return False
        start = plain.rfind("://", start, at)  # only the last one before an @, only the first @ behind it
        authority = plain[start + 3 : at]
        if "/" not in authority and " " not in authority:
            return True
        start = plain.find("://", at)
    return False
