"""Tokens that providers made to be known by their shape: a prefix, and how the rest looks.

A table and what finds its rows in a text. Most tokens are a prefix before or at the beginning of a long run of
characters, and ordinary texts have few such runs: so runs are looked for, and the table is asked what they begin with.
It may grow without costing anything. `redaction_probes.py` asks the same of the same runs, by the last or first
characters of these prefixes; the tests compare the two.

Facts: the providers' documentation, and the rules of github.com/gitleaks/gitleaks (config/gitleaks.toml),
github.com/trufflesecurity/trufflehog (pkg/detectors), github.com/Yelp/detect-secrets (detect_secrets/plugins) and
github.com/mongodb/kingfisher (data/rules); docs.gitlab.com/security/tokens (prefixes);
developers.cloudflare.com/fundamentals/api/get-started/token-formats; vercel.com (prefixed tokens: vcp, vci, vca, vcr,
vck). No expression of theirs is used.
"""

from eyelet_ingest.patterns import A, compiled
from eyelet_ingest.redaction_runs import begins, joints, runs

TYPE_CHECKING = False  # as typing has it, without its import
if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator

    from eyelet_ingest.redaction import Mark

KEY_CHARS = 3  # how much of a prefix leads to its rows
_W = r"[A-Za-z0-9_-]"
_N = r"[A-Za-z0-9]"
_X = r"[0-9a-fA-F]"
_UUID = rf"{_X}{{8}}-{_X}{{4}}-{_X}{{4}}-{_X}{{4}}-{_X}{{12}}"

