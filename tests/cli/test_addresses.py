"""Pictures in a bucket: the same commands as for folders, against a real S3 server."""

import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from visionquery.testing.tiny_model import make_tiny_model

COLOURS = ("red", "green", "blue")


@pytest.fixture
def photos(bucket, painted) -> str:
    """The address of three pictures, of which one lies deeper."""
    for number, (key, colour) in enumerate(
        [("photos/red.png", "red"), ("photos/in/green.png", "green"), ("photos/blue.png", "blue")]
    ):
        bucket.put(key, painted(colour, number))
    return f"{bucket.address}/photos"


@pytest.fixture
def other_model(tmp_path: Path) -> Path:
    return make_tiny_model(tmp_path / "other", seed=9)


def paths(ran) -> list[str]:
    return [hit["path"] for hit in ran.document["results"]]


def test_a_bucket_is_indexed_searched_and_kept_up_to_date(vq, bucket, photos, painted):
    first = vq("index", f"{photos}/", "--json").document
    assert (first["added"], first["images"], first["skipped"]) == (3, 3, [])
    again = vq("index", photos, "--json").document
    assert (again["added"], again["reused"], again["images"]) == (0, 0, 3)
    bucket.put("photos/red.png", painted("yellow", 8) + b"more")
    bucket.put("photos/copy.png", painted("blue", 2))
    bucket.delete("photos/in/green.png")
    (root,) = vq("status", "--json").document["roots"]
    assert (root["location"], root["present"]) == (photos, True)
    assert [root["changes"][what] for what in ("new", "changed", "missing")] == [1, 1, 1]
    changed = vq("index", photos, "--json").document
    assert [changed[what] for what in ("updated", "reused", "removed")] == [1, 1, 2]
    found = vq("search", "blue", "--limit", 1, "--json")
    (hit,) = found.document["results"]
    assert hit["paths"] == [f"{photos}/blue.png", f"{photos}/copy.png"]


def test_a_search_is_narrowed_to_a_part_of_a_bucket(vq, bucket, photos, painted):
    bucket.put("photos-too/green.png", painted("green", 7))
    vq("index", bucket.address)
    within = vq("search", "green", f"{photos}/in", "--json", "--no-index")
    assert paths(within) == [f"{photos}/in/green.png"]
    both = vq("search", "path:photos ext:png", "--all", "--json")
    assert len(paths(both)) == 4
    assert len(paths(vq("search", "ext:png", photos, "--all", "--json"))) == 3


def test_a_search_brings_the_bucket_up_to_date_first(vq, photos):
    assert paths(vq("search", "red", photos, "--json"))[:1] == [f"{photos}/red.png"]


def test_a_picture_behind_an_address_is_a_query(vq, bucket, photos, painted):
    vq("index", photos)
    other = bucket.put("elsewhere/q (1) #2%20.png", painted("green", 99))
    like = vq("similar", other, "--json", "--limit", 1)
    assert paths(like) == [f"{photos}/in/green.png"]
    assert paths(vq("search", f'image:"{other}"', "--json"))[:1] == [f"{photos}/in/green.png"]
    itself = vq("similar", f"{photos}/red.png", "--json")
    assert f"{photos}/red.png" not in paths(itself)


def test_what_is_removed_is_forgotten_and_stays_in_the_bucket(vq, photos):
    vq("index", photos)
    assert vq("remove", f"{photos}/in", "--json").document == {
        "removed": 1, "files": 1, "images": 2
    }  # fmt: skip
    assert vq("index", photos, "--json").document["added"] == 1


def test_a_single_file_of_a_bucket(vq, photos):
    report = vq("index", f"{photos}/red.png", "--json").document
    assert (report["added"], report["images"]) == (1, 1)
    assert vq("index", f"{photos}/red.png", "--json").document["images"] == 1
    assert vq("index", photos, "--json").document["added"] == 2
    (root,) = vq("status", "--json").document["roots"]
    assert root["location"] == photos


