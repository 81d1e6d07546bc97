"""Random values of every secret that is known by its shape, made at run time: none stands in this repository.

Formats are facts of the providers' documentation and of three maintained public rule sets: gitleaks
(github.com/gitleaks/gitleaks, config/gitleaks.toml), detect-secrets (github.com/Yelp/detect-secrets,
detect_secrets/plugins) and trufflehog (github.com/trufflesecurity/trufflehog, pkg/detectors). Nothing here was taken
from the rules that are measured by it.
"""

import json
import string
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from random import Random

LOWER, UPPER, DIGITS = string.ascii_lowercase, string.ascii_uppercase, string.digits
ALNUM = LOWER + UPPER + DIGITS
WORD = ALNUM + "_-"
HEX = "0123456789abcdef"
BASE64 = ALNUM + "+/"

Make = Callable[[Random], str]


def run(rng: Random, alphabet: str, length: int) -> str:
    """That many random characters of the alphabet, the first and last never a sign."""
    body = rng.choices(alphabet, k=length)
    plain = [char for char in alphabet if char.isalnum()]
    body[0], body[-1] = rng.choice(plain), rng.choice(plain)
    return "".join(body)


def after(prefix: str, alphabet: str, least: int, most: int = 0, behind: str = "") -> Make:
    """A maker of `prefix`, so many characters of the alphabet, and `behind`."""
    return lambda rng: prefix + run(rng, alphabet, rng.randint(least, most or least)) + behind


def joined(*parts: "str | tuple[str, int]") -> Make:
    """A maker of these parts one behind another: text as it is, (alphabet, length) at random."""
    return lambda rng: "".join(part if isinstance(part, str) else run(rng, *part) for part in parts)


def jwt(rng: Random) -> str:
    head = {"alg": rng.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"}
    body = {"sub": run(rng, DIGITS, 10), "name": run(rng, LOWER, 9), "iat": rng.randint(1_600_000_000, 1_900_000_000)}
    packed = [urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).decode() for part in (head, body)]
    return ".".join([*(part.rstrip("=") for part in packed), run(rng, WORD, rng.choice([43, 86]))])


def onepassword_service(rng: Random) -> str:
    held = {"signInAddress": "my.1password.com", "deviceUuid": run(rng, LOWER, 26), "muk": run(rng, ALNUM, 180)}
    return "ops_" + b64encode(json.dumps(held, separators=(",", ":")).encode()).decode().rstrip("=")


def sentry_org(rng: Random) -> str:
    held = {
        "iat": rng.randint(1_600_000_000, 1_900_000_000),
        "url": "https://sentry.io",
        "region_url": "https://us",
        "org": "x",
    }
    body = b64encode(json.dumps(held, separators=(",", ":")).encode()).decode().rstrip("=")
    return f"sntrys_{body}_{run(rng, BASE64, 43)}"


def grafana_key(rng: Random) -> str:
    held = {"k": run(rng, ALNUM, 32), "n": run(rng, LOWER, 8), "id": rng.randint(1, 9)}
    return b64encode(json.dumps(held, separators=(",", ":")).encode()).decode()


def atlas(rng: Random) -> str:
    return f"{run(rng, ALNUM, 14)}.atlasv1.{run(rng, WORD, 67)}"


def aws_session(rng: Random) -> str:
    return rng.choice(["FwoGZXIvYXdzE", "IQoJb3JpZ2luX2Vj"]) + run(rng, BASE64, 260) + "=="


