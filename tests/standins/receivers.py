"""Slack, PagerDuty and a webhook on loopback: each checks what it gets as the real one does.

``with receivers.serve() as people:`` and then ``people.slack.messages`` and so on.
Sources: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and
https://developer.pagerduty.com/api-reference/368ae3d938c9e-send-an-event-to-pager-duty.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from slack_sdk.models.blocks import Block, SectionBlock

from standins.store import wire
from standins.store.wire import Answer, Request

SLACK_PATH = "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
SECRET = "a secret of the receiver's"


@dataclass(kw_only=True)
class Receiver:
    """What all have: answers that a test puts before its own."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    faults: list[Answer] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        return self.faults.pop(0) if self.faults else self.took(request)

    def took(self, request: Request) -> Answer:
        raise NotImplementedError


@dataclass(kw_only=True)
class Slack(Receiver):
    """An incoming webhook of one channel."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    def took(self, request: Request) -> Answer:
        if request.path != SLACK_PATH:
            return Answer(status=404, body=b"no_service")
        try:
            message = json.loads(request.body)
        except ValueError:
            return Answer(status=400, body=b"invalid_payload")
        wrong = wrong_blocks(message.get("blocks", []))
        if wrong or not message.get("text") or len(message["text"]) > 40_000:
            return Answer(status=400, body=f"invalid_blocks {wrong}".encode())
        self.messages.append(message)
        return Answer(body=b"ok")


def wrong_blocks(blocks: list[dict[str, Any]]) -> str:
    """What Slack would not take of them; empty if it would."""
    if not 1 <= len(blocks) <= 50:
        return f"{len(blocks)} blocks"
    for given in blocks:
        block = Block.parse(given)
        if block is None:
            return f"unknown block {given['type']}"
        try:
            block.validate_json()
        except Exception as wrong:
            return str(wrong)
        # slack_sdk looks at neither.
        texts = [given.get("text"), *given.get("fields", []), *given.get("elements", [])]
        longest = 2000 if isinstance(block, SectionBlock) and "fields" in given else 3000
        if any(not text["text"] or len(text["text"]) > longest for text in texts if text):
            return "a text that is empty or too long"
    return ""


@dataclass(kw_only=True)
class PagerDuty(Receiver):
    """One integration; ``incidents`` tells which are open, by their keys."""

    events: list[dict[str, Any]] = field(default_factory=list)
    incidents: dict[str, str] = field(default_factory=dict)

    def took(self, request: Request) -> Answer:
        try:
            event = json.loads(request.body)
            wrong = self._wrong(event)
        except (ValueError, KeyError, TypeError) as fault:
            wrong = repr(fault)
        if wrong:
            told = {"status": "invalid event", "message": "Event object is invalid"}
            return _json(400, {**told, "errors": [wrong]})
        self.events.append(event)
        key = event["dedup_key"]
        self.incidents[key] = "open" if event["event_action"] == "trigger" else "resolved"
        return _json(202, {"status": "success", "message": "Event processed", "dedup_key": key})

    def _wrong(self, event: dict[str, Any]) -> str:
        if event["routing_key"] != ROUTING_KEY or len(event["dedup_key"]) > 255:
            return "'routing_key' or 'dedup_key' is invalid"
        if event["event_action"] not in ("trigger", "acknowledge", "resolve"):
            return "'event_action' is invalid"
        if event["event_action"] == "trigger":
            payload = event["payload"]
            if not 1 <= len(payload["summary"]) <= 1024 or not payload["source"]:
                return "'payload.summary' or 'payload.source' is invalid"
            if payload["severity"] not in ("critical", "error", "warning", "info"):
                return "'payload.severity' is invalid"
            datetime.fromisoformat(payload["timestamp"])
            if any(not link["href"].startswith("http") for link in event.get("links", [])):
                return "'links' are invalid"
        return ""


@dataclass(kw_only=True)
class Webhook(Receiver):
    """Somebody's own receiver, which checks the signature."""

    told: list[dict[str, Any]] = field(default_factory=list)
    signed: bool = True

    def took(self, request: Request) -> Answer:
        mac = hmac.new(SECRET.encode(), request.body, hashlib.sha256).hexdigest()
        given = request.headers.get("x-dbt-deploy-signature")
        if given != (f"sha256={mac}" if self.signed else None):
            return Answer(status=401, body=b"wrong signature")
        self.told.append(json.loads(request.body))
        return Answer(status=204)


@dataclass(frozen=True, kw_only=True)
class People:
    """Everybody who is told."""

    slack: Slack
    pagerduty: PagerDuty
    webhook: Webhook

    @property
    def environ(self) -> dict[str, str]:
        """What notify.py is given to reach them."""
        return {
            "DBT_DEPLOY_SLACK_WEBHOOK_URL": self.slack.url + SLACK_PATH,
            "DBT_DEPLOY_PAGERDUTY_ROUTING_KEY": ROUTING_KEY,
            "DBT_DEPLOY_PAGERDUTY_URL": f"{self.pagerduty.url}/v2/enqueue",
            "DBT_DEPLOY_WEBHOOK_URL": f"{self.webhook.url}/hooks/5c1f0aa8d7e2",
            "DBT_DEPLOY_WEBHOOK_SECRET": SECRET,
        }


@contextlib.contextmanager
def serve() -> Iterator[People]:
    """Serve all three until the block is left."""
    people = People(slack=Slack(), pagerduty=PagerDuty(), webhook=Webhook())
    with contextlib.ExitStack() as open_ones:
        for receiver in (people.slack, people.pagerduty, people.webhook):
            receiver.url = open_ones.enter_context(wire.serve(receiver.answer)).url
        yield people


def _json(status: int, body: dict[str, Any]) -> Answer:
    headers = {"Content-Type": "application/json"}
    return Answer(status=status, body=json.dumps(body).encode(), headers=headers)
