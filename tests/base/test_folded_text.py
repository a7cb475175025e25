"""A secret in text, however tools escape, capitalize and break it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import escape

import pytest
import yaml

from dbtdeploy.base import folded_text, redact


def redactor_of(value: str) -> redact.Redactor:
    return redact.Redactor(redact.secret_values({}, given={"X": value}))


def hidden(text: str, value: str) -> str:
    return redactor_of(value)(text)


def octal(value: str) -> str:
    return "".join(chr(b) if 32 <= b < 127 else f"\\{b:03o}" for b in value.encode())


def whole_octal(value: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in value.encode())


WHOLE: tuple[Callable[[str], str], ...] = (
    lambda v: "".join(f"%{byte:02x}" for byte in v.encode()),
    lambda v: "".join(f"%25{byte:02X}" for byte in v.encode()),
    lambda v: "".join(f"\\x{byte:02x}" for byte in v.encode()),
    lambda v: json.dumps("".join(f"\\x{byte:02x}" for byte in v.encode()))[1:-1],
    lambda v: "".join(f"\\u{ord(c):04x}" for c in v),
    lambda v: "".join(f"\\U{ord(c):08X}" for c in v),
    lambda v: "".join(f"\\u{{{ord(c):x}}}" for c in v),
    lambda v: "".join(f"&#{ord(c)};" for c in v),
    lambda v: "".join(f"&amp;#x{ord(c):x};" for c in v),
    whole_octal,
    lambda v: json.dumps(whole_octal(v))[1:-1],
)


@pytest.mark.fault(64)
@pytest.mark.parametrize("form", range(len(WHOLE)))
@pytest.mark.parametrize(
    "value", ["s3cret-pw", "a1b2", "hunt", "54321", "pw-\u00e9\u20ac9", "zq9X"]
)
def test_a_value_is_hidden_of_which_every_character_is_escaped(form: int, value: str) -> None:
    said = f"before {WHOLE[form](value)} after"
    assert hidden(said, value) == "before *** after"
    hide = redactor_of(value)
    assert hide.within(json.dumps(said))(said) == "before *** after"
    assert hide.names([said]) == ["X"]


@pytest.mark.fault(64)
@pytest.mark.parametrize(
    "write",
    [
        lambda v: yaml.safe_dump(v)[1:-2],
        lambda v: ascii(v)[1:-1],
        lambda v: json.dumps(ascii(v)[1:-1])[1:-1],
        lambda v: escape(yaml.safe_dump(v)[1:-2]),
        octal,
        lambda v: json.dumps(octal(v))[1:-1],
        lambda v: "".join(c if c.isascii() else f"\\u{{{ord(c):X}}}" for c in v),
    ],
)
@pytest.mark.parametrize("value", ["key\U0001f511mine", "corr\u00e9ct\U0001f512horse-9\u20ac"])
def test_it_is_hidden_in_escapes_of_eight_digits_and_in_octal_ones(
    write: Callable[[str], str], value: str
) -> None:
    assert hidden(f"p: {write(value)} end", value) == "p: *** end"


@pytest.mark.fault(64)
@pytest.mark.parametrize(
    "value",
    [
        *(
            "stra\u00dfe-geheim9",
            "\ufb01rewall-pass9",
            "\u0149euronix-99x",
            "\u0130stanbul-\u015e9",
        ),
        *("\u03bb\u03cc\u03b3\u03bf\u03c2-9", "d\u0131\u015far\u0131-9"),
    ],
)
def test_it_is_hidden_in_letters_of_which_capitals_are_several(value: str) -> None:
    for said in (value.upper(), value.lower(), value.casefold(), value.title()):
        assert hidden(f"\u00df {said} \ufb01", value) == "\u00df *** \ufb01"


def test_every_letter_is_the_same_in_both_cases_and_only_some_are_several() -> None:
    wide = re.compile(f"[{folded_text.WIDE}]")
    for letter in map(chr, range(0x20000)):
        folded = folded_text.same_case(letter)
        spelt = {letter.upper(), letter.lower(), letter.title(), letter.casefold()}
        assert {folded_text.same_case(one) for one in spelt} == {folded}
        assert len(folded) == 1 or wide.fullmatch(letter)


@pytest.mark.fault(64)
@pytest.mark.parametrize(
    "line_end", ["\n", "\r\n", "\n    ", " \n", "\\\n  ", "\\n", "\\\\n", "\\r\\n  "]
)
@pytest.mark.parametrize("value", ["Tr0ub4dor&3xyz", "s3cret-pw", "correct horse battery"])
def test_it_is_hidden_with_line_breaks_in_it(line_end: str, value: str) -> None:
    for at in range(1, len(value)):
        if line_end[0] == " " and value[at - 1] != " ":
            continue
        said = f"end:\n{value[:at]}{line_end}{value[at:]}\nbegin"
        assert hidden(said, value) == "end:\n***\nbegin"
        assert redactor_of(value).within(said)(said) == "end:\n***\nbegin"
    broken = f"{value[:3]}{line_end}{value[3:7]}{line_end}{value[7:]}"
    if line_end[0] != " ":
        assert hidden(broken, value) == "***"
    if " " in value:
        assert hidden(f"{value.replace(' ', line_end)}", value) == "***"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a1b2", "ends in a1\nb2 begins"),
        ("10.0.0.12", "at 10.0.0.1\n2 rows"),
        ("2026-11-30", "since 2026-1\n1-30"),
        ("correct horse", "correcthorse"),
        ("correcthorse9", "correct horse9"),
        ("correct horse 9", "cor rect\nhorse 9"),
        ("Test", "a test, TE\nST and te\\nst"),
        ("54321", "%35%34%33%32%31%30 and 54\n321"),
    ],
)
def test_other_lines_words_and_numbers_stay(value: str, said: str) -> None:
    assert hidden(said, value) == said


def test_what_stands_around_escapes_and_breaks_stays() -> None:
    said = "C:\\101\\new \\U0001F511\n\u00df \\303\\251 \\u{e9} "
    assert hidden(f"{said}s3cre\n t-pw{said}", "s3cret-pw") == f"{said}***{said}"
    odd = "\\u{ffffff} \\300\\200 \\377 \\u0001x "
    assert hidden(f"{odd}s3cre\\055t-pw", "s3cre-t-pw") == f"{odd}***"


@pytest.mark.fault(64)
def test_a_value_in_other_letters_is_found_in_a_file() -> None:
    hide = redactor_of("stra\u00dfe-geheim9")
    for said in ("STRASSE-GEHEIM9", "Stra\u1e9ee-Geheim9", "strasse-geheim9"):
        assert hide.words_in(b"\xd9\xc3" + said.encode())
    assert hide.words_in(b"\xd9\xc3STRASE-GEHEIM9") == []
