"""`weir blob`: what is put comes back, from a directory and from S3, whatever happens on the way."""

import hashlib
import json
import os
import random
import resource
import subprocess
import threading
import time

import pytest

from conftest import WEIR
from s3_server import ACCESS, KEYS, SECRET, Answers, Proxy, Server, peak_of, place

MIB = 1024 * 1024


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def bytes_of(size, seed=1):
    return random.Random(seed).randbytes(size)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.close()


@pytest.fixture(params=["directory", "S3"])
def blobs(request, tmp_path):
    """The environment of a place that has nothing yet, of each kind."""
    if request.param == "directory":
        return {"WEIR_BLOBS": str(tmp_path / "kept")}
    server = request.getfixturevalue("server")
    return {"WEIR_BLOBS": place(server.port, tmp_path.name), **KEYS}


def test_the_commands(weir, tmp_path, blobs):
    (tmp_path / "file").write_bytes(b"some bytes\n")
    (tmp_path / "other").write_bytes(b"others")
    digest = digest_of(b"some bytes\n")

    def blob(*words, code=0):
        done = weir("blob", *words, environment=blobs)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    assert blob("put", "file") == digest + "\n"
    assert json.loads(blob("put", "file", "-o", "json", "--owner", "run-1")) == {"digest": digest, "size": 11, "there": True}
    assert blob("get", digest) == "some bytes\n"
    assert blob("get", digest, "--range", "5-8") == "byte"
    assert blob("get", digest, "--range", "5-") == "bytes\n"
    assert blob("get", digest, "-o", "copy") == ""
    assert (tmp_path / "copy").read_bytes() == b"some bytes\n"
    assert sorted(path.name for path in tmp_path.glob("*")) == sorted(
        ["copy", "file", "other"] + (["kept"] if "AWS_ACCESS_KEY_ID" not in blobs else [])
    )
    blob("put", "other")
    names = blob("list", "-o", "name").split()
    assert names == sorted([digest, digest_of(b"others")])
    assert [entry["digest"] for entry in json.loads(blob("list", "-o", "json"))] == names
    assert [json.loads(line)["size"] for line in blob("list", "-o", "jsonl").splitlines()] == [
        {digest: 11}.get(name, 6) for name in names
    ]
    assert all(name in blob("list") for name in names)
    shown = json.loads(blob("show", digest, "-o", "json"))
    assert (shown["size"], shown["owners"]) == (11, ["run-1", "user"])
    assert abs(shown["modified"] / 1e6 - time.time()) < 60
    assert "owner run-1\nowner user\n" in blob("show", digest)
    assert blob("rm", digest) == "kept: others refer to it\n"
    assert json.loads(blob("rm", digest, "--owner", "run-1", "-o", "json")) == {"digest": digest, "removed": True}
    assert blob("prune", "--dry-run") == "would remove 0 blobs of 0 bytes, kept 1; 0 leftovers\n"
    assert json.loads(blob("prune", "-o", "json")) == {"kept": 1, "removed": 0, "bytes": 0, "leftovers": 0}
    assert f"there is no blob {digest}" in blob("get", digest, code=2)
    assert "does not refer" in blob("rm", digest, code=2)
    assert "64 digits" in blob("get", "sha256:abc", code=2)
    for wrong in "x", "5-4", "-5", "1-2-3", "99999999999999999999":
        assert "--range" in blob("get", digest, f"--range={wrong}", code=2)
    assert "an owner of blobs" in blob("put", "file", "--owner", "../x", code=2)
    assert "cannot open `missing`" in blob("put", "missing", code=2)
    assert "Is a directory" in blob("put", ".", code=3)
    assert weir("complete", "blob", "get", "", environment=blobs).stdout.split() == [digest_of(b"others")]


