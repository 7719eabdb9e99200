"""One function turns a meaning into the answer: a page for a person who navigates, JSON for everything else."""

from __future__ import annotations

import json

from sharegate.errors import MEANINGS, Meaning
from sharegate.messages import Headers, Response
from sharegate.visits.pages.render import page

# What to do, by public code. Said to strangers too: it must be true for every reason that shares the code.
REMEDIES: dict[str, str] = {
    "no_access": "Open the link you were given, in the browser where you opened it first. "
    "If you have none, ask the person who shares for one.",
    "visit_ended": "Open your link again. If it does not let you in, ask the person who shared it.",
    "link_revoked": "If you still need it, ask the person who shared it for a new link.",
    "link_replaced": "Ask the person who shared it for the newer link.",
    "link_expired": "Ask the person who shared it to extend it. The link itself stays the same.",
    "link_paused": "Keep the link. It works again when its owner resumes it.",
    "link_in_use": "If it is yours, go back to that browser, or knock and say so.",
    "seats_taken": "Try again when somebody has left, or knock.",
    "devices_taken": "Leave on a device that you no longer use, then try again.",
    "device_code_invalid": "Ask for a new code on the device where you are in. A code works once, for five minutes.",
    "knock_refused": "If you think this is a mistake, write to the owner and ask for a link of your own.",
    "share_revoked": "If you still need it, ask the person who shared it to share it again.",
    "share_expired": "Ask the person who shared it to extend it. The link itself stays the same.",
    "share_paused": "Keep your link. It works again when its owner resumes sharing.",
    "share_suspended": "The shared folder was moved or replaced. Its owner knows, and decides.",
    "clients_off": "Open the link in a browser, or ask its owner to allow programs.",
    "not_for_browsers": "Open the link you were given instead.",
    "places_taken": "Stop one of them and try again in an hour, or ask the link's owner to allow more devices.",
    "outside_networks": "Try it from the network of your school or company, or ask the person who shared it.",
    "not_yet": "Keep the link, and open it again later. The person who shared it knows from when on.",
    "passphrase_needed": "Open your link again and type the passphrase that goes with it.",
    "passphrase_wrong": "Type it again. If you do not have it, ask the person who shared the link.",
    "recipient_needed": "Open your link again and show that the address is yours.",
    "account_needed": "Open your link again and sign in.",
    "other_account": "Open your link again and sign in with the account that it is for.",
    "sign_in_failed": "Open your link again and sign in once more.",
    "approval_needed": "Open your link again and knock. The person who shared it lets you in.",
    "other_domain": "Type an address of the domain that the page names.",
    "mail_code_invalid": "Type the code of the newest mail again, or have a new one sent. A code works once, for ten "
    "minutes, in the browser that asked for it.",
    "not_allowed": "Go back. If you need it, ask the person who shared it.",
    "cross_site": "Open the link you were given in a new tab.",
    "bad_host": "Use the address exactly as it was given to you.",
    "bad_request": "Go back and try again. If you typed the address, check it.",
    "body_too_large": "Send less at once.",
    "overlay_limit": "Reset your layout in JupyterLab to make room. Shared files are not affected.",
    "not_found": "Check the address, or go back to the folder you were given.",
    "update_refused": "Load the page again. What you typed is offered to you there.",
    "update_too_large": "Load the page again, and make the change in smaller steps.",
    "writing_ended": "Load the page again. If you think this is a mistake, tell the owner.",
    "document_open": "Open the file and change it there, or close it everywhere first.",
    "runs_by_itself": "Choose another name, or ask the owner to allow it for this share.",
    "conflict": "Load the folder again and look at what is there now.",
    "versions_full": "Nothing was changed. Tell the owner, who can change it or make more room.",
    "hidden_inside": "Only its owner can delete or copy it. You can delete and copy the files that you see in it.",
    "too_many": "Nothing is lost. Wait a moment before you try again.",
    "server_away": "Your link is fine. Try again when the owner's server is back.",
    "server_slow": "Your link is fine. Try again in a moment.",
    "server_fault": "Your link is fine. Try again; if it stays like this, tell the owner.",
    "gate_fault": "Your link is fine. Try again later; if it stays like this, tell the owner.",
    "sign_in_unavailable": "Your link is fine. Try again later; if it stays like this, tell the owner.",
    "mail_unavailable": "Your link is fine. Try again later; if it stays like this, tell the owner.",
    "gate_restarting": "Your link is fine. Try again in a few seconds.",
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
)

assert set(REMEDIES) == {meaning.public for meaning in MEANINGS.values()}, "every public code says what to do"


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


def refusal(meaning: Meaning, id: str, html: bool, retry_after: int | None = None) -> Response:
    """The answer to a request that the gate refuses.

    `id` is random per refusal and is what the owner finds in the trail; all else depends on the public code alone, so
    that reasons which share a code cannot be told apart. `retry_after` (seconds) goes with 429 and 503.
    """
    extra = () if retry_after is None else (("Retry-After", str(max(0, retry_after))),)
    if html:
        answer = page(
            "refusal.html",
            status=meaning.status,
            code=meaning.public,
            sentence=meaning.sentence,
            remedy=REMEDIES[meaning.public],
            again=meaning.public in _PASSING,
            id=id,
        )
        return Response(answer.status, (*answer.headers, *extra), answer.body)
    error = {"code": meaning.public, "message": meaning.sentence, "id": id}
    # JupyterLab shows `message` of a refusal in its dialogs (services/src/serverconnection.ts, ResponseError).
    said = {"error": error, "message": f"{meaning.sentence} {REMEDIES[meaning.public]}"}
    return Response(meaning.status, (*_JSON_HEADERS, *extra), json.dumps(said).encode())
