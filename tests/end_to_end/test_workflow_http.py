"""`http` templates, and plugins that are called by Argo's protocol."""

import base64
import http.server
import json
import threading
import time

import pytest

HEAD = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec:\n  entrypoint: main\n  templates:\n"


class Handler(http.server.BaseHTTPRequestHandler):
    def reply(self, status, body, kind="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Count", "7")
        self.end_headers()
        self.wfile.write(body)

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        if self.path == "/api/v1/template.execute":
            self.execute(json.loads(body))
        elif self.path == "/slow":
            time.sleep(3)
            self.reply(200, b"late")
        elif self.path == "/large":
            self.reply(200, b"x" * 2_000_000)
        else:
            self.reply(404 if self.path == "/none" else 200, body or b"hello")

    def execute(self, arguments):
        plugin = arguments["template"]["plugin"]["hi"]
        asked = sum(path == self.path for _, path, _, _ in self.server.seen)
        if "times" in plugin and asked < int(plugin["times"]):
            reply = {"node": {"phase": "Running", "message": "not yet"}, "requeue": "50ms"}
        elif plugin.get("say") == "nothing":
            reply = {}
        else:
            reply = {"node": {"phase": plugin.get("phase", "Succeeded"), "message": "done",
                              "outputs": {"result": plugin["say"], "parameters": [{"name": "asked", "value": asked}]}}}
        self.reply(200, json.dumps(reply).encode(), "application/json")

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.seen = []
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def run(weir, tmp_path, text, *more, code=0):
    (tmp_path / "w.yaml").write_text(HEAD + text)
    done = weir("run", "w.yaml", "-o", "json", *more)
    assert done.returncode == code, done.stderr + done.stdout
    return json.loads(done.stdout), done


def nodes_of(workflow):
    return {n["displayName"]: n for n in workflow["status"]["nodes"].values()}


def test_an_http_template_gives_the_body(weir, tmp_path, server):
    text = f"""  - name: main
    steps:
    - - {{name: a, template: ask, arguments: {{parameters: [{{name: what, value: 'x y'}}]}}}}
    - - {{name: b, template: print, arguments: {{parameters: [{{name: text, value: '{{{{steps.a.outputs.result}}}}'}}]}}}}
      - {{name: c, template: bytes}}
  - name: ask
    inputs: {{parameters: [{{name: what}}]}}
    http:
      url: '{server.url}/{{{{workflow.name}}}}'
      method: PUT
      headers: [{{name: X-What, value: '{{{{inputs.parameters.what}}}}'}}, {{name: X-Key, valueFrom: {{secretKeyRef: {{name: keys, key: api}}}}}}]
      body: 'said {{{{inputs.parameters.what}}}}'
      successCondition: 'response.body contains "said" && response.statusCode == 200 && response.headers["X-Count"][0] == "7" && request.method == "PUT"'
  - name: bytes
    http: {{url: '{server.url}/b', method: POST, bodyFrom: {{bytes: {base64.b64encode(b'some').decode()}}}}}
  - name: print
    inputs: {{parameters: [{{name: text}}]}}
    container: {{image: x, command: [echo, '{{{{inputs.parameters.text}}}}']}}
"""
    (tmp_path / "key").write_text("s3cret-key")
    workflow, done = run(weir, tmp_path, text, "--secret", "keys.api=@key")
    nodes = nodes_of(workflow)
    assert (nodes["a"]["type"], nodes["a"]["phase"], nodes["a"]["outputs"]) == ("HTTP", "Succeeded", {"result": "said x y"})
    assert nodes["b"]["inputs"]["parameters"] == [{"name": "text", "value": "said x y"}]
    assert nodes["c"]["outputs"] == {"result": "some"} and workflow["status"]["progress"] == "3/3"
    method, path, headers, body = server.seen[0]
    assert (method, path, headers["X-What"], headers["X-Key"], body) == ("PUT", "/w", "x y", "s3cret-key", b"said x y")
    assert "s3cret-key" not in done.stdout + weir("events", "w", "-o", "json").stdout
    assert b"s3cret-key" not in b"".join(p.read_bytes() for p in (tmp_path / ".weir").glob("weir.db*"))


def test_an_answer_is_remembered_unless_it_is_a_failure(weir, tmp_path, server):
    text = f"""  - name: main
    steps:
    - - {{name: a, template: ask, arguments: {{parameters: [{{name: path, value: good}}]}}}}
      - {{name: b, template: ask, continueOn: {{failed: true}}, arguments: {{parameters: [{{name: path, value: none}}]}}}}
    - - {{name: c, template: print, arguments: {{parameters: [{{name: text, value: '{{{{steps.a.outputs.result}}}}'}}]}}}}
  - name: ask
    inputs: {{parameters: [{{name: path}}]}}
    memoize: {{key: '{{{{inputs.parameters.path}}}}', cache: {{configMap: {{name: answers}}}}}}
    http: {{url: '{server.url}/{{{{inputs.parameters.path}}}}'}}
  - name: print
    inputs: {{parameters: [{{name: text}}]}}
    container: {{image: x, command: [echo, '{{{{inputs.parameters.text}}}}']}}
"""
    for hit in (False, True):
        nodes = nodes_of(run(weir, tmp_path, text)[0])
        assert nodes["a"]["memoizationStatus"] == {"hit": hit, "key": "good", "cacheName": "answers"}
        assert (nodes["a"]["type"], nodes["a"]["outputs"]) == ("HTTP", {"result": "hello"})
        assert nodes["b"]["phase"] == "Failed" and not nodes["b"]["memoizationStatus"]["hit"]
        assert nodes["c"]["inputs"]["parameters"][0]["value"] == "hello"
    assert sorted(path for _, path, _, _ in server.seen) == ["/good", "/none", "/none"]


