"""One function turns a meaning into the answer: a page for a person who navigates, JSON for everything else."""

from __future__ import annotations

import json

from sharegate.errors import MEANINGS, Meaning
from sharegate.language.catalogue import ENGLISH, Language
from sharegate.messages import Headers, Response
from sharegate.visits.pages.render import page

# What to do, by public code. Said to strangers too: it must be true for every reason that shares the code.
REMEDIES: dict[str, str] = {
    meaning.public: ENGLISH.say(f"refused.{meaning.public}.remedy") for meaning in MEANINGS.values()
}

# A page that could be right by itself next time offers to try again; the others would only repeat themselves.
_PASSING = frozenset(
    {"too_many", "server_away", "server_slow", "server_fault", "gate_fault", "gate_restarting", "link_paused"}
    | {"mail_unavailable", "sign_in_unavailable", "share_paused", "share_suspended", "seats_taken"}
)
_JSON_HEADERS = (
    ("Content-Type", "application/json"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
    ("Vary", "Accept-Language"),
)

assert all(ENGLISH.say(f"refused.{one.public}.sentence") == one.sentence for one in MEANINGS.values()), "said twice"


def negotiate(headers: Headers) -> str:
    """`html` for a top-level navigation, else `json`.

    Browsers tell by Sec-Fetch-Mode and Sec-Fetch-Dest (W3C Fetch Metadata), which are not sent to a plain http
    address other than loopback; there an Accept that names text/html decides. A frame is no top-level navigation.
    """
    mode, dest = headers.all("Sec-Fetch-Mode"), headers.all("Sec-Fetch-Dest")
    if mode or dest:
        return "html" if mode == ["navigate"] and dest == ["document"] else "json"
    accepted = (part.split(";") for value in headers.all("Accept") for part in value.split(","))
    named = any(
        kind.strip().lower() == "text/html" and not any(p.strip().replace(" ", "") in _NEVER for p in parameters)
        for kind, *parameters in accepted
    )
    return "html" if named else "json"


_NEVER = frozenset({"q=0", "q=0.0", "q=0.00", "q=0.000"})


def refusal(
    meaning: Meaning, id: str, html: bool, retry_after: int | None = None, language: Language = ENGLISH
) -> Response:
    """The answer to a request that the gate refuses.

    `id` is random per refusal and is what the owner finds in the trail; all else depends on the public code and the
    language alone, so that reasons which share a code cannot be told apart. `retry_after` (seconds) goes with 429 and
    503.
    """
    extra = () if retry_after is None else (("Retry-After", str(max(0, retry_after))),)
    if html:
        again = meaning.public in _PASSING
        answer = page("refusal.html", language, status=meaning.status, code=meaning.public, again=again, id=id)
        return Response(answer.status, (*answer.headers, *extra), answer.body)
    sentence, remedy = (language.say(f"refused.{meaning.public}.{part}") for part in ("sentence", "remedy"))
    error = {"code": meaning.public, "message": sentence, "id": id}
    # JupyterLab shows `message` of a refusal in its dialogs (services/src/serverconnection.ts, ResponseError).
    said = {"error": error, "message": f"{sentence} {remedy}"}
    return Response(meaning.status, (*_JSON_HEADERS, *extra), json.dumps(said).encode())
