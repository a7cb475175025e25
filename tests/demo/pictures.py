"""What the demo's readers see -> docs/pictures/: a comment, summaries, notes, light and dark.

``make pictures`` runs this after ``make demo``. It needs Chromium, on PATH or named by CHROMIUM.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT / "tests"), str(ROOT / "scripts")]

from demo import processes  # noqa: E402  found by the line above
from standins.text import preview  # noqa: E402

OUTPUT = ROOT / "demo-output"
SHOWN = {
    "comment": (OUTPUT / "broken-change" / "comment.md", "github-actions bot commented"),
    "deploy": (OUTPUT / "deploy" / "summary.md", "deploy summary"),
    "release": (OUTPUT / "release" / "summary.md", "release summary"),
    "plan": (OUTPUT / "release" / "summary.md", "release summary, unfolded"),
    "notes": (OUTPUT / "release" / "notes.md", "v1.4.0"),
    "rollback": (OUTPUT / "rollback" / "summary.md", "rollback summary"),
}
UNFOLDED = {"plan"}
PICTURES = ROOT / "docs" / "pictures"
WIDTH = 860
SHARPNESS = 2
"""Pixels a point: a README shows pictures at half their size on most screens."""

OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", f"--force-device-scale-factor={SHARPNESS}"),
)
NO_BUTTON = "<style>header button { display: none }</style>"
MEASURE = "<script>document.title = document.documentElement.offsetHeight</script>"


def main() -> int:
    """Take the pictures; gives the exit code."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
    if chromium is None:
        print("There is no chromium on PATH; name one by CHROMIUM.", file=sys.stderr)
        return 2
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, (source, title) in SHOWN.items():
        if not source.is_file():
            print(f"{source} is not there. Run `make demo` first.", file=sys.stderr)
            return 2
        markdown = source.read_text(encoding="utf-8")
        for theme in ("light", "dark"):
            picture = PICTURES / f"{name}-{theme}.png"
            page = preview.to_html(markdown, title, theme=theme) + NO_BUTTON
            if name in UNFOLDED:
                page = page.replace("<details>", "<details open>")
            take(chromium, page, picture)
            print(picture)
    return 0


def take(chromium: str, page: str, picture: Path) -> None:
    """Write a picture of a whole page, as high as it is.

    Raises:
        CommandFailed: Chromium failed.
    """
    with tempfile.TemporaryDirectory() as temp:
        file = Path(temp) / "page.html"
        file.write_text(page + MEASURE, encoding="utf-8")
        command = [chromium, *OPTIONS, f"--user-data-dir={temp}/profile"]
        environment = processes.clean_environment(HOME=temp)

        def run(height: int, *more: str) -> str:
            size = f"--window-size={WIDTH},{height}"
            return processes.run(
                [*command, size, *more, file.as_uri()], cwd=ROOT, environment=environment
            )

        measured = re.search(r"<title>(\d+)</title>", run(1000, "--dump-dom"))
        assert measured is not None, "Chromium did not measure the page"
        run(int(measured[1]), f"--screenshot={picture}")


if __name__ == "__main__":
    sys.exit(main())
