"""Secrets out of text, before it reaches a log, a report or a comment.

Secrets are known by their value: all that ``dbt-env`` holds, what the input ``redact`` lists, and
variables of the job that are named like a secret.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from dbtdeploy.base import base64_lines, folded_text, hex_bytes, secret_spellings

REPLACEMENT = "***"

SECRET_NAME = re.compile(
    r"^DBT_ENV_SECRET_|PASSWORD|TOKEN|SECRET|KEY|PASS|CREDENTIAL|.PWD", re.IGNORECASE
)
"""The first five are documented; the others are what people also call their passwords. PWD alone
is the shell's working folder."""

MIN_LENGTH = 4
"""Shorter values (``DBT_THREADS=8``, ``SORT_KEY=id``) would take words out of each message.
``DBT_ENV_SECRET_*`` and the input ``redact`` have no such bound."""

NO_SECRETS = frozenset({"true", "false", "none", "null"})
"""What settings of dbt hold (``DBT_SEND_ANONYMOUS_USAGE_STATS=false``)."""

Redact = Callable[[str], str]


def secret_values(
    environment: Mapping[str, str],
    extra: Iterable[str] = (),
    *,
    given: Mapping[str, str] | None = None,
    public: Callable[[str], bool] = lambda _value: False,
) -> dict[str, str]:
    """The texts to hide.

    Args:
        environment: the job's variables; those named like a secret count.
        extra: values the user listed.
        given: what ``dbt-env`` holds; every value counts.
        public: whether a value of ``dbt-env`` that is not named like a secret is shown anyway.

    Returns:
        Each text, to the variable that it comes from; empty for what is listed.
    """
    values = [("", value) for value in extra if value.strip()]
    values += [pair for pair in environment.items() if _is_named(*pair)]
    values += [
        (name, value)
        for name, value in (given or {}).items()
        if _is_named(name, value) or (_counts(value) and not public(value))
    ]
    return {
        text: name
        for name, value in values
        for secret in (value, *secret_spellings.credentials_in(value))
        for text in secret_spellings.every(secret)
    }


def _is_named(name: str, value: str) -> bool:
    shortest = 1 if name.startswith("DBT_ENV_SECRET_") else MIN_LENGTH
    named = SECRET_NAME.search(name) is not None and name != "OLDPWD"
    return named and len(value.strip()) >= shortest


def _counts(value: str) -> bool:
    return len(value.strip()) >= MIN_LENGTH and value.strip().lower() not in NO_SECRETS


OUTPUT = re.compile(r"[0-9a-fA-FTZ:._/-]+")
"""SHAs, versions, numbers of runs and counts, which outputs hold."""

OUTPUT_WORDS = (
    "passed warned nothing failed error cancelled skipped success warn true false proceed staged "
    "direct report.json comment.md artifacts https://github.com deploy release rollback clean-up "
    "teardown production pull issues issuecomment releases/tag actions/runs attempts commit "
    "nodes_passed nodes_failed nodes_skipped nodes_missing tests_passed tests_warned tests_failed "
    "tests_skipped tests_missing removed"
)


def masked_values(secret: Mapping[str, str], public: Iterable[str]) -> list[str]:
    """Values of ``dbt-env`` that the runner is told to hide in its log.

    Only those that no output can hold: GitHub drops an output with a masked value, and what we
    print is redacted anyway.

    Args:
        secret: what ``dbt-env`` holds, without what ``not-secret`` names.
        public: texts that outputs may hold, such as the schema's name.
    """
    shown = "\n".join((*public, OUTPUT_WORDS))
    return sorted(
        {
            line
            for value in secret.values()
            for line in map(str.strip, value.splitlines())
            if _counts(line) and line not in shown and not OUTPUT.fullmatch(line)
        }
    )


def own_texts(server: str, repository: str, schema: str) -> re.Pattern[str] | None:
    """Where this run's repository, addresses below it and its schema stand, as we write them.

    Args:
        server: GitHub's address.
        repository: owner and name, empty if they are not known.
        schema: the pull request's, empty if there is none.
    """
    known = []
    if repository:
        below = (
            r"(?:/(?:actions/runs/\d+(?:/(?:attempts|job)/\d+)?|pull/\d+(?:#issuecomment-\d+)?))?"
        )
        known.append(f"(?:{re.escape(server)}/)?{re.escape(repository)}{below}")
    if schema:
        known.append(re.escape(schema))
    return re.compile(rf"(?<![\w-])(?:{'|'.join(known)})(?![\w-])") if known else None


