"""The command line from inside: what each command writes where, and with which exit code."""

import json
import shutil
import subprocess
import sys
from pathlib import Path


def test_search_with_a_path_does_the_whole_job(vq, pictures):
    first = vq("search", "red", pictures, "--json")
    assert first.code == 0
    assert set(first.names[:2]) == {"red.png", "red.jpg"}
    assert vq("search", "blue", pictures, "--json").err == ""


def test_search_document_has_the_documented_shape(vq, pictures):
    ran = vq("search", "red", pictures, "--json")
    document = ran.document
    assert {"query", "model", "exact", "seconds", "results"} <= set(document)
    assert document["query"] == "red"
    assert document["exact"] is True
    hit = document["results"][0]
    assert set(hit) == {
        "rank", "score", "confidence", "image_id", "path", "paths", "fragment", "width", "height",
        "taken_at", "box", "folded", "placed",
    }  # fmt: skip
    assert (hit["box"], hit["folded"], hit["placed"]) == (None, [], None)
    assert hit["fragment"] is None
    assert (hit["rank"], hit["width"], hit["height"]) == (1, 64, 48)
    assert hit["paths"] == [hit["path"]]
    assert 0 <= hit["confidence"] <= 1


def test_index_counts_what_it_did(vq, pictures):
    first = vq("index", pictures, "--json").document
    assert (first["added"], first["images"], first["skipped"]) == (12, 12, [])
    assert set(first["stages"]) == {"scan", "read", "decode", "encode", "write"}
    again = vq("index", pictures, "--json").document
    assert (again["added"], again["reused"], again["unchanged"]) == (0, 0, 12)


def test_a_second_run_says_that_there_is_nothing_to_do(vq, pictures):
    vq("index", pictures)
    again = vq("index", pictures)
    assert again.out == ""
    assert "Nothing to encode" in again.err


def test_pipes_get_plain_paths(vq, pictures):
    ran = vq("search", "green", pictures, "--limit", "2", "--quiet")
    assert {Path(line).name for line in ran.out.splitlines()} == {"green.png", "green.jpg"}
    assert ran.err == ""


def test_print0_gives_raw_names_and_lines_escape_them(vq, pictures):
    odd = pictures / "new\nline \x1b[31m.png"
    shutil.move(pictures / "one" / "red.png", odd)
    raw = vq("search", "red", pictures, "-0", "-q").out.split("\0")
    assert str(odd) in raw
    lines = vq("search", "red", pictures, "-q").out
    assert "new\\nline \\x1b[31m.png" in lines
    assert "\x1b" not in lines


def test_paths_narrow_the_answer(vq, pictures):
    vq("index", pictures)
    inside = vq("search", "red", pictures / "two", "--json", "--min-confidence", "0")
    assert {Path(hit["path"]).parent.name for hit in inside.document["results"]} == {"two"}


def test_limit_and_offset_page_through_one_order(vq, pictures):
    vq("index", pictures)
    whole = vq("search", "red", "--json", "--min-confidence", "0").names
    assert len(whole) == 12
    second = vq("search", "red", "--json", "--min-confidence", "0", "-n", "3", "--offset", "3")
    assert second.names == whole[3:6]
    assert [hit["rank"] for hit in second.document["results"]] == [4, 5, 6]


def test_similar_leaves_the_picture_itself_out(vq, pictures):
    vq("index", pictures)
    ran = vq("similar", pictures / "one" / "red.png", "--json")
    assert ran.names[0] == "red.jpg"
    assert "red.png" not in ran.names


def test_remove_forgets_and_leaves_the_files(vq, pictures):
    vq("index", pictures)
    ran = vq("remove", pictures / "one", "--json")
    assert ran.document == {"removed": 6, "files": 6, "images": 6}
    assert (pictures / "one" / "red.png").exists()


def test_remove_says_when_no_image_went(vq, pictures):
    shutil.copy(pictures / "one" / "red.png", pictures / "copy.png")
    vq("index", pictures)
    said = vq("remove", pictures / "copy.png").err
    assert said.strip() == "Forgot 1 file and with them no image; the library holds 12 images."


def test_ids_may_be_written_in_capitals(vq, pictures):
    vq("index", pictures)
    found = vq("search", "red", "--json").document["results"][0]["image_id"]
    assert vq("similar", found.upper(), "--json").names == vq("similar", found, "--json").names
    assert vq("search", f"like:{found.upper()}", "-q").code == 0


def test_moved_root_encodes_nothing(vq, pictures):
    vq("index", pictures)
    moved = pictures.rename(pictures.with_name("elsewhere"))
    ran = vq("index", moved, "--moved-from", pictures, "--json").document
    assert (ran["added"], ran["reused"], ran["unchanged"], ran["images"]) == (0, 0, 12, 12)
    assert str(moved) in vq("search", "red", "-q").out


def test_status_tells_images_and_folders(vq, pictures):
    vq("index", pictures)
    status = vq("status", "--json").document
    assert status["images"] == 12
    up_to_date = {"new": 0, "changed": 0, "missing": 0, "broken": [], "unreachable": []}
    assert status["roots"] == [
        {
            "location": str(pictures), "present": True, "files": 12, "skipped": 0, "whole": True,
            "changes": up_to_date,
        }
    ]
    assert "12 images" in vq("status").out


