"""examples/crawl: logs in with a form's token, fetches a thousand pages at once, and says which failed."""

import http.server
import json
import ssl
import subprocess
import sys
import threading
import urllib.request

import pytest

from conftest import ROOT
from crawl_server import PASSWORD, USER

CRAWL = ROOT / "examples/crawl/crawl.json"
PAGES = 1_000
# Loopback is asked for without a proxy, whatever the environment says.
DIRECT = {"no_proxy": "127.0.0.1,127.0.0.2,localhost", "NO_PROXY": "127.0.0.1,127.0.0.2,localhost"}


class Server:
    def __init__(self, *options):
        command = [sys.executable, str(ROOT / "tests/end_to_end/crawl_server.py"), *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def url(self, path, host="127.0.0.1"):
        return f"http://{host}:{self.port}{path}"

    def stats(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url("/stats"), timeout=10) as response:
            return json.load(response)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()


@pytest.fixture
def server(request):
    server = Server(*getattr(request, "param", []))
    yield server
    server.close()


@pytest.fixture
def crawl(weir, server):
    """Runs the example on the URLs; gives the finished process."""

    def call(*words, password=PASSWORD, login="/login"):
        inputs = [f"login_url={server.url(login)}", f"user={USER}", f"password={password}"]
        return weir("run", CRAWL, *words, *inputs, "-o", "json", environment=DIRECT, timeout=240)

    return call


def results(process):
    assert process.returncode == 0, process.stderr
    found = json.loads(process.stdout)
    (result,) = found["results"].values()
    return result


def is_missing(number):
    return number % 100 == 7


def breaks_off(number):
    return number % 100 == 33


def test_a_thousand_pages(crawl, server, tmp_path):
    # The hosts in turn, so that the result has to bring together what is one host's.
    hosts = ["127.0.0.1", "127.0.0.2"]
    urls = {server.url(f"/page/{number}", hosts[number % 2]): number for number in range(PAGES)}
    (tmp_path / "urls.txt").write_text("# all of them\n" + "\n".join(urls))
    result = results(crawl("urls=@urls.txt"))

    wanted = {url: number for url, number in urls.items() if not is_missing(number) and not breaks_off(number)}
    pages = {page["url"]: page for page in result["pages"]}
    assert len(result["pages"]) == len(pages) == len(wanted)
    for url, number in wanted.items():
        base = url.rpartition("/page/")[0]
        assert pages[url]["title"] == f"Page {number}"
        assert pages[url]["links"] == [f"{base}/page/{number + 1}", f"{base}/page/0"]

    order = [page["url"].split("/")[2].partition(":")[0] for page in result["pages"]]
    assert order == sorted(order)

    errors = {error["url"]: error for error in result["errors"]}
    assert len(errors) == len(result["errors"]) == PAGES - len(wanted)
    for url, error in errors.items():
        if is_missing(urls[url]):
            assert (error["code"], error["status"], error["attempts"]) == ("http_status", 404, 1)
        else:
            assert (error["code"], error["status"], error["attempts"]) == ("broken_response", None, 3)
        assert url in error["message"]

    stats = server.stats()
    assert stats["logins"] == 1
    # What breaks off is asked for again, by libcurl too, when the connection was used before.
    asked = {f"http://{page.replace('/', f':{server.port}/', 1)}": count for page, count in stats["asked"].items()}
    assert asked.keys() == urls.keys()
    for url, count in asked.items():
        assert count >= 3 if breaks_off(urls[url]) else count == 1, url


@pytest.mark.parametrize("server", [["--delay", "1", "--public"]], indirect=True)
def test_hundreds_at_once(crawl, server, tmp_path):
    # A slow answer, so that how fast the machine is does not matter.
    urls = [server.url(f"/page/{number}", f"127.0.0.{1 + number % 2}") for number in range(800, 1_400) if number % 100 > 40]
    (tmp_path / "urls.txt").write_text("\n".join(urls))
    result = results(crawl("urls=@urls.txt"))
    assert len(result["pages"]) == len(urls)
    assert "errors" not in result
    assert server.stats()["most_under_way"] >= 200


def test_urls_on_the_command_line(crawl, server):
    result = results(crawl(f"urls={server.url('/page/1#top')} {server.url('/page/2')}"))
    assert sorted(page["title"] for page in result["pages"]) == ["Page 1", "Page 2"]
    assert result.keys() == {"pages"}


def test_a_wrong_password_ends_the_run(crawl, server):
    process = crawl(f"urls={server.url('/page/1')}", password="guess")
    assert process.returncode == 1
    assert json.loads(process.stdout)["error"]["code"] == "http_status"
    assert "the server answered 401 Unauthorized" in process.stderr
    assert server.stats() == {"most_under_way": 0, "asked": {}, "logins": 1}


def test_a_page_without_the_form_ends_the_run(crawl, server):
    process = crawl(f"urls={server.url('/page/1')}", login="/page/5")
    assert process.returncode == 1
    assert "the server answered 403 Forbidden" in process.stderr


FETCH = {
    "linked": True,
    "definitions": {name: {"name": name, "primitive": "generic"} for name in ("url", "body", "spec", "result")},
    "operations": {
        "fetch": {"name": "http.get", "inputs": {"url": "url"}, "outputs": {"body": "body"}, "stage": "processing"},
        "result": {"name": "get_single", "inputs": {"spec": "spec"}, "outputs": {"output": "result"}, "stage": "output"},
    },
    "seed": [{"value": ["body"], "definition": "spec"}],
}


@pytest.fixture
def certificate(tmp_path):
    """For localhost, signed by itself."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    return tmp_path / "cert.pem", tmp_path / "key.pem"


@pytest.fixture
def https_port(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    class Hello(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "host, config, wanted",
    [
        ("localhost", {}, "tls"),
        ("localhost", {"verify": False}, None),
        ("localhost", {"ca_file": "cert.pem"}, None),
        ("127.0.0.1", {"ca_file": "cert.pem"}, "tls"),
        ("localhost", {"ca_file": "none.pem"}, "tls"),
    ],
)
def test_certificates_are_checked(weir, https_port, tmp_path, host, config, wanted):
    (tmp_path / "fetch.json").write_text(json.dumps({**FETCH, "configs": {"fetch": {"retries": 0, **config}}}))
    process = weir("run", "fetch.json", f"url=https://{host}:{https_port}/", "-o", "json", environment=DIRECT)
    found = json.loads(process.stdout)
    if wanted:
        assert process.returncode == 1
        assert found["error"]["code"] == wanted
    else:
        assert list(found["results"].values()) == [{"body": "hello"}], process.stderr


def test_a_plain_run_loads_neither_library(weir, tmp_path):
    process = weir(
        "run", ROOT / "examples/calculator/calculator.json", "line=add 40 and 2",
        environment={"LD_DEBUG": "files", "LD_DEBUG_OUTPUT": str(tmp_path / "loaded")},
    )
    assert process.returncode == 0, process.stderr
    loaded = "".join(path.read_text() for path in tmp_path.glob("loaded.*"))
    assert "libsqlite3" in loaded
    assert "libcurl" not in loaded and "libxml2" not in loaded and "weir-h" not in loaded
