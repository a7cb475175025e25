"""The stand-in for the Actions runner, held against what actions/runner does."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from standins.runner import runner
from standins.runner.expressions import ExpressionError, condition, evaluate, interpolate
from standins.runner.job_log import JobLog, Masker
from standins.runner.runner import Cancellation, Job, NotSupported, Used, Uses

CONTEXTS = {
    "inputs": {"project-dir": "shop", "flag": "true", "empty": ""},
    "steps": {"plan": {"outputs": {"nodes": "0"}, "outcome": "success"}},
    "github": {"event": {"pull_request": {"number": 7.0, "labels": ["a", "B"]}}},
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("inputs.project-dir", "shop"),
        ("INPUTS['Project-Dir']", "shop"),
        ("inputs.flag == 'TRUE'", True),
        ("inputs.flag == true", False),
        ("steps.plan.outputs.nodes != '' && steps.plan.outputs.nodes != '0'", False),
        ("steps.absent.outputs.nodes", None),
        ("steps.absent.outputs.nodes != ''", False),
        ("github.event.pull_request.number == '7'", True),
        ("github.event.pull_request.number || 'none'", 7.0),
        ("inputs.empty || 'fallback'", "fallback"),
        ("!(inputs.flag == 'true') || null", None),
        ("contains(github.event.pull_request.labels, 'b')", True),
        ("contains('Hello', 'ELL')", True),
        ("startsWith('refs/heads/x', 'refs/')", True),
        ("format('{0}-{{1}}-{1}', 'it''s', 2)", "it's-{1}-2"),
        ("1 < 2 && '0x10' == 16", False),
        ("0x10 == 16", True),
        ("null == ''", True),
        ("github.event.pull_request.labels[1]", "B"),
    ],
)
def test_expressions(expression: str, value: object) -> None:
    assert evaluate(expression, CONTEXTS, {}) == value


@pytest.mark.parametrize("expression", ["secrets.token", "1 +", "hashFiles('x')", "a b", "(1", ""])
def test_an_expression_that_github_or_we_refuse(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(expression, CONTEXTS, {})


def test_interpolation_of_every_kind() -> None:
    text = "${{ null }}|${{ true }}|${{ 7.0 }}|${{ 1.5 }}|${{ github.event }}|${{ '}}' }}|$x"
    assert interpolate(text, CONTEXTS, {}) == "|true|7|1.5|Object|}}|$x"


def test_success_is_asked_for_unless_a_status_function_is_there() -> None:
    functions = {"success": lambda: False, "always": lambda: True}
    assert not condition("inputs.flag == 'true'", CONTEXTS, functions)
    assert condition("${{ always() && inputs.flag == 'true' }}", CONTEXTS, functions)
    assert not condition("inputs.flag == 'always()' || true", CONTEXTS, functions)


def test_commands_are_read_as_the_runner_reads_them() -> None:
    log = JobLog(masker=Masker())
    log.take("  ::error title=A%3A b,file=m.sql,line=3::first%0Asecond")
    log.take("dbt said ##[warning]careful")
    log.take("x ::error::not at the beginning")
    log.take("::unknown::stays")
    assert [(a.level, a.title, a.file, a.line) for a in log.annotations] == [
        ("error", "A: b", "m.sql", 3),
        ("warning", None, None, None),
    ]
    assert log.annotations[0].message == "first\nsecond"
    assert log.lines == [
        "Error: first",
        "second",
        "Warning: careful",
        "x ::error::not at the beginning",
        "::unknown::stays",
    ]


def test_stopped_commands_resume_with_the_token_only() -> None:
    log = JobLog(masker=Masker())
    for line in (
        "::stop-commands::Abc",
        "::error::inert",
        "##[error]inert",
        "::abc::",
        "::error::x",
    ):
        log.take(line)
    assert [annotation.message for annotation in log.annotations] == ["x"]


def test_masks_hide_lines_and_spellings_but_show_nothing() -> None:
    log = JobLog(masker=Masker())
    log.take('::add-mask::pa%0Ass"wörd')
    log.take('it was ss"wörd, "ss\\"w\\u00f6rd", ss%22w%C3%B6rd')
    assert log.lines == ['it was ***, "***", ***']


def test_outputs_file() -> None:
    assert runner.parse_outputs("a=1=2\nb<<E\nx\n\ny=E\nE\nc=\n") == {
        "a": "1=2",
        "b": "x\n\ny=E",
        "c": "",
    }
    for text in ("a", "b<<\n", "b<<E\nx\n", "=x"):
        with pytest.raises(ValueError, match="Invalid"):
            runner.parse_outputs(text)


def _action(folder: Path, steps: str, *, outputs: str = "{}", inputs: str = "{}") -> Path:
    action = folder / "action"
    action.mkdir()
    (action / "action.yml").write_text(
        f"name: t\ninputs: {inputs}\noutputs: {outputs}\n"
        f"runs:\n  using: composite\n  steps:\n{steps}"
    )
    return action


@pytest.fixture
def job(tmp_path: Path) -> Job:
    workspace, temp = tmp_path / "workspace", tmp_path / "temp"
    workspace.mkdir()
    temp.mkdir()
    return Job(
        workspace=workspace,
        temp=temp,
        path=os.environ["PATH"],
        environment={"FROM_JOB": "job"},
        event={"pull_request": {"number": 7}},
        secrets=["hunter2"],
    )


def test_a_step_sees_its_own_env_and_the_runners_and_nothing_else(
    tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_MACHINE", "1")
    steps = """
    - name: one
      id: one
      shell: bash
      env: {MINE: "${{ inputs.in }} ${{ github.event.pull_request.number }}"}
      run: |
        env > "$GITHUB_WORKSPACE/env"
        echo "said=$MINE" >> "$GITHUB_OUTPUT"
        echo "# hunter2" >> "$GITHUB_STEP_SUMMARY"
    - {name: two, shell: bash, run: 'test -z "${MINE:-}"'}
