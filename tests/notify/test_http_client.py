"""Posting to receivers that fail in every way, on a clock that only moves when somebody sleeps."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

import pytest

from dbtdeploy.base import errors
from dbtdeploy.notify import http_client
from standins.store import wire
from standins.store.wire import Answer, Request

SECRET_PATH = "/services/T0/B0/hunter2hunter2"


@dataclass
class World:
    """A receiver that gives these answers in turn, and then takes everything."""

    answers: list[Answer] = field(default_factory=list)
    got: list[Request] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        self.got.append(request)
        return self.answers.pop(0) if self.answers else Answer(body=b"ok")

    def post(self, *answers: Answer, url: str | None = None, body: bytes = b"{}") -> None:
        self.answers = list(answers)
        headers = {"Content-Type": "application/json", "X-Own": "1"}
        with wire.serve(self.answer) as server:
            http_client.post(
                url or server.url + SECRET_PATH,
                body,
                headers=headers,
                receiver="Slack",
                sleep=self.waits.append,
            )

    def refused(self, *answers: Answer, url: str | None = None) -> errors.NotificationFailed:
        with pytest.raises(errors.NotificationFailed) as caught:
            self.post(*answers, url=url)
        assert "hunter2" not in str(caught.value)
        assert "result stays what it was" in caught.value.not_done
        return caught.value


@pytest.fixture
def world() -> World:
    return World()


def test_the_body_and_the_headers_arrive_as_they_are(world: World) -> None:
    world.post(body='{"ü": 1}'.encode())
    (got,) = world.got
    assert (got.method, got.path, got.body) == ("POST", SECRET_PATH, '{"ü": 1}'.encode())
    assert got.headers["content-type"] == "application/json"
    assert got.headers["x-own"] == "1"
    assert got.headers["user-agent"] == "dbt-deploy"
    assert world.waits == []


@pytest.mark.parametrize("status", [200, 202, 204])
def test_every_2xx_is_taken(world: World, status: int) -> None:
    world.post(Answer(status=status))
    assert len(world.got) == 1


@pytest.mark.fault(49)
@pytest.mark.parametrize(
    ("answers", "waits"),
    [
        ([Answer(status=503)], [1.0]),
        ([Answer(status=500), Answer(status=502)], [1.0, 2.0]),
        ([Answer(status=429, headers={"Retry-After": "7"})], [7.0]),
        ([Answer(status=429)] * 3, [1.0, 2.0, 4.0]),
        ([Answer(lost=True)], [1.0]),
        ([Answer(status=408), Answer(status=503, headers={"Retry-After": "x"})], [1.0, 2.0]),
    ],
)
def test_what_passes_is_waited_for(world: World, answers: list[Answer], waits: list[float]) -> None:
    world.post(*answers)
    assert world.waits == waits
    assert len(world.got) == len(answers) + 1


@pytest.mark.fault(49)
def test_waiting_is_bounded(world: World) -> None:
    failure = world.refused(*[Answer(status=503)] * 9)
    assert "Slack answered 503" in failure.what
    assert len(world.got) == http_client.TRIES
    assert sum(world.waits) <= http_client.WAIT_SECONDS
    world.waits.clear()
    world.refused(Answer(status=429, headers={"Retry-After": "3600"}))
    assert world.waits == []


@pytest.mark.fault(49)
@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, b"no_service", "Slack answered 404: no_service."),
        (400, b"invalid_blocks\n::error::x\x1b[31m", "400: invalid_blocks ::error::x[31m."),
        (403, b"", "Slack answered 403."),
        (400, b"x" * 100_000, "x…."),
    ],
)
def test_a_refusal_is_not_sent_again(world: World, status: int, body: bytes, said: str) -> None:
    failure = world.refused(Answer(status=status, body=body))
    assert said in failure.what
    assert "\n" not in failure.what
    assert len(failure.what) < 300
    assert len(world.got) == 1


def test_no_redirect_is_followed(world: World) -> None:
    failure = world.refused(Answer(status=307, headers={"Location": "http://127.0.0.1:9/x"}))
    assert "307" in failure.what
    assert len(world.got) == 1


@pytest.mark.fault(49)
def test_nobody_listens_and_the_address_stays_secret(world: World) -> None:
    failure = world.refused(url="http://127.0.0.1:9" + SECRET_PATH)
    assert failure.what == "Slack did not answer (ConnectionError)."
    assert len(world.waits) == http_client.TRIES - 1


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/hunter2", "ftp://example.com/hunter2", "hunter2", "https://"),
        *("http://127.0.0.1.example.com/hunter2", "file:///etc/passwd", "https://[hunter2"),
        *("http://localhost@example.com/hunter2", "//example.com/hunter2"),
    ],
)
def test_only_https_is_spoken(world: World, url: str) -> None:
    assert "https://" in world.refused(url=url).what
    assert world.got == []


def test_no_password_of_the_machine_is_sent_along(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    world.post()
    assert "authorization" not in world.got[0].headers


def test_a_silent_receiver_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and says nothing."""
    monkeypatch.setattr(http_client, "READ_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}{SECRET_PATH}"
        failure = world.refused(url=url)
    assert failure.what == "Slack did not answer (ReadTimeout)."
    assert len(world.waits) == http_client.TRIES - 1