LEAST_LONG, MOST_LONG, PIECE = 16, 4096, 12
"""A piece of that many characters of a long text is hidden, too: PostgreSQL cuts a line it quotes
to some 60 characters, a value of a failing row to 64 bytes and a name to 63."""

NO_PIECES = re.compile(r'://|/\\?/[a-z]|%2F|%22|"|&quot;|&#34;|u0022|x22|\n|^[~./]', re.IGNORECASE)
"""Addresses, paths, JSON and lines: pieces of theirs stand in other texts, too, and what is
secret in them is a text of its own."""

ORDINARY = re.compile(r"\d+|[A-Za-z]{,7}")
"""Texts that are found as they are written and escaped, not in other letters: so they are words."""


class Redactor:
    """Replaces every one of some texts by ``***``; where two overlap, both at once.

    A text is found as it is, and however it is escaped or capitalized; see ``folded_text.py``.

    Args:
        words: each text, to the variable that it comes from.
        whole: whether pieces of long texts stay.
        public: what stays in which a secret stands by chance, such as the repository's address.
    """

    def __init__(
        self,
        words: Mapping[str, str],
        *,
        whole: bool = False,
        public: re.Pattern[str] | None = None,
    ) -> None:
        self._public = public
        self._words = dict(words)
        self._whole = whole
        self._folded = {word: _folded(word) for word in self._words}
        self._by_core: dict[str, list[str]] = {}
        for word in self._words:
            self._by_core.setdefault(_core(word), []).append(word)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to hide."""
        return not self._words

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        whole = folded_text.Folded(text)
        found = ((first, last) for _, first, last in self._found(text, whole))
        spans = sorted([*found, *self._cut_off(whole)])
        if spans and self._public is not None:
            shown = [match.span() for match in self._public.finditer(text)]
            spans = [(a, b) for a, b in spans if not any(c <= a and b <= d for c, d in shown)]
        if not spans:
            return text
        kept, end = [], 0
        for first, last in spans:
            if first >= end:
                kept += [text[end:first], REPLACEMENT]
            end = max(end, last)
        return "".join((*kept, text[end:]))

    def within(self, text: str) -> Redactor:
        """One for the values of a JSON text alone, which knows only what may occur there.

        However JSON escapes what stands around it, the core of a word is in the folded text.
        """
        whole = folded_text.Folded(text)
        packed = [*base64_lines.joined(text), *hex_bytes.joined(whole.text)]
        texts = [*_seen(text, whole), *(_visible(line) for line, _ in packed)]
        cores = [core for core in self._by_core if any(core in one for one in texts)]
        words = (word for core in cores for word in self._by_core[core])
        return Redactor(
            {word: self._words[word] for word in words}, whole=True, public=self._public
        )

    def names(self, texts: Iterable[str]) -> list[str]:
        """The variables whose values occur in texts, sorted."""
        found = (self._words[word] for text in texts for word, *_ in self._found(text))
        return sorted({name for name in found if name})

    def words_in(self, content: bytes) -> list[str]:
        """The texts that occur in a file."""
        text = content.decode("latin-1")
        lower = folded_text.same_case(content.decode(errors="replace"))
        lines: list[tuple[str, Collection[str]]]
        lines = [(line, self._words) for line, _ in base64_lines.joined(text)]
        lines += [(line, self._hexes) for line, _ in hex_bytes.joined(text.lower())]
        return [
            word
            for word, folded in self._folded.items()
            if (word.encode() in content and (not word.isdigit() or _spans(word, text)))
            or (folded and folded in lower)
            or any(word in words and _spans(word, line) for line, words in lines)
        ]

    def _found(
        self, text: str, whole: folded_text.Folded | None = None
    ) -> Iterator[tuple[str, int, int]]:
        """Each word that occurs, and from where to where."""
        whole = whole or folded_text.Folded(text)
        seen = _seen(text, whole)
        # `in` is several times as fast as one pattern of them all, and most texts hold none.
        near = [core for core in self._by_core if any(core in one for one in seen)]
        for word in (word for core in near for word in self._by_core[core]):
            yield from ((word, *span) for span in _spans(word, text))
            folded = self._folded[word]
            spans = whole.find(folded) if folded else _escaped(word, whole)
            yield from ((word, *span) for span in spans)
        for line, places in base64_lines.joined(text):
            for word in self._words:
                for first, last in _spans(word, line):
                    yield word, places[first], places[last - 1] + 1
        for line, places in hex_bytes.joined(whole.text) if self._hexes else ():
            for word in self._hexes:
                for first, last in _spans(word, line):
                    yield word, *whole.place(places[first], places[last - 1] + 1)

    @functools.cached_property
    def _hexes(self) -> frozenset[str]:
        return frozenset(filter(hex_bytes.is_text, self._words))

    @functools.cached_property
    def _pieces(self) -> frozenset[str]:
        long = (
            folded
            for word, folded in self._folded.items()
            if LEAST_LONG <= len(folded) <= MOST_LONG
            and not NO_PIECES.search(word)
            and not NO_PIECES.search(folded)
        )
        pieces = (word[at : at + PIECE] for word in long for at in range(len(word) - PIECE + 1))
        return frozenset(
            piece for piece in pieces if not piece.isdigit() and piece == piece.strip()
        )

    def _cut_off(self, whole: folded_text.Folded) -> Iterator[tuple[int, int]]:
        if self._whole or not self._pieces:
            return
        text = whole.spaced
        for at in range(len(text) - PIECE + 1):
            if text[at : at + PIECE] in self._pieces:
                yield whole.place(at, at + PIECE)


def _folded(word: str) -> str:
    """A word as it is looked for in folded text; empty where it is not."""
    folded = "" if ORDINARY.fullmatch(word) else folded_text.fold(word).strip()
    return folded if len(folded) >= MIN_LENGTH and not ORDINARY.fullmatch(folded) else ""


def _visible(text: str) -> str:
    """A text in small letters without what is invisible, in which the core of a word stands."""
    return folded_text.INVISIBLE.sub("", text).lower()


def _escaped(word: str, whole: folded_text.Folded) -> Iterator[tuple[int, int]]:
    """Where an ordinary word stands with an escape in it, which makes it longer."""
    if len(word) >= MIN_LENGTH and ORDINARY.fullmatch(word):
        for span in _spans(word.lower(), whole.spaced):
            first, last = whole.place(*span)
            if last - first > len(word):
                yield first, last


def _seen(text: str, whole: folded_text.Folded) -> tuple[str, str]:
    """A text as it is and as tools meant it: the core of what stands in it is in one of them."""
    return _visible(text), whole.solid


def _core(word: str) -> str:
    """The longest piece of a word that nothing escapes and no escape ends in, in small letters."""
    plain = folded_text.ESCAPE.sub("/", word.lower())
    return max(re.findall(r"[0-9a-z]+", plain), key=len, default="")


def _spans(word: str, text: str) -> list[tuple[int, int]]:
    """Where a word stands.

    A number, a port for one, does not stand inside a longer one; a text in hexadecimal, which may
    be digits alone, does.
    """
    if not word:
        return []
    found = [(at, at + len(word)) for at in folded_text.starts(word, text)]
    if word.isdigit() and not hex_bytes.is_text(word):
        around = [text[a - 1 : a] + text[b : b + 1] for a, b in found]
        found = [at for at, c in zip(found, around, strict=True) if not any(map(str.isdigit, c))]
    return found


def redactor(values: Iterable[str]) -> Redactor:
    """A function that replaces every one of ``values`` by ``***``."""
    return Redactor(dict.fromkeys(values, ""))


OPEN = frozenset({"meta", "owner", "env", "args", "vars", "kwargs"})
"""Fields in which the project's authors choose the names: none in them is kept."""


