"""examples/shouldi: whether a package should be installed, judged by what is in it, and nothing of it run."""

import functools
import hashlib
import http.server
import io
import json
import shutil
import sys
import tarfile
import threading
import urllib.request
import zipfile

import pytest

from conftest import ROOT

HARMLESS = "def double(n):\n    return 2 * n\n"
SHELL = "import subprocess\n\n\ndef run(command):\n    return subprocess.call(command, shell=True)\n"
DATABASE = {
    "$meta": {"timestamp": 1625119202},
    "Old_Thing": [{"advisory": "Old things break.", "cve": "CVE-2020-1", "id": "pyup.io-1", "specs": ["<1.1", ">=1.5,<2.0"], "v": ""}],
}


def wheel(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return data.getvalue()


def sources(files):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
        link = tarfile.TarInfo("link.py")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return data.getvalue()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """A package index on loopback, as pip's `--index-url` takes it."""
    root = tmp_path_factory.mktemp("index")
    ran = root / "ran"
    files = {
        "good": {"good-0.9-py3-none-any.whl": wheel({"good.py": SHELL}), "good-1.0-py3-none-any.whl": wheel({"good.py": HARMLESS}),
                 "good-1.1a1-py3-none-any.whl": wheel({"good.py": SHELL}), "good-3.0-cp27-none-win32.whl": wheel({"good.py": SHELL})},
        "shell": {"shell-1.0-py3-none-any.whl": wheel({"shell/__init__.py": HARMLESS, "shell/run.py": SHELL})},
        "old-thing": {f"old_thing-{version}-py3-none-any.whl": wheel({"old.py": HARMLESS}) for version in ("1.0", "1.2", "1.7", "2.0")},
        "told": {"told-1.0-py3-none-any.whl": wheel({"told.py": HARMLESS})},
        "only-sources": {"only-sources-1.0.tar.gz": sources({"only/setup.py": f"open({str(ran)!r}, 'w')\n", "only/x.py": SHELL})},
        "climbs": {"climbs-1.0-py3-none-any.whl": wheel({"../../climbed.py": HARMLESS})},
        "damaged": {"damaged-1.0-py3-none-any.whl": b"PK nothing"},
        "other": {"other-1.0-py3-none-any.whl": wheel({"other.py": HARMLESS})},
        "broken-code": {"broken_code-1.0-py3-none-any.whl": wheel({"broken.py": "def (:\n", "fine.py": HARMLESS})},
    }  # fmt: skip
    for name, releases in files.items():
        folder = root / "simple" / name
        folder.mkdir(parents=True)
        links = []
        for file, data in releases.items():
            (folder / file).write_bytes(data)
            digest = "0" * 64 if name == "other" else hashlib.sha256(data).hexdigest()
            links.append(f'<a href="{file}#sha256={digest}">{file}</a>')
        (folder / "index.html").write_text("<!DOCTYPE html><html><body>" + "\n".join(links) + "</body></html>")
    known = root / "pypi/told/1.0"
    known.mkdir(parents=True)
    vulnerabilities = [{"id": "PYSEC-1", "summary": None, "details": "It tells.", "fixed_in": ["1.1"], "withdrawn": None},
                       {"id": "PYSEC-2", "summary": "No.", "details": "No.", "fixed_in": [], "withdrawn": "2024-01-01"}]  # fmt: skip
    (known / "json").write_text(json.dumps({"vulnerabilities": vulnerabilities}))
    (root / "database.json").write_text(json.dumps(DATABASE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=root))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/simple/", root
    server.shutdown()
    server.server_close()


@pytest.fixture
def judge(weir, tmp_path, index):
    """Verdicts by package."""
    shutil.copytree(ROOT / "examples/shouldi", tmp_path / "examples/shouldi", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "temporary").mkdir()

    def call(*packages, at=None, database=None, arguments=(), code=0):
        inputs = [f"package={name}" for name in packages]
        inputs += [f"index={at or index[0]}", f"database={index[1] / 'database.json' if database is None else database}"]
        done = weir("run", "examples/shouldi/shouldi.json", *inputs, *arguments, timeout=120,
                    environment={"WEIR_PYTHON": sys.executable, "TMPDIR": str(tmp_path / "temporary")})  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert list((tmp_path / "temporary").glob("weir-shouldi-*")) == []  # cleaned up
        return json.loads(done.stdout)["verdict"] if code == 0 else done.stderr

    return call


def test_several_packages_at_once(judge, index):
    verdicts = judge("good", "shell", "old_thing==1.7", "old-thing", "nobody-has-this", "only-sources", "climbs", "damaged",
                     "other", "broken-code", "a b")  # fmt: skip
    assert {name: verdict["install"] for name, verdict in verdicts.items()} == {
        "good": True, "shell": False, "old_thing==1.7": False, "old-thing": True, "nobody-has-this": False, "only-sources": False,
        "climbs": False, "damaged": False, "other": False, "broken-code": True, "a b": False}  # fmt: skip
    good = verdicts["good"]
    assert (good["version"], good["reasons"], good["asked"]) == ("1.0", [], ["database.json of 2021-07-01"])
    assert len(verdicts["shell"]["reasons"]) == 1 and verdicts["shell"]["findings"]["high"] == 1
    assert verdicts["shell"]["reasons"][0].startswith("bandit B602 at shell/run.py:5: subprocess call with shell=True")
    assert verdicts["old_thing==1.7"]["reasons"] == ["CVE-2020-1: Old things break. (>=1.5,<2.0)"]
    assert verdicts["old-thing"]["version"] == "2.0"
    assert verdicts["nobody-has-this"]["reasons"] == [f"there is no package nobody-has-this at {index[0]}"]
    assert verdicts["only-sources"]["file"] == "only-sources-1.0.tar.gz" and "B602 at only/x.py" in verdicts["only-sources"]["reasons"][0]
    assert not (index[1] / "ran").exists()  # nothing of it was run
    assert verdicts["climbs"]["reasons"] == ["climbs-1.0-py3-none-any.whl: it would write to '../../climbed.py'"]
    assert "not a zip file" in verdicts["damaged"]["reasons"][0] and "digest" in verdicts["other"]["reasons"][0]
    assert "'a b' names no package" in verdicts["a b"]["reasons"][0]


def test_versions_and_what_is_let_pass(judge, index):
    verdicts = judge("old-thing<1.5", "old-thing==1.0", "good>5", arguments=["high=1"])
    assert verdicts["old-thing<1.5"]["install"] and verdicts["old-thing<1.5"]["version"] == "1.2"
    assert not verdicts["old-thing==1.0"]["install"]
    assert verdicts["good>5"]["reasons"][0].startswith(f"{index[0]} has nothing of good>5 for Python 3.")
    assert judge("shell", arguments=["high=1"])["shell"]["install"]
    assert judge("good==1.1a1", arguments=["high=1"])["good==1.1a1"]["version"] == "1.1a1"


def test_the_index_knows(judge, index):
    told = judge("told")["told"]
    assert told["reasons"] == ["PYSEC-1: It tells. (fixed in 1.1)"]
    assert told["asked"] == ["database.json of 2021-07-01", index[0].removesuffix("/simple/")]


def test_an_index_that_is_not_there(judge):
    assert "ConnectionError" in judge("good", at="http://127.0.0.1:9/simple/", code=1)


def test_packages_of_the_real_index(judge):
    try:
        urllib.request.urlopen("https://pypi.org/simple/six/", timeout=5).close()
    except OSError as error:
        pytest.skip(f"pypi.org cannot be reached: {error}")
    verdicts = judge("six==1.17.0", "insecure-package==0.1.0", at="https://pypi.org/simple/")
    assert verdicts["six==1.17.0"]["file"] == "six-1.17.0-py2.py3-none-any.whl" and verdicts["six==1.17.0"]["install"]
    assert verdicts["insecure-package==0.1.0"]["version"] == "0.1.0"


def test_the_example_that_is_built_in(weir, index, tmp_path):
    database = index[1] / "database.json"
    done = weir("example", "run", "shouldi", "package=good", f"index={index[0]}", f"database={database}", environment={"WEIR_PYTHON": sys.executable})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"]["good"]["install"]
    assert list(tmp_path.glob("*.py")) == []
