"""Which places are to be indexed after a change, and where nobody tells of one."""

import sys
from pathlib import Path

import pytest

from visionquery.errors import InputError
from visionquery.indexing.watching import (
    Event,
    check_installed,
    filesystem_at,
    place_to_index,
    together,
)

MOUNTS = """\
/dev/sda1 / ext4 rw,relatime 0 0
nas:/photos /mnt/nas nfs4 rw 0 0
//box/share /mnt/my\\040share cifs rw 0 0
me@host: /home/me/remote fuse.sshfs rw 0 0
/dev/sdb1 /mnt/nas/local ext4 rw 0 0
"""


def to_index(root: Path, name: str, *, is_new: bool = False, known: str = "") -> str | None:
    event = Event(str(root / name), is_new)
    place = place_to_index(event, str(root), is_known=lambda path: path == str(root / known))
    return None if place is None else Path(place).relative_to(root).as_posix()


def test_what_there_is_is_indexed_itself(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("a/x.jpg", "a/notes.txt"):
        (tmp_path / name).touch()
    assert to_index(tmp_path, "a/x.jpg") == "a/x.jpg"
    assert to_index(tmp_path, "a/notes.txt") is None
    assert to_index(tmp_path, "a", is_new=True) == "a"
    assert to_index(tmp_path, "a") is None, "what changed in a folder has events of its own"


def test_for_what_is_gone_the_folder_that_is_left_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert to_index(tmp_path, "a/b/x.jpg", known="a/b/x.jpg") == "a"
    assert to_index(tmp_path, "b", known="b") == "."
    assert to_index(tmp_path, "a/x.tmp") is None
    missing = tmp_path / "root"
    assert to_index(missing, "x.jpg", known="x.jpg") is None, "a root that is away loses nothing"


def test_hidden_and_system_places_mean_nothing(tmp_path: Path) -> None:
    for name in (".thumbs/x.jpg", "@eaDir/x.jpg", "a/.x.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        assert to_index(tmp_path, name) is None
    hidden = tmp_path / ".thumbs"
    assert to_index(hidden, "x.jpg") == "x.jpg", "a root may be hidden itself"


def test_other_rules_mean_another_look_at_their_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert to_index(tmp_path, "a/.visionqueryignore") == "a"
    assert to_index(tmp_path, ".visionqueryignore") == "."
    assert to_index(tmp_path, "b/.visionqueryignore") is None


def test_places_in_places_and_crowds_become_one() -> None:
    few = [f"/p/one/{n}.jpg" for n in range(3)]
    many = [f"/p/many/{n}.jpg" for n in range(200)]
    assert together([*few, *many, few[0]]) == ["/p/many", *few]
    assert together(["/p/one", *few, "/p/one more/x.jpg"]) == ["/p/one", "/p/one more/x.jpg"]


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/mnt/nas/2024", "nfs4"), ("/mnt/nas/local/x", "ext4"), ("/mnt/my share", "cifs"),
        ("/home/me/remote/a", "fuse.sshfs"), ("/home/me", "ext4"), ("/mnt/nasty", "ext4"),
    ],
)  # fmt: skip
def test_the_deepest_mount_decides(place: str, kind: str) -> None:
    assert filesystem_at(place, MOUNTS) == kind
    assert filesystem_at(place, "") == ""


def test_without_the_extra_it_is_said_how_to_have_it(monkeypatch) -> None:
    check_installed()
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(InputError, match=r"pip install 'visionquery\[watch\]'.*--poll"):
        check_installed()
