"""``kept_parse/``, the parse that dbt left to be kept -> an object for the store, or why not.

It holds the project's source and what ``env_var()`` gave while dbt parsed, in a form that no value
can be taken out of. So it is kept only where it holds none that is hidden.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dbtdeploy.base import errors, folded_text, settings
from dbtdeploy.context import work_files
from dbtdeploy.store import partial_parse
from dbtdeploy.store.publication.publish import Extra

NOT_KEPT = "The parse of this run is not kept, so that the next one parses everything anew."


def beside(work: Path, manifest: bytes, *, say: Callable[[str], None]) -> Extra | None:
    """The kept parse as what ``publish.py`` stores beside a version.

    Args:
        work: the work folder.
        manifest: that the version publishes, which everybody who may read the parse can read too.
            A hidden value that state cannot do without stands there as well, and hinders nothing.
        say: gets a line where there is a parse and it is not kept.

    Returns:
        None where there is none to keep.
    """
    folder = work / work_files.KEPT_PARSE
    if not folder.is_dir():
        return None
    try:
        if _holds_secret(partial_parse.read(folder), manifest):
            say(f"{NOT_KEPT} It holds a value of `dbt-env`, of `redact` or of a secret variable.")
            return None
        made = partial_parse.pack(folder)
    except (partial_parse.NotWhole, OSError) as cause:
        say(f"{NOT_KEPT} {cause}.")
        return None

    def missed(cause: errors.DbtDeployError) -> None:
        say(f"{NOT_KEPT} {cause.what} {cause.remedy}")

    return Extra(packed=made, missed=missed)


def _holds_secret(content: bytes, manifest: bytes) -> bool:
    found = settings.redactor().words_in(content)
    # A word is found in any case, so it is looked for in any case here, too.
    shown = folded_text.same_case(manifest.decode(errors="replace")) if found else ""
    return any(folded_text.same_case(word) not in shown for word in found)
