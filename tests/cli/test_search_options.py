"""How an answer is ordered, where it ends, and how it and the query are explained."""

import json
import os
import re
from pathlib import Path

import pytest
from PIL import Image

from visionquery.query.document import as_document
from visionquery.query.grammar import parse
from visionquery.search.result import DEFAULT_MIN_CONFIDENCE

PART = {"text", "kind", "excluded", "confidence", "score", "words", "box"}
YEARS = {"one/red.png": 2021, "two/red.jpg": 2023, "one/blue.png": 2022, "two/green.jpg": 2024}


@pytest.fixture
def dated(vq, pictures: Path) -> Path:
    """Indexed pictures, some with a date."""
    for name, year in YEARS.items():
        exif = Image.Exif()
        exif[0x0132] = f"{year}:05:01 12:00:00"
        with Image.open(pictures / name) as picture:
            picture.load()
        picture.save(pictures / name, exif=exif, **({"quality": 95} if ".jpg" in name else {}))
    assert vq("index", pictures, "-q").code == 0
    return pictures


def test_date_and_path_order_only_what_is_relevant(vq, dated):
    best = vq("search", "red", "--json").names
    assert set(best) == {"red.png", "red.jpg"}
    assert vq("search", "red", "--sort", "relevance", "--json").names == best
    assert vq("search", "red", "--sort", "date", "--json").names == ["red.jpg", "red.png"]
    assert vq("search", "red", "--sort", "path", "--json").names == ["red.png", "red.jpg"]


def test_sorted_pages_are_pages_of_one_order(vq, dated):
    whole = vq("search", "ext:png,jpg", "--sort", "path", "--json")
    paths = [hit["path"] for hit in whole.document["results"]]
    assert len(paths) == 12
    assert paths == sorted(paths)
    page = vq("search", "ext:png,jpg", "--sort", "path", "-n", "4", "--offset", "4", "--json")
    assert [hit["path"] for hit in page.document["results"]] == paths[4:8]
    assert [hit["rank"] for hit in page.document["results"]] == [5, 6, 7, 8]
    assert page.document["total"] == 12


def test_filters_alone_come_newest_first(vq, dated):
    names = vq("search", "ext:png,jpg", "--json").names
    assert names[:4] == ["green.jpg", "red.jpg", "blue.png", "red.png"]


def test_another_order_is_refused(vq, dated):
    ran = vq("search", "red", "--sort", "size")
    assert (ran.code, ran.out) == (2, "")
    for order in ("relevance", "date", "path"):
        assert order in ran.err


def test_all_shows_everything_in_order(vq, dated):
    everything = vq("search", "red", "--all", "--json")
    assert len(everything.names) == 12
    assert everything.document["min_confidence"] == 0
    assert everything.document["closest"] == []
    least = vq("search", "red", "--min-confidence", "0", "--json")
    assert least.document["results"] == everything.document["results"]


def test_all_and_a_confidence_contradict_each_other(refused, dated):
    sentence = refused("search", "red", "--all", "--min-confidence", "0.5")
    assert "--all" in sentence
    assert "--min-confidence" in sentence


def test_the_document_tells_where_relevance_ended_and_how_much_is_relevant(vq, dated):
    document = vq("search", "red", "--json", "-n", "1").document
    assert document["min_confidence"] == DEFAULT_MIN_CONFIDENCE
    assert document["total"] == 2
    assert len(document["results"]) == 1
    strict = vq("search", "red", "--json", "--min-confidence", "1").document
    assert (strict["min_confidence"], strict["total"]) == (1, len(strict["results"]))
    similar = vq("similar", dated / "one" / "red.png", "--json").document
    assert (similar["min_confidence"], similar["total"]) == (0, 11)


def test_the_help_tells_where_relevance_ends_by_default(vq):
    assert f"(default {DEFAULT_MIN_CONFIDENCE})" in " ".join(vq("search", "--help").out.split())


def test_explain_gives_each_result_the_parts_of_the_query(vq, dated):
    document = vq("search", "red one -blue date:2021", "--explain", "--json").document
    (hit,) = document["results"]
    red, blue, date = hit["parts"]
    assert all(set(part) == PART for part in (red, blue, date))
    assert (red["text"], red["kind"], red["excluded"]) == ("red one", "description", False)
    assert (blue["text"], blue["kind"], blue["excluded"]) == ("blue", "description", True)
    assert (date["text"], date["kind"], date["excluded"]) == ("date:2021", "filter", False)
    assert 0 <= blue["confidence"] < 0.5 < red["confidence"] <= 1
    assert red["score"] == hit["score"] > blue["score"]
    assert (date["confidence"], date["score"], date["words"]) == (1, None, [])
    assert set(red["words"]) == {"red"}  # "one" is a word that says nothing


def test_what_came_closest_is_explained_too(vq, dated):
    document = vq("search", "red -ext:png", "--min-confidence", "1", "--explain", "--json").document
    assert document["results"] == []
    assert document["closest"]
    for hit in document["closest"]:
        assert [part["text"] for part in hit["parts"]] == ["red", "ext:png"]


def test_without_explain_a_result_has_no_parts(vq, dated):
    assert all("parts" not in hit for hit in vq("search", "red", "--json").document["results"])


