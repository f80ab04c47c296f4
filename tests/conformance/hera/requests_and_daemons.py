"""An http template, of a server that a daemon is."""

import socket

from hera.workflows import HTTP, DAG, Workflow, script
from hera.workflows.models import HTTPGetAction, Probe
from looking import nodes, results, succeeded

with socket.socket() as unused:
    unused.bind(("127.0.0.1", 0))
    PORT = unused.getsockname()[1]


@script(daemon=True, readiness_probe=Probe(http_get=HTTPGetAction(path="/", port=PORT), period_seconds=1))
def serve(port: int):
    import http.server

    class Greeter(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

    http.server.HTTPServer(("127.0.0.1", port), Greeter).serve_forever()


@script()
def check(answer):
    assert answer == "hello", answer


with Workflow(generate_name="http-", entrypoint="main") as w:
    ask = HTTP(name="ask", url=f"http://127.0.0.1:{PORT}/", success_condition="response.statusCode == 200", timeout_seconds=20)
    with DAG(name="main"):
        server = serve(arguments={"port": PORT})
        asked = ask(name="asked")
        server >> asked >> check(arguments={"answer": "{{tasks.asked.outputs.result}}"})
done = succeeded(w.create(wait=True))
assert nodes(done)["asked"] == "Succeeded" and results(done, "asked") == ["hello"]
