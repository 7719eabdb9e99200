"""Whom https servers are believed: the system's authorities, or those that the owner names."""

from __future__ import annotations

import ssl
from pathlib import Path

from sharegate.errors import Faults, Invalid

FIELD = "upstream_ca"


def trust(authorities: Path | None) -> ssl.SSLContext | None:
    """A context that believes only these authorities (PEM); None for the system's. Raises Faults naming `upstream_ca`.

    The server's name is compared either way.
    """
    if authorities is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(authorities))
    except ssl.SSLError:
        fault = Invalid(FIELD, f"{authorities} holds no certificate", "Give a PEM file of the authority's certificate")
    except OSError as error:
        fault = Invalid(FIELD, f"{authorities} cannot be read ({error.strerror})", "Give a PEM file that exists")
    raise Faults("configuration", [fault])
