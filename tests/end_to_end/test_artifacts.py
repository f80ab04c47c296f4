"""How artifacts move: where they are kept, what they come from, `weir cp`."""

import functools
import http.server
import io
import os
import signal
import subprocess
import tarfile
import threading
import time

import pytest

from conftest import WEIR

HEAD = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec:\n  entrypoint: main\n  templates:\n"
MAKE = HEAD + """  - name: main
    container: {image: i, command: [sh, -c], args: ["mkdir /tmp/d; echo one > /tmp/d/f; echo two > /tmp/g"]}
    outputs:
      artifacts:
      - {name: d, path: /tmp/d}
      - {name: plain, path: /tmp/d, archive: {none: {}}, s3: {bucket: mine, key: here/d}}
      - {name: g, path: /tmp/g, archive: {none: {}}}
"""


@pytest.fixture
def site(tmp_path):
    """A server of the folder `site`: its URL."""
    (tmp_path / "site").mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "site")
    handler.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def write(tmp_path, text, name="w.yaml"):
    (tmp_path / name).write_text(text)
    return name


@pytest.mark.parametrize("isolation", ["auto", "none"])
def test_kept_where_the_settings_say_and_copied_out(weir, tmp_path, isolation):
    write(tmp_path, "artifacts: {directory: kept, buckets: {s3/mine: mine}}\n", "weir.yaml")
    done = weir("run", write(tmp_path, MAKE), "--config", "weir.yaml", "--isolation", isolation)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mine/here/d/f").read_text() == "one\n"
    assert (tmp_path / "kept/w/w/g").read_text() == "two\n"
    assert tarfile.open(tmp_path / "kept/w/w/d.tgz").getnames() == ["d", "d/f"]
    assert not list((tmp_path / "kept/.weir").iterdir())
    done = weir("cp", "w", "out", "--config", "weir.yaml")
    assert done.stdout.splitlines() == [f'Created "out/default/w/w/outputs/{name}"'
                                        for name in ("d/d.tgz", "plain/d", "g/g")]
    assert (tmp_path / "out/default/w/w/outputs/plain/d/f").read_text() == "one\n"
    done = weir("cp", "w", "some", "--config", "weir.yaml", "--artifact-name", "g", "--template-name", "main", "--node-id", "w",
                "--path", "{workflowName}-{templateName}-{artifactName}")
    assert done.stdout == 'Created "some/w-main-g/g"\n' and (tmp_path / "some/w-main-g/g").read_text() == "two\n"
    again = weir("cp", "w", "out", "--config", "weir.yaml")
    assert again.returncode == 3 and "something already" in again.stderr
    for arguments in (["--artifact-name", "x"], ["--node-id", "x"], ["--template-name", "x"]):
        assert weir("cp", "w", "none", "--config", "weir.yaml", *arguments).returncode == 2
    assert not (tmp_path / "none").exists()


def test_settings_are_checked(weir, tmp_path):
    write(tmp_path, MAKE)
    for text in ("artifacts: {size: much}", "artifacts: {files: 0}", "artifacts: {buckets: {mine: x}}", "artifacts: {directry: x}"):
        write(tmp_path, text, "weir.yaml")
        done = weir("run", "w.yaml", "--config", "weir.yaml")
        assert done.returncode == 2 and "artifacts" in done.stderr + text, done.stderr
    write(tmp_path, "artifacts: {size: 3B}", "weir.yaml")
    done = weir("run", "w.yaml", "--config", "weir.yaml")
    assert done.returncode == 1 and "wait: Error (exit code 64)" in done.stderr and "artifacts.size" in done.stderr


@pytest.mark.parametrize("isolation", ["auto", "none"])
def test_inputs_from_elsewhere(weir, tmp_path, site, isolation):
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a"))
        archive.addfile(tarfile.TarInfo("b"))
    (tmp_path / "site/two.tgz").write_bytes(tar.getvalue())
    (tmp_path / "site/text").write_text("words\n")
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", "-C", tmp_path / "repository"]
    subprocess.run(["git", "init", "-q", "-b", "main", tmp_path / "repository"], check=True)
    (tmp_path / "repository/f").write_text("kept\n")
    subprocess.run([*git, "add", "f"], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    done = weir("run", write(tmp_path, HEAD + f"""  - name: main
    inputs:
      artifacts:
      - {{name: text, path: /in/text, http: {{url: "{site}/text"}}}}
      - {{name: two, path: /in/two, http: {{url: "{site}/two.tgz"}}}}
      - {{name: packed, path: /in/packed, archive: {{none: {{}}}}, http: {{url: "{site}/two.tgz"}}}}
      - {{name: gone, path: /in/gone, optional: true, http: {{url: "{site}/gone"}}}}
      - {{name: source, path: /in/source, git: {{repo: "{tmp_path}/repository", revision: main}}}}
    container:
      image: i
      command: [sh, -c]
      args: ["cat /in/text /in/source/f; ls /in/two; tar tzf /in/packed | wc -l; echo changed > /in/source/f; test ! -e /in/gone"]
"""), "--log", "--isolation", isolation)
    assert done.returncode == 0, done.stderr
    said = [line.removeprefix("w: ") for line in done.stdout.splitlines()]
    assert said[:5] == ["words", "kept", "a", "b", "2"]
    assert (tmp_path / "repository/f").read_text() == "kept\n"


def test_what_cannot_be_had_says_why(weir, tmp_path, site):
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../../escaped"))
    (tmp_path / "site/hostile.tgz").write_bytes(tar.getvalue())
    cases = {
        f'http: {{url: "{site}/none"}}': "status 404",
        f'http: {{url: "{site}/hostile.tgz"}}': "leads out of it",
        f'git: {{repo: "{tmp_path}/none"}}': "failed to clone",
        "s3: {key: run/none}": "there is no artifact with the key `run/none`",
        "s3: {key: run/../../x}": "has `..` in it",
    }
    for source, why in cases.items():
        done = weir("run", write(tmp_path, HEAD + f"""  - name: main
    inputs: {{artifacts: [{{name: a, path: /in, {source}}}]}}
    container: {{image: i, command: [cat, /in]}}
"""), "--isolation", "auto")
        assert done.returncode == 1 and why in done.stderr, done.stderr
        assert "init: Error (exit code 64): artifact a failed to load: " in done.stderr
    assert not list(tmp_path.rglob("escaped"))


def test_a_killed_weir_leaves_nothing_half(weir, tmp_path):
    """It is killed while it keeps a large output; who goes on keeps it whole, and what was begun goes."""
    write(tmp_path, HEAD + """  - name: main
    container: {image: i, command: [sh, -c], args: ["head -c 60000000 /dev/urandom > /tmp/large"]}
    outputs: {artifacts: [{name: large, path: /tmp/large, s3: {key: large.tgz}}]}
""")
    process = subprocess.Popen([WEIR, "run", "w.yaml", "--isolation", "auto"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    workshop = tmp_path / ".weir/artifacts/.weir"
    deadline = time.monotonic() + 60
    while not list(workshop.glob("*/made")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list(workshop.glob("*/made")) and not (tmp_path / ".weir/artifacts/large.tgz").exists()
    for folder in workshop.iterdir():
        os.utime(folder, (0, 0))  # what is new may be about to be locked
    done = weir("recover", "w", "--isolation", "auto")
    assert done.returncode == 0, done.stderr
    assert tarfile.open(tmp_path / ".weir/artifacts/large.tgz").getmembers()[0].size == 60000000
    assert not list(workshop.iterdir())