def test_the_place_is_in_the_state_unless_said(weir, tmp_path):
    put = weir("blob", "put", "-", input="in the state")
    assert put.returncode == 0, put.stderr
    assert (tmp_path / ".weir/blobs/sha256").is_dir()
    assert weir("blob", "get", put.stdout.strip()).stdout == "in the state"
    assert weir("list").returncode == 0  # the state has no runs, and is one
    missing = weir("blob", "list", "--state", "nowhere")
    assert missing.returncode == 2 and "there are no blobs here" in missing.stderr
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "weir.yaml").write_text("blobs: there\n")
    assert weir("blob", "put", "-", input="there").returncode == 0
    assert (tmp_path / "there/sha256").is_dir()
    assert weir("blob", "list", "--blobs", ".weir/blobs", "-o", "name").stdout == put.stdout


def test_a_pipe_that_nobody_reads(tmp_path, blobs, weir):
    (tmp_path / "file").write_bytes(bytes_of(3 * MIB))
    digest = weir("blob", "put", "file", environment=blobs).stdout.strip()
    process = subprocess.Popen([WEIR, "blob", "get", digest], env={**os.environ, **blobs}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(10)
    process.stdout.close()
    assert b"cannot be written out" in process.stderr.read()
    assert process.wait(20) == 3


# --- memory -------------------------------------------------------------------------------------


@pytest.mark.skipif("sanitize" in WEIR, reason="the sanitizers keep what is freed")
def test_memory_stays_flat(tmp_path, blobs):
    """200 MB up and down, from a file and through a pipe, with the memory of 1 MB."""
    with (tmp_path / "large").open("wb") as file:
        for i in range(25):
            file.write(bytes_of(8_000_000, i))
    (tmp_path / "small").write_bytes(bytes_of(1_000_000))
    peaks = {}
    for name in "small", "large":
        with (tmp_path / "digest").open("wb") as out:
            code, put = peak_of([WEIR, "blob", "put", str(tmp_path / name)], blobs, stdout=out)
        assert code == 0
        digest = (tmp_path / "digest").read_text().strip()
        code, get = peak_of([WEIR, "blob", "get", digest, "-o", str(tmp_path / "back")], blobs)
        assert code == 0
        peaks[name] = (put, get)
    assert subprocess.run(["cmp", tmp_path / "large", tmp_path / "back"]).returncode == 0
    print(f"\nnote: peak of put and get of 200 MB: {peaks['large'][0] / 1e6:.0f} and {peaks['large'][1] / 1e6:.0f} MB")
    for small, large in zip(peaks["small"], peaks["large"]):
        assert large < small + 16_000_000


def uploads_left(weir, environment, wait_s=1.1):
    """Uploads in parts that were begun and not ended, which this ends."""
    place = environment["WEIR_BLOBS"].replace("&leftover=0s", "") + "&leftover=0s"
    time.sleep(wait_s)  # S3's times are whole seconds
    return json.loads(weir("blob", "prune", "-o", "json", environment={**environment, "WEIR_BLOBS": place}).stdout)["leftovers"]


# --- faults -------------------------------------------------------------------------------------


def test_kill_at_any_moment(tmp_path, blobs, weir):
    """What is listed is whole; what a dead process left goes with the next prune."""
    blobs = dict(blobs)
    if "AWS_ACCESS_KEY_ID" in blobs:
        blobs["WEIR_BLOBS"] += "&leftover=0s"
    data = bytes_of(20 * MIB)
    (tmp_path / "file").write_bytes(data)
    chance = random.Random(int.from_bytes(os.urandom(4)))
    begun = time.monotonic()
    assert weir("blob", "put", "file", "--owner", "first", environment=blobs).returncode == 0
    whole_s = time.monotonic() - begun
    assert weir("blob", "rm", digest_of(data), "--owner", "first", environment=blobs).stdout == "removed\n"
    for _ in range(6):
        process = subprocess.Popen([WEIR, "blob", "put", "file"], cwd=tmp_path, env={**os.environ, **blobs}, stdout=subprocess.PIPE)
        time.sleep(chance.uniform(0, whole_s))
        process.kill()
        process.communicate()
        for name in weir("blob", "list", "-o", "name", environment=blobs).stdout.split():
            assert name == digest_of(data)
            assert weir("blob", "get", name, "-o", "back", environment=blobs).returncode == 0
            assert weir("blob", "rm", name, environment=blobs).returncode == 0
    if "AWS_ACCESS_KEY_ID" in blobs:
        deadline = time.monotonic() + 15  # the server may still be at what a dead process asked for
        while uploads_left(weir, blobs) and time.monotonic() < deadline:
            time.sleep(0.3)
        assert uploads_left(weir, blobs, wait_s=0) == 0
    else:
        assert weir("blob", "prune", environment=blobs).returncode == 0
        assert not list((tmp_path / "kept/tmp").iterdir())
    assert weir("blob", "put", "file", environment=blobs).returncode == 0
    assert weir("blob", "get", digest_of(data), "-o", "back", environment=blobs).returncode == 0
    assert (tmp_path / "back").read_bytes() == data


def test_a_file_that_may_not_grow(tmp_path, weir):
    (tmp_path / "file").write_bytes(bytes_of(3 * MIB))
    limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))}
    put = weir("blob", "put", "file", **limit)
    assert put.returncode == 3
    assert "File too large" in put.stderr and "ulimit -f" in put.stderr
    assert weir("blob", "list").stdout == ""
    assert not list((tmp_path / ".weir/blobs/tmp").iterdir())