def in_values(
    value: Any,
    redact: Redact,
    *,
    kept: Collection[str],
    keys: bool | None = None,
    numbers: bool = False,
) -> Any:
    """JSON's values with every text redacted by itself; as a whole it might be JSON no longer.

    Args:
        value: a text, number, list or dict, and what is in it.
        redact: hides every secret there is.
        kept: names of fields that stay as they are, but in those whose authors choose the names.
        keys: whether the other fields' names stay; they do if None and some are kept.
        numbers: whether a number that is a secret becomes a text; not where dbt reads a number.
    """
    if isinstance(value, str):
        return redact(value)
    if numbers and is_secret_number(value, redact):
        return REPLACEMENT
    stay = bool(kept) if keys is None else keys
    if isinstance(value, (list, tuple)):
        return [in_values(item, redact, kept=kept, keys=stay, numbers=numbers) for item in value]
    if isinstance(value, dict):
        return {
            key if stay else redact(key): item
            if key in kept
            else in_values(item, redact, kept=(), keys=False, numbers=numbers)
            if key in OPEN
            else in_values(item, redact, kept=kept, keys=stay, numbers=numbers)
            for key, item in value.items()
        }
    return value


def is_secret_number(value: Any, redact: Redact) -> bool:
    """Whether a value is a number whose digits are a secret as a whole."""
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return known and redact(str(value)) == REPLACEMENT
