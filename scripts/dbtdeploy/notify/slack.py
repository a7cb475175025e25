"""A notice -> a message of Slack's, for an incoming webhook. Pure.

Sources: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks,
https://docs.slack.dev/messaging/formatting-message-text#escaping and, for the limits,
https://docs.slack.dev/reference/block-kit/blocks.
"""

from __future__ import annotations

import re
from typing import Any

from dbtdeploy.base import markdown
from dbtdeploy.notify.notification import Notice, RunOutcome

HEADER_CHARS, SECTION_CHARS, FIELD_CHARS, FIELDS = 150, 3000, 2000, 10
WORDS_CHARS = 700
"""Of each of cause, what was not done and remedy: three of them fit a section, escaped too."""
VALUE_CHARS = 300

ICONS: dict[RunOutcome, str] = {
    "succeeded": "✅",
    "nothing": "✅",
    "failed": "❌",
    "taken-back": "↩️",
    "held": "⏸️",
    "cancelled": "⏹️",
}


def message(notice: Notice) -> dict[str, Any]:
    """The webhook's body. ``text`` is what a notification shows."""
    icon = "↩️" if notice.event == "rollback.succeeded" else ICONS[notice.outcome]
    title = markdown.shortened(f"{icon} {_line(notice.title)}", HEADER_CHARS)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}}
    ]
    if notice.trouble is not None:
        told = notice.trouble
        words = [f"*{_escaped(_line(told.title), VALUE_CHARS)}*"]
        sentences = (told.what, told.not_done, told.remedy)
        words += [_escaped(one, WORDS_CHARS) for one in sentences if one.strip()]
        blocks.append({"type": "section", "text": _mrkdwn("\n".join(words), SECTION_CHARS)})
    if notice.facts:
        fields = [
            _mrkdwn(
                f"*{_escaped(_line(fact.name), VALUE_CHARS)}*\n"
                f"{_escaped(_line(fact.value), VALUE_CHARS)}",
                FIELD_CHARS,
            )
            for fact in notice.facts[:FIELDS]
        ]
        blocks.append({"type": "section", "fields": fields})
    blocks.append({"type": "context", "elements": [_mrkdwn(_context(notice), SECTION_CHARS)]})
    return {"text": _escaped(title, HEADER_CHARS), "blocks": blocks, "unfurl_links": False}


def _context(notice: Notice) -> str:
    links = [f"<{_address(link.url)}|{_escaped(link.text, 50)}>" for link in notice.links]
    where = f"{notice.repository} {notice.project}".strip()
    told = [where, notice.commit[:7], f"by {notice.actor}" if notice.actor else ""]
    return " · ".join([*links, *(_escaped(_line(one), 150) for one in told if one)])


def _mrkdwn(text: str, most: int) -> dict[str, Any]:
    # verbatim: no name becomes a mention or a link.
    cut = text if len(text) <= most else re.sub("&[a-z]*$", "", text[:most])
    return {"type": "mrkdwn", "text": cut, "verbatim": True}


def _escaped(text: str, most: int) -> str:
    """Text of others, cut first: an entity cut in the middle would show as it is written.

    Slack knows no escape for its marks of bold and strike, nor for the names of its pictures; a
    blank of no width does it.
    """
    cut = markdown.shortened(markdown.clean(text).strip(), most)
    cut = re.sub(r"(?=[*~])|(?<=:)(?=[\w+'-]+:)", markdown.ZERO_WIDTH_SPACE, cut)
    return cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _line(text: str) -> str:
    return " ".join(markdown.clean(text).split())


def _address(url: str) -> str:
    return markdown.address(url).replace("&", "&amp;").replace("|", "%7C")
