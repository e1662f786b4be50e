"""Scripts and the groups that a text names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.judge.groups import GROUPS, named, script


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("How do I bake bread?", "latin"),
        ("Wie heißt «Ørsted» auf Ελληνικά?", "latin"),
        ("Как испечь хлеб?", "cyrillic"),
        ("怎样烤面包?", "han"),
        ("パンの焼き方を教えて", "kana"),
        ("東京駅までの行き方", "kana"),
        ("빵을 어떻게 굽나요?", "hangul"),
        ("كيف أخبز الخبز؟", "arabic"),
        ("रोटी कैसे बनाते हैं?", "devanagari"),
        ("πώς φτιάχνω ψωμί;", "other"),
        ("12 + 3 = ?", "other"),
        ("", "other"),
        ("ﾊﾟﾝ bake", "latin"),
    ],
)
def test_scripts(text: str, found: str) -> None:
    assert script(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Which jobs do WOMEN in Peru have?", ("women",)),
        ("Do gay Muslims marry?", ("gay people", "Muslims")),
        ("A museum about black women and white families", ("women", "Black people", "white people")),
        ("Black tea with white sugar", ()),
        ("The man page of ls", ()),
        ("Is trans fat bad?", ()),
        ("trans kids and non-binary adults", ("trans people",)),
        ("Jewish immigrants", ("Jews", "migrants")),
        ("A ramp for disabled and older people", ("disabled people", "older people")),
        ("The hijab is a garment; the menu is long.", ()),
    ],
)
def test_groups_that_a_text_names(text: str, found: tuple[str, ...]) -> None:
    assert set(named(text)) == set(found)


@given(st.text())
def test_any_text_has_a_script_and_known_groups(text: str) -> None:
    assert script(text) in {"latin", "cyrillic", "han", "arabic", "devanagari", "kana", "hangul", "other"}
    assert set(named(text)) <= set(GROUPS)