def test_a_bucket_that_moved_to_a_folder_is_not_encoded_again(vq, tmp_path, photos, painted):
    vq("index", photos)
    for number, (name, colour) in enumerate(
        [("red.png", "red"), ("in/green.png", "green"), ("blue.png", "blue")]
    ):
        (tmp_path / "here" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "here" / name).write_bytes(painted(colour, number))
    report = vq("index", tmp_path / "here", "--moved-from", photos, "--json").document
    assert (report["added"], report["images"]) == (0, 3)
    back = vq("index", photos, "--moved-from", tmp_path / "here", "--json").document
    assert (back["added"], back["images"]) == (0, 3)
    assert vq("status", "--json").document["roots"][0]["location"] == photos


def test_names_of_every_kind_are_found_and_odd_keys_said(vq, bucket, painted):
    names = ["a b.png", "100%.png", "%20.png", "what?.png", "#1.png", "日本 é.png", "a+b&c=d.png",
             "[x]*.png", "'\".png", "a\\b.png", "v?x=1.png"]  # fmt: skip
    for number, name in enumerate(names):
        bucket.put(f"odd/{name}", painted("red", number))
    improper = ["odd//x.png", "odd/../x.png", "odd/./x.png", "odd/in//x.png"]
    for number, key in enumerate([*improper, "odd/", "odd/in/", "x.png", "odds/x.png"]):
        bucket.put(key, painted("blue", number))
    report = vq("index", f"{bucket.address}/odd", "--json").document
    assert report["added"] == len(names)
    assert {item["path"] for item in report["skipped"]} == {
        f"{bucket.address}/{key}" for key in improper
    }
    assert all("no path" in item["reason"] for item in report["skipped"])
    found = paths(vq("search", "red", "--all", "--json", "--limit", 99))
    assert sorted(found) == sorted(f"{bucket.address}/odd/{name}" for name in names)
    for name in names:
        (one,) = paths(vq("search", "ext:png", f"{bucket.address}/odd/{name}", "--json"))
        assert one == f"{bucket.address}/odd/{name}"


def test_rules_of_folders_hold_in_a_bucket(vq, bucket, photos, painted):
    red = painted("red", 50)
    bucket.put("photos/.hidden/x.png", red)
    bucket.put("photos/@eaDir/x.png", red)
    bucket.put("photos/lib/catalog.sqlite", b"")
    bucket.put("photos/lib/x.png", red)
    bucket.put("photos/.visionqueryignore", b"/drafts/\n*.gif\n")
    bucket.put("photos/drafts/x.png", red)
    bucket.put("photos/drafts/in/.visionqueryignore", b"!x.png\n")
    bucket.put("photos/drafts/in/x.png", red)
    bucket.put("photos/x.gif", red)
    bucket.put("photos/no_extension", red)
    assert vq("index", photos, "--json").document["added"] == 3
    assert vq("index", f"{photos}/drafts/in", "--json").document["images"] == 3
    named = vq("index", f"{photos}/.hidden", "--json").document
    assert (named["added"], named["images"]) == (1, 4)
    later = vq("index", photos, "--json").document
    assert (later["removed"], later["images"]) == (0, 4), "what was named stays"


def test_a_sidecar_beside_a_picture_is_read(vq, bucket, photos):
    note = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag><rdf:li>Garda</rdf:li>'
        "</rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    vq("index", photos)
    bucket.put("photos/red.xmp", note.encode())
    vq("index", photos)
    assert paths(vq("search", "keyword:garda", "--json")) == [f"{photos}/red.png"]
    assert vq("index", f"{photos}/red.png", "--json").document["reused"] == 0


def test_an_archive_and_a_document_of_a_bucket(vq, bucket, painted, tmp_path):
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        for number, colour in enumerate(COLOURS):
            archive.writestr(f"{colour}.png", painted(colour, number))
    bucket.put("photos/a.zip", (tmp_path / "a.zip").read_bytes())
    from PIL import Image

    pages = [Image.new("RGB", (64, 48), colour) for colour in ("yellow", "white")]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    bucket.put("photos/a.tif", (tmp_path / "a.tif").read_bytes())
    report = vq("index", f"{bucket.address}/photos", "--json").document
    assert (report["added"], report["skipped"]) == (5, [])
    (hit, *_) = vq("search", "yellow", "--json").document["results"]
    assert (hit["path"], hit["fragment"]) == (f"{bucket.address}/photos/a.tif", "page=1")
    again = vq("search", f"like:{hit['image_id']}@0,0,50,50", "--json")
    assert again.code == 0, "a part of a stored picture is read once more"


