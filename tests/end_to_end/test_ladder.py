"""The ladder of downloads (examples/ladder): each rung shows what it is there to show, and `weir bench ladder` measures them."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree

import pytest

from conftest import ROOT, WEIR

LADDER = ROOT / "examples/ladder"
ENVIRONMENT = {**os.environ, "no_proxy": "*", "PYTHONDONTWRITEBYTECODE": "1"}
RUNGS = ["loop", "threads", "thread-pool", "process-pool", "subprocess", "event-loop", "director", "causes", "dataflow"]
PROGRAMS = {
    "loop": ["1_loop.py"], "threads": ["2_threads.py"], "thread-pool": ["3_pools.py"], "process-pool": ["3_pools.py", "--processes"],
    "subprocess": ["4_subprocess.py"], "event-loop": ["5_event_loop.py"], "director": ["6_director.py"], "causes": ["7_causes.py"],
}


class Site:
    """The server of the ladder."""

    def __init__(self, latency):
        command = [sys.executable, LADDER / "server.py", "--latency", str(latency), "--until-eof"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()

    def __enter__(self):
        return self.address

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(20) == 0


class Silence:
    """A server that takes requests and never answers."""

    def __enter__(self):
        self.asked = threading.Semaphore(0)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.take, daemon=True).start()
        return self

    def take(self):
        self.open = []
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.open.append(connection)
            if connection.recv(1):
                self.asked.release()

    def wait(self, count):
        for _ in range(count):
            assert self.asked.acquire(timeout=30)

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@pytest.fixture(scope="module")
def site():
    with Site(0.002) as address:
        yield address


def command_of(rung, address, count, at_once=20):
    file, *options = PROGRAMS[rung]
    return [sys.executable, str(LADDER / file), address, str(count), str(at_once), *options]


def climb(rung, address, count):
    """What the rung printed, its standard error and the seconds that it took."""
    begun = time.monotonic()
    done = subprocess.run(command_of(rung, address, count), capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr, time.monotonic() - begun


def test_a_loop_takes_as_long_as_all_waiting_together():
    """The series bottleneck: 40 requests, and those of a slow file."""
    with Site(0.02) as address:
        answer, _, seconds = climb("loop", address, 20)
        assert seconds >= 40 * 0.02
        assert answer["got"] == 18
        # Each error is where it happened: which page, and which of its two requests.
        assert answer["errors"] == [
            {"url": f"{address}/page/{page}", "error": f"{address}/file/3: HTTP Error 500: Internal Server Error"} for page in (6, 7)
        ]
        quickest = min(climb("threads", address, 20)[2] for _ in range(3))
        assert quickest < seconds


def test_threads_lose_errors(site):
    """The lost error: two files are not there, and nothing says so, neither the exit code nor any output."""
    answer, said, _ = climb("threads", site, 20)
    assert answer == {"got": 18, "errors": []} and said == ""


@pytest.mark.parametrize("rung", ["thread-pool", "process-pool"])
def test_pools_give_errors_to_who_asks(site, rung):
    answer, _, _ = climb(rung, site, 20)
    assert answer["got"] == 18
    assert sorted(error["url"] for error in answer["errors"]) == [f"{site}/page/6", f"{site}/page/7"]
    assert {error["error"] for error in answer["errors"]} == {f"{site}/file/3: HTTP Error 500: Internal Server Error"}


def test_of_a_program_a_number_and_a_line_come_back(site):
    answer, _, _ = climb("subprocess", site, 20)
    assert answer["got"] == 18 and len(answer["errors"]) == 2
    for error in answer["errors"]:
        assert re.match(r"exit code \d+: ", error["error"]) and "/file/3" not in error["error"]


def test_between_the_begin_and_the_end_an_event_loop_says_nothing():
    """The blind spot: three requests are under way, and only events say so."""
    seen = {}
    for rung in ("event-loop", "director"):
        with Silence() as silence:
            command = command_of(rung, silence.address, 3)
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
                silence.wait(3)
                events = [json.loads(process.stderr.readline()) for _ in range(3)] if rung == "director" else []
                process.kill()
                seen[rung] = (events, process.stdout.read() + process.stderr.read())
            address = silence.address
    assert seen["event-loop"] == ([], "")
    events, more = seen["director"]
    assert more == ""
    assert [(event["event"], event["url"]) for event in events] == [("asked", f"{address}/page/{n}") for n in range(3)]


def test_events_without_causes_do_not_say_whose_failure_it_is(site):
    """The missing chain: two pages are about the file that failed."""
    without, _, _ = climb("director", site, 20)
    assert without["got"] == 18
    assert [error["url"] for error in without["errors"]] == [f"{site}/file/3"] * 2
    assert "/page/" not in json.dumps(without["errors"])
    causes, events, _ = climb("causes", site, 20)
    assert sorted(error["chain"] for error in causes["errors"]) == [[f"{site}/page/{page}", f"{site}/file/3"] for page in (6, 7)]
    # Every event but the first has one that caused it, which was before.
    events = [json.loads(line) for line in events.splitlines()]
    assert [event["id"] for event in events] == list(range(len(events)))
    assert [event["prev"] for event in events[:1]] == [None] and all(event["prev"] < event["id"] for event in events[1:])


def test_all_is_well_with_one_download(site):
    for rung in PROGRAMS:
        assert climb(rung, site, 1)[0] == {"got": 1, "errors": []}, rung


def test_the_dataflow_knows_each_request_its_error_and_where_it_came_from(weir, site):
    done = weir("run", "--no-strict", LADDER / "8_dataflow.yaml", f"address={site}", "downloads=20", "--name", "rung", "-o", "json", environment=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(done.stdout)["results"]["default"]["content"]) == sorted(f"this is file {n // 2}\n" * 5 for n in range(20) if n // 2 != 3)
    # Each request's state,
    shown = weir("get", "rung").stdout
    assert "✔ ask_page  20/20" in shown and "✖ ask_file  20/20, 2 failed" in shown
    # its error,
    report = json.loads(weir("report", "rung", "-o", "json").stdout)
    assert [incident["how"]["message"] for incident in report["incidents"]] == [f"GET {site}/file/3: the server answered 500 Internal Server Error"] * 2
    # and where each value came from.
    listed = weir("lineage", "rung", "ask_file").stdout.splitlines()
    pages = []
    for line in listed:
        if ": failed, " not in line:
            assert ": succeeded, " in line
            continue
        chain = weir("lineage", "rung", re.search(r"  (\d+:\d+)  ", line).group(1)).stdout
        assert f'url: file = "{site}/file/3"' in chain and "downloads = 20, from outside" in chain
        pages += re.findall(r'url: page = "(.*?)"', chain)
    assert len(listed) == 20
    assert sorted(pages) == [f"{site}/page/6", f"{site}/page/7"]


def test_the_dataflow_outlives_its_process(weir, tmp_path):
    """Killed while three requests are under way: what was going on is still known, and can go on."""
    with Silence() as silence:
        command = [WEIR, "run", LADDER / "8_dataflow.yaml", f"address={silence.address}", "downloads=3", "--name", "killed"]
        process = subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        silence.wait(3)
        until = time.monotonic() + 20
        while "ask_page  0/3" not in weir("get", "killed").stdout and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert "ask_page  0/3" in weir("get", "killed").stdout


# --- weir bench ladder ---


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """All rungs once, small: the folder, and what was printed as JSON."""
    folder = tmp_path_factory.mktemp("ladder")
    command = [WEIR, "bench", "ladder", "--downloads", "8,2", "--latency", "2ms", "--at-once", "4", "--rounds", "1"]
    done = subprocess.run([*command, "--svg", "pictures", "-o", "json"], cwd=folder, capture_output=True, text=True, timeout=120, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    (folder / "ladder.json").write_text(done.stdout)
    return folder, json.loads(done.stdout), done.stderr


def test_each_rung_is_measured_with_each_number_of_downloads(measured):
    _, ladder, progress = measured
    assert [(m["rung"], m["downloads"]) for m in ladder["medians"]] == [(rung, count) for rung in RUNGS for count in (2, 8)]
    assert [(m["rung"], m["downloads"], m["round"]) for m in ladder["measurements"]] == [(rung, count, 1) for count in (2, 8) for rung in RUNGS]
    assert (ladder["latency_seconds"], ladder["at_once"], ladder["rounds"], ladder["requests_per_download"]) == (0.002, 4, 1, 2)
    assert progress.splitlines()[-1].startswith("18 of 18: dataflow, 8 downloads: ")
    for measurement in ladder["medians"]:
        assert measurement["seconds"] > 0 and measurement["cpu_seconds"] > 0 and measurement["memory_bytes"] > 1e6
        assert measurement["got"] == (6 if measurement["downloads"] == 8 else 2)
        told = 0 if measurement["rung"] == "threads" or measurement["downloads"] == 2 else 2
        assert measurement["errors_told"] == told
        assert measurement["errors_lost"] == (2 if measurement["rung"] == "threads" and measurement["downloads"] == 8 else 0)


def test_each_process_of_a_pool_wants_its_memory(measured):
    memory = {m["rung"]: m["memory_bytes"] for m in measured[1]["medians"] if m["downloads"] == 8}
    assert memory["process-pool"] > 1.3 * memory["thread-pool"]


def test_the_figures_are_those_of_the_run(measured, weir):
    folder, ladder, _ = measured
    sql = f"SELECT t.name, a.cpu_us, a.memory_peak_bytes FROM tasks t JOIN attempts a ON a.run = t.run AND a.task = t.number WHERE t.run = run_id('{ladder['run']}')"
    kept = {row["name"]: row for row in json.loads(weir("query", sql, "-o", "json", cwd=folder).stdout)}
    assert len(kept) == len(ladder["measurements"])
    for measurement in ladder["measurements"]:
        row = kept["%(rung)s-%(downloads)d-%(round)d" % measurement]
        assert row["cpu_us"] == round(measurement["cpu_seconds"] * 1e6) and row["memory_peak_bytes"] == measurement["memory_bytes"]
    # The dataflow's own runs are there, too.
    runs = [m["run"] for m in ladder["measurements"] if m["rung"] == "dataflow"]
    listed = json.loads(weir("list", "--label", "bench=ladder", "-o", "json", cwd=folder).stdout)
    assert {run["name"] for run in listed} == {ladder["run"], *runs}


def test_the_pictures_show_each_rung(measured):
    for name, title in [("time", "Time"), ("memory", "Memory"), ("trade-offs", "Time against memory, from few downloads to many")]:
        root = xml.etree.ElementTree.parse(measured[0] / f"pictures/{name}.svg").getroot()
        texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        assert title in texts and texts[-9:] == RUNGS


def test_text_has_a_table_and_plots(weir):
    options = ["bench", "ladder", "--rung", "dataflow,event-loop", "--downloads", "3", "--latency", "1ms", "--rounds", "1"]
    done = weir(*options, "--quiet")
    assert done.returncode == 0 and done.stderr == ""
    assert re.search(r"^RUNG +TIME +CPU TIME +MEMORY +GOT +ERRORS\nevent-loop .*\ndataflow +0\.\d+ s +0\.\d+ s +[\d.]+ MB +3 +0 told\n", done.stdout, re.MULTILINE)
    assert done.stdout.startswith("3 downloads, two requests each that take 1ms, 50 at once; median of 1\n")
    assert [title in done.stdout for title in ("Time: time", "Memory: memory", "Time against memory")] == [True] * 3
    assert "a event-loop  b dataflow" in done.stdout and "┤" in done.stdout and "\033" not in done.stdout
    plain = weir(*options, "--no-utf8", "-q", "--rung", "loop")
    assert plain.stdout.isascii() and "a loop\n" in plain.stdout
    table = weir(*options, "-o", "csv", "-q").stdout.splitlines()
    assert table[0] == "rung,downloads,round,seconds,cpu_seconds,memory_bytes,got,errors_told,errors_lost"
    assert [line.split(",")[:3] for line in table[1:]] == [["event-loop", "3", "1"], ["dataflow", "3", "1"]]


def test_rungs_of_ones_own_are_measured(weir, tmp_path):
    mine = shutil.copytree(LADDER, tmp_path / "mine")
    (mine / "1_loop.py").write_text("print('{\"got\": 5, \"errors\": []}')")
    options = ["--downloads", "5", "--rounds", "1", "--latency", "0s"]
    done = weir("bench", "ladder", "mine", "--rung", "loop", *options, "-o", "json")
    assert json.loads(done.stdout)["medians"][0]["got"] == 5
    # Rungs that do not do the same do not compare.
    (mine / "2_threads.py").write_text("print('{\"got\": 4, \"errors\": []}')")
    done = weir("bench", "ladder", "mine", "--rung", "loop,threads", *options)
    assert done.returncode == 1 and "of 5 downloads `loop` got 5, `threads` 4" in done.stderr
    # What fails says why.
    (mine / "1_loop.py").write_text("import sys; sys.exit('no luck')")
    done = weir("bench", "ladder", "mine", "--rung", "loop", *options)
    assert done.returncode == 1 and re.search(r"the run (ladder-\w+) did not succeed", done.stderr)
    assert "no luck" in weir("report", re.search(r"ladder-\w+", done.stderr).group()).stdout


def test_what_cannot_be_measured_is_refused(weir, tmp_path):
    for options, message in [
        (["--rung", "lop"], "--rung: there is no rung `lop`"),
        (["--downloads", "1,,3"], "--downloads: `` is no number from 1 to 1000"),
        (["--downloads", "1001"], "--downloads: `1001` is no number from 1 to 1000"),
        (["--rounds", "0"], "--rounds: at least 1"),
        (["--at-once", "0"], "--at-once: at least 1"),
        (["--latency", "soon"], "--latency"),
        (["--latency", "1h"], "--latency: at most 10s"),
    ]:
        done = weir("bench", "ladder", *options)
        assert done.returncode == 2 and message in done.stderr, (options, done.stderr)
    (tmp_path / "nothing").mkdir()
    done = weir("bench", "ladder", environment={"PATH": str(tmp_path / "nothing")})
    assert done.returncode != 0 and "there is no `python3`" in done.stderr and "install Python 3.11" in done.stderr
    done = weir("bench", "ladder", "nothing")
    assert done.returncode != 0 and "does not say its address" in done.stderr
    assert not list(pathlib.Path(tmp_path).glob("weir-*"))


def test_an_interrupt_ends_all_of_it(tmp_path):
    environment = {**ENVIRONMENT, "TMPDIR": str(tmp_path)}
    command = [WEIR, "bench", "ladder", "--rung", "loop", "--downloads", "200", "--latency", "50ms"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=environment) as process:
        until = time.monotonic() + 30
        while not list(tmp_path.glob("weir-*/__pycache__/client*")) and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert "did not succeed" in process.stderr.read()
    assert process.returncode != 0 and not list(tmp_path.glob("weir-*"))


def test_memory_is_looked_at_as_often_as_it_says(weir, tmp_path):
    text = """
