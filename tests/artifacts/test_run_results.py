"""run_results.json is trusted only from the call just made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbtdeploy.artifacts import run_results
from dbtdeploy.base import redact


def write(path: Path, proof: str | None) -> Path:
    env = {run_results.PROOF: proof} if proof else {}
    content = {
        "metadata": {"env": env},
        "results": [
            {"unique_id": "a", "status": "success", "execution_time": 0.1234, "message": "key 1234"}
        ],
    }
    path.write_text(json.dumps(content))
    return path


def test_the_calls_own_results_are_read(tmp_path: Path) -> None:
    read = run_results.statuses(write(tmp_path / "r.json", "abc"), proof="abc")
    assert read == {"a": "success"}


@pytest.mark.fault(18)
@pytest.mark.parametrize("proof", [None, "another"])
def test_stale_results_are_not(tmp_path: Path, proof: str | None) -> None:
    assert run_results.statuses(write(tmp_path / "r.json", proof), proof="abc") is None


@pytest.mark.fault(18)
def test_missing_or_cut_results_are_not(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    assert run_results.statuses(path, proof="abc") is None
    path.write_text('{"metadata": {"env"')
    assert run_results.statuses(path, proof="abc") is None


@pytest.mark.fault(51)
def test_a_kept_copy_holds_no_secret_and_stays_json(tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    source = write(tmp_path / "r.json", "abc")
    run_results.keep_redacted(source, copy, lambda text: text.replace("1234", "***"))
    (result,) = json.loads(copy.read_text())["results"]
    assert (result["message"], result["execution_time"]) == ("key ***", 0.1234)


@pytest.mark.fault(51)
def test_a_secret_that_is_one_of_dbts_words_changes_no_status(tmp_path: Path) -> None:
    copy, source = tmp_path / "copy.json", tmp_path / "r.json"
    result = {"unique_id": "test.shop.pass", "status": "pass", "message": "pass"}
    source.write_text(json.dumps({"metadata": {}, "results": [result]}))
    run_results.keep_redacted(source, copy, lambda text: text.replace("pass", "***"))
    assert json.loads(copy.read_text())["results"] == [{**result, "message": "***"}]


@pytest.mark.fault(51, 64)
def test_only_the_results_own_status_is_kept(tmp_path: Path) -> None:
    copy, source = tmp_path / "copy.json", tmp_path / "r.json"
    given = {"status": "hunter22", "unique_id": ["hunter22"], "pin": 483920}
    result = {"unique_id": "model.shop.m", "status": "error", "adapter_response": given}
    source.write_text(json.dumps({"args": {"vars": given}, "results": [result]}))
    hide = redact.redactor(["hunter22", "483920", "results", "status"])
    run_results.keep_redacted(source, copy, hide)
    text = copy.read_text()
    assert "hunter22" not in text
    made = json.loads(text)
    assert made["args"]["vars"]["pin"] == "***"
    assert made["results"][0]["status"] == "error"


def test_of_two_attempts_the_newer_result_of_each_node_counts() -> None:
    def results(seconds: float, **statuses: str) -> bytes:
        listed = [{"unique_id": i, "status": s, "n": [1.50]} for i, s in statuses.items()]
        metadata = {"invocation_id": str(seconds)}
        content = {"metadata": metadata, "results": listed, "elapsed_time": seconds}
        return json.dumps(content).encode()

    first, second = results(1.5, a="success", b="error", c="skipped"), results(2.0, b="success")
    content = json.loads(run_results.merged(first, second))
    assert {r["unique_id"]: r["status"] for r in content["results"]} == {
        "a": "success",
        "b": "success",
        "c": "skipped",
    }
    assert content["elapsed_time"] == 3.5
    assert content["metadata"] == {"invocation_id": "1.5"}