def test_a_full_disk(tmp_path, weir):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        (tmp_path / "large").write_bytes(bytes_of(3 * MIB))
        (tmp_path / "small").write_bytes(bytes_of(3 * MIB // 2))
        put = weir("blob", "put", "large", "--blobs", "disk/blobs")
        assert put.returncode == 3
        assert "No space left" in put.stderr and "make room" in put.stderr
        assert weir("blob", "list", "--blobs", "disk/blobs").stdout == ""
        small = weir("blob", "put", "small", "--blobs", "disk/blobs")
        assert small.returncode == 0, small.stderr  # what did not fit is gone
        get = weir("blob", "get", small.stdout.strip(), "-o", "disk/copy", "--blobs", "disk/blobs")
        assert get.returncode == 3 and "No space left" in get.stderr
        assert sorted(path.name for path in disk.iterdir()) == ["blobs"]
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_directory_that_may_only_be_read(tmp_path, weir):
    digest = weir("blob", "put", "-", input="x").stdout.strip()
    if subprocess.run(["mount", "--bind", "-o", "ro", ".weir", ".weir"], cwd=tmp_path, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", ".weir"], cwd=tmp_path, check=True, capture_output=True)
        assert weir("blob", "get", digest).stdout == "x"
        put = weir("blob", "put", "-", input="y")
        assert put.returncode == 3 and "Read-only" in put.stderr and "--blobs" in put.stderr
    finally:
        subprocess.run(["umount", "-l", tmp_path / ".weir"], check=True)


# --- faults of the network ----------------------------------------------------------------------


def test_a_connection_that_is_cut(tmp_path, weir, server):
    data = bytes_of(28 * MIB)
    (tmp_path / "file").write_bytes(data)
    up = Proxy(server.port, "up", after=5 * MIB, cuts=4)
    put = weir("blob", "put", "file", environment={"WEIR_BLOBS": place(up.port, "cut"), **KEYS})
    assert put.returncode == 0, put.stderr
    assert put.stdout.strip() == digest_of(data)
    assert up.cuts == 0
    assert up.bytes["up"] < 28 * MIB + 5 * 8 * MIB  # only parts are sent again
    down = Proxy(server.port, "down", after=5 * MIB, cuts=4)
    get = weir("blob", "get", digest_of(data), "-o", "back", environment={"WEIR_BLOBS": place(down.port, "cut"), **KEYS})
    assert get.returncode == 0, get.stderr
    assert (tmp_path / "back").read_bytes() == data
    assert down.cuts == 0
    assert down.bytes["down"] < 29 * MIB + 4 * MIB  # it goes on where it broke off
    assert uploads_left(weir, {"WEIR_BLOBS": place(server.port, "cut"), **KEYS}) == 0
    up.close()
    down.close()


def test_a_server_that_is_killed_and_started_again(tmp_path, weir):
    server = Server(tmp_path / "own")
    data = bytes_of(12 * MIB)
    (tmp_path / "file").write_bytes(data)
    slow = Proxy(server.port, delay_s=0.003)  # a connection's 22 MB/s at most
    environment = {"WEIR_BLOBS": place(slow.port), **KEYS}
    for words in ["put", "file"], ["get", digest_of(data), "-o", "back"]:
        process = subprocess.Popen(
            [WEIR, "blob", *words], cwd=tmp_path, env={**os.environ, **environment}, stdout=subprocess.PIPE
        )
        time.sleep(0.3)
        assert process.poll() is None
        server.kill()
        time.sleep(0.3)
        server.start()
        process.communicate(timeout=30)
        assert process.returncode == 0
    assert (tmp_path / "back").read_bytes() == data
    server.kill()
    for words in ["put", "file"], ["get", digest_of(data)], ["list"], ["prune"]:
        given_up = weir("blob", *words, environment={**environment, "WEIR_BLOBS": place(server.port, attempts=2)})
        assert given_up.returncode == 3
        assert "connect" in given_up.stderr and "is it running" in given_up.stderr and SECRET not in given_up.stderr
    server.close()
    slow.close()


def test_a_file_that_changes_while_it_is_put(tmp_path, weir, server):
    """What is refused leaves nothing behind."""
    for change in (lambda file: file.truncate(1000), lambda file: file.write(b"x" * 24 * MIB)):
        slow = Proxy(server.port, delay_s=0.003)
        environment = {**os.environ, "WEIR_BLOBS": place(slow.port, "changing", attempts=2), **KEYS}
        (tmp_path / "file").write_bytes(bytes_of(24 * MIB))
        process = subprocess.Popen([WEIR, "blob", "put", "file"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while slow.bytes["up"] < MIB:
            assert process.poll() is None
            time.sleep(0.01)
        with (tmp_path / "file").open("r+b") as file:
            change(file)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 3
        assert "the file changed while it was put" in said
        slow.close()
    environment["WEIR_BLOBS"] = place(server.port, "changing")
    assert uploads_left(weir, environment) == 0
    assert weir("blob", "list", environment=environment).stdout == ""


def xml(code, more=""):
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message>{more}</Error>".encode()


OLD = {"Date": "Wed, 01 Jan 2020 00:00:00 GMT"}
ANSWERS = {
    "clock": ((403, OLD, xml("RequestTimeTooSkewed")), 3, "s ahead of that of S3"),
    "rights": ((403, {}, xml("AccessDenied")), 3, "may not write in the bucket `bucket`"),
    "token": ((400, {}, xml("ExpiredToken")), 3, "session token"),
    "unknown token": ((400, {}, xml("InvalidToken", "<Token-0>the-session-token</Token-0>")), 3, "session token"),
    "key": ((403, {}, xml("InvalidAccessKeyId")), 3, "does not know the access key"),
    "region": ((400, {}, xml("AuthorizationHeaderMalformed", "<Region>eu-x-1</Region>")), 2, "but in eu-x-1"),
    "moved": ((301, {"x-amz-bucket-region": "ap-x-2"}, xml("PermanentRedirect")), 2, "but in ap-x-2"),
    "redirect": ((307, {"Location": "http://elsewhere.invalid/"}, b""), 3, "redirects are not followed"),
    "busy": ((503, {}, xml("SlowDown")), 3, "is not well: SlowDown"),
    "no XML": ((418, {}, b"\x00\x1b[31m<Code>" * 100), 3, "answers 418 to PUT"),
    "commands a terminal": ((400, {}, xml("A\x1b[31mB")), 3, "answers 400 A [31mB"),
    "a long answer": ((500, {}, b"x" * 9 * MIB), 3, "more than 8388608 bytes"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_s3_answers(tmp_path, weir, name):
    answer, code, said = ANSWERS[name]
    server = Answers(answer)
    token = "the-session-token"
    environment = {**KEYS, "AWS_SESSION_TOKEN": token, "WEIR_BLOBS": place(server.port, attempts=2)}
    put = weir("blob", "put", "-", input="x", environment=environment)
    assert put.returncode == code, put.stderr
    assert said in put.stderr
    assert SECRET not in put.stderr and token not in put.stderr and ACCESS + "/" not in put.stderr
    assert "\x1b" not in put.stderr
    command, path, headers = server.requests[0]
    assert command == "PUT" and path.startswith("/bucket/tests/refs/")
    assert headers["x-amz-security-token"] == token
    assert "x-amz-security-token, " in headers["Authorization"].replace("SignedHeaders=", "") + ", "
    assert len(server.requests) == (2 if name == "busy" else 1)
    server.close()


def test_lists_that_lie(weir):
    """A list that is cut for ever with nothing in it, and names that are none."""
    entry = "<Contents><Key>tests/{}</Key><Size>1</Size></Contents>"
    names = ["../../x", "sha256/aa/" + "b" * 64, "sha256/ab/" + "ab" * 32, "sha256/ab/" + "x" * 500]
    good = "".join(entry.format(name) for name in names)
    for body, code, said in [
        ("<IsTruncated>true</IsTruncated>", 3, "cuts a list"),
        (good + "<IsTruncated>false</IsTruncated>", 0, ""),
    ]:
        server = Answers((200, {}, body.encode()), (200, {}, b"<IsTruncated>false</IsTruncated>"))
        done = weir("blob", "list", "-o", "name", environment={**KEYS, "WEIR_BLOBS": place(server.port)})
        assert done.returncode == code and said in done.stderr
        assert done.stdout == ("sha256:" + "ab" * 32 + "\n" if code == 0 else "")
        server.close()


def test_a_gate_that_somebody_is_in(tmp_path, weir, server):
    """Who puts a blob waits for who removes some; one that died is not waited for."""
    environment = {**KEYS, "WEIR_BLOBS": place(server.port, "gate")}
    gates = server.root / "bucket/gate/gates"
    gates.mkdir(parents=True)
    (gates / "0000000000000001").touch()
    threading.Timer(1, (gates / "0000000000000001").unlink).start()
    begun = time.monotonic()
    assert weir("blob", "put", "-", input="x", environment=environment).returncode == 0
    assert time.monotonic() - begun > 0.8
    (gates / "0000000000000002").touch()
    os.utime(gates / "0000000000000002", (1e9, 1e9))
    assert weir("blob", "put", "-", input="y", environment=environment, timeout=10).returncode == 0


def test_tls_and_virtual_hosts(tmp_path, weir):
    name = "/CN=localhost"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", name,
         "-addext", "subjectAltName=DNS:localhost,DNS:bucket.localhost", "-keyout", "key", "-out", "certificate"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    server = Server(tmp_path / "own", "--cert", tmp_path / "certificate", "--key", tmp_path / "key", "--virtual-domain", "localhost")
    environment = {**KEYS, "WEIR_BLOBS": f"s3://bucket?endpoint=https://localhost:{server.port}&style=virtual&attempts=2"}
    refused = weir("blob", "put", "-", input="x", environment=environment)
    assert refused.returncode == 3 and "AWS_CA_BUNDLE" in refused.stderr
    environment["AWS_CA_BUNDLE"] = str(tmp_path / "certificate")
    put = weir("blob", "put", "-", input="x", environment=environment)
    assert put.returncode == 0, put.stderr
    assert weir("blob", "get", digest_of(b"x"), environment=environment).stdout == "x"
    assert (server.root / "bucket/sha256").is_dir()
    server.close()


def test_without_credentials(weir, tmp_path):
    environment = {"WEIR_BLOBS": "s3://bucket", "HOME": str(tmp_path), "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    done = weir("blob", "list", environment=environment)
    assert done.returncode == 2 and "no credentials for S3" in done.stderr