def test_a_bad_file_is_one_skipped_line(vq, pictures):
    (pictures / "broken.jpg").write_bytes(b"not a picture")
    report = vq("index", pictures, "--json").document
    assert [Path(s["path"]).name for s in report["skipped"]] == ["broken.jpg"]
    again = vq("index", pictures)
    assert again.code == 0
    assert len([line for line in again.err.splitlines() if "broken.jpg" in line]) == 1


def test_nothing_good_enough_is_exit_code_1(vq, pictures):
    ran = vq("search", "red path:two ext:png", pictures, "--json")
    assert (ran.code, ran.document["results"]) == (1, [])


def test_a_folder_without_pictures_has_nothing_to_find(vq, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    ran = vq("search", "red", empty, "--json")
    assert (ran.code, ran.document["results"]) == (1, [])
    assert "No pictures" in vq("index", empty).err


def test_of_two_places_the_one_asked_for_is_named(vq, pictures):
    shutil.copy(pictures / "one" / "red.png", pictures / "two" / "same.png")
    vq("index", pictures)
    hits = vq("search", "red", pictures / "two", "--json").document["results"]
    assert all(hit["path"].startswith(str(pictures / "two")) for hit in hits)
    assert max(len(hit["paths"]) for hit in hits) == 2


def test_models_are_listed_with_size_and_licence(vq):
    listed = vq("models", "list", "--json").document["models"]
    clip = next(model for model in listed if model["name"] == "clip-vit-base-patch32")
    assert clip["license"] == "MIT"
    assert clip["size_bytes"] > 600_000_000


def test_verify_names_both_hashes(vq, tiny_model, tmp_path):
    broken = shutil.copytree(tiny_model, tmp_path / "broken")
    (broken / "image.onnx").write_bytes(b"other")
    ran = vq("models", "verify", broken)
    assert ran.code == 3
    assert "image.onnx" in ran.err
    assert vq("models", "verify", tiny_model).code == 0


def test_eval_prints_the_documented_shape(vq, pictures, tmp_path):
    captions = tmp_path / "captions.jsonl"
    lines = [
        {"file": f"two/{colour}.jpg", "captions": [f"a {colour} picture"]}
        for colour in ("red", "green", "blue", "yellow")
    ]
    captions.write_text("\n".join(map(json.dumps, lines)))
    document = vq("eval", captions, "--images", pictures, "--json").document
    assert (document["images"], document["captions"]) == (4, 4)
    assert document["hit_rate"] == {"1": 1.0, "5": 1.0, "10": 1.0}
    assert (document["mrr"], document["median_rank"]) == (1.0, 1.0)


def test_version(vq):
    assert vq("--version").out.startswith("visionquery ")


def test_a_text_search_loads_no_picture_and_no_hub_code(vq, pictures):
    vq("index", pictures)
    code = (
        "import sys\nfrom visionquery.cli.app import run\n"
        "code = run(['search', 'red', '-q'])\nprint(code, *sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert str(pictures) in ran.stdout
    loaded = set(ran.stdout.splitlines()[-1].split())
    assert "onnxruntime" in loaded
    assert not {"PIL", "huggingface_hub", "rich", "pathspec", "filelock"} & loaded


def test_the_demo_finds_what_it_asks_for_with_the_model_in_the_box(vq, monkeypatch):
    monkeypatch.delenv("VISIONQUERY_MODEL")
    searches = vq("demo", "--json", "--quiet").document["searches"]
    best = {
        s["query"]: Path((s["results"] + s["closest"])[0]["path"]).name for s in searches
    }
    right = {
        "a cat": "chelsea.png",
        "a motorcycle": "motorcycle_left.png",
        "a woman smiling": "astronaut.png",
        "a man with a camera on a tripod": "camera.png",
        "a brick wall": "brick.png",
        "a rocket taking off": "rocket.jpg",
    }
    assert sum(best[question] == name for question, name in right.items()) >= 5


def test_the_demo_without_photographs_says_what_to_install(vq, monkeypatch):
    monkeypatch.setattr("visionquery.cli.demo.find_spec", lambda _: None)
    ran = vq("demo")
    assert ran.code == 2
    assert "pip install" in ran.err


def test_one_form_of_output_at_a_time(vq, pictures):
    vq("index", pictures)
    ran = vq("search", "red", "--json", "-0")
    assert (ran.code, ran.out) == (2, "")
    assert "--print0" in ran.err


def test_an_offset_past_the_end_is_told(vq, pictures):
    vq("index", pictures)
    ran = vq("search", "ext:png", "--offset", "50")
    assert ran.code == 1
    assert "6 images in all" in ran.err


def test_many_skipped_files_are_listed_once(vq, pictures):
    for number in range(30):
        (pictures / f"bad-{number}.jpg").write_bytes(b"no picture %d" % number)
    assert vq("index", pictures).err.count("bad-") == 30
    again = vq("index", pictures).err
    assert again.count("bad-") == 10
    assert "and 20 more" in again
