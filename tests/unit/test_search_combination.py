"""And, Or and Not over images: what they do to one another, and to what is relevant."""

import numpy as np
import pytest

from visionquery.query.ast import And, Blend, Filter, Not, Or, Range, Text
from visionquery.query.grammar import parse
from visionquery.query.plan import FilterRef, Negation, ProbeRef
from visionquery.search.combination import leaves
from visionquery.store.memory import MemoryStore


@pytest.fixture(scope="module")
def crowd(world) -> MemoryStore:
    """Eighty images that show a little of everything, six that show one or two things clearly."""
    rng = np.random.default_rng(11)
    mixed = [
        world.image(
            f"00{i:02}", dog=d, beach=b, car=c, people=p,
            facts={"width": 100 + i, "taken_at": f"20{10 + i % 10}-01-01T00:00:00"},
        )
        for i, (d, b, c, p) in enumerate(rng.uniform(0, 1, (80, 4)).tolist())
    ]  # fmt: skip
    clear = [
        world.image("aaaa", dog=1.0), world.image("bbbb", beach=1.0),
        world.image("cccc", car=1.0), world.image("dddd", people=1.0),
        world.image("abab", dog=1.0, beach=1.0), world.image("acac", dog=1.0, car=1.0),
    ]  # fmt: skip
    return world.store(*mixed, *clear)


def same(world, store, first, second):
    one, other = (world.confidences(query, store) for query in (first, second))
    assert one.keys() == other.keys()
    for image_id, value in one.items():
        assert value == pytest.approx(other[image_id], abs=1e-9), image_id


# -- one law at a time ---------------------------------------------------------------------------
def test_an_alternative_is_as_sure_as_its_surest_part(world, crowd):
    parts = [world.confidences(query, crowd) for query in ("dog", "beach", "car")]
    either = world.confidences("dog OR beach OR car", crowd)
    assert either == {key: max(part[key] for part in parts) for key in either}


def test_a_conjunction_wants_all_of_it(world, crowd):
    assert world.ids("dog AND beach", crowd, limit=1) == ["abab"]
    assert world.ids("dog AND car", crowd, limit=1) == ["acac"]
    both = world.confidences("dog AND beach", crowd)
    assert both["abab"] > max(both["aaaa"], both["bbbb"], both["acac"])
    said = ("dog", "beach", "dog and beach", "beach and dog")
    parts = [world.confidences(query, crowd) for query in said]
    for key, value in both.items():
        assert value == pytest.approx(np.prod([part[key] for part in parts]) ** 0.25, rel=1e-6)


def test_a_conjunction_of_pictures_is_the_geometric_mean(world, crowd):
    parts = [world.confidences(f"like:{one}", crowd) for one in ("aaaa", "bbbb")]
    both = world.confidences("like:aaaa AND like:bbbb", crowd)
    for key, value in both.items():
        assert value == pytest.approx(np.sqrt(parts[0][key] * parts[1][key]), rel=1e-6)


def test_the_parts_of_a_conjunction_have_no_order(world, crowd):
    same(world, crowd, "dog AND beach AND like:cccc", "like:cccc AND beach AND dog")
    same(world, crowd, "dog -car -beach", "-beach (dog -car)")
    same(world, crowd, "dog OR (car -beach)", "(-beach car) OR dog")


def test_an_exclusion_pushes_down_what_shows_it(world, crowd):
    plain, without = (world.confidences(query, crowd) for query in ("dog", "dog -car"))
    assert without["acac"] < 0.25 < plain["acac"]
    assert without["aaaa"] > 0.25
    assert world.ids("dog -car", crowd, limit=1) == ["aaaa"]
    assert all(without[key] <= plain[key] + 1e-12 for key in plain)


def test_every_exclusion_counts(world, crowd):
    one = world.confidences("like:aaaa -like:cccc", crowd)
    two = world.confidences("like:aaaa -like:cccc -like:bbbb", crowd)
    assert all(two[key] <= one[key] + 1e-12 for key in one)
    assert two["abab"] < one["abab"]


def test_an_exclusion_alone_is_what_it_is_not(world, crowd):
    ids = world.ids("-car", crowd, limit=86)
    assert {"aaaa", "bbbb", "dddd", "abab"} <= set(ids[:40])
    assert {"cccc", "acac"} <= set(ids[-40:])
    assert "cccc" not in world.relevant("-car", crowd)