def test_a_list_of_paths_stays_one_path_a_line(vq, refused, dated):
    for flags in ([], ["-0"]):
        sentence = refused("search", "red", "--explain", *flags)
        assert "--json" in sentence
    assert all(os.path.exists(path) for path in vq("search", "red").out.splitlines())  # noqa: PTH110


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_shows_the_parts_below_each_row(vq, dated, on_a_terminal, columns, monkeypatch):
    monkeypatch.chdir(dated)
    on_a_terminal(columns)
    shown = vq("search", 'red -blue -"a yellow picture" date:2021', "--explain").out
    heading, row, *below = (line.rstrip() for line in shown.splitlines())
    assert max(map(len, (heading, row, *below))) <= columns
    assert row.split()[-4:] == ["one/red.png", "2021-05-01", "12:00", "64×48"]
    said = "  ".join(line.strip() for line in below)
    assert re.fullmatch(
        r'red \d+ %  -blue \d+ %  -"a yellow\s+picture" \d+ %  date:2021 yes  words: red', said
    )
    indents = {len(line) - len(line.lstrip()) for line in below}
    assert indents == {heading.index("picture") + 2}


def test_a_meter_is_read_without_colours(vq, dated, on_a_terminal, monkeypatch):
    monkeypatch.chdir(dated)
    on_a_terminal(100)
    rows = vq("search", "red", "--all").out.splitlines()[1:]
    assert "━" in rows[0]
    assert "─" * 8 in rows[-1]


def test_print0_stays_raw_on_a_terminal_when_nothing_is_found(vq, dated, on_a_terminal):
    on_a_terminal(100)
    ran = vq("search", "red ext:png path:two", "-0")
    assert (ran.code, ran.out) == (1, "")
    near = vq("search", "red", "-0", "--min-confidence", "1", "path:one")
    assert near.out == ""


QUERIES = (
    "a beach without people at sunset date:2024..",
    'dog OR cat -(red AND "blue OR green")',
    "2:golden retriever 1:snow near:52.5,13.4,5km",
    "image:nowhere.jpg like:3f9a -camera:sony keyword:sea,beach",
)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_is_shown_as_it_is_read(vq, own_settings, query):
    ran = vq("search", "--explain-query", query)
    assert (ran.code, ran.err) == (0, "")
    canonical, empty, *outline = ran.out.splitlines()
    assert empty == ""
    assert outline
    assert parse(canonical) == parse(query)
    document = vq("search", "--explain-query", query, "--json").document
    assert document == {
        "query": query, "canonical": canonical, "tree": as_document(parse(query)),
    }
    assert json.loads(json.dumps(document)) == document
    assert not own_settings.exists()


def test_plain_negation_can_be_looked_at(vq):
    out = vq("search", "--explain-query", "red car but no truck").out
    assert out.startswith("red car -truck\n")
    assert out.endswith('  description "red car"\n  not\n    description "truck"\n')


def test_explaining_a_query_indexes_and_fetches_nothing(vq, pictures, own_settings):
    ran = vq("search", "--explain-query", "red", pictures, "--model", "no-such-model")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "red")
    assert not own_settings.exists()


def test_a_query_that_cannot_be_read_is_not_explained(refused):
    assert "position 7" in refused("search", "--explain-query", "red OR")


def test_no_character_of_a_query_moves_the_cursor(vq):
    assert "\x1b" not in vq("search", "--explain-query", "red \x1b[31m").out


def test_every_picture_of_a_small_library_is_compared(vq, dated):
    for flags in ([], ["--exact"], ["--approximate"]):
        ran = vq("search", "red", *flags, "--json")
        assert ran.document["exact"] is True
        assert set(ran.names) == {"red.png", "red.jpg"}


def test_an_answer_that_passes_pictures_over_says_so(vq, dated, monkeypatch):
    monkeypatch.setattr("visionquery.store.meaning.COMPARED_ALL", 0)
    assert vq("search", "red", "--approximate", "--json").document["exact"] is False
    ran = vq("search", "red", "--approximate")
    assert "Not every picture was compared, to save time; --exact compares them all." in ran.err
    assert "compared" not in vq("search", "red", "--approximate", "-q").err
    assert "compared" not in vq("search", "red").err
    similar = vq("similar", dated / "one" / "red.png", "--approximate", "--json").document
    assert similar["exact"] is False
    assert similar["results"]


def test_one_picture_stands_for_several(vq, dated, on_a_terminal):
    document = vq("search", "red", "--fold", "--json").document
    (hit,) = document["results"]
    assert (document["total"], document["folded_away"], len(hit["folded"])) == (2, 1, 1)
    plain = vq("search", "red", "--json").document
    assert {hit["image_id"], *hit["folded"]} == {one["image_id"] for one in plain["results"]}
    assert [one["folded"] for one in plain["results"]] == [[], []]
    assert vq("search", "red", "--fold").out.splitlines() == [hit["path"]]
    similar = vq("similar", dated / "one" / "blue.png", "--fold", "--json").document
    assert similar["folded_away"] == similar["total"] - len(similar["results"]) > 0
    on_a_terminal(100)
    table = vq("search", "red", "--fold").out
    assert "alike" in table
    assert "+1" in table
    assert "alike" not in vq("search", "red").out


def test_different_pictures_come_first(vq, dated, refused):
    asked = ("search", "ext:png,jpg", "--all", "--json")
    spread = vq(*asked, "--spread").document["results"]
    plain = vq(*asked).document["results"]
    assert {hit["image_id"] for hit in spread} == {hit["image_id"] for hit in plain}
    colours = [Path(hit["path"]).stem for hit in spread[:6]]
    assert len(set(colours)) == 6
    assert "leave out spread" in refused("search", "red", "--spread", "--sort", "date")