# A run begins with it. (prefix, kind, the rest)
AT_RUNS = (
    *((name, "aws-access-key-id", r"[A-Z0-9]{16,}") for name in ("AKIA", "ASIA", "ABIA", "ACCA")),
    ("A3T", "aws-access-key-id", r"[A-Z0-9][A-Z2-7]{16}(?!\w)"),
    ("dapi", "databricks-token", rf"{_X}{{32}}(?:-[0-9]{{1,2}})?"),
    ("AKCp", "artifactory-key", rf"{_N}{{60,}}"),
    ("cmVmd", "artifactory-token", rf"{_N}{{59}}"),
    ("cio", "crates-token", rf"{_N}{{32}}(?!\w)"),
    ("EZAK", "easypost-key", rf"{_N}{{54}}"),
    ("EZTK", "easypost-key", rf"{_N}{{54}}"),
    ("LTAI", "alibaba-key", rf"{_N}{{16,20}}(?!\w)"),
    ("AKID", "tencent-key", rf"{_N}{{32}}(?!\w)"),
    ("ATBB", "bitbucket-token", rf"{_N}{{24,}}"),
    ("ABSK", "aws-bedrock-key", rf"{_N}{{16}}[A-Za-z0-9+/]{{80,}}={{0,2}}"),
    ("eyJrIjoi", "grafana-token", r"[A-Za-z0-9]{60,}={0,3}"),
    ("oy2", "nuget-key", r"[a-z0-9]{43}(?!\w)"),
    ("EAAC", "facebook-token", rf"{_N}{{80,}}"),
    ("EAAG", "facebook-token", rf"{_N}{{80,}}"),
    ("EAAM", "facebook-token", rf"{_N}{{80,}}"),
    ("4b1d", "clickhouse-key", rf"{_N}{{38}}(?!\w)"),
    ("github_pat_", "github-token", rf"{_N}{{20}}\w*"),
    ("npm_", "npm-token", rf"{_N}{{30,}}"),
    ("hf_", "huggingface-token", rf"{_N}{{30,}}"),
    ("api_org_", "huggingface-token", rf"{_N}{{30,}}"),
    *((f"do{letter}_v1_", "digitalocean-token", rf"{_X}{{40,}}") for letter in "opr"),
    *((f"shp{letter}_", "shopify-token", rf"{_X}{{32,}}") for letter in ("at", "ca", "pa", "ss", "ua", "tka")),
    ("glsa_", "grafana-token", rf"{_N}{{32}}_{_X}{{8}}"),
    ("lin_api_", "linear-key", rf"{_N}{{32,}}"),
    ("lin_oauth_", "linear-key", rf"{_N}{{32,}}"),
    ("ntn_", "notion-token", rf"{_N}{{40,}}"),
    ("secret_", "notion-token", rf"{_N}{{43}}(?!\w)"),
    ("pul-", "pulumi-token", rf"{_X}{{40,}}"),
    ("sntryu_", "sentry-token", rf"{_X}{{64}}"),
    ("sntrys_", "sentry-token", rf"{_N}{{16}}[A-Za-z0-9+/]*={{0,2}}(?:_[A-Za-z0-9+/]{{20,}}={{0,2}})?"),
    ("ops_", "1password-token", rf"eyJ{_N}{{13}}[A-Za-z0-9+/_-]{{40,}}={{0,2}}"),
    ("rubygems_", "rubygems-key", rf"{_X}{{40,}}"),
    ("PMAK-", "postman-key", rf"{_X}{{24}}-{_X}{{34}}"),
    ("NRJS-", "newrelic-key", rf"{_X}{{19}}"),
    ("s-s4t2ud-", "intra42-secret", rf"{_X}{{40,}}"),
    ("s-s4t2af-", "intra42-secret", rf"{_X}{{40,}}"),
    *((f"sm_{which}_", "settlemint-token", rf"{_N}{{16,}}") for which in ("aat", "pat", "sat")),
    ("NRAK-", "newrelic-key", r"[A-Z0-9]{27}"),
    ("NRII-", "newrelic-key", rf"{_W}{{32}}"),
    ("sbp_", "supabase-token", rf"{_X}{{40,}}"),
    *((f"nf{letter}_", "netlify-token", rf"{_N}{{36,}}") for letter in "pcoub"),
    *((f"vc{letter}_", "vercel-token", rf"{_N}{{24,}}{_W}*") for letter in "piark"),
    *((f"cf{what}_", "cloudflare-token", rf"{_N}{{40,}}") for what in ("k", "ut", "at")),
    ("xkeysib-", "brevo-key", rf"{_X}{{64}}-{_N}{{16}}"),
    ("xsmtpsib-", "brevo-key", rf"{_X}{{64}}-{_N}{{16}}"),
    ("sgp_", "sourcegraph-token", rf"{_X}{{40}}"),
    ("sgp_local_", "sourcegraph-token", rf"{_X}{{40}}"),
    ("pnu_", "prefect-token", rf"{_N}{{36}}"),
    ("pnb_", "prefect-token", rf"{_N}{{36}}"),
    ("rdme_", "readme-token", r"[a-z0-9]{70}"),
    ("CLOJARS_", "clojars-token", rf"{_N}{{60}}"),
    ("gsk_", "groq-key", rf"{_N}{{48,}}"),
    ("r8_", "replicate-token", rf"{_N}{{37,}}"),
    ("pplx-", "perplexity-key", rf"{_N}{{40,}}"),
    ("xai-", "xai-key", r"\w{60,}"),
    ("csk-", "cerebras-key", rf"{_N}{{40,}}"),
    ("tvly-", "tavily-key", rf"{_N}{{28,}}"),
    ("tvly-dev-", "tavily-key", rf"{_N}{{28,}}"),
    ("phx_", "posthog-key", rf"{_N}{{40,}}"),
    ("rpa_", "runpod-key", r"[A-Z0-9]{40,}\w*"),
    ("jina_", "jina-key", rf"{_N}{{32,}}{_W}*"),
    ("apify_api_", "apify-token", rf"{_N}{{32,}}"),
    ("lsv2_pt_", "langsmith-key", rf"{_X}{{32}}_{_X}{{10}}"),
    ("lsv2_sk_", "langsmith-key", rf"{_X}{{32}}_{_X}{{10}}"),
    ("whsec_", "webhook-secret", rf"{_N}{{16}}[A-Za-z0-9+/]{{16,}}={{0,2}}"),
    ("shippo_live_", "shippo-token", rf"{_X}{{40}}"),
    ("shippo_test_", "shippo-token", rf"{_X}{{40}}"),
    *((f"{which}k_{mode}_", "stripe-key", rf"{_N}{{16,}}") for which in "sr" for mode in ("live", "test")),
    ("sk_prod_", "stripe-key", rf"{_N}{{20,}}"),
    ("rk_prod_", "stripe-key", rf"{_N}{{20,}}"),
    ("sk_", "api-key", rf"{_X}{{48}}(?!\w)"),
    *((f"sq{letter}_", "sonarqube-token", rf"{_X}{{40}}") for letter in "upa"),
    ("bkua_", "buildkite-token", rf"{_X}{{40}}"),
    ("p8e-", "adobe-secret", rf"{_N}{{32}}"),
    ("API-", "octopus-key", r"[A-Z0-9]{25,27}(?![A-Za-z0-9])"),
    ("ico-", "infracost-key", rf"{_N}{{32}}"),
    ("FLWSECK-", "flutterwave-key", rf"{_X}{{32}}-X"),
    ("FLWSECK_TEST-", "flutterwave-key", rf"(?:{_N}{{32}}-X|{_N}{{12}}(?!\w))"),
    ("key_", "cursor-key", rf"{_X}{{64}}"),
    ("crsr_", "cursor-key", rf"{_X}{{64}}"),
    ("napi_", "neon-key", r"[a-z0-9]{60,}"),
    *((f"gh{letter}_", "github-token", rf"\w{{30,}}(?:\.{_W}{{10,}})?(?:\.{_W}{{10,}})?") for letter in "pousr"),
    ("glpat-", "gitlab-token", rf"{_W}{{20,}}(?:\.[0-9a-z]{{2}}\.[0-9a-z]{{9}})?"),
    *((f"{name}-", "gitlab-token", rf"{_W}{{20,}}") for name in ("gldt", "glrt", "glft", "glptt", "gloas", "glsoat")),
    *(
        (f"{name}-", "gitlab-token", rf"{_W}{{20,}}")
        for name in ("glimt", "glagent", "glcbt", "glffct", "glwt", "glrtr")
    ),
    ("GR1348941", "gitlab-token", rf"{_W}{{20,}}"),
    ("AGE-PLUGIN-", "age-key", r"[A-Z0-9]{1,20}-1[A-Z0-9]{40,}"),
    ("HRKU-", "heroku-key", rf"{_W}{{40,}}"),
    ("ATATT3", "atlassian-token", rf"{_W}{{20}}[A-Za-z0-9_=-]{{40,}}"),
    ("ATCTT3", "atlassian-token", rf"{_W}{{20}}[A-Za-z0-9_=-]{{40,}}"),
    ("dckr_pat_", "docker-token", rf"{_W}{{20,}}"),
    ("dckr_oat_", "docker-token", rf"{_W}{{20,}}"),
    ("pscale_tkn_", "planetscale-token", rf"{_W}{{12}}[\w.=-]{{20,}}"),
    ("pscale_pw_", "planetscale-token", rf"{_W}{{12}}[\w.=-]{{20,}}"),
    ("pscale_oauth_", "planetscale-token", rf"{_W}{{12}}[\w.=-]{{20,}}"),
    ("GOCSPX-", "google-oauth-secret", rf"{_W}{{24,}}"),
    ("eyt_", "eyelet-token", rf"{_W}{{40,}}"),
    ("sb_secret_", "supabase-key", rf"{_W}{{22,}}"),
    ("nvapi-", "nvidia-key", rf"{_W}{{40,}}"),
    ("sq0atp-", "square-token", rf"{_W}{{22,}}"),
    ("sq0csp-", "square-token", rf"{_W}{{40,}}"),
    ("sk-ant-", "anthropic-key", rf"{_W}{{17,}}"),
    ("sk-", "openai-key", rf"(?:(?:proj|svcacct|admin|None|or|lf)-{_W}{{18,}}|{_N}{{20,}}{_W}*)"),
    ("xox", "slack-token", r"[a-z]-[A-Za-z0-9-]{19,}"),
    ("xapp-", "slack-token", r"[0-9]-[A-Za-z0-9-]{17,}"),
    ("AIza", "google-api-key", rf"{_W}{{35,}}"),
    ("pypi-AgE", "pypi-token", rf"{_W}{{40,}}"),
    ("EAAA", "square-token", rf"(?={_W}{{0,59}}[_-]|{_W}{{60}}(?!\w)){_W}{{56,}}"),
    ("figd_", "figma-token", rf"{_W}{{36,}}"),
    ("tfp_", "typeform-token", rf"{_W}{{16}}[\w.=-]{{24,}}"),
    ("fio-u-", "frameio-token", rf"{_W}{{16}}[\w=-]{{44,}}"),
    ("tk-us-", "scalingo-token", rf"{_W}{{44,}}"),
    ("duffel_live_", "duffel-token", rf"{_W}{{12}}[\w=-]{{28,}}"),
    ("duffel_test_", "duffel-token", rf"{_W}{{12}}[\w=-]{{28,}}"),
    ("dnkey-", "defined-token", rf"{_W}{{20}}[\w=-]{{6}}-[\w=-]{{40,}}"),
    ("A3-", "1password-key", r"[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}"),
    ("fo1_", "fly-token", rf"{_W}{{40,}}"),
    ("fm1a_", "fly-token", rf"{_W}{{15}}[A-Za-z0-9+/_-]{{60,}}={{0,3}}"),
    ("fm1r_", "fly-token", rf"{_W}{{15}}[A-Za-z0-9+/_-]{{60,}}={{0,3}}"),
    ("tskey-", "tailscale-key", rf"[a-z]{{3,9}}-{_N}{{9,}}-{_N}{{16,}}"),
    ("pat-na", "hubspot-token", rf"[0-9]-{_UUID}"),
    ("pat-eu", "hubspot-token", rf"[0-9]-{_UUID}"),
    ("access-sandbox-", "plaid-token", _UUID),
    ("access-development-", "plaid-token", _UUID),
    ("access-production-", "plaid-token", _UUID),
    ("CFPAT-", "contentful-token", rf"{_W}{{40,}}"),
    ("CCIPAT_", "circleci-token", rf"{_N}{{16,}}_{_X}{{40}}"),
    ("CCIPRJ_", "circleci-token", rf"{_N}{{16,}}_{_X}{{40}}"),
    ("vercel_blob_rw_", "vercel-token", rf"{_N}{{10,}}_{_N}{{20,}}"),
    ("AQVN", "yandex-key", rf"(?=[A-Za-z]*[0-9_-]){_W}{{35,38}}(?![\w-])"),
    ("lip_live_", "lithic-key", rf"{_N}{{20,}}"),
    ("sgp_", "sourcegraph-token", rf"{_X}{{16}}_{_X}{{40}}"),
    ("re_", "resend-key", rf"{_N}{{8}}_{_N}{{24}}(?!\w)"),
    ("AVNS_", "aiven-password", rf"{_W}{{19,}}"),
)
# It stands before a run, and ends in a sign that no run has.
BEFORE_RUNS = (
    ("t1.", "yandex-token", rf"{_W}{{20,}}={{0,2}}\.{_W}{{60,}}={{0,2}}"),
    ("xoxe.", "slack-token", r"xox[a-z]-[A-Za-z0-9-]{19,}"),
    ("hvs.", "vault-token", rf"{_W}{{26,}}"),
    ("hvb.", "vault-token", rf"{_W}{{60,}}"),
    ("hvr.", "vault-token", rf"{_W}{{26,}}"),
    ("sha256~", "openshift-token", rf"{_W}{{43}}(?![\w-])"),
    *((f"ya29.{part}", "google-oauth-token", rf"{_W}{{20}}[A-Za-z0-9_.-]*") for part in ("", "a.", "c.", "d.")),
    ("sl.", "dropbox-token", rf"{_W}{{20}}[\w=-]{{80,}}"),
    ("sl.u.", "dropbox-token", rf"{_W}{{20}}[\w=-]{{80,}}"),
    *((f"dp.{what}.", "doppler-token", rf"{_N}{{40,}}") for what in ("pt", "ct", "sa", "st", "scim", "audit")),
    ("v1.", "cloudflare-token", rf"0-{_X}{{24}}-{_X}{{100,}}"),
    ("dt0c01.", "dynatrace-token", rf"{_N}{{24}}\.{_N}{{64}}"),
    ("dt0s01.", "dynatrace-token", rf"{_N}{{24}}\.{_N}{{64}}"),
)
# What no run begins. A word of it is in every text that has one; a group is kept in front of the marker.
EDGE = (  # escapes and terminal colours end in letters, and are an edge too
    r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4})"
    r"|(?<=%[0-9A-Fa-f]{2})|(?<=\[[0-9]m)|(?<=\[[0-9]{2}m)"
    r"|(?<=;[0-9]m)|(?<=;[0-9]{2}m)|(?<=;[0-9]{3}m))"
)
SHAPES = (
    (
        "slack-webhook",
        "hooks.slack.com",
        r"(hooks\.slack\.com\\{0,7}/(?:services|workflows|triggers)\\{0,7}/)(?:[A-Za-z0-9+_-]|\\{0,7}/){10,}",
    ),
    ("discord-webhook", "/webhooks", rf"(/webhooks\\{{0,7}}/[0-9]{{15,21}}\\{{0,7}}/){_W}{{40,}}"),
    (
        "teams-webhook",
        "webhookb2",
        rf"(webhookb2\\{{0,7}}/{_UUID}@{_UUID}\\{{0,7}}/IncomingWebhook\\{{0,7}}/){_X}{{32}}\\{{0,7}}/{_UUID}",
    ),
    (
        "zapier-webhook",
        "hooks.zapier.com",
        r"(hooks\.zapier\.com\\{0,7}/hooks\\{0,7}/catch\\{0,7}/)[0-9]{4,12}\\{0,7}/\w{4,}",
    ),
    ("sendgrid-key", "SG.", rf"SG\.{_W}{{16,40}}\.{_W}{{24,}}"),
    ("twilio-key", "SK", rf"{EDGE}SK{_X}{{32}}(?![0-9A-Za-z])"),
    ("mailgun-key", "key-", rf"(?<!-){EDGE}(?<!_)key-{_X}{{32}}(?!\w)"),
    ("mailgun-key", "-", rf"{EDGE}[0-9a-h]{{32}}-[0-9a-h]{{8}}-[0-9a-h]{{8}}(?![\w-])"),
    ("mailchimp-key", "-us", rf"{EDGE}{_X}{{32}}-us[0-9]{{1,2}}(?!\w)"),
    ("azure-key", "JQQJ99", rf"{_N}{{44,52}}JQQJ99{_N}{{26,}}"),
    (
        "azure-secret",
        "Q~",
        r"(?:(?<![\w~.])|(?<=\\[nrt])|(?<=\[[0-9]m)|(?<=[\[;][0-9]{2}m))[\w~.-]{3}[0-9]Q~[\w~.-]{31,34}(?![\w~.-])",
    ),
    ("airtable-token", "pat", rf"{EDGE}pat{_N}{{14}}\.{_X}{{64}}"),
    ("harness-token", "at.", rf"{EDGE}[ps]at\.{_W}{{22}}\.{_X}{{24}}\.{_N}{{20}}"),
    ("doppler-token", "dp.st.", rf"dp\.st\.[a-z0-9_-]{{2,35}}\.{_N}{{40,}}"),
    ("discord-token", ".", rf"{EDGE}[MNO]{_N}{{22,27}}\.{_W}{{6}}\.{_W}{{27,40}}(?![\w-])"),
    ("telegram-token", ":AA", rf"(?<![0-9])[0-9]{{6,12}}:AA{_W}{{32,}}"),
    ("terraform-token", ".atlasv1.", rf"(?:{EDGE}{_N}{{14}})?\.atlasv1\.{_W}{{50,}}"),
    ("asana-token", ":", rf"{EDGE}[0-9]\\{{0,7}}/[0-9]{{10,20}}(?:\\{{0,7}}/[0-9]{{10,20}})?:{_X}{{32}}(?!\w)"),
    ("maxmind-key", "_mmk", rf"{EDGE}{_N}{{6}}_{_N}{{29}}_mmk(?![\w-])"),
    ("grafana-token", "glc_", r"glc_[A-Za-z0-9+/]{32,}={0,3}"),
    ("firebase-key", ":APA91", rf"(?<![\w-]){_W}{{11,22}}:APA91{_W}{{80,}}"),
    ("google-oauth-token", "/0", rf"(?<![0-9A-Za-z])1\\{{0,7}}/\\{{0,7}}/0{_W}{{30,}}"),
    ("fly-token", "fm2_", r"(?:FlyV1(?: |%20|\+))?fm2_[A-Za-z0-9+/_,-]{60,}={0,3}"),
    ("age-key", "AGE-SECRET-KEY-", r"AGE-SECRET-KEY-1[A-Z0-9]{40,}"),
    ("facebook-token", "|", rf"{EDGE}[0-9]{{15}}\|{_W}{{27}}(?![\w-])"),
    (
        "authress-key",
        ".acc-",
        rf"{EDGE}(?:sc|ext|scauth|authress)_[a-z0-9]{{5,30}}\.[a-z0-9]{{4,6}}\.acc-{_W}{{16,32}}\.[a-z0-9+/_=-]{{30,120}}",
    ),
    ("session-cookie", "_session=", rf"(_session=){_N}{{24}}[\w%+/=.-]*"),
    ("mapbox-token", "sk.eyJ", rf"{EDGE}sk\.eyJ{_W}{{20,}}\.{_W}{{20,}}"),
)
# Part of such a shape, by its word, where many texts have that. It begins with a character as it is, for which `search`
# is many times as fast as for the shape: where this is not found, that is not there.
PARTS = {
    "SK": rf"SK{_X}{{32}}",
    "key-": rf"key-{_X}{{32}}",
    "-": r"-[0-9a-h]{8}-[0-9a-h]{8}",
    "-us": rf"-us[0-9](?<={_X}{{32}}-us[0-9])",
    "pat": rf"pat{_N}{{14}}\.",
    "at.": rf"at\.{_W}{{22}}\.",
    ".": rf"\.{_W}{{6}}\.{_W}{{27}}",
    ":": rf":{_X}{{32}}",
    "/0": rf"/0{_W}{{30}}",
    "|": rf"\|(?<=[0-9]\|){_W}{{27}}",
}
# What stands behind another secret: the key of an AWS key id.
_AWS_PAIR = (
    r"(\[redacted:aws-access-key-id(?::[0-9a-f]{6})?\][\s,:;|\"'\\]{1,20})"
    r"([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"
)
_SAS = r"((?:[?&;]|\\u0026)sig=)([A-Za-z0-9+/%_-]{40,}={0,2})"
# Of an address that is signed, which is all that one needs: docs.aws.amazon.com (SigV4 in query strings),
# cloud.google.com/storage/docs/authentication/signatures
_SIGNED = rf"((?:[?&;]|\\u0026|X-Amz-|X-Goog-)Signature=)({_W}{{20}}[A-Za-z0-9%~_-]{{12,}})"

