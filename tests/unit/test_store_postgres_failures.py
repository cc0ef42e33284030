"""What a library in PostgreSQL says when something fails: one sentence, the right error, and
nothing lost."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np
import pytest
from tests.engines import Postgres

from visionquery.errors import (
    EngineError,
    InputError,
    LibraryBusyError,
    LibraryNotFoundError,
    LibraryReadOnlyError,
    LibraryReplacedError,
    SchemaTooNewError,
    StoreError,
    outcome_of,
)
from visionquery.store.base import FileRecord, Scope, Store
from visionquery.store.pg import connections
from visionquery.store.pg.store import PostgresStore
from visionquery.store.postgres import check_place, create_store, open_store
from visionquery.testing.store_examples import HOME, MODEL, example_image, fill
from visionquery.types import ModelIdentity

WRITER = """
import sys
from visionquery.store.base import FileRecord
from visionquery.store.postgres import open_store
from visionquery.testing.store_examples import example_image
store = open_store(sys.argv[1])
with store.writing():
    root = store.add_root("/pictures")
    for number in range(100_000):
        images = [example_image(f"{number}-{each}") for each in range(3)]
        files = [FileRecord(root.root_id, f"{number}/{i}.jpg", 1, 2, image.image_id)
                 for i, image in enumerate(images)]
        store.write(images, files)
        print(number, flush=True)
"""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up connecting after a few tries."""
    monkeypatch.setattr(connections, "_TRY_FOR_SECONDS", 0.3)


@pytest.fixture
def address(postgres: Postgres) -> str:
    """The address of a library of two images."""
    address = postgres.address()
    with closing(create_store(address, MODEL)) as store:
        fill(store, {"a.jpg": example_image("a"), "b.jpg": example_image("b")})
    return address


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    with closing(open_store(address)) as store:
        yield store


def message(action: Callable[[], object], kind: type[Exception], *parts: str) -> str:
    """Return what an action says when it is refused, which holds these parts, and no password."""
    with pytest.raises(kind) as refusal:
        action()
    assert type(refusal.value) is kind
    said = str(refusal.value)
    assert "\n" not in said
    assert "secret" not in said
    for part in parts:
        assert part in said, said
    return said


def schema_of(address: str) -> str:
    return address.rpartition("schema=")[2]


# -- places ---------------------------------------------------------------------------------
def test_nothing_is_there(postgres: Postgres) -> None:
    address = postgres.address()
    message(lambda: open_store(address), LibraryNotFoundError, "no library at")
    check_place(address)
    message(lambda: open_store(address), LibraryNotFoundError, "no library at")


def test_a_library_is_there_already(address: str) -> None:
    message(lambda: create_store(address, MODEL), StoreError, "already")
    message(lambda: check_place(address), StoreError, "already")


def test_something_else_is_there(postgres: Postgres) -> None:
    address = postgres.address()
    schema = schema_of(address)
    postgres.run(f"CREATE SCHEMA {schema}", f"CREATE TABLE {schema}.library (version int)")
    for action in (open_store, check_place, lambda place: create_store(place, MODEL)):
        message(lambda: action(address), StoreError, "no library", schema)  # noqa: B023


def test_an_empty_schema_is_taken(postgres: Postgres) -> None:
    address = postgres.address('we"ird Schéma'.replace('"', "%22").replace(" ", "%20"))
    postgres.run('CREATE SCHEMA "we""ird Schéma"')
    check_place(address)
    with closing(create_store(address, MODEL)) as store:
        fill(store, {"a.jpg": example_image("a")})
        assert store.image_count() == 1


def test_a_newer_version_is_refused(address: str, postgres: Postgres) -> None:
    postgres.run(f"UPDATE {schema_of(address)}.library SET version = 7")
    with pytest.raises(SchemaTooNewError, match="version 7") as refusal:
        open_store(address)
    assert (refusal.value.found, refusal.value.supported) == (7, 1)


def test_a_schema_that_goes_while_it_is_open(
    store: Store, address: str, postgres: Postgres
) -> None:
    postgres.run(f"DROP SCHEMA {schema_of(address)} CASCADE")
    message(store.image_count, LibraryReplacedError, "open it again")


# -- the engine -------------------------------------------------------------------------------
@pytest.mark.usefixtures("impatient")
def test_an_engine_that_is_away() -> None:
    started = time.monotonic()
    said = message(
        lambda: open_store("postgresql://ann:secret@127.0.0.1:1/team"), EngineError,
        "cannot be reached", "ann@127.0.0.1:1",
    )  # fmt: skip
    assert "refused" in said
    assert 0.1 <= time.monotonic() - started < 3


def test_an_error_of_the_engine_has_its_exit_code(postgres: Postgres) -> None:
    with pytest.raises(EngineError) as refusal:
        open_store(postgres.uri.replace("/postgres?", "/nobody_has_this?"))
    assert "no such database" in str(refusal.value)
    outcome = outcome_of(refusal.value)
    assert outcome is not None
    assert (outcome.exit_code, outcome.http_status) == (5, 502)


