"""run.json + the store -> what fetch_state.py leaves, and the comment that a build has started.

One process for both, because each costs more to start than it works. dbt, which runs code of the
project's, is none of it: here are secrets of the store's and GitHub's.
"""

from __future__ import annotations

from ci import post_comment
from deploy import fetch_state


def main() -> None:
    """Fetch, then say so; a comment that fails stops nothing."""
    fetch_state.main()
    post_comment.post("started")
