"""What counts as a word, and which words an image has."""

import numpy as np
import pytest

from visionquery.store.words import holds, image_words, name_words, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("IMG_2034-Café.final", "img 2034 cafe final"),
        ("  two\n\tlines ", "two lines"),
        ("BeachTrip", "beachtrip"),
        ("4k B12 mp4", "4 k b 12 mp 4"),
        ("don't “quote” C++", "don t quote c"),
        ("Straße ΣΊΣΥΦΟΣ Ёлка İstanbul", "strasse σισυφοσ елка istanbul"),
        ("ﬁne Ｆｕｌｌ １２ ²", "fine full 12 2"),
        ("北京の夜 abc", "北 京 の 夜 abc"),
        ("서울에서", "서 울 에 서"),
        ("がぎ ｶﾞ", "が ぎ ガ"),
        ("हिन्दी", "हिन्दी"),
        ("שָׁלוֹם مُحَمَّد", "שלום محمد"),
        ("❤️ 1️⃣ \N{GRINNING FACE}", "1"),
        ("a|b\0c\udce9d", "a b c d"),
        ("", ""),
        ("…!?", ""),
    ],
)
def test_words_have_one_form(text: str, words: str) -> None:
    assert words_of(text) == words
    assert words_of(words) == words


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        ("Summer 2019", ["summer 2019"]),
        ("BeachTrip/HTMLPage", ["beachtrip htmlpage", "beach trip html page"]),
        ("ÉtéÀParis", ["eteaparis", "ete a paris"]),
        ("IMG_2034", ["img 2034"]),
        ("JPG/raw", ["raw"]),
        ("jpeg", []),
        ("", []),
    ],
)
def test_names_are_spelt_with_and_without_capitals(name: str, spellings: list[str]) -> None:
    assert name_words(name) == spellings


def test_an_image_has_the_words_of_all_its_texts_apart() -> None:
    words = image_words(
        "A dog.", ["OldTown", "night"], ["a/b.JPG", "c.d.png", ".hidden", "a/b.jpg"], "read\nthis"
    )
    assert words == "a dog | oldtown | old town | night | a b | c d | hidden | read this"
    assert image_words(None, [], ["...png"], None) == ""


def test_a_phrase_is_whole_words_in_a_row() -> None:
    words = "a dog | old town"
    for phrase, is_held in {"dog": True, "a dog": True, "do": False, "dog old": False}.items():
        assert holds(words, phrase) == is_held


def test_any_text_has_words_in_one_form() -> None:
    random = np.random.default_rng(0)
    for highest in [0x80, 0x3000, 0xFFFF, 0x10FFFF] * 100:
        text = "".join(map(chr, random.integers(highest, size=30)))
        words = words_of(text)
        assert words.split() == words.split(" ") if words else True
        assert words_of(words) == words