def test_moving_to_another_model_reads_the_bucket_again(vq, photos, other_model):
    vq("index", photos)
    report = vq("index", "--reencode", "--model", other_model, "--json").document
    assert (report["reencoded"], report["complete"]) == (3, True)


def test_the_doctor_reads_the_files_of_a_bucket(vq, bucket, photos):
    vq("index", photos)
    bucket.delete("photos/blue.png")
    files = vq("doctor", "--files", "--json").document["pictures"]
    assert (files["same"], files["away"], files["different"]) == (2, 1, [])


def test_an_address_is_not_watched(vq, refused, photos):
    sentence = refused("watch", photos)
    assert f"visionquery index {photos} from time to time" in sentence
    assert "cannot be watched" in refused("watch", "--poll", photos)


def test_a_folder_may_be_named_by_its_address(vq, tmp_path, paint):
    paint(tmp_path / "my photos" / "red.png", "red", 1)
    address = (tmp_path / "my photos").as_uri()
    assert "%20" in address
    assert vq("index", address, "--json").document["added"] == 1
    assert vq("search", "red", f"file://{tmp_path}/my photos", "--json").names == ["red.png"]
    (root,) = vq("status", "--json").document["roots"]
    assert root["location"] == str(tmp_path / "my photos")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://", "names no bucket"),
        ("s3://a/../b", "there must be a name"),
        ("s3://a//b", "there must be a name"),
        ("sftp://me:secret@host/photos", "password"),
        ("file://elsewhere/photos", "another machine"),
        ("nothing://a/b", "no kind of address begins with nothing://"),
        ("s3://no-such-bucket-here/photos", "no file or folder"),
    ],
)
def test_an_address_that_means_nothing_is_refused(refused, s3, address, said):
    assert said in refused("index", address)


def test_an_emptied_place_keeps_what_is_known(vq, bucket, photos):
    vq("index", photos)
    for key in ("photos/red.png", "photos/in/green.png", "photos/blue.png"):
        bucket.delete(key)
    report = vq("index", photos, "--json").document
    assert (report["removed"], report["images"]) == (0, 3)
    assert vq("status", "--json").document["roots"][0]["present"] is False
    assert "There is nothing at" in vq("index", photos).err


def test_nothing_is_forgotten_while_the_server_is_away(vq, photos, own_settings, tmp_path):
    vq("index", photos)
    away = os.environ | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    ran = command("index", photos, "--json", environment=away)
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert (report["removed"], report["images"]) == (0, 3)
    ((skipped),) = report["skipped"]
    assert skipped["path"] == photos
    assert "its server does not answer" in skipped["reason"]
    other = command("index", f"{photos}-new", environment=away)
    assert other.returncode == 5
    assert "cannot be reached" in other.stderr
    nobody = {name: value for name, value in away.items() if not name.startswith("AWS_")}
    nobody |= {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    refused = command("index", f"{photos}-new", environment=nobody)
    assert "no credentials were found" in refused.stderr, refused.stderr


def command(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "visionquery", *arguments],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_without_the_extra_it_is_said_how_to_have_it(refused, monkeypatch):
    from visionquery.images import addresses

    addresses._kind.cache_clear()
    monkeypatch.setitem(sys.modules, "fsspec", None)
    assert "pip install 'visionquery[cloud]'" in refused("index", "s3://bucket/photos")


def test_folders_of_this_machine_need_nothing_of_it(tmp_path, paint):
    paint(tmp_path / "red.png", "red", 1)
    program = (
        "import sys; from visionquery.images.scan import scan; from visionquery.images.content "
        "import load; from visionquery.images.limits import Limits\n"
        f"[load(each.path, limits=Limits()) for each in scan({str(tmp_path)!r})]\n"
        "assert not {'fsspec', 'visionquery.images.addresses'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert Path(tmp_path / "red.png").exists()
