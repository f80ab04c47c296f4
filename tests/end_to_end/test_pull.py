"""Pulling images: from distribution's registry, and from one that is meddled with."""

import base64
import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest

from conftest import WEIR
from registry_server import (
    DOCKER_LIST, IDENTITY, PASSWORD, USER, Meddler, Registry, TokenServer, digest_of, image, index, make_certificate, serve,
    Handler, tar, times,
)

NOISE = random.Random(7).randbytes(3_000_000)  # what does not get smaller
SECRET = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.fixture
def registry(tmp_path):
    (tmp_path / "plain").mkdir()
    server = Registry(tmp_path / "plain")
    yield server
    server.close()


@pytest.fixture
def home(tmp_path):
    """Where nobody has credentials, and images are kept."""
    (tmp_path / "home/.docker").mkdir(parents=True)
    return tmp_path / "home"


@pytest.fixture
def environment(home):
    return {"HOME": str(home), "WEIR_IMAGES": str(home / "images"), "DOCKER_CONFIG": "", "REGISTRY_AUTH_FILE": "",
            "XDG_RUNTIME_DIR": "", "no_proxy": "*"}


@pytest.fixture
def pull(weir, environment):
    """What came, or the error's text."""

    def call(name, *options, **more):
        done = weir("image", "pull", name, "-o", "json", *options, environment={**environment, **more})
        if done.returncode:
            assert done.stderr.startswith("weir: ") and "Sanitizer" not in done.stderr, done.stderr
            return done.stderr
        return json.loads(done.stdout)[0] if done.stdout.startswith("[") else json.loads(done.stdout)

    return call