_NEXT_LINE = (
    rf"\\{{0,7}}(?:\r?\n|(?<=\\)[nr])[ ]{{0,8}}((?={_W}{{0,100}}[0-9])(?={_W}{{0,100}}[A-Za-z]){_W}{{6,200}})(?![\w-])"
)
_WRAPPED_MAX_CHARS = 160
_MIXED = rf"(?={_W}{{0,60}}[0-9])(?={_W}{{0,60}}[A-Z]|[0-9a-f]+)(?={_W}{{0,60}}[a-z])"


def _by_end(rows: "tuple[tuple[str, str, str], ...]") -> "dict[str, list[tuple[str, str, str]]]":
    found: dict[str, list[tuple[str, str, str]]] = {}
    for row in sorted(rows, key=lambda one: -len(one[0])):  # the longest first: it says more
        found.setdefault(row[0][-KEY_CHARS:], []).append(row)
    return found


def _by_beginning(rows: "tuple[tuple[str, str, str], ...]") -> "dict[str, list[tuple[str, str, str]]]":
    found: dict[str, list[tuple[str, str, str]]] = {}
    for row in sorted(rows, key=lambda one: -len(one[0])):
        found.setdefault(row[0][:KEY_CHARS], []).append(row)
    return found


_ENDS = _by_end(BEFORE_RUNS)
_BEGINNINGS = _by_beginning(AT_RUNS)


