"""*Now*: who knocks, who asks to run something, who is here, and the shares that stand open."""

from __future__ import annotations

from urllib.parse import quote

from sharegate.dashboard.pages.paging import asked, placed
from sharegate.dashboard.pages.people import at_most, count, door, person
from sharegate.dashboard.pages.source import Json, Source

MOST_DOORS = 48


async def values(source: Source, parts: dict[str, str]) -> Json:
    gate = await source.get("gate")
    visits = await source.every("visits", here="1")
    knocks = (await source.get("knocks"))["knocks"]
    asks = (await source.get("asks"))["asks"]
    times = (await source.get("times"))["times"]
    # A device of somebody is told with them.
    here = [person(visit) for visit in visits if visit["kind"] != "device"]
    answer = await source.get("doors", page=str(asked(source.query)), limit=str(MOST_DOORS))
    doors = placed(answer["doors"], answer, "/")
    servers = {ask["share"]: (await source.get(f"shares/{ask['share']}"))["share"]["server"] for ask in asks}
    return {
        "gate": gate,
        "headline": _headline(len(knocks), len(asks), len(times), len(here)),
        "knocks": [knock | {"admits": at_most(knock["role"]), "lacking": _lacking(knock)} for knock in knocks],
        "asks": [ask | {"open": _open(_server(gate, servers[ask["share"]]), ask["path"])} for ask in asks],
        "times": [ask | {"offers": _offers(ask, source.now), "over": ask["expires"] <= source.now} for ask in times],
        "alarms": (await source.get("alarms"))["alarms"],
        "here_now": here,
        "away": max(0, gate["counts"]["persons"] - len(here)),
        "doors": doors,
        "shares": [door(share, here, source.now) for share in doors.rows],
    }


def _offers(ask: Json, now: float) -> list[tuple[float, str]]:
    """New ends that can be chosen with one click, counted from now or from the end that is still to come."""
    begin = max(now, ask["expires"])
    return [(begin + days * 86400, words) for days, words in ((1, "a day"), (7, "a week"), (30, "30 days"))]


def _lacking(knock: Json) -> str:
    """What the link asks for that they have not shown, in words; they could not come in by it either."""
    words = {"passphrase": "a passphrase", "email": "an e-mail address", "account": "an account"}
    return " and ".join(words.get(need, need) for need in knock["lacks"])


def _headline(knocks: int, asks: int, times: int, here: int) -> str:
    if knocks:
        return f"{count(knocks, 'person knocks', 'people knock')}."
    if asks:
        return f"{count(asks, 'hand is', 'hands are')} raised."
    if times:
        return f"{count(times, 'person asks', 'people ask')} for more time."
    if here:
        return f"{count(here, 'person is', 'people are')} here."
    return "All is quiet."


def _server(gate: Json, id: str) -> str:
    return next((str(server["url"]) for server in gate["servers"] if server["id"] == id), "")


def _open(url: str, path: str) -> str:
    return f"{url}lab/tree/{quote(path)}" if url.startswith(("http://", "https://")) else ""
