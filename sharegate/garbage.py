"""Python's collector of cyclic garbage, told what a running gate is like.

A gate holds some hundred thousand objects that live as long as it does, and makes a few hundred for each request, most
of which go by themselves with it. As Python comes, requests that are under way are looked through again and again, and
now and then everything: measured, a sixth of the processor time of a forwarded request.
"""

from __future__ import annotations

import gc

# Containers that were made and are not gone, before the young ones are looked through: those of some dozen requests
# under way are fewer. What is garbage until then takes a few MB.
YOUNG = 20_000


def settle() -> None:
    """Call once everything stands: what is there is not looked through any more, and the young less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