def redact_tokens(text: str, mark: "Mark") -> str:
    """`text` with the tokens of these tables replaced."""
    raw = text.encode("ascii", "replace")  # one byte a character, whatever it is
    found = list(runs(raw))
    spans = list(_in_runs(text, raw, found))
    text = _replaced(text, spans, mark) if spans else text
    for kind, word, pattern in SHAPES:
        if word in text and (word not in PARTS or compiled(PARTS[word], A).search(text)):
            text = compiled(pattern, A).sub(_keeping_first(kind, mark), text)
    if "aws-access-key-id" in text:
        text = compiled(_AWS_PAIR, A).sub(_keeping_first("aws-secret-key", mark), text)
    if "sig=" in text:
        text = compiled(_SAS, A).sub(_keeping_first("azure-signature", mark), text)
    if "Signature=" in text:
        text = compiled(_SIGNED, A).sub(_keeping_first("url-signature", mark), text)
    return text


def _replaced(text: str, spans: "list[tuple[int, int, str]]", mark: "Mark") -> str:
    pieces: list[str] = []
    done = 0
    for begin, end, kind in sorted(spans, key=lambda span: (span[0], -span[1])):
        if begin >= done:
            pieces += (text[done:begin], mark(kind, text[begin:end]))
            done = end
    return "".join((*pieces, text[done:]))


