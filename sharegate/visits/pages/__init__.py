"""The pages a visitor meets outside JupyterLab, and the answer to whatever is refused."""

from sharegate.visits.pages.assets import static_file
from sharegate.visits.pages.refusal import negotiate, refusal
from sharegate.visits.pages.render import Ended, Ending, address_page, code_page, ended_page, join_page, signed_page

__all__ = [
    "Ended",
    "Ending",
    "address_page",
    "code_page",
    "ended_page",
    "join_page",
    "negotiate",
    "refusal",
    "signed_page",
    "static_file",
]