def pem(rng: Random) -> str:
    """A private key block of one of the kinds in use, with `\\n` line ends."""
    label = rng.choice(["RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "DSA PRIVATE KEY"])
    lines = [run(rng, BASE64, 64) for _ in range(rng.randint(3, 14))] + [run(rng, BASE64, rng.randint(20, 60)) + "="]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"])


def pgp(rng: Random) -> str:
    lines = [run(rng, BASE64, 64) for _ in range(rng.randint(5, 14))] + [
        run(rng, BASE64, 30),
        "=" + run(rng, BASE64, 4),
    ]
    label = "PGP PRIVATE KEY BLOCK"
    return "\n".join([f"-----BEGIN {label}-----", "", *lines, f"-----END {label}-----"])


# By kind: where the product names it so, the name the documentation uses.
SHAPES: dict[str, tuple[Make, ...]] = {
    "1password": (
        joined(
            "A3-",
            (UPPER + DIGITS, 6),
            "-",
            (UPPER + DIGITS, 6),
            "-",
            *[(UPPER + DIGITS, 5), "-"] * 3,
            (UPPER + DIGITS, 5),
        ),
        onepassword_service,
    ),
    "adobe": (after("p8e-", ALNUM, 32),),
    "age-key": (after("AGE-SECRET-KEY-1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),),
    "airtable": (joined("pat", (ALNUM, 14), ".", (HEX, 64)),),
    "alibaba": (after("LTAI", ALNUM, 20),),
    "anthropic-key": (
        *(after(f"sk-ant-{kind}-", WORD, 93, behind="AA") for kind in ("api03", "admin01", "oat01", "ort01", "sid01")),
    ),
    "artifactory": (after("AKCp", ALNUM, 69), after("cmVmd", ALNUM, 59)),
    "asana": (
        joined("1/", (DIGITS, 16), ":", (HEX, 32)),
        joined("2/", (DIGITS, 16), "/", (DIGITS, 16), ":", (HEX, 32)),
    ),
    "atlassian": (after("ATATT3", WORD, 180, behind="=" + "7F3A91C2"), after("ATBB", ALNUM, 32)),
    "aws-access-key-id": tuple(after(prefix, UPPER + "234567", 16) for prefix in ("AKIA", "ASIA", "ABIA", "ACCA")),
    "azure-ad": (joined((ALNUM, 3), "8Q~", (WORD, 34)),),
    "buildkite": (after("bkua_", HEX, 40),),
    "circleci": (joined("CCIPAT_", (ALNUM, 22), "_", (HEX, 40)),),
    "clojars": (after("CLOJARS_", LOWER + DIGITS, 60),),
    "cloudflare": (joined("v1.0-", (HEX, 24), "-", (HEX, 146)),),
    "contentful": (after("CFPAT-", WORD, 43),),
    "databricks-token": (after("dapi", HEX, 32), after("dapi", HEX, 32, behind="-2")),
    "defined-networking": (joined("dnkey-", (ALNUM, 26), "-", (ALNUM, 52)),),
    "digitalocean-token": tuple(after(f"do{kind}_v1_", HEX, 64) for kind in "por"),
    "discord-bot": (
        joined("M", (ALNUM, 23), ".", (WORD, 6), ".", (WORD, 27)),
        joined("N", (ALNUM, 23), ".", (WORD, 6), ".", (WORD, 38)),
    ),
    "docker": (after("dckr_pat_", WORD, 27), after("dckr_oat_", WORD, 32)),
    "doppler": (after("dp.pt.", ALNUM, 43), joined("dp.st.prd.", (ALNUM, 43))),
    "duffel": (after("duffel_live_", WORD, 43), after("duffel_test_", WORD, 43)),
    "dynatrace": (joined("dt0c01.", (UPPER + DIGITS, 24), ".", (UPPER + DIGITS, 64)),),
    "easypost": (after("EZAK", ALNUM, 54), after("EZTK", ALNUM, 54)),
    "facebook": (after("EAAC", ALNUM, 160), after("EAAM", ALNUM, 160)),
    "figma": (after("figd_", WORD, 40),),
    "flutterwave": (joined("FLWSECK_TEST-", ("abcdefgh0123456789", 32), "-X"),),
    "flyio": (after("fo1_", WORD, 43), after("fm2_", BASE64, 200, behind="=="), after("FlyV1 fm2_", BASE64, 200)),
    "frameio": (after("fio-u-", WORD, 64),),
    "github-token": (
        *(after(prefix, ALNUM, 36) for prefix in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
        joined("github_pat_", (ALNUM, 22), "_", (ALNUM, 59)),
    ),
    "gitlab-token": (
        *(
            after(prefix, WORD, 20)
            for prefix in ("glpat-", "gldt-", "glrt-", "glft-", "glsoat-", "glffct-", "GR1348941")
        ),
        *(joined("glpat-", (WORD, 27), ".01.", (LOWER + DIGITS, 9)), joined("glcbt-", (HEX, 2), "_", (WORD, 20))),
        *(after("glptt-", HEX, 40), after("glagent-", WORD, 50), after("gloas-", WORD, 64), after("glimt-", WORD, 25)),
    ),
    "google-api-key": (after("AIza", WORD, 35),),
    "google-oauth-token": (
        after("ya29.", WORD, 120, 200),
        after("GOCSPX-", WORD, 28),
        joined("1//0", (ALNUM, 1), (WORD, 98)),
    ),
    "grafana": (joined("glsa_", (ALNUM, 32), "_", (HEX, 8)), after("glc_", BASE64, 80), grafana_key),
    "groq": (after("gsk_", ALNUM, 52),),
    "harness": (
        joined("pat.", (ALNUM, 22), ".", (HEX, 24), ".", (ALNUM, 20)),
        joined("sat.", (ALNUM, 22), ".", (HEX, 24), ".", (ALNUM, 20)),
    ),
    "heroku": (after("HRKU-AA", WORD, 58),),
    "huggingface-token": (after("hf_", LOWER + UPPER, 34), after("api_org_", LOWER + UPPER, 34)),
    "infracost": (after("ico-", ALNUM, 32),),
    "intra42": (after("s-s4t2ud-", HEX, 64),),
    "jwt": (jwt,),
    "langsmith": (joined("lsv2_pt_", (HEX, 32), "_", (HEX, 10)),),
    "linear": (after("lin_api_", ALNUM, 40), after("lin_oauth_", HEX, 64)),
    "mailchimp": (joined((HEX, 32), "-us", (DIGITS, 2)),),
    "mailgun": (after("key-", HEX, 32),),
    "mapbox": (joined("sk.eyJ1Ijoi", (ALNUM, 60), ".", (WORD, 22)),),
    "maxmind": (joined((ALNUM, 6), "_", (ALNUM, 29), "_mmk"),),
    "netlify": (after("nfp_", ALNUM, 36),),
    "newrelic": (after("NRAK-", UPPER + DIGITS, 27), after("NRII-", WORD, 32), after("NRJS-", HEX, 19)),
    "notion": (joined("ntn_", (DIGITS, 11), (ALNUM, 35)),),
    "npm-token": (after("npm_", ALNUM, 36),),
    "nvidia": (after("nvapi-", WORD, 64),),
    "octopus": (after("API-", UPPER + DIGITS, 26),),
    "openai-key": (
        joined("sk-", (ALNUM, 20), "T3BlbkFJ", (ALNUM, 20)),
        *(joined(f"sk-{kind}-", (WORD, 74), "T3BlbkFJ", (WORD, 74)) for kind in ("proj", "svcacct", "admin")),
        *(
            joined("sk-proj-", (WORD, 58), "T3BlbkFJ", (WORD, 58)),
            joined("sk-or-v1-", (HEX, 64)),
            after("sk-", HEX, 32),
        ),
    ),
    "openshift": (after("sha256~", WORD, 43),),
    "perplexity": (after("pplx-", ALNUM, 48),),
    "planetscale": tuple(after(f"pscale_{kind}_", ALNUM, 43) for kind in ("tkn", "oauth", "pw")),
    "postman": (joined("PMAK-", (HEX, 24), "-", (HEX, 34)),),
    "prefect": (after("pnu_", ALNUM, 36),),
    "private-key": (pem, pem, pgp),
    "pulumi": (after("pul-", HEX, 40),),
    "pypi-token": (after("pypi-AgEIcHlwaS5vcmc", WORD, 120, 160),),
    "readme": (after("rdme_", LOWER + DIGITS, 70),),
    "replicate": (after("r8_", ALNUM, 37),),
    "rubygems": (after("rubygems_", HEX, 48),),
    "scalingo": (after("tk-us-", WORD, 48),),
    "sendgrid-key": (joined("SG.", (WORD, 22), ".", (WORD, 43)),),
    "sendinblue": (joined("xkeysib-", (HEX, 64), "-", (ALNUM, 16)),),
    "sentry": (sentry_org, after("sntryu_", HEX, 64)),
    "settlemint": tuple(after(f"sm_{kind}_", ALNUM, 16) for kind in ("aat", "pat", "sat")),
    "shippo": (after("shippo_live_", HEX, 40), after("shippo_test_", HEX, 40)),
    "shopify": tuple(after(f"shp{kind}_", HEX, 32) for kind in ("at", "ca", "pa", "ss")),
    "slack-token": (
        *(joined(prefix, (DIGITS, 12), "-", (DIGITS, 12), "-", (ALNUM, 24)) for prefix in ("xoxb-", "xoxo-", "xoxr-")),
        joined("xoxp-", (DIGITS, 12), "-", (DIGITS, 12), "-", (DIGITS, 12), "-", (HEX, 32)),
        joined("xapp-1-A", (UPPER + DIGITS, 10), "-", (DIGITS, 13), "-", (HEX, 64)),
        *(joined("xoxe.xoxp-1-", (ALNUM, 164)), joined("xoxe-1-", (ALNUM, 146))),
    ),
    "sourcegraph": (after("sgp_", HEX, 40), joined("sgp_", (HEX, 16), "_", (HEX, 40))),
    "square": (after("sq0atp-", WORD, 22), after("sq0csp-", WORD, 43), after("EAAA", WORD, 60)),
    "stripe-key": (
        *(after(f"{kind}_{mode}_", ALNUM, 24, 99) for kind in ("sk", "rk") for mode in ("live", "test")),
        after("whsec_", ALNUM, 32),
    ),
    "supabase": (after("sbp_", HEX, 40), after("sb_secret_", WORD, 31)),
    "tailscale": (
        joined("tskey-auth-", (ALNUM, 12), "-", (ALNUM, 32)),
        joined("tskey-api-", (ALNUM, 12), "-", (ALNUM, 32)),
    ),
    "telegram-token": (joined((DIGITS, 10), ":AA", (WORD, 33)),),
    "terraform": (atlas,),
    "twilio-key": (after("SK", HEX, 32),),
    "typeform": (after("tfp_", WORD, 59),),
    "vault-token": (after("hvs.", WORD, 91, 110), after("hvb.", WORD, 140, 200)),
    "xai": (after("xai-", ALNUM, 80),),
    "yandex": (after("AQVN", WORD, 36), joined("t1.", (WORD, 40), ".", (WORD, 86))),
}
