"""Probes: what one side of a connection may do to a proxy, sent on raw sockets, and what becomes of it.

`scripts/probes` runs all of them against the gate and its peers and writes docs/http.md.
"""
