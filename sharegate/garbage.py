"""Python's collector of cyclic garbage, told what a running gate is like.

A gate holds some hundred thousand objects that live as long as it does, and makes a few hundred for each request, most
of which go by themselves with it. As Python comes, requests that are under way are looked through again and again, and
now and then everything: measured, a sixth of the processor time of a forwarded request.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

# Containers that were made and are not gone, before the young ones are looked through: those of some dozen requests
# under way are fewer. What is garbage until then takes a few MB.
YOUNG = 20_000


def settle() -> None:
    """Call once everything stands: what is there is not looked through any more, and the young less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])


async def sweep(let_go: Callable[[], bool], *, every: float = 60.0) -> None:
    """Look through all that was made since `settle` whenever `let_go` says that something large was let go of. What has
    lived for minutes is otherwise not looked at again for hours, and what a library holds for it counts for nothing: a
    closed document of a few Python objects may be megabytes. Some milliseconds in which the gate does nothing else."""
    while True:
        await asyncio.sleep(every)
        if let_go():
            gc.collect()
