"""sharegate: share a folder, not your server."""

__version__ = "0.1.0"
