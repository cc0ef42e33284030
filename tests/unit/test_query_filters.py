"""The values of filters: what each field takes, and what it says about what it does not take."""

from datetime import date

import pytest

from visionquery.errors import QueryError
from visionquery.query.ast import And, Contains, Filter, Near, Node, Not, OneOf, Range
from visionquery.query.grammar import parse
from visionquery.query.when import calendar_dates

TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("path:img(1).jpg", Filter("path", Contains("img(1).jpg"))),
        ("PATH:x", Filter("path", Contains("x"))),
        ("ext:JPG,.png", Filter("ext", OneOf(("jpg", "png")))),
        ("camera:sony", Filter("camera", Contains("sony"))),
        ('camera:"Canon EOS R?"', Filter("camera", Contains("Canon EOS R?"))),
        ("-camera:sony*", Not(Filter("camera", Contains("sony*")))),
        ("orientation:Portrait", Filter("orientation", OneOf(("portrait",)))),
        ('orientation:"square, landscape"', Filter("orientation", OneOf(("square", "landscape")))),
        ("keyword:Sunset", Filter("keyword", OneOf(("Sunset",)))),
        ('keyword:"new york,beach*"', Filter("keyword", OneOf(("new york", "beach*")))),
        ('text:"total due"', Filter("text", Contains("total due"))),
        ("near:52.5,13.4,5", Filter("near", Near(52.5, 13.4, 5.0))),
        ("near:-33.9,151.2,.5km", Filter("near", Near(-33.9, 151.2, 0.5))),
        ('near:"+90, -180, 2.5 KM"', Filter("near", Near(90.0, -180.0, 2.5))),
        (
            "text:a -near:0,0,1",
            And((Filter("text", Contains("a")), Not(Filter("near", Near(0.0, 0.0, 1.0))))),
        ),
    ],
)
def test_fields(text: str, node: Node) -> None:
    assert parse(text) == node


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("2024", "2024", "2024"),
        ("=2024", "2024", "2024"),
        ("2024-05", "2024-05", "2024-05"),
        ("2024-02-29", "2024-02-29", "2024-02-29"),
        ("2024-05..2024-08", "2024-05", "2024-08"),
        ("2024-05..2024", "2024-05", "2024"),
        ("2024..", "2024", None),
        ("..2024", None, "2024"),
        (">2024-05", "2024-06", None),
        (">2024-12", "2025-01", None),
        (">2024", "2025", None),
        (">2024-02-28", "2024-02-29", None),
        (">=2024-05", "2024-05", None),
        ("<2024-01", None, "2023-12"),
        ("<2024", None, "2023"),
        ("<2024-03-01", None, "2024-02-29"),
        ("<=2024-05", None, "2024-05"),
        ("2024/05/01", "2024-05-01", "2024-05-01"),
        ("2024/5", "2024-05", "2024-05"),
        ("2024-5-1..2024-9", "2024-05-01", "2024-09"),
        (">2024/1/9", "2024-01-10", None),
    ],
)
def test_dates(value: str, low: str | None, high: str | None) -> None:
    assert parse(f"date:{value}") == Filter("date", Range(low, high))


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        (">3000", 3001, None),
        (">=3000", 3000, None),
        ("<800", None, 799),
        ("<=800", None, 800),
        ("1000..2000", 1000, 2000),
        ("=1920", 1920, 1920),
        ("1920", 1920, 1920),
    ],
)
def test_sizes(value: str, low: int | None, high: int | None) -> None:
    assert parse(f"width:{value}") == Filter("width", Range(low, high))
    assert parse(f"height:{value}") == Filter("height", Range(low, high))


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("date:2024-13", 0, "cannot be understood"),
        ("date:2023-02-29", 0, "cannot be understood"),
        ("date:0000", 0, "cannot be understood"),
        ("date:..", 0, "cannot be understood"),
        ("date:>9999", 0, "cannot be understood"),
        ("date:2024-05-06..2024-05-05", 0, "backwards"),
        ("date:2025..2024-05", 0, "backwards"),
        ("width:abc", 0, "cannot be understood"),
        ("width:-5", 0, "cannot be understood"),
        ("width:<0", 0, "cannot be understood"),
        ("width:99999999999", 0, "cannot be understood"),
        ("dog height:2000..1000", 4, "backwards"),
        ("ext:jpg,", 0, "cannot be understood"),
        ("date:2024-05/01", 0, "cannot be understood"),
        ("date:", 5, "has no value"),
        ("date:someday soon", 0, "such as 2024"),
        ("dog date:yesterday", 4, "for yesterday write date:"),
        ("date:last summer", 0, "for last summer write date:"),
        ('date:"last  summer"', 0, "for last  summer write date:"),
        ("date:last 30 days", 0, "for last 30 days write date:>="),
        ("date:2 years ago", 0, "for 2 years ago write date:"),
        ("date:last summer, dogs", 0, "for last summer write date:"),
        ("date:today dog", 0, "for today write date:"),
        ("orientation:upright", 0, "landscape,portrait,square"),
        ("orientation:square,", 0, "landscape,portrait,square"),
        ("a keyword:a,,b", 2, "sunset,beach"),
        ("near:52.5,13.4", 0, "latitude,longitude,kilometres"),
        ("near:52.5,13.4,5mi", 0, "52.52,13.40,5km"),
        ("near:52.5, 13.4, 5", 0, "without spaces"),
        ("near:nan,0,1", 0, "decimal degrees"),
        ("near:91,0,1", 0, "latitude 91"),
        ("x near:0,-180.5,1", 2, "longitude -180.5"),
        ("near:0,0,0", 0, "more than 0"),
        ("near:0,0,1e9", 0, "decimal degrees"),
        ("near:0,0,20039", 0, "0 to 20038 km"),
    ],
)
def test_errors_teach(text: str, position: int, says: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert caught.value.position == position
    assert caught.value.expected
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("words", "today", "value"),
    [
        ("last summer", TODAY, "2026-06..2026-08"),
        ("Last  Summer", date(2026, 7, 10), "2025-06..2025-08"),
        ("summer", date(2026, 7, 10), "2026-06..2026-08"),
        ("this summer", date(2026, 3, 1), "2025-06..2025-08"),
        ("the summer", TODAY, "2026-06..2026-08"),
        ("summer 2023", TODAY, "2023-06..2023-08"),
        ("winter", TODAY, "2025-12..2026-02"),
        ("last winter", date(2026, 1, 10), "2024-12..2025-02"),
        ("last fall", TODAY, "2025-09..2025-11"),
        ("today", TODAY, "2026-11-24"),
        ("yesterday", date(2026, 3, 1), "2026-02-28"),
        ("this week", TODAY, "2026-11-23..2026-11-29"),
        ("last week", TODAY, "2026-11-16..2026-11-22"),
        ("last weekend", TODAY, "2026-11-21..2026-11-22"),
        ("this month", TODAY, "2026-11"),
        ("last month", date(2026, 1, 31), "2025-12"),
        ("this year", TODAY, "2026"),
        ("last year", TODAY, "2025"),
        ("last 30 days", TODAY, ">=2026-10-25"),
        ("past 3 months", TODAY, ">=2026-08"),
        ("2 years ago", TODAY, "2024"),
        ("a week ago", TODAY, "2026-11-17"),
        ("9999 years ago", TODAY, None),
        ("winter 9999", TODAY, None),
        ("last week 2023", TODAY, None),
        ("someday", TODAY, None),
        ("", TODAY, None),
    ],
)
def test_spoken_dates_become_calendar_dates(words: str, today: date, value: str | None) -> None:
    assert calendar_dates(words, today) == value
    if value is not None:
        parse(f"date:{value}")
