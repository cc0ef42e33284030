"""The one table of what errors mean outside Python."""

import pytest

from visionquery import errors
from visionquery.errors import Outcome, outcome_of


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (errors.QueryError("?", position=3, expected="a word"), Outcome(2, 422)),
        (errors.SettingsError("?"), Outcome(2, 422)),
        (errors.ImageNotFoundError("?"), Outcome(2, 404)),
        (errors.UnreadableImageError("?"), Outcome(2, 422)),
        (errors.UnknownModelError("?"), Outcome(3, 503)),
        (errors.LibraryNotFoundError("?"), Outcome(4, 404)),
        (errors.LibraryBusyError("?"), Outcome(4, 409)),
        (errors.SchemaTooNewError("?", found=2, supported=1), Outcome(4, 500)),
        (errors.EngineError("?"), Outcome(5, 502)),
        (KeyboardInterrupt(), Outcome(130, 499)),
    ],
)
def test_every_error_has_its_outcome(error, outcome):
    assert outcome_of(error) == outcome


def test_a_defect_has_none():
    assert outcome_of(ZeroDivisionError()) is None


def test_every_class_is_public():
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.VisionQueryError)
    }
    assert classes <= set(errors.__all__)