def test_words_that_mean_nothing_to_postgresql(postgres: Postgres) -> None:
    message(lambda: open_store(f"{postgres.uri}&colour=red"), InputError, "means nothing")


def test_an_extension_that_is_not_there_is_added_or_asked_for(postgres: Postgres) -> None:
    postgres.run("DROP DATABASE IF EXISTS bare", "CREATE DATABASE bare",
                 "DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN",
                 "GRANT CREATE ON DATABASE bare TO guest")  # fmt: skip
    address = f"{postgres.uri.replace('/postgres?', '/bare?')}&schema=one"
    as_guest = address.replace("postgres:@", "guest@").replace("//postgres@", "//guest@")
    check_place(address)
    message(lambda: create_store(as_guest, MODEL), EngineError, "CREATE EXTENSION vector")
    with closing(create_store(address, MODEL)) as store:
        assert store.image_count() == 0
    create_store(as_guest.replace("schema=one", "schema=two"), MODEL).close()


def test_a_library_whose_extension_went(postgres: Postgres) -> None:
    postgres.run("DROP DATABASE IF EXISTS lost", "CREATE DATABASE lost")
    address = f"{postgres.uri.replace('/postgres?', '/lost?')}&schema=one"
    with closing(create_store(address, MODEL)):
        pass
    lost = Postgres(postgres.uri.replace("/postgres?", "/lost?"), postgres.folder,
                    postgres.folder, None)  # fmt: skip
    lost.run("DROP EXTENSION vector CASCADE")
    message(lambda: open_store(address), EngineError, "pgvector is not there")


def test_who_may_not_create_is_told(postgres: Postgres) -> None:
    postgres.run("DROP ROLE IF EXISTS visitor", "CREATE ROLE visitor LOGIN")
    address = postgres.address().replace("//postgres:@", "//visitor@")
    address = address.replace("//postgres@", "//visitor@")
    assert "visitor" in address
    message(lambda: check_place(address), EngineError, "may not make the schema")
    message(lambda: create_store(address, MODEL), EngineError, "may not make the schema")


def test_who_may_only_read_reads(address: str, postgres: Postgres) -> None:
    schema = schema_of(address)
    postgres.run("DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN",
                 f"GRANT USAGE ON SCHEMA {schema} TO reader",
                 f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader")  # fmt: skip
    with closing(open_store(address.replace("//postgres:@", "//reader@")
                            .replace("//postgres@", "//reader@"))) as store:  # fmt: skip
        assert len(store.records([0, 1])) == 2
        message(lambda: fill(store, {}), LibraryReadOnlyError, "may not be changed")
    postgres.run("DROP OWNED BY reader", "DROP ROLE reader")


def test_a_statement_that_takes_too_long(store: PostgresStore) -> None:
    def wait() -> None:
        with store._open.reading() as snapshot:
            snapshot.connection.execute("SET LOCAL statement_timeout = 20")
            snapshot.connection.execute("SELECT pg_sleep(5)")

    message(wait, EngineError, "statement_timeout")
    assert store.image_count() == 2


def test_a_wrong_password_and_the_right_one(postgres: Postgres) -> None:
    postgres.run("DROP ROLE IF EXISTS ann",
                 "CREATE ROLE ann LOGIN SUPERUSER PASSWORD 'right-secret'")  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = "-h 127.0.0.1", f"-p {port}"
    with postgres.copied(*options) as other:
        (other.folder / "pg_hba.conf").write_text(
            "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )
        other.stop()
        other.start(*options)
        place = f"127.0.0.1:{port}/postgres?schema=secured"
        started = time.monotonic()
        message(lambda: open_store(f"postgresql://ann:wrong-secret@{place}"), EngineError,
                "does not let this user in", "password")  # fmt: skip
        assert time.monotonic() - started < 2, "what will not pass is not tried again"
        right = f"postgresql://ann:right-secret@{place}"
        with closing(create_store(right, MODEL)) as store:
            fill(store, {"a.jpg": example_image("a")})
            assert "secret" not in store.location
            with closing(open_store(right)) as second, store.writing():
                message(lambda: fill(second, {}), LibraryBusyError)


# -- connections that break -------------------------------------------------------------------
def broken(postgres: Postgres) -> None:
    postgres.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name LIKE 'visionquery%' AND pid <> pg_backend_pid()"
    )


def test_a_broken_connection_is_replaced_unless_one_state_is_read(
    store: Store, postgres: Postgres
) -> None:
    assert store.image_count() == 2
    broken(postgres)
    assert store.image_count() == 2
    with store.reading():
        broken(postgres)
        message(lambda: store.note("a"), EngineError, "connection", "lost")
    assert store.image_count() == 2


def test_a_connection_lost_while_writing_leaves_nothing_half_written(
    store: Store, postgres: Postgres
) -> None:
    def lose() -> None:
        with store.writing():
            root = store.add_root(HOME)
            broken(postgres)
            image = example_image("c")
            store.write([image], [FileRecord(root.root_id, "c.jpg", 1, 2, image.image_id)])

    message(lose, EngineError, "connection", "half-written")
    assert store.image_count() == 2
    fill(store, {"c.jpg": example_image("c")})
    assert store.image_count() == 3


@pytest.mark.usefixtures("impatient")
def test_an_engine_that_stops_and_comes_back(postgres: Postgres) -> None:
    with postgres.copied() as other, closing(create_store(other.address(), MODEL)) as store:
        fill(store, {"a.jpg": example_image("a")})
        other.stop()
        message(store.image_count, EngineError, "cannot be reached")
        other.start()
        assert store.image_count() == 1


# -- writers ----------------------------------------------------------------------------------
def test_a_second_writer_is_told_who_writes(store: Store, address: str) -> None:
    with closing(open_store(address)) as other, store.writing():
        with pytest.raises(LibraryBusyError, match=rf"Process {os.getpid()} on ") as refusal:
            fill(other, {})
        assert refusal.value.pid == os.getpid()
        assert refusal.value.host
        assert refusal.value.since
    with closing(open_store(address)) as other:
        fill(other, {"c.jpg": example_image("c")})
        assert other.image_count() == 3


def test_two_libraries_of_one_database_have_a_writer_each(store: Store, postgres: Postgres) -> None:
    with closing(create_store(postgres.address(), MODEL)) as other:
        with store.writing(), other.writing():
            store.set_note("a", "1")
            other.set_note("a", "2")
        assert (store.note("a"), other.note("a")) == ("1", "2")


def test_a_killed_writer_leaves_whole_batches_and_its_place(postgres: Postgres) -> None:
    address = postgres.address()
    create_store(address, MODEL).close()
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, address], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    done = [int(next(writer.stdout)) for _ in range(5)][-1]
    writer.send_signal(signal.SIGKILL)
    done = max([done, *(int(line) for line in writer.stdout)])
    writer.wait()
    writer.stdout.close()
    with closing(open_store(address)) as store:
        images = store.image_count()
        assert images in (3 * (done + 1), 3 * (done + 2))
        assert store.row_count() == images
        (root,) = store.roots()
        assert len(store.files(Scope(root.root_id))) == images
        taken = time.monotonic()
        while True:
            try:
                fill(store, {"more.jpg": example_image("more")}, home="/pictures")
                break
            except LibraryBusyError:
                assert time.monotonic() - taken < 10
                time.sleep(0.1)
        assert store.image_count() == images + 1


