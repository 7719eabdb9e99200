"""What a browser says of itself, in a reader's words. It may say anything: this is no proof of what it is."""

from __future__ import annotations

# The first that fits counts: most browsers name others too (RFC 9110 section 10.1.5), and themselves first or last.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome without a window"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_PLACES = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)


def browser(agent: str) -> str:
    """`Firefox on Linux`; what is no browser's is left as it is."""
    if not agent.startswith("Mozilla/"):
        return agent
    name = next((name for sign, name in _BROWSERS if sign in agent), "")
    place = next((place for sign, place in _PLACES if sign in agent), "")
    return f"{name} on {place}" if name and place else name or agent
