"""The checks of filters on what a picture's file says of it, and on text that was read in it."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial

from visionquery.errors import InputError
from visionquery.query.ast import Contains, Filter, Near, OneOf, Range
from visionquery.store.base import NewImage, Store
from visionquery.testing.store_examples import MODEL, example_image, fill, is_refused, seen_names
from visionquery.types import Facts, ModelIdentity

__all__ = ["FILTER_CHECKS"]

MakeStore = Callable[[ModelIdentity], Store]

_CITIES = {
    "paris": (48.8566, 2.3522),
    "london": (51.5074, -0.1278),
    "taveuni": (-16.85, 179.95),
    "rabi": (-16.50, -179.98),
    "pole": (89.9, 30.0),
    "ross": (-77.8, -179.5),
}


def check_camera_filters(make_store: MakeStore) -> None:
    """`camera` finds parts without regard to case or Unicode form; a glob fits the whole name."""
    with closing(make_store(MODEL)) as store:
        cameras = {"a": "SONY ILCE-7M3", "b": "Caf\N{COMBINING ACUTE ACCENT}e [1]", "c": None}
        fill(store, {name: _with(name, camera=camera) for name, camera in cameras.items()})
        expected = {
            "sony": ["a"],
            "E": ["a", "b"],
            "CAF\N{COMBINING ACUTE ACCENT}E": ["b"],
            "[1]": ["b"],
            "sony*": ["a"],
            "*ilce-?m?": ["a"],
            "ilce*": [],
            "*[1]": ["b"],
            "*": ["a", "b"],
            "nikon": [],
        }
        for text, found in expected.items():
            mask = store.matching(Filter("camera", Contains(text)))
            assert seen_names(store, mask) == found, text


def check_orientation_filters(make_store: MakeStore) -> None:
    """`orientation` compares width and height; several are one or the other."""
    with closing(make_store(MODEL)) as store:
        widths = {"wide": 481, "high": 479, "even": 480}
        fill(store, {name: example_image(name, width=width) for name, width in widths.items()})
        expected = {
            ("landscape",): ["wide"],
            ("Portrait",): ["high"],
            ("square",): ["even"],
            ("square", "landscape"): ["even", "wide"],
            (): [],
        }
        for values, found in expected.items():
            mask = store.matching(Filter("orientation", OneOf(values)))
            assert seen_names(store, mask) == found, values
        asked = Filter("orientation", OneOf(("sideways",)))
        assert is_refused(partial(store.matching, asked), InputError)


def check_places_on_earth(make_store: MakeStore) -> None:
    """`near` measures along the surface, across the date line and over the poles."""
    with closing(make_store(MODEL)) as store:
        images = {
            name: _with(name, latitude=latitude, longitude=longitude)
            for name, (latitude, longitude) in _CITIES.items()
        }
        fill(store, {**images, "nowhere": example_image("nowhere")})
        circles = {
            Near(48.8566, 2.3522, 0): ["paris"],
            Near(48.8566, 2.3522, 343): ["paris"],
            Near(48.8566, 2.3522, 344.5): ["london", "paris"],
            Near(-16.85, 179.95, 45): ["rabi", "taveuni"],
            Near(-16.50, -179.98, 45): ["rabi", "taveuni"],
            Near(-16.50, 180.02, 45): ["rabi", "taveuni"],
            Near(-16.85, 179.95, 30): ["taveuni"],
            Near(89.9, -150.0, 23): ["pole"],
            Near(89.9, -150.0, 22): [],
            Near(-90.0, 0.0, 1400): ["ross"],
            Near(0.0, 0.0, 20_016): sorted(_CITIES),
            Near(0.0, 0.0, -1): [],
        }
        for around, found in circles.items():
            assert seen_names(store, store.matching(Filter("near", around))) == found, around


def check_keyword_filters(make_store: MakeStore) -> None:
    """`keyword` holds when any keyword is one of the values, or fits one that is a glob."""
    with closing(make_store(MODEL)) as store:
        keywords = {
            "a": ("Strand", "Café", "a*b"),
            "b": ("strandkorb", "sea\nside"),
            "c": ("STRASSE", "[x]"),
            "d": (),
        }
        fill(store, {name: _with(name, keywords=known) for name, known in keywords.items()})
        expected = {
            ("STRAND",): ["a"],
            ("cafe\N{COMBINING ACUTE ACCENT}", "straße"): ["a", "c"],
            ("strand*",): ["a", "b"],
            ("s?a*e",): ["b"],
            ("?trand", "[x]"): ["a", "c"],
            ("[x*",): ["c"],
            ("stran",): [],
            ("a*b",): ["a"],
            ("*",): ["a", "b", "c"],
            (): [],
        }
        for values, found in expected.items():
            mask = store.matching(Filter("keyword", OneOf(values)))
            assert seen_names(store, mask) == found, values


def check_text_filters(make_store: MakeStore) -> None:
    """`text` looks in what was read, without regard to case or the kind of white space."""
    with closing(make_store(MODEL)) as store:
        names = ["invoice", "stars", "empty", "unread"]
        fill(store, {name: example_image(name) for name in names})
        rows = {name: store.find(example_image(name).image_id)[0] for name in names}
        texts = {
            rows["invoice"]: " INVOICE\r\n\tNo.  17 Straße",
            rows["stars"]: "5 * 3 = 15?",
            rows["empty"]: "",
        }
        with store.writing():
            store.write_texts(texts)
        expected = {
            "invoice no. 17": ["invoice"],
            "  Voice\nNo": ["invoice"],
            "STRASSE": ["invoice"],
            "invoiceno": [],
            "*": ["stars"],
            "5 * 3": ["stars"],
            "15?": ["stars"],
            "5?": ["stars"],
            "1*": [],
            "17": ["invoice"],
        }
        for text, found in expected.items():
            assert seen_names(store, store.matching(Filter("text", Contains(text)))) == found, text


def check_wrong_tests_are_refused(make_store: MakeStore) -> None:
    """A test of another kind than the field's is an InputError, with or without images."""
    with closing(make_store(MODEL)) as store:
        wrong = [
            Filter("camera", OneOf(("sony",))),
            Filter("orientation", Contains("square")),
            Filter("near", Contains("paris")),
            Filter("keyword", Contains("beach")),
            Filter("text", OneOf(("beach",))),
            Filter("path", Range("a", "b")),
            Filter("date", Near(0, 0, 1)),
            Filter("width", OneOf(("1",))),
        ]
        for wanted in wrong:
            assert is_refused(partial(store.matching, wanted), InputError), wanted
        fill(store, {"a": example_image("a")})
        for wanted in wrong:
            assert is_refused(partial(store.matching, wanted), InputError), wanted


def _with(
    name: str,
    *,
    camera: str | None = None,
    latitude: float | None = None,
    longitude: float | None = None,
    keywords: tuple[str, ...] = (),
) -> NewImage:
    facts = Facts(
        640,
        480,
        "JPEG",
        1000,
        camera=camera,
        latitude=latitude,
        longitude=longitude,
        keywords=keywords,
    )
    return replace(example_image(name), facts=facts)


FILTER_CHECKS: tuple[Callable[[MakeStore], None], ...] = (
    check_camera_filters,
    check_orientation_filters,
    check_places_on_earth,
    check_keyword_filters,
    check_text_filters,
    check_wrong_tests_are_refused,
)