@pytest.fixture
def meddle():
    """Servers in front of a registry, which end with the test."""
    made = []

    def make(*arguments, **options):
        made.append(Meddler(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def files(home, layer):
    """The files of an unpacked layer, by the layer as a dictionary."""
    return home / "images/layers" / digest_of(tar(layer)).removeprefix("sha256:")


LAYERS = [{"bin": None, "bin/tool": (0o755, b"#!/bin/sh\n")}, {"big": NOISE}, {"etc": None, "etc/motd": b"welcome"}]


@pytest.fixture(scope="module")
def three():
    return image(LAYERS, Cmd=["tool"], Env=["A=b"])


def paths(requests, kind="blobs"):
    return [path for method, path, headers in requests if f"/{kind}/" in path]


# --- what comes


@pytest.mark.parametrize("form,compress", [("oci", "gzip"), ("oci", "zstd"), ("oci", "none"), ("docker", "gzip")])
def test_an_image_comes_in_each_form(registry, pull, home, weir, environment, form, compress):
    digest = registry.push("tools/three:1", image(LAYERS, form, compress, Cmd=["tool"]))
    came = pull(f"{registry.host}/tools/three:1")
    assert came["digest"] == digest and came["layers"] == 3
    assert (files(home, LAYERS[0]) / "bin/tool").stat().st_mode & 0o777 == 0o755
    assert (files(home, LAYERS[1]) / "big").read_bytes() == NOISE
    shown = json.loads(weir("image", "show", f"{registry.host}/tools/three:1", "-o", "json", environment=environment).stdout)
    assert shown["config"]["config"]["Cmd"] == ["tool"]


@pytest.mark.parametrize("form", ["oci", "docker"])
def test_the_machine_or_who_asks_chooses_the_platform(registry, pull, form):
    images = {
        name: image([{"arch": name.encode()}], form, platform=name)
        for name in ("linux/amd64", "linux/arm64/v8", "linux/arm/v6", "linux/arm/v7", "linux/riscv64")
    }
    registry.push("tools/all:1", index(images, form))
    name = f"{registry.host}/tools/all:1"
    for wanted, there in [("linux/arm/v7", "linux/arm/v7"), ("linux/arm/v5", None), ("linux/arm64", "linux/arm64/v8"),
                          ("linux/arm/v6", "linux/arm/v6"), ("linux/riscv64", "linux/riscv64"), ("linux/s390x", None)]:
        came = pull(name, "--platform", wanted)
        if there:
            assert came["digest"] == digest_of(images[there].bytes)
        else:
            assert f"no image for {wanted}" in came and "linux/arm/v6, linux/arm/v7" in came


def test_an_image_for_another_machine_is_refused(registry, pull):
    registry.push("tools/one:1", image([{"a": b"1"}], platform="linux/s390x"))
    assert "is for linux/s390x" in pull(f"{registry.host}/tools/one:1")
    assert pull(f"{registry.host}/tools/one:1", "--platform", "linux/s390x")["layers"] == 1


def test_a_digest_is_a_name(registry, pull, three):
    digest = registry.push("tools/three:1", three)
    registry.push("tools/three:1", image([{"other": b"1"}]))
    assert pull(f"{registry.host}/tools/three@{digest}")["digest"] == digest
    other = "sha256:" + "0" * 64
    assert "no such image" in pull(f"{registry.host}/tools/three@{other}")


def test_only_what_is_missing_comes(registry, pull, meddle, three):
    between = meddle(registry)
    registry.push("tools/three:1", three)
    assert pull(f"{between.host}/tools/three:1")["layers"] == 3
    assert len(paths(between.requests)) == 4
    between.requests.clear()
    assert pull(f"{between.host}/tools/three:1")["layers"] == 3  # a glance at the tag
    assert [method for method, path, headers in between.requests] == ["HEAD"]
    between.requests.clear()
    registry.push("tools/three:1", image([*LAYERS, {"more": b"1"}], Cmd=["tool"]))
    assert pull(f"{between.host}/tools/three:1")["layers"] == 4
    assert len(paths(between.requests)) == 2  # the configuration and the new layer


def test_a_digest_of_several_means_the_machines_whichever_came_last(registry, pull, weir, environment):
    several = index({name: image([{"arch": name.encode()}], platform=name) for name in ("linux/amd64", "linux/arm64", "linux/s390x")})
    digest = registry.push("tools/several:1", several)
    name = f"{registry.host}/tools/several"
    came = {wanted: pull(f"{name}:1", "--platform", wanted)["digest"] for wanted in ("linux/amd64", "linux/arm64", "linux/s390x")}
    machine = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}.get(os.uname().machine, "linux/s390x")
    registry.kill()
    for wanted, options in [(machine, []), *((each, ["--platform", each]) for each in came)]:
        assert pull(f"{name}@{digest}", *options)["digest"] == came[wanted]
    shown = weir("image", "show", f"{name}@{digest}", "-o", "json", environment=environment)
    assert json.loads(shown.stdout)["digest"] == came[machine]


def test_several_layers_come_at_once(registry, pull, meddle):
    registry.push("tools/ten:1", image([{f"f{i}": str(i).encode()} for i in range(10)]))
    between = meddle(registry, lambda method, path: {"delay_s": 0.1} if "/blobs/" in path else None)
    assert pull(f"{between.host}/tools/ten:1")["layers"] == 10
    assert between.busy_most == 4


def test_an_image_without_a_layer_and_one_with_twins(registry, pull, meddle):
    registry.push("tools/none:1", image([]))
    assert pull(f"{registry.host}/tools/none:1")["layers"] == 0
    between = meddle(registry)
    registry.push("tools/twins:1", image([{"a": b"1"}, {"b": b"2"}, {"a": b"1"}]))
    assert pull(f"{between.host}/tools/twins:1")["layers"] == 3
    assert len(paths(between.requests)) == 3


# --- who asks


def log_in(home, host, entry):
    (home / ".docker/config.json").write_text(json.dumps({"auths": {host: entry}}))


def test_names_and_passwords(tmp_path, home, pull, three):
    registry = Registry(tmp_path, auth="basic")
    registry.push("tools/three:1", three)
    name = f"{registry.host}/tools/three:1"
    said = pull(name)
    assert "it wants a name and a password" in said and f"docker login {registry.host}" in said
    log_in(home, registry.host, {"username": USER, "password": "not-the-one"})
    said = pull(name)
    assert "it refuses (status 401" in said and "not-the-one" not in said and ".docker/config.json" in said
    log_in(home, registry.host, {"auth": SECRET})
    assert pull(name)["layers"] == 3
    registry.close()


def test_tokens(tmp_path, home, pull, three):
    registry = Registry(tmp_path, auth="token", anonymous=("tools/open",))
    registry.push("tools/three:1", three)
    registry.push("tools/open:1", three)
    assert pull(f"{registry.host}/tools/open:1")["layers"] == 3
    (method, path, headers, form), = registry.tokens.requests
    assert "scope=repository%3Atools%2Fopen%3Apull" in path and "Authorization" not in headers
    said = pull(f"{registry.host}/tools/three:1")
    assert "status 401" in said and "docker login" in said
    log_in(home, registry.host, {"username": USER, "password": "not-the-one"})
    said = pull(f"{registry.host}/tools/three:1")
    assert "what gives its tokens: it refuses" in said and "are wrong" in said and "not-the-one" not in said
    log_in(home, registry.host, {"auth": SECRET})
    assert pull(f"{registry.host}/tools/three:1")["layers"] == 3
    log_in(home, registry.host, {"identitytoken": IDENTITY})
    registry.push("tools/three:2", image([{"new": b"1"}]))
    registry.tokens.requests.clear()
    assert pull(f"{registry.host}/tools/three:2")["layers"] == 1
    (method, path, headers, form), = registry.tokens.requests
    assert (method, form["grant_type"], form["refresh_token"]) == ("POST", "refresh_token", IDENTITY)
    registry.close()


def test_a_token_that_is_over_is_made_anew(tmp_path, pull, meddle, three):
    registry = Registry(tmp_path, auth="token", anonymous=("tools/three",), field="access_token")
    registry.push("tools/three:1", three)
    challenge = f'Bearer realm="{registry.tokens.url}",service="service of the tests",scope="repository:tools/three:pull"'
    refuse = {"status": 401, "headers": {"WWW-Authenticate": challenge}}
    layers = "|".join(layer["digest"] for layer in three.manifest["layers"])
    between = meddle(registry, times(4, layers, refuse))
    assert pull(f"{between.host}/tools/three:1")["layers"] == 3
    assert len(registry.tokens.requests) >= 2
    registry.close()


def test_a_helper_knows_the_secret(tmp_path, home, pull, three):
    registry = Registry(tmp_path, auth="basic")
    registry.push("tools/three:1", three)
    tools = tmp_path / "tools"
    tools.mkdir()
    helper = tools / "docker-credential-box"
    helper.write_text(f'#!/bin/sh\nread host; [ "$host" = {registry.host} ] || exit 1\necho \'{{"Username":"{USER}","Secret":"{PASSWORD}"}}\'\n')
    helper.chmod(0o755)
    (home / ".docker/config.json").write_text(json.dumps({"credsStore": "box"}))
    path = f"{tools}:{os.environ['PATH']}"
    assert pull(f"{registry.host}/tools/three:1", PATH=path)["layers"] == 3
    helper.write_text(f"#!/bin/sh\necho {PASSWORD} >&2\necho {PASSWORD}\nexit 1\n")
    registry.push("tools/three:1", image([{"new": b"1"}]))
    said = pull(f"{registry.host}/tools/three:1", PATH=path)
    assert "docker-credential-box failed" in said and PASSWORD not in said
    helper.unlink()
    assert "docker-credential-box is not installed" in pull(f"{registry.host}/tools/three:1", PATH=path)
    registry.close()


def test_who_we_are_stays_with_the_registry(tmp_path, home, pull, meddle, three):
    """Blobs are redirected to another host, which is told nothing; and no token is asked for in the clear."""
    registry = Registry(tmp_path, auth="basic")
    registry.push("tools/three:1", three)
    asked = []

    class Store(Handler):
        def do_GET(self):
            asked.append(dict(self.headers))
            self.reply(200, registry.blob_file("sha256:" + self.path[1:]).read_bytes())

    store = serve(Store)

    def elsewhere(method, path):
        if "/blobs/" not in path or "sha256" not in path:
            return None
        target = f"http://127.0.0.1:{store.server_port}/{path.rsplit(':', 1)[1]}"
        return {"status": 307, "headers": {"Location": target}}

    between = meddle(registry, elsewhere)
    log_in(home, between.host, {"auth": SECRET})
    assert pull(f"{between.host}/tools/three:1")["layers"] == 3
    assert asked and not [headers for headers in asked if "Authorization" in headers]
    assert [headers for method, path, headers in between.requests if "/blobs/" in path and "Authorization" in headers]
    store.shutdown()
    registry.close()


def test_tls(tmp_path, pull, three):
    registry = Registry(tmp_path, tls=True)
    registry.push("tools/three:1", three)
    name = f"{registry.host}/tools/three:1"
    said = pull(name)
    assert "nobody vouches for its certificate" in said and "insecure: true" in said
    (tmp_path / "weir.yaml").write_text(json.dumps({"registries": {registry.host: {"insecure": True}}}))
    assert pull(name)["layers"] == 3
    registry.close()


@pytest.mark.parametrize("place", ["home/.config/containers", "home/.config/docker", "other/containers"])
def test_certificates_of_a_registry(tmp_path, home, environment, pull, three, place):
    """One that wants to see ours, and that nobody but its own authority vouches for."""
    key, certificate = make_certificate(tmp_path, "client")
    registry = Registry(tmp_path, tls=True, clients=certificate)
    registry.push("tools/three:1", three)
    name = f"{registry.host}/tools/three:1"
    folder = tmp_path / place / "certs.d" / registry.host
    environment["XDG_CONFIG_HOME"] = str(tmp_path / "other") if place.startswith("other") else ""
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(registry.certificate.read_bytes())
    said = pull(name)
    assert "nobody vouches" not in said and "cannot be pulled" in said
    (folder / "client.cert").write_bytes(certificate.read_bytes())
    said = pull(name)
    assert "client.cert` is of no use without" in said and "client.key" in said
    (folder / "client.key").write_bytes(key.read_bytes())
    assert pull(name)["layers"] == 3
    registry.close()


# --- what goes wrong


def test_a_connection_that_breaks_is_gone_on_with(registry, pull, meddle, three):
    registry.push("tools/three:1", three)
    big = three.manifest["layers"][1]["digest"]
    between = meddle(registry, times(3, big, {"cut": 700_000}))
    assert pull(f"{between.host}/tools/three:1")["layers"] == 3
    ranges = [headers.get("Range") for method, path, headers in between.requests if big in path]
    assert ranges == [None, "bytes=700000-", "bytes=1400000-", "bytes=2100000-"]


def test_one_that_cannot_go_on_begins_anew(registry, pull, meddle, three):
    registry.push("tools/three:1", three)
    big = three.manifest["layers"][1]["digest"]
    between = meddle(registry, times(1, big, {"cut": 700_000}), times(1, big, {"no_ranges": True}))
    assert pull(f"{between.host}/tools/three:1")["layers"] == 3
    assert len([path for path in paths(between.requests) if big in path]) == 2


@pytest.mark.parametrize("lie", [{"set": {"Content-Range": "bytes 5-9/10"}}, {"status": 416}])
def test_one_that_goes_on_elsewhere_begins_anew(registry, pull, meddle, three, lie):
    registry.push("tools/three:1", three)
    big = three.manifest["layers"][1]["digest"]
    between = meddle(registry, times(1, big, {"cut": 700_000}), times(1, big, lie))
    assert pull(f"{between.host}/tools/three:1")["layers"] == 3
    assert [headers.get("Range") for method, path, headers in between.requests if big in path] == [None, "bytes=700000-", None]


def test_redirects_end(registry, pull, meddle):
    between = meddle(registry, lambda method, path: {"status": 302, "headers": {"Location": path}})
    assert "redirects" in pull(f"{between.host}/tools/three:1")
    assert len(between.requests) < 30


def test_what_a_killed_pull_left_is_gone_on_with(registry, pull, meddle, three, environment):
    registry.push("tools/three:1", three)
    big = three.manifest["layers"][1]["digest"]
    between = meddle(registry, times(1, big, {"stall": 1_000_000}))
    process = subprocess.Popen([WEIR, "image", "pull", f"{between.host}/tools/three:1"], env={**os.environ, **environment})
    partial = os.path.join(environment["WEIR_IMAGES"], "partial", big.removeprefix("sha256:"))
    for _ in range(500):
        if os.path.exists(partial) and os.path.getsize(partial) == 1_000_000:
            break
        time.sleep(0.02)
    process.kill()
    process.wait()
    between.requests.clear()
    assert pull(f"{between.host}/tools/three:1")["layers"] == 3
    assert [headers.get("Range") for method, path, headers in between.requests if big in path] == ["bytes=1000000-"]


def test_a_spoiled_part_is_fetched_anew(registry, pull, meddle, three, environment):
    """What was left by another is not trusted either."""
    registry.push("tools/three:1", three)
    big = three.manifest["layers"][1]["digest"]
    between = meddle(registry, times(1, big, {"cut": 1_000_000}), times(9, big, {"status": 403}))
    assert "status 403" in pull(f"{between.host}/tools/three:1")
    partial = os.path.join(environment["WEIR_IMAGES"], "partial", big.removeprefix("sha256:"))
    with open(partial, "r+b") as file:
        file.write(b"spoiled")
    between.rules.clear()
    assert pull(f"{between.host}/tools/three:1")["layers"] == 3


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_what_fails_for_a_moment_is_tried_again(registry, pull, meddle, three, status):
    registry.push("tools/three:1", three)
    busy = {"status": status, "headers": {"Retry-After": "1"} if status == 429 else {}}
    between = meddle(registry, times(1, "manifests", busy), times(1, "blobs", busy))
    begun = time.monotonic()
    assert pull(f"{between.host}/tools/three:1")["layers"] == 3
    assert time.monotonic() - begun > (2 if status == 429 else 0.5)


def test_who_wants_too_much_patience_gets_none(registry, pull, meddle):
    between = meddle(registry, lambda *_: {"status": 429, "headers": {"Retry-After": "3600"}, "body": b'{"errors":[{"code":"TOOMANYREQUESTS"}]}'})
    begun = time.monotonic()
    said = pull(f"{between.host}/tools/three:1")
    assert "status 429: TOOMANYREQUESTS" in said and "3600 seconds" in said
    assert time.monotonic() - begun < 5


def test_a_server_that_always_fails(registry, pull, meddle):
    between = meddle(registry, lambda *_: {"status": 500})
    assert "it answers with status 500" in pull(f"{between.host}/tools/three:1")
    assert len(between.requests) == 5


def test_liars_are_refused(registry, pull, meddle, three, home):
    digest = registry.push("tools/three:1", three)
    config, big = three.manifest["config"]["digest"], three.manifest["layers"][1]["digest"]
    other = "sha256:" + "0" * 64
    for rule, said, reference in [
        ((99, "manifests", {"set": {"Docker-Content-Digest": other}}), f"it calls {other} what is {digest}", ":1"),
        ((99, "manifests", {"spoil": 5, "set": {"Docker-Content-Digest": None}}), f"it was asked for {digest}, and gave", f"@{digest}"),
        ((99, config, {"spoil": 5}), f"it was asked for {config}, and gave", ":1"),
        ((99, big, {"spoil": 100}), f"what came as {big} is sha256:", ":1"),
    ]:
        between = meddle(registry, times(*rule))
        message = pull(f"{between.host}/tools/three{reference}")
        assert said in message, message
        named = home / "images/index.json"
        assert not named.exists() or f"{between.host}/tools/three" not in named.read_text()


def test_more_and_less_than_was_said(registry, pull, three):
    longer = image(LAYERS)
    longer.manifest["layers"][1]["size"] -= 1
    registry.push("tools/longer:1", longer)
    assert "more of it than the" in pull(f"{registry.host}/tools/longer:1")
    shorter = image([{"a": b"1"}])
    shorter.manifest["layers"][0]["size"] += 1
    registry.push("tools/shorter:1", shorter)
    assert "which should have" in pull(f"{registry.host}/tools/shorter:1")


def test_a_layer_that_is_not_what_the_configuration_says(registry, pull):
    wrong, right = image([{"a": b"1"}]), image([{"b": b"2"}])
    wrong.blobs |= right.blobs
    wrong.manifest["layers"] = right.manifest["layers"]
    registry.push("tools/wrong:1", wrong)
    message = pull(f"{registry.host}/tools/wrong:1")
    assert "cannot be pulled" in message and "sha256:" in message


def test_things_that_are_no_images(registry, pull, meddle):
    chart = image([{"a": b"1"}])
    chart.manifest["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json"
    registry.push("tools/chart:1", chart)
    assert "no image of a container, but application/vnd.cncf.helm" in pull(f"{registry.host}/tools/chart:1")
    old = {"status": 200, "body": b'{"schemaVersion":1}', "headers": {"Content-Type": "application/vnd.docker.distribution.manifest.v1+json"}}
    assert '"schema 1"' in pull(f"{meddle(registry, lambda *_: old).host}/tools/old:1")
    huge = {"status": 200, "body": b" " * (5 << 20)}
    assert "more than 4194304 bytes" in pull(f"{meddle(registry, lambda *_: huge).host}/tools/huge:1")
    page = {"status": 200, "body": b"<html>"}
    assert "cannot be pulled" in pull(f"{meddle(registry, lambda *_: page).host}/tools/page:1")


@pytest.mark.parametrize("kind", ["docker.image.rootfs.foreign.diff.tar.gzip", "oci.image.layer.nondistributable.v1.tar+gzip"])
def test_layers_that_are_elsewhere_are_refused(registry, pull, kind):
    foreign = image([{"a": b"1"}])
    foreign.manifest["layers"][0] |= {"mediaType": f"application/vnd.{kind}", "urls": ["http://127.0.0.1:1/elsewhere"]}
    registry.push("tools/foreign:1", foreign)
    assert "such places are not asked" in pull(f"{registry.host}/tools/foreign:1")


def test_what_is_not_there(registry, pull, three):
    registry.push("tools/three:1.0", three)
    registry.push("tools/three:2.0", three)
    said = pull(f"{registry.host}/tools/three:1.1")
    assert "status 404" in said and "did you mean `1.0`" in said
    assert "its tags: 1.0, 2.0" in pull(f"{registry.host}/tools/three:something")
    assert "status 404" in pull(f"{registry.host}/tools/nothing:1")


def test_where_nobody_is(pull):
    for name, said in [("127.0.0.1:1/x:1", "Connection refused"), ("registry.invalid/x:1", "its name has no address")]:
        begun = time.monotonic()
        assert said in pull(name)
        assert time.monotonic() - begun < 5


# --- other ways there


def test_a_proxy_of_the_environment(tmp_path, registry, pull, meddle, three):
    """It alone knows where the registry is."""
    digest, proxy = registry.push("tools/three:1", three), meddle(registry)
    (tmp_path / "weir.yaml").write_text(json.dumps({"registries": {"registry.test:5000": {"insecure": True}}}))
    assert "registry.test" in pull("registry.test:5000/tools/three:1")
    came = pull("registry.test:5000/tools/three:1", http_proxy=f"http://{proxy.host}", https_proxy="http://127.0.0.1:1", no_proxy="")
    assert came["digest"] == digest
    assert "http://registry.test:5000/v2/tools/three/manifests/1" in paths(proxy.requests, "manifests")


# --- mirrors


def test_mirrors_are_asked_first(tmp_path, registry, pull, meddle, three):
    digest = registry.push("hub/library/three:1", three)
    gone, between = "127.0.0.1:1", meddle(registry)
    (tmp_path / "weir.yaml").write_text(json.dumps({"registries": {"docker.io": {"mirrors": [gone, f"{between.host}/hub"]}}}))
    assert pull("three:1")["digest"] == digest
    assert "/v2/hub/library/three/manifests/1" in paths(between.requests, "manifests")


def test_an_error_says_each_place_that_was_tried(tmp_path, registry, pull):
    places = {"registry.invalid": {"mirrors": ["127.0.0.1:1", f"{registry.host}/hub"]}}
    (tmp_path / "weir.yaml").write_text(json.dumps({"registries": places}))
    said = pull("registry.invalid/tools/three:1")
    assert "127.0.0.1:1: no connection: Connection refused;" in said
    assert f"{registry.host}/hub: there is no such image" in said
    assert "registry.invalid: its name has no address" in said


def test_what_a_mirror_began_the_registry_ends(tmp_path, registry, pull, meddle, three):
    registry.push("tools/three:1", three)
    big = three.manifest["layers"][1]["digest"]
    broken = meddle(registry, times(1, big, {"cut": 1_000_000}), times(99, big, {"status": 404}))
    whole = meddle(registry)
    (tmp_path / "weir.yaml").write_text(json.dumps({"registries": {whole.host: {"mirrors": [broken.host]}}}))
    assert pull(f"{whole.host}/tools/three:1")["layers"] == 3
    assert [headers.get("Range") for method, path, headers in whole.requests if big in path] == ["bytes=1000000-"]


# --- who ends it, and others at the same time


@pytest.mark.parametrize("wanted", ["manifests", "blobs"])
def test_an_interrupt_ends_it_at_once(registry, meddle, three, environment, wanted):
    registry.push("tools/three:1", three)
    between = meddle(registry, times(9, wanted, {"stall": 10}))
    process = subprocess.Popen([WEIR, "image", "pull", f"{between.host}/tools/three:1"], env={**os.environ, **environment},
                               stderr=subprocess.PIPE, text=True)
    for _ in range(500):
        if paths(between.requests, wanted):
            break
        time.sleep(0.01)
    time.sleep(0.2)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert time.monotonic() - begun < (1.5 if "sanitize" in WEIR else 0.3)
    assert process.returncode and "Sanitizer" not in said


def test_two_at_once_share_what_comes(registry, meddle, three, environment):
    registry.push("tools/three:1", three)
    between = meddle(registry, lambda method, path: {"delay_s": 0.2} if "/blobs/" in path else None)
    command = [WEIR, "image", "pull", f"{between.host}/tools/three:1"]
    both = [subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    layers = [layer["digest"] for layer in three.manifest["layers"]]
    asked = [path for path in paths(between.requests) if any(layer in path for layer in layers)]
    assert len(asked) == len(set(asked)) == 3


def test_who_waits_for_another_can_be_told_to_end(registry, meddle, three, environment):
    registry.push("tools/three:1", three)
    between = meddle(registry, times(1, three.manifest["layers"][1]["digest"], {"stall": 100_000}))
    command = [WEIR, "image", "pull", f"{between.host}/tools/three:1"]
    both = []
    for index in range(2):
        both.append(subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL))
        for _ in range(500):
            if len(paths(between.requests, "manifests")) > index and len(paths(between.requests)) == 4:
                break
            time.sleep(0.01)
    time.sleep(0.5)
    for process in reversed(both):
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) and time.monotonic() - begun < (1.5 if "sanitize" in WEIR else 0.3)