def test_http_templates_fail_as_argos(weir, tmp_path, server):
    def one(body, timeout=""):
        workflow, _ = run(weir, tmp_path, f"  - name: main\n{timeout}    http: {{{body}}}\n", code=1)
        node = workflow["status"]["nodes"]["w"]
        weir("delete", "w")
        return node["phase"], node.get("message", ""), node.get("outputs")

    assert one(f"url: '{server.url}/none'") == ("Failed", "received non-2xx response code: 404", {"result": "hello"})
    assert one(f"url: '{server.url}/a', successCondition: 'response.body == \"x\"'")[1] == "successCondition 'response.body == \"x\"' evaluated false"
    assert one(f"url: '{server.url}/a', successCondition: 'response.nothing + 1'")[0] == "Failed"
    assert "1048576" in one(f"url: '{server.url}/large'")[1]
    assert one(f"url: '{server.url}/slow', timeoutSeconds: 1")[0] == "Failed"
    said = one(f"url: '{server.url}/slow'", timeout="    timeout: 1s\n")[1]
    assert said == "timeout" or said.endswith("the time for it is over")
    assert one("url: 'http://127.0.0.1:1/'")[0] == "Failed"
    assert "there is no secret `a.b`" in one(f"url: '{server.url}/a', headers: [{{name: k, valueFrom: {{secretKeyRef: {{name: a, key: b}}}}}}]")[1]


def test_http_templates_are_tried_again_and_checked(weir, tmp_path, server):
    workflow, _ = run(weir, tmp_path, f"  - name: main\n    retryStrategy: {{limit: 2}}\n    http: {{url: '{server.url}/none'}}\n", code=1)
    assert len(server.seen) == 3 and workflow["status"]["nodes"]["w"]["type"] == "Retry"
    for body, message in [("{}", "http.url is required"), ("{url: a, bodyFrom: {bytes: '*'}}", "no base64"), ("{url: '{{inputs.parameters.x}}'}", "failed to resolve")]:
        (tmp_path / "bad.yaml").write_text(HEAD + f"  - name: main\n    http: {body}\n")
        done = weir("run", "bad.yaml")
        assert done.returncode == 2 and message in done.stderr


def plugin(server, folder, token=""):
    (folder / "weir.yaml").write_text(f"workflow: {{plugins: {{hi: {{address: '{server.url}'{token}}}}}}}\n")


def test_a_plugin_does_the_template(weir, tmp_path, server):
    plugin(server, tmp_path, ", token: tok")
    (tmp_path / "t").write_text("the-token")
    text = """  - name: main
    steps: [[{name: a, template: hi, arguments: {parameters: [{name: who, value: eve}]}}], [{name: b, template: print, arguments: {parameters: [{name: text, value: '{{steps.a.outputs.result}}-{{steps.a.outputs.parameters.asked}}'}]}}]]
  - name: hi
    inputs: {parameters: [{name: who}]}
    plugin: {hi: {say: 'hi {{inputs.parameters.who}}', times: '3', deep: [{x: 1}]}}
  - name: print
    inputs: {parameters: [{name: text}]}
    container: {image: x, command: [echo, '{{inputs.parameters.text}}']}
"""
    workflow, _ = run(weir, tmp_path, text, "--secret", "tok=@t")
    nodes = nodes_of(workflow)
    assert (nodes["a"]["type"], nodes["a"]["phase"], nodes["a"]["message"]) == ("Plugin", "Succeeded", "done")
    assert nodes["b"]["inputs"]["parameters"] == [{"name": "text", "value": "hi eve-3"}]
    assert len(server.seen) == 3  # it was asked again until it was done
    method, _, headers, body = server.seen[0]
    sent = json.loads(body)
    assert (method, headers["Authorization"]) == ("POST", "Bearer the-token")
    assert (sent["workflow"]["metadata"]["name"], sent["workflow"]["metadata"]["namespace"]) == ("w", "default")
    assert sent["template"] == {"name": "hi", "inputs": {"parameters": [{"name": "who", "value": "eve"}]},
                                "plugin": {"hi": {"say": "hi eve", "times": "3", "deep": [{"x": 1}]}}}


def test_plugins_may_fail_and_may_not_be_there(weir, tmp_path, server):
    text = "  - name: main\n    plugin: {hi: {say: %s, phase: %s}}\n"
    (tmp_path / "w.yaml").write_text(HEAD + text % ("x", "Failed"))
    done = weir("run", "w.yaml")
    assert done.returncode == 2 and "the plugin `hi` has no address" in done.stderr
    plugin(server, tmp_path)
    workflow, _ = run(weir, tmp_path, text % ("x", "Failed"), code=1)
    assert workflow["status"]["nodes"]["w"]["message"] == "done"
    weir("delete", "w")
    workflow, _ = run(weir, tmp_path, text % ("nothing", "Failed"), code=1)
    assert workflow["status"]["message"] == "no plugin executed the template"


def test_resource_templates_say_what_is_missing(weir, tmp_path):
    (tmp_path / "w.yaml").write_text(HEAD + "  - name: main\n    resource: {action: get}\n")
    done = weir("run", "w.yaml")
    assert done.returncode == 2 and "resource" in done.stderr and "Kubernetes" in done.stderr