definitions: {said: {primitive: str}, spec: {primitive: array}}
operations:
  one: {name: process.run, inputs: {}, outputs: {result: said}}
  get_single: {inputs: {spec: spec}, stage: output}
configs:
  one: {command: [sh, -c, "echo done"], memory_every: EVERY}
seed: [{value: [said], definition: spec}]
"""
    (tmp_path / "wrong.yaml").write_text(text.replace("EVERY", "-1"))
    done = weir("run", "wrong.yaml")
    assert done.returncode == 1 and "`memory_every` is a number of seconds above 0" in done.stderr
    (tmp_path / "right.yaml").write_text(text.replace("EVERY", "0.5"))
    assert weir("run", "right.yaml", "-q").returncode == 0


# --- the guides ---


@pytest.mark.parametrize("guide", [LADDER / "README.md", ROOT / "docs/guide/ladder.md"], ids=["README", "guide"])
def test_commands_of_the_guides_run(guide, site, tmp_path):
    """Each as it stands, but with this site, and few downloads."""
    shutil.copytree(LADDER, tmp_path / "examples/ladder")
    blocks = re.findall(r"```sh\n(.*?)```", guide.read_text(), re.DOTALL)
    assert blocks
    environment = {**ENVIRONMENT, "PATH": f"{pathlib.Path(WEIR).parent}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"}
    for block in blocks:
        block = block.replace("http://127.0.0.1:8765", site).replace(f"{site} 200", f"{site} 8").replace("downloads=200", "downloads=8")
        block = re.sub(r"(weir bench ladder)", r"\1 -q --rung loop,dataflow --downloads 8 --rounds 1 --latency 1ms", block)
        done = subprocess.run(["sh", "-e", "-c", block], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (block, done.stderr)


def test_links_of_the_guides_lead_somewhere():
    for guide in (LADDER / "README.md", ROOT / "docs/guide/ladder.md"):
        text = guide.read_text()
        anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
        links = re.findall(r"\]\(([^)]+)\)", text)
        assert links
        for link in links:
            path, _, anchor = link.partition("#")
            assert not path or link.startswith("http") or (guide.parent / path).exists(), link
            assert path or anchor in anchors, link


def test_code_in_the_guide_is_that_of_the_rungs():
    programs = "".join(path.read_text() for path in LADDER.glob("*.py"))
    excerpts = re.findall(r"```python\n(.*?)```", (ROOT / "docs/guide/ladder.md").read_text(), re.DOTALL)
    assert len(excerpts) == 2 and all(excerpt in programs for excerpt in excerpts)


def test_pictures_of_the_guide_are_pictures_of_all_rungs():
    for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", (ROOT / "docs/guide/ladder.md").read_text()):
        text = (ROOT / "docs/guide" / name).read_text()
        assert all(f">{rung}</text>" in text for rung in RUNGS), name


# --- the notebook ---


def test_the_notebook_runs(measured, tmp_path, monkeypatch):
    import nbclient
    import nbformat

    folder, ladder, _ = measured
    for variable in ("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    notebook = nbformat.read(LADDER / "ladder.ipynb", as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs")], "it is kept without outputs"
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert printed.startswith(f"run {ladder['run']}: 9 rungs, [2, 8] downloads, 1 rounds\n") and "of what a download more takes it" in printed
    pictures = [output.data["image/svg+xml"] for output in outputs if "image/svg+xml" in output.get("data", {})]
    tables = [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    assert len(pictures) == 3 and len(tables) == 1
    for rung in RUNGS:
        assert f"<td>{rung}</td>" in tables[0] and all(f">{rung}</text>" in picture for picture in pictures)
    assert all(xml.etree.ElementTree.fromstring(picture) is not None for picture in pictures)