def _keeping_first(kind: str, mark: "Mark") -> "Callable[[re.Match[str]], str]":
    def replaced(match: "re.Match[str]") -> str:
        kept = match[1] if match.re.groups else ""
        return kept + mark(kind, match[0][len(kept) :])

    return replaced


def _in_runs(text: str, raw: bytes, found: "list[tuple[int, int]]") -> "Iterator[tuple[int, int, str]]":
    """Begin, end and kind of the tokens in runs and with what stands before them. The longest prefix is asked first."""
    done = 0  # what is in a token is asked no more: a token may be all of a run, and a run full of beginnings
    for at, stop in found:
        for prefix, kind, rest in _ENDS.get(text[max(0, at - KEY_CHARS) : at], ()):
            if at >= done and text.endswith(prefix, 0, at) and (match := compiled(rest, A).match(text, at)):
                yield at - len(prefix), match.end(), kind
                done = match.end()
                break
        for begin in sorted((*begins(raw, at), *joints(raw, at, stop))):
            for prefix, kind, rest in _BEGINNINGS.get(text[begin : begin + KEY_CHARS], ()):
                if begin < done or not text.startswith(prefix, begin):
                    continue
                match = compiled(rest, A).match(text, begin + len(prefix))
                last = match.end() if match else _wrapped_end(text, prefix, rest, begin, stop)
                if last:
                    yield begin, last, kind
                    done = last
                    break


def _wrapped_end(text: str, prefix: str, rest: str, begin: int, stop: int) -> int:
    """Where the token ends whose first part, in these bounds, is followed by the end of a line; 0 where there is none.

    Both parts have digits among their letters, so that no words are joined.
    """
    is_short = len(prefix) > 3 and stop - begin <= _WRAPPED_MAX_CHARS
    more = compiled(_NEXT_LINE, A).match(text, stop) if is_short else None
    if more is None or not compiled(_MIXED, A).match(text, begin + len(prefix), stop):
        return 0
    match = compiled(rest, A).match(text[begin + len(prefix) : stop] + more[1])
    whole = match.end() - (stop - begin - len(prefix)) if match else 0
    return more.start(1) + whole if whole > 0 else 0


def compile_all() -> None:
    """Compile every pattern of these tables, for a bundle to write them down."""
    rows = (*BEFORE_RUNS, *AT_RUNS, *SHAPES)
    for pattern in (*(row[-1] for row in rows), *PARTS.values(), _AWS_PAIR, _SAS, _SIGNED, _NEXT_LINE, _MIXED):
        compiled(pattern, A)
