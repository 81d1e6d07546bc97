"""Telling names and what follows them: `DB_PASSWORD=…`, `"apiKey": "…"`, `--token …`, `Authorization: Bearer …`.

Two questions are asked of every candidate. Does the name tell of a secret (`kind_of_name`)? And is the value one,
or a placeholder, a type, code, or prose (`is_secret`)? docs/redaction.md states both as tables.
"""

from eyelet_ingest.patterns import A, I, S, compiled, remembered
from eyelet_ingest.redaction_probes import KEY_VALUE_CHARS, may_tell

# A marker, with the hash of what stood there or without it, as those have that were made without a key.
MARKED = r"\[redacted:[a-z0-9-]{1,40}(?::[0-9a-f]{6})?\]"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NAME_MAX_CHARS = 120
# Words that may stand behind the telling one: DATABASE_PASSWORD_PROD, SECRET_KEY_BASE, token2.
_TRAILING = _words(
    "prod production dev development staging test live sandbox local base value new old current confirm"
    " confirmation primary secondary main default backup root admin master b64 base64"
)
_ENDINGS = (  # how a name's letters end, and the kind
    (("accesskey",), "access-key"),
    (("apikey", "apikeys", "appkey"), "api-key"),
    (("privatekey",), "private-key"),
    (("secretkey", "signingkey", "encryptionkey", "masterkey", "accountkey", "sharedkey"), "secret-key"),
    (("servicekey", "servicerolekey", "authkey", "unsealkey", "presharedkey"), "secret-key"),
    (("password", "passwords", "passwd", "passphrase", "passcode"), "password"),
    (("authorization",), "authorization"),
    (("secret",), "secret"),
    (("credential", "credentials"), "credential"),
    (("cookie",), "cookie"),
    (("token",), "token"),
)
# Keys whose value has to look random: a license key may be any word.
_RANDOM_KEYS = (
    *("adminkey", "writekey", "sdkkey", "licensekey", "storagekey", "ingestkey", "insertkey", "integrationkey"),
    *("deploykey", "hmackey", "jwtkey", "sessionkey", "cookiekey", "consumerkey", "subscriptionkey", "aeskey"),
    *("webhookkey", "rootkey", "functionskey", "functionkey", "vaultkey", "wepkey"),
)
# And those that are no secret, though random: what any other `…_key` holds is one where it looks like one.
_BEFORE_KEY_NOT = _words(
    "public pub primary foreign cache sort partition object idempotency hash unique lookup dedup dedupe row item group"
    " index natural composite surrogate candidate range map dict storage s3 redis config translation i18n query state"
    " event message record react list order cursor page test file path dir bucket module chunk build artifact commit"
    " content step job run task name field column table data json property attribute tag label type kind next prev"
    " last first any by the a host hot turn don mon registry ssh known sitemap route answer lock image layer digest"
    " checksum sha hmr socket manifest publishable anon site recaptcha"
)
# Names that only speak of a secret: is_password, forgotPassword, and tokens of texts, pages and models.
_FIRST_NOT = _words(
    "is has show hide forgot need needs require requires required no missing invalid wrong use uses enable"
    " disable toggle allow get validate generate"
)
_BEFORE_TOKEN_NOT = _words(
    "max min num n total eos bos pad unk mask sep cls special start end stop next prev previous page"
    " continuation first last input output prompt completion per image current cancellation cancel design"
    " each single one by syntax lexer"
)
_WORD = compiled(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SHORT = {"pass": "password", "pwd": "password", "auth": "auth"}


# Keys that say something about the secret in whose object they stand, by their last word.
_DESCRIBING = _words(
    "type types kind title description format pattern ref schema name username user login email id url uri host"
    " hostname path file mode label placeholder hint help message error errors status state version at date time"
    " updated created expires expiry scope scopes role roles algorithm alg"
)


def kind_of_name(name: str) -> str:
    """What the value under `name`, a key or a variable, is if it is a secret: `password`, `token`, …; else ""."""
    return _kind_of_name(name) if len(name) <= _NAME_MAX_CHARS else ""


def kind_within(key: str, kind: str, name: str) -> tuple[str, str]:
    """Kind and telling name of what stands under `key` in an object that itself stands under `name`, of `kind`."""
    own = kind_of_name(key)
    if own or kind == "key":  # what is in an object under such a key is not asked about
        return own, key
    words = _WORD.findall(key[-_NAME_MAX_CHARS:]) if kind else []
    return ("", "") if not kind or (words and words[-1].lower() in _DESCRIBING) else (kind, name)


@remembered(8192)  # of short names only: it holds them whole
def _kind_of_name(name: str) -> str:
    if "[" in name or "=" in name or "/" in name or not may_tell(name):
        return ""
    words = [word.lower() for word in _WORD.findall(name)]
    while len(words) > 1 and (words[-1] in _TRAILING or words[-1].isdigit()):
        words.pop()
    if not words or words[0] in _FIRST_NOT:
        return ""
    if words[-1] in _SHORT and (len(words) > 1 or words[0] != "pwd"):
        return _SHORT[words[-1]]
    squeezed = "".join(words)
    for endings, kind in _ENDINGS:
        if squeezed.endswith(endings):
            before = words[-2] if len(words) > 1 else ""
            return "" if kind == "token" and before in _BEFORE_TOKEN_NOT else kind
    if squeezed.endswith(_RANDOM_KEYS):
        return "secret-key"
    return "key" if words[-1] == "key" and len(words) > 1 and words[-2] not in _BEFORE_KEY_NOT else ""


class Candidate:
    """A telling name's kind, the name, the value, how it is written, and what stands behind it.

    `style`: key (a JSON value), quoted, env (`NAME=value`), flag (`--name value`), colon, equals (`name=value`),
    spaced (`name = value`), listed (`"name", "value"`), element (`<name>value<`).
    """

    __slots__ = ("after", "ends_line", "kind", "name", "starts_line", "style", "value")

    def __init__(
        self,
        kind: str,
        name: str,
        value: str,
        style: str,
        after: str = "",
        ends_line: bool = True,
        starts_line: bool = True,
    ) -> None:
        self.kind, self.name, self.value, self.style = kind, name, value, style
        self.after, self.ends_line, self.starts_line = after, ends_line, starts_line


_MARKED = compiled(r"(?:(?:bearer|basic|token|apikey|digest) {1,4})?" + MARKED, I | A)
_PLACEHOLDER = compiled(
    r"\${1,2}[A-Za-z_]\w*|\$[0-9@*#?!]|\$\{.*|\$\(.*|\$env:\w+|%\w+%|%[sdrv](?::%[sdrv])?|%\(\w+\)s|@\w+@"
    r"|\{\{.*\}\}|\{[\w.!:\"'\[\]() -]*\}|<[^<>]*>|\[[A-Za-z _-]+\]|#\{.*\}"
    r"|([*.xX•_-])\1+\w{0,4}|\W?[*•]{3,}\W?|[\w-]{1,12}(?:[*•]{3,}|\.\.\.|…)[\w-]{0,6}|\.\.\.|…"
    r"|~|\*{1,2}|change[ _-]?(?:me|it|this).*|(?:\\{1,8}u2022)+|sha(?:1|224|256|384|512)[-:][A-Za-z0-9+/=]{20,}"
    r"|(?:your|insert|enter|replace|example|dummy)[ _-].*"
    r"|(?:[a-z]+[_-])*(?:here|goes-here|placeholder)"
    r"|(?:required|nullable|sometimes|bail|string|confirmed)\|[\w|:,]*",  # rules that a value is checked by
    I | A | S,
)
_HARMLESS = _words(
    "string str text int integer number float bool boolean bytes bytearray any object unknown never void null nil"
    " none undefined true false yes no on off required optional hidden redacted removed masked empty unset unknown"
    " default auto include omit same-origin secretstr header query body bearer basic digest oauth oauth2 disabled"
    " enabled password passwd passphrase pass pw secret secrets token tokens apikey accesskey privatekey key keys"
    " credential credentials auth authorization cookie const let var self this"
)
# What labels in other languages call a secret; those with other letters than ASCII tell it by these.
_LABELS = _words(
    "kennwort passwort clave senha mot parola wachtwoord adgangskode passord salasana heslo sifre parole geheimnis"
    " secreto segredo segreto chiave chave sleutel jeton ficha"
)
_VERSION = compiled(r"(?:npm:\S+@|workspace:)?[\^~<>=v ]{0,4}[0-9]{1,5}(?:\.(?:[0-9]{1,5}|[x*])){1,3}(?:[-+][\w.]+)?")
_CODE = compiled(
    r"[A-Za-z_$][\w$]*(?:(?:\.|->|::|\?\.)[A-Za-z_$][\w$]*)*[\[({].*"
    r"|[A-Za-z_$][A-Za-z_$]*(?:(?:\.|->|::|\?\.)[A-Za-z_$][A-Za-z_$]*)+[!?]?"
    r"|[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)+(?:\?\?|\|\||&&).*"
    r"|(?:self|this|cls|args|req|request|process|os|config|cfg|settings|props|state|env|var|local|data)\.[\w.\[\]]+"
    r"|![A-Za-z].*|:\w[\w:]*|[&*][A-Za-z_]\w*|[\[({].*|(?:await|new|not|lambda|async|function|return)",
    A | S,
)
_TYPE = compiled(r"[A-Z][A-Za-z]*(?:[\[<].*)?|[a-z]+[\[<].*", A)
_PATH = compiled(r"(?:~|\.{1,2})?/[\w.@~/-]+|[A-Za-z]:\\.*|[\w.-]+\.(?:pem|key|json|ya?ml|txt|p12|pub|env)", A)
_URL = compiled(r"[a-z][a-z0-9+]{1,9}:\\?/", I | A)
SCHEME = compiled(r"(?:bearer|basic|token|digest|apikey|api-key|negotiate|hmac)(?:[ \t]|%20){1,4}", I | A)
_SNAKE = compiled(r"[a-z0-9]+(?:_[a-z0-9]+)+", A)
_PASS_STEM = compiled(r"passw|pwd|secret", I | A)
_BEHIND_OPTION = _words(  # what manuals say of an option
    "option options flag flags argument arguments parameter parameters or and is are to for with without cannot can"
    " must will may should if when in on from as"
)
_DIGIT = compiled(r"[0-9]")
_LETTER = compiled(r"[^\W\d_]")
_IDENTIFIER = compiled(r"[A-Za-z_][\w-]*", A)
_RANDOM = compiled(r"[A-Za-z0-9+/_.=-]+", A)
_PACKED = compiled(r"[A-Za-z0-9+/]{12,}={1,2}", A)
_SPOKEN_KINDS = ("token", "secret", "api-key", "access-key", "secret-key")
# What stands behind such a name in code and prose: SHA256, oauth2, DB_PASSWORD_2, ctx.tokens[1], /run/token1
_PLAIN = compiled(
    r"[A-Za-z]+[0-9]{0,3}|[A-Z0-9_]+_[A-Z0-9_]+|[\w.]*[\[({].*|(?:\.{0,2}|~)/.*|[a-z0-9]+(?:[-_][a-z]+)+", A | S
)
_DONE = compiled(r"[A-Za-z]+[0-9]*[a-z]*-[a-z]+ed", A)  # Argon2id-hashed
_SIGNS = compiled(r"[^\w\s.,:;?!'()-]|_")  # no label has one
_SPOKEN = ("passw", "passphrase", "secret", "token", "api key", "credential")
_SIGN = compiled(r"[^\w\s.:/@{}()<>$-]", A)
_CASES = compiled(r"[a-z][A-Z]|[A-Z][A-Z][a-z]", A)
_PARTS = compiled(r"[^A-Za-z]+", A)
_UUID = compiled(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", I | A)


def starts_with_marker(value: str) -> bool:
    return _MARKED.match(value) is not None


def is_placeholder(value: str) -> bool:
    """Whether the value stands for a secret without being one: a variable, a type, `<your-token>`, `****`."""
    return (
        not value
        or starts_with_marker(value)
        or value.lower() in _HARMLESS
        or _PLACEHOLDER.fullmatch(value) is not None
    )


def is_secret(found: Candidate) -> bool:
    """Whether the value under a telling name has to go."""
    value = found.value.strip()
    kind = found.kind
    scheme = SCHEME.match(value) if kind in ("authorization", "auth", "token") else None
    if scheme:
        value = value[scheme.end() :].strip()
    if is_placeholder(value) or _letters(value) == _letters(found.name) or _is_prose(value):
        return False
    if kind != "password" and value.isalpha() and value.lower() in _words_of(found.name):
        return False  # OLLAMA_API_KEY=ollama
    if kind != "password" and (_VERSION.fullmatch(value) or _URL.match(value)):
        return False
    if kind in ("credential", "private-key", "auth") and _PATH.fullmatch(value):
        return False
    if kind == "cookie":
        return _has_cookie(value)
    if found.style == "spoken":
        return _is_spoken(value, kind)
    if found.style == "said" and not _is_random(value, 6):
        return kind == "password" and not any(sign in value for sign in "./ ")
    if found.style in ("prose", "block"):
        is_code = _CODE.fullmatch(value) or _DONE.fullmatch(value)
        is_plain = is_code or _PATH.fullmatch(value) or " " in value or value.endswith(":")
        return not is_plain and _is_random(value, 6 if found.style == "prose" else 8)
    if found.style not in ("key", "quoted", "listed", "flag", "said") and _CODE.fullmatch(value):
        return False
    if kind == "authorization":
        is_word = value.isalpha() and value.islower() and len(value) < 10
        return len(value) >= 6 and not is_word if scheme else _is_random(value, 8)
    if found.style == "listed" and _SNAKE.fullmatch(value):
        return False
    if kind == "key" or (kind == "secret-key" and _letters(found.name).endswith(_RANDOM_KEYS)):
        return _is_high_entropy(value, kind)
    if kind in ("auth", "credential") or found.style == "listed":
        literal = found.style in ("key", "quoted", "env")
        return _is_random(value, 6 if kind == "password" or literal else 8) or (literal and _is_odd(value))
    if found.style in ("key", "quoted", "said"):
        return _is_quoted_secret(found, value)
    return _is_bare_secret(found, value)


def _is_quoted_secret(found: Candidate, value: str) -> bool:
    """A literal: taken at its word, but for a bare `token`, which parsers and models use for any word."""
    if len(value) < 4 and not any(char.isalnum() for char in value):
        return False  # `if password == ":"`
    if found.name == "pass":
        return " " not in value
    if found.kind == "token" and any(char in value for char in "[]()"):
        return False  # a pattern for tokens, or the code behind a prompt
    if found.kind != "token" or _letters(found.name) != "token" or found.name.isupper():
        return True
    if _DIGIT.search(value):
        return len(value) >= 6
    if value.isalpha() and (value.islower() or value.istitle() or value.isupper()):
        return len(value) >= 16 or any(stem in value.lower() for stem in ("secret", "pass", "token", "key"))
    return len(value) >= 8


def _is_bare_secret(found: Candidate, value: str) -> bool:
    """A value without quotes: in a shell, an env file or YAML it is one, in code it is an expression."""
    is_password = found.kind == "password"
    if found.style == "flag":
        return value[0] != "-" and value.lower() not in _BEHIND_OPTION and (is_password or len(value) >= 6)
    if found.name.lower() == "pass":  # a verdict, or a statement, more often than a password
        return found.style == "equals" and _is_random(value, 6)
    if found.style in ("element", "env") or _is_random(value, 6 if is_password else 8):
        return True
    if not is_password:
        if found.ends_line and found.starts_line and len(value) >= 12 and _is_odd(value):
            return True
        return len(value) >= 24 and not value.islower() and not _IDENTIFIER.fullmatch(value)
    if value.isdigit():
        return len(value) >= 3
    if not _IDENTIFIER.fullmatch(value):
        return found.ends_line or found.style == "equals"
    is_code = found.style == "spaced" and ("." in found.name or not found.starts_line)
    if (
        is_code
        or kind_of_name(value)
        or _PASS_STEM.search(value)
        or (found.style == "colon" and _TYPE.fullmatch(value))
    ):
        return False
    return found.ends_line or (found.style == "equals" and found.after not in (",", ")"))


def _is_spoken(value: str, kind: str) -> bool:
    """A value that only stands behind the name, in `ENV API_KEY …`, a table or prose: random enough to tell."""
    if kind == "password":
        return _is_random(value, 8) and " " not in value and _PLAIN.fullmatch(value) is None
    if kind not in _SPOKEN_KINDS or len(value) < 16 or _PLAIN.fullmatch(value):
        return False
    return _is_high_entropy(value, kind)


def _words_of(name: str) -> "list[str]":
    return [word.lower() for word in _WORD.findall(name)]


def _letters(text: str) -> str:
    return "".join(_WORD.findall(text)).lower()


def _is_prose(value: str) -> bool:
    """Words about a secret, such as a label or a message: `Enter your password`, `Mot de passe`, `Пароль`."""
    if _DIGIT.search(value):
        return False
    low = value.lower()
    if " " in value and any(stem in low for stem in _SPOKEN):
        return True
    if _SIGNS.search(value):
        return False
    return not _LABELS.isdisjoint(low.split()) if value.isascii() else _LETTER.search(value) is not None


def _is_random(value: str, least: int) -> bool:
    return len(value) >= least and _DIGIT.search(value) is not None and _LETTER.search(value) is not None


def _is_odd(value: str) -> bool:
    """Whether it is nothing that code or prose would have there: base64, or signs among the letters."""
    if " " in value or len(value) < 8:
        return False
    if _PACKED.fullmatch(value) or (_LETTER.search(value) and _SIGN.search(value)):
        return True
    return value.isalpha() and len(_CASES.findall(value)) >= 4


def _is_high_entropy(value: str, kind: str) -> bool:
    """Whether a value is random: of one alphabet, with digits among letters, and no words or identifier."""
    least = KEY_VALUE_CHARS if kind == "key" else 12
    if len(value) < least or not _RANDOM.fullmatch(value) or not _DIGIT.search(value[:40]) or not _LETTER.search(value):
        return False
    if _UUID.fullmatch(value):
        return kind != "key"
    words = [word for word in _PARTS.split(value) if len(word) > 3 and word.isalpha() and word[1:].islower()]
    return sum(map(len, words)) * 3 < len(value) and len(set(value)) >= 8


def _has_cookie(value: str) -> bool:
    """Whether a `name=value` pair holds more than a placeholder."""
    for pair in value.split(";"):
        name, equals, crumb = pair.partition("=")
        if equals and name.strip() and not is_placeholder(crumb.strip()):
            return True
    return False