# -- laws that hold ------------------------------------------------------------------------------
@pytest.mark.parametrize("query", ["dog", "dog beach", "like:aaaa", "dog -car", "dog OR car"])
def test_two_negations_are_none(world, crowd, query):
    node = parse(query)
    assert world.search(Not(Not(node)), crowd).hits == world.search(node, crowd).hits
    assert world.confidences(f"-(-({query}))", crowd) == world.confidences(query, crowd)


def test_filters_follow_de_morgan_exactly(world, crowd):
    wide, old = Filter("width", Range(150, None)), Filter("date", Range(None, "2014"))
    pairs = [
        (Not(Or((wide, old))), And((Not(wide), Not(old)))),
        (Not(And((wide, old))), Or((Not(wide), Not(old)))),
    ]
    for first, second in pairs:
        found = world.ids(first, crowd, limit=100)
        assert found == world.ids(second, crowd, limit=100)
        assert 0 < len(found) < 86
        dog = Blend((Text("dog"),))
        assert world.ids(And((dog, first)), crowd) == world.ids(And((dog, second)), crowd)


def test_neither_is_at_least_as_hard_as_the_worse_of_both(world, crowd):
    """Exclusions one by one multiply, as alternatives the worst counts; the order is alike."""
    apart = world.confidences("-car -beach", crowd)
    together = world.confidences("-(car OR beach)", crowd)
    assert all(apart[key] <= together[key] + 1e-9 for key in apart)
    orders = [sorted(values, key=values.get) for values in (apart, together)]
    places = [[order.index(key) for key in apart] for order in orders]
    assert np.corrcoef(*places)[0, 1] > 0.7


def test_not_both_is_sure_of_whatever_lacks_one(world, crowd):
    values = world.confidences("-(like:aaaa AND like:bbbb)", crowd)
    assert min(values["cccc"], values["dddd"]) > 0.9
    assert values["abab"] == min(values.values())


def test_a_filter_that_all_pass_changes_nothing_and_one_that_none_does_empties(world, crowd):
    for query in ("dog", "dog -car", "dog AND beach"):
        same(world, crowd, query, f"({query}) width:>1")
        assert world.ids(f"({query}) width:<1", crowd) == []
    same(world, crowd, "dog", "dog OR width:<1")
    assert set(world.confidences("dog OR width:>1", crowd).values()) == {1.0}


def test_groups_within_groups(world, crowd):
    same(world, crowd, "(dog OR beach) -car", "-car (beach OR dog)")
    nested = world.confidences("(like:aaaa (like:bbbb OR width:<1)) OR (car width:<1)", crowd)
    plain = world.confidences("like:aaaa like:bbbb", crowd)
    assert nested.keys() == plain.keys()
    assert world.ids("((dog AND beach) OR (dog AND car)) -car", crowd, limit=1) == ["abab"]
    deep = "dog"
    for _ in range(20):
        deep = f"({deep} OR width:<1)"
    same(world, crowd, deep, "dog")


def test_a_filter_within_an_exclusion_keeps_its_meaning(world, crowd):
    """Not (a dog in the wide ones): narrow images stay whatever they show."""
    values = world.confidences("-(like:aaaa width:>=140)", crowd)
    assert {values[f"00{i:02}"] for i in range(40)} == {1.0}
    without_filter = world.confidences("-like:aaaa", crowd)
    wide = [f"00{i:02}" for i in range(40, 80)]
    assert [values[key] for key in wide] == [without_filter[key] for key in wide]
    assert max(values[key] for key in wide) < 1.0


def test_leaves_tell_what_is_negated(world, crowd):
    made = world.plan("dog -(car -(snow width:>1)) -date:2024", crowd)
    probes = {probe.text: index for index, probe in enumerate(made.probes)}
    found = {
        (leaf.index, type(leaf)): negated for leaf, negated in leaves(made.expression)
    }
    assert found == {
        (probes["dog"], ProbeRef): False, (probes["car"], ProbeRef): True,
        (probes["snow"], ProbeRef): False, (0, FilterRef): False, (1, FilterRef): True,
    }  # fmt: skip
    assert leaves(Negation(FilterRef(3))) == [(FilterRef(3), True)]