# -- other generations and replicas -----------------------------------------------------------
def test_a_store_that_was_open_before_a_move_or_compaction_refuses(
    store: Store, address: str
) -> None:
    with closing(open_store(address)) as mover:
        next_model = ModelIdentity("next", "f2", 12, "next")
        with mover.writing():
            mover.begin_next(next_model)
            vectors = [example_image(name, embed_dim=12).vector for name in "ab"]
            mover.write_next([0, 1], np.stack(vectors))
            with store.reading():
                before = store.vectors([0, 1])
                mover.finish_next()
                assert (store.vectors([0, 1]) == before).all(), "an old state stays readable"
            message(store.row_count, LibraryReplacedError, "open it again")
            message(lambda: store.records([0]), LibraryReplacedError)
            message(lambda: fill(store, {}), LibraryBusyError)
        message(lambda: fill(store, {}), LibraryReplacedError)
        assert [root.location for root in store.roots()] == [HOME]
        with mover.writing():
            mover.forget([(mover.roots()[0].root_id, "a.jpg")])
            mover.prune()
            assert mover.compact().holes == 1
        assert (mover.model, mover.row_count()) == (next_model, 1)
    with closing(open_store(address)) as again:
        assert again.records([0])[0].image_id == example_image("b").image_id


def test_old_images_go_once_nobody_reads_them(
    address: str, store: Store, postgres: Postgres
) -> None:
    def tables() -> int:
        found = postgres.run("SELECT count(*) FROM pg_tables "
                             f"WHERE schemaname = '{schema_of(address)}' "
                             "AND tablename LIKE 'images%'")  # fmt: skip
        return int(str(found[0][0]))

    with closing(open_store(address)) as other:
        with other.writing():
            other.forget([(1, "a.jpg")])
            other.prune()
            with store.reading():
                store.records([1])
                other.compact()
            assert tables() == 4
        with other.writing():
            assert tables() == 2


def test_a_replica_answers_and_says_that_it_takes_nothing(
    address: str, store: Store, postgres: Postgres
) -> None:
    with postgres.copied(standby=True) as replica:
        place = replica.address(schema_of(address))
        fill(store, {"c.jpg": example_image("c")})
        with closing(open_store(place)) as reader:
            started = time.monotonic()
            while reader.image_count() < 3:
                assert time.monotonic() - started < 20
                time.sleep(0.05)
            assert reader.records([2])[0].paths == store.records([2])[0].paths
            assert reader.facets() == store.facets()
            assert (reader.scores(reader.vectors([0])) == store.scores(store.vectors([0]))).all()
            message(lambda: fill(reader, {}), LibraryReadOnlyError, "replica")
        message(lambda: create_store(replica.address(), MODEL), LibraryReadOnlyError, "replica")