"""
    action = _action(
        tmp_path,
        steps,
        inputs="{in: {default: '${{ github.token }}'}}",
        outputs="{said: {value: '${{ steps.one.outputs.said }}'}}",
    )
    result = runner.run_action(action, inputs={"in": "x"}, job=job)
    given = dict(line.split("=", 1) for line in (job.workspace / "env").read_text().splitlines())
    assert result.conclusion == "success"
    assert result.outputs == {"said": "x 7"}
    assert result.summary == "# ***\n"
    assert (given["FROM_JOB"], given["GITHUB_ACTION_PATH"]) == ("job", str(action))
    assert "OF_THE_MACHINE" not in given
    assert "GITHUB_TOKEN" not in given


def test_a_job_output_with_a_masked_value_is_dropped_and_named(tmp_path: Path, job: Job) -> None:
    steps = """
    - {id: a, shell: bash, run: 'echo "v=${{ github.token }}" >> "$GITHUB_OUTPUT"'}
    - {id: b, shell: bash, run: 'echo "v=fine" >> "$GITHUB_OUTPUT"'}
"""
    outputs = "{a: {value: '${{ steps.a.outputs.v }}'}, b: {value: '${{ steps.b.outputs.v }}'}}"
    result = runner.run_action(_action(tmp_path, steps, outputs=outputs), inputs={}, job=job)
    assert result.job_outputs() == ({"b": "fine"}, ["a"])


def test_a_failure_skips_what_follows_but_not_always_and_can_be_forgiven(
    tmp_path: Path, job: Job
) -> None:
    steps = """
    - {name: forgiven, id: f, shell: bash, continue-on-error: true, run: exit 7}
    - {name: runs, shell: bash, run: echo}
    - {name: fails, shell: bash, run: "false | true"}
    - {name: skipped, shell: bash, run: echo}
    - {name: also skipped, if: "steps.f.outcome == 'failure'", shell: bash, run: echo}
    - {name: at last, if: "always() && steps.f.conclusion == 'success'", shell: bash, run: echo}
    - {name: mourns, if: failure(), shell: bash, run: echo}
"""
    result = runner.run_action(_action(tmp_path, steps), inputs={}, job=job)
    assert {step.name: step.outcome for step in result.steps} == {
        "forgiven": "failure",
        "runs": "success",
        "fails": "failure",
        "skipped": "skipped",
        "also skipped": "skipped",
        "at last": "success",
        "mourns": "success",
    }
    assert result.conclusion == "failure"
    assert result.annotations[0].message == "Process completed with exit code 7."


def test_other_actions_go_to_the_caller(tmp_path: Path, job: Job) -> None:
    steps = """
    - {id: c, uses: actions/cache@v5, with: {path: "${{ inputs.in }}", flag: true}}
    - {if: "steps.c.outputs.cache-hit == 'true'", name: hit, shell: bash, run: echo}
"""
    seen: list[Uses] = []

    def cache(uses: Uses) -> Used:
        seen.append(uses)
        return Used(outputs={"cache-hit": "true"})

    action = _action(tmp_path, steps, inputs="{in: {}}")
    result = runner.run_action(action, inputs={"in": "x", "typo": ""}, job=job, uses=cache)
    assert seen == [
        Uses(action="actions/cache@v5", inputs={"path": "x", "flag": "true"}, environment={})
    ]
    assert result.step("hit").outcome == "success"
    assert "typo" in result.annotations[0].message


def test_cancellation_interrupts_the_first_process_and_runs_what_is_always_run(
    tmp_path: Path, job: Job
) -> None:
    steps = """
    - name: long
      shell: bash
      run: exec python3 -c 'import time; print(1, flush=True); time.sleep(60)'
    - {name: next, shell: bash, run: echo}
    - {name: cleans, if: always(), shell: bash, run: echo}
"""
    cancellation = Cancellation()

    def show(line: str) -> None:
        if line == "1":
            threading.Thread(target=cancellation.request).start()

    result = runner.run_action(
        _action(tmp_path, steps), inputs={}, job=job, show=show, cancellation=cancellation
    )
    assert [step.outcome for step in result.steps] == ["cancelled", "skipped", "success"]
    assert result.conclusion == "cancelled"
    assert "KeyboardInterrupt" in result.log


def test_what_it_does_not_do_it_refuses(tmp_path: Path, job: Job) -> None:
    action = _action(tmp_path, "    - {shell: bash, run: 'echo A=1 >> $GITHUB_ENV'}\n")
    with pytest.raises(NotSupported, match="GITHUB_ENV"):
        runner.run_action(action, inputs={}, job=job)


def test_a_step_says_what_it_and_what_it_waited_for_used(tmp_path: Path, job: Job) -> None:
    program = tmp_path / "spin.py"
    program.write_text(
        "import time\nheld = b'x' * 80_000_000\nwhile time.process_time() < 0.3: pass\n"
    )
    steps = f"""
    - {{name: Idle, run: sleep 0.2, shell: bash}}
    - {{name: Spin, run: '"{sys.executable}" "{program}"; true', shell: bash}}
"""
    result = runner.run_action(_action(tmp_path, steps), inputs={}, job=job)
    assert result.conclusion == runner.SUCCESS, result.log
    idle, spun = (step.usage for step in result.steps)
    assert idle.wall_seconds >= 0.2
    assert idle.cpu_seconds < 0.2
    assert 0.3 <= spun.cpu_seconds < 5
    assert spun.peak_bytes >= 80_000_000
