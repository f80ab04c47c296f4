"""weir dataflow create, merge and export; --overlay and --configure; dataflows of several files; -o yaml."""

import json
import os
import pathlib
import re
import shutil

import pytest
import yaml

from conftest import ROOT, WEIR

PLUGIN = os.environ.get("WEIR_CORPUS_PLUGIN", str(pathlib.Path(WEIR).parent / "tests/corpus_operations.so"))


def is_exported(path):
    """Linked, and with all its definitions: what a linked export gives back as it was."""
    case = json.loads(path.read_text())
    return case["dataflow"].get("linked") and case["expected"]["error"] != "DefinitionMissing"


CASES = [path for path in sorted((ROOT / "tests/conformance/dataflow").glob("*.json")) if is_exported(path)]

NEG = {"name": "neg", "inputs": {"a": "A"}, "outputs": {"result": "B"}}
GET = {"name": "get_single", "inputs": {"spec": "spec"}, "outputs": {"output": "found"}, "stage": "output"}
DEFINITIONS = {
    "A": {"primitive": "int"}, "B": {"primitive": "int"}, "spec": {"primitive": "array"}, "found": {"primitive": "map"},
}
BASE = {
    "linked": True, "definitions": DEFINITIONS, "operations": {"neg": NEG, "get": GET},
    "seed": [{"value": ["B"], "definition": "spec"}],
}
# One process a file: what its configuration says is seen in what it writes.
ECHO = {
    "definitions": {"text": {"primitive": "str"}, "out": {"primitive": "str"}, "spec": {"primitive": "array"}, "found": {"primitive": "map"}},
    "operations": {
        "echo.one": {"name": "process.run", "inputs": {"text": "text"}, "outputs": {"result": "out"}},
        "get": GET,
    },
    "configs": {"echo.one": {"command": ["echo", "{{inputs.text}}"]}},
    "seed": [{"value": ["out"], "definition": "spec"}],
}


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value, indent=1))
    return path


def canon(value):
    return json.dumps(value, sort_keys=True)


def norm(flow):
    return {
        name: {
            "inputs": {key: sorted(map(canon, sources)) for key, sources in entry.get("inputs", {}).items()},
            "conditions": sorted(set(map(canon, entry.get("conditions", [])))),
        }
        for name, entry in flow.items()
    }


@pytest.fixture
def answer(weir):
    """What the command prints, read as JSON or YAML; it has to succeed."""

    def call(*arguments, **options):
        ran = weir(*arguments, **options)
        assert ran.returncode == 0, ran.stderr
        return yaml.safe_load(ran.stdout) if "yaml" in arguments else json.loads(ran.stdout)

    return call


def refused(ran, *texts, code=2):
    assert ran.returncode == code, ran.stdout
    assert not ran.stdout
    for text in texts:
        assert text in ran.stderr, ran.stderr


# --- export ---


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_case_of_the_corpus_goes_there_and_back(path, answer, tmp_path):
    case = json.loads(path.read_text())
    linked = answer("dataflow", "export", write(tmp_path / "f.json", case["dataflow"]), "--linked")
    if case["expected"].get("flow") and "weir" not in case:
        assert norm(linked["flow"]) == norm(case["expected"]["flow"])
    for member, value in case["dataflow"].items():
        assert linked[member] == value or member == "configs"
    again = write(tmp_path / "linked.json", linked)
    assert answer("dataflow", "export", again, "--linked") == linked
    assert answer("dataflow", "export", again, "--linked", "-o", "yaml") == linked
    nested = answer("dataflow", "export", again)
    assert "linked" not in nested
    write(tmp_path / "nested.yaml", yaml.safe_dump(nested))
    assert answer("dataflow", "export", "nested.yaml") == nested
    assert answer("dataflow", "export", "nested.yaml", "--linked") == linked


def test_export_nests_definitions(answer, tmp_path):
    write(tmp_path / "f.json", {**BASE, "forward": {"book": {"neg": ["A"]}}, "configs": {"neg": {"dataflow": BASE}}})
    flow = answer("dataflow", "export", "f.json")
    one = {"name": "A", "primitive": "int"}
    assert flow["operations"]["neg"]["inputs"] == {"a": one}
    assert flow["forward"] == {"book": {"neg": [one]}}
    assert flow["seed"][0]["definition"] == {"name": "spec", "primitive": "array"}
    assert flow["flow"]["neg"] == {"inputs": {"a": ["seed"]}}
    inner = flow["configs"]["neg"]["dataflow"]
    assert inner["operations"]["neg"]["inputs"] == {"a": one} and inner["flow"]["get"] == {"inputs": {"spec": ["seed"]}}
    assert "definitions" not in flow and "definitions" not in inner


def test_a_nested_dataflow_runs(answer, tmp_path):
    """A seed may be the only one that has its definition."""
    write(tmp_path / "f.json", {**BASE, "operations": {"get": GET}, "seed": [*BASE["seed"], {"value": 3, "definition": "B"}]})
    write(tmp_path / "nested.json", answer("dataflow", "export", "f.json"))
    ran = answer("run", "nested.json", "-o", "json", "--durability", "none")
    assert ran["results"] == {"default": {"B": 3}}


def test_export_says_all_that_is_wrong(weir, tmp_path):
    write(tmp_path / "f.yaml", "operations:\n  x:\n    inputs: {a: A}\n  y: 3\nseed:\n- {value: 1, definition: B}\n")
    refused(
        weir("dataflow", "export", "f.yaml"), "f.yaml:3:14: error: there is no definition `A`",
        "f.yaml:4:3: error: the operation `y` is no object", "f.yaml:6:14: error: there is no definition `B`",
    )
    write(tmp_path / "g.yaml", "pipeline: {}\n")
    refused(weir("dataflow", "export", "g.yaml"), "g.yaml: error: a pipeline is no dataflow")


def test_export_that_would_be_huge_is_refused(weir, tmp_path):
    count = 9000
    make = {"outputs": {"r": "D"}, "inputs": {"a": "D"}}
    write(tmp_path / "f.json", {"definitions": {"D": {}}, "operations": {f"operation{i}": make for i in range(count)}})
    refused(weir("dataflow", "export", "f.json"), "too large")


# --- create ---


def test_create_makes_a_dataflow(answer, tmp_path):
    flow = answer("dataflow", "create", "calculator.parse_line", "sum=calculator.add", "--config", "5=sum.a.b")
    assert flow["linked"] is True
    assert flow["operations"]["sum"]["name"] == "calculator.add"
    assert flow["operations"]["sum"]["stage"] == "processing"
    assert flow["configs"] == {"sum": {"a": {"b": 5}}}
    definition = flow["operations"]["calculator.parse_line"]["inputs"]["line"]
    assert flow["definitions"][definition]["primitive"] == "str"
    write(tmp_path / "f.json", flow)
    assert answer("dataflow", "export", "f.json", "--linked") == flow


def first_port(answer, operation, group):
    flow = answer("dataflow", "create", operation)
    return next(iter(flow["operations"][operation][group].items()))


def test_create_reads_values_as_dffml_does(answer):
    line = first_port(answer, "calculator.parse_line", "inputs")[1]
    values = {
        "5": 5, "a,": ["a"], "1,on,x": [1, True, "x"], "none": None, "Yes": True, '{"a": [1]}': {"a": [1]}, "'5'": "5",
        "['a', 'b']": ["a", "b"], "a=b": "a=b", "": "", "1.5": 1.5, "add 1 and 2": "add 1 and 2",
    }
    flags = [flag for text in values for flag in ("--inputs", f"{text}={line}")]
    flow = answer("dataflow", "create", "calculator.parse_line", *flags, "--inputs", f"x={line}=other")
    assert [seed["value"] for seed in flow["seed"]] == [*values.values(), "x"]
    assert [seed["origin"] for seed in flow["seed"]] == ["seed"] * len(values) + ["other"]
    assert {seed["definition"] for seed in flow["seed"]} == {line}


def test_create_changes_the_flow(answer):
    flow = answer(
        "dataflow", "create", "a.b=calculator.add", "calculator.mult",
        "--flow", '[{"seed":["X"]}]=a.b.inputs.numbers', "--flow", '[{"a.b": "sum"}]=calculator.mult.conditions',
    )["flow"]
    assert flow["a.b"] == {"inputs": {"numbers": [{"seed": ["X"]}]}}
    assert flow["calculator.mult"]["conditions"] == [{"a.b": "sum"}]


def test_create_nests(answer):
    flow = answer("dataflow", "create", "calculator.add", "--not-linked", "-o", "yaml")
    assert flow["operations"]["calculator.add"]["inputs"]["numbers"]["primitive"] == "array"
    assert "definitions" not in flow and "linked" not in flow


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["calculator.ad"], "did you mean `calculator.add`"),
        (["calculator.add", "calculator.add"], "write INSTANCE=calculator.add"),
        (["calculator.add", "--inputs", "5"], "VALUE=DEFINITION"),
        (["calculator.add", "--inputs", "5=nothing"], "no definition `nothing`"),
        (["calculator.add", "--flow", '["seed"]=calculator.add.inputs.x'], "INSTANCE.inputs.PARAMETER"),
        (["calculator.add", "--flow", "3=calculator.add.inputs.numbers"], "no list"),
        (["calculator.add", "--flow", "x"], "INSTANCE.inputs.PARAMETER"),
        (["calculator.add", "--config", "5=other.key"], "VALUE=INSTANCE.KEY"),
        (["calculator.add", "--config", "5=calculator.add." + "a." * 100 + "b"], "VALUE=INSTANCE.KEY"),
        ([], "an argument is missing"),
    ],
)
def test_create_refuses(arguments, text, weir):
    refused(weir("dataflow", "create", *arguments), text)


def test_create_takes_plugins(answer):
    assert "neg" in answer("dataflow", "create", "neg", "--plugin", PLUGIN)["operations"]


# --- merge, overlay, configure ---


def test_merge(answer, tmp_path):
    write(tmp_path / "a.json", BASE)
    write(tmp_path / "b.yaml", yaml.safe_dump({
        "operations": {"neg2": {"name": "neg", "inputs": {"a": {"name": "B", "primitive": "int"}}}, "neg": {"retry": 3}},
        "seed": [{"value": 4, "definition": "A"}],
    }))
    merged = answer("dataflow", "merge", "a.json", "b.yaml")
    assert list(merged["operations"]) == ["neg", "get", "neg2"]
    assert merged["operations"]["neg"] == {**NEG, "retry": 3}
    assert [seed["value"] for seed in merged["seed"]] == [["B"], 4]
    assert merged["flow"]["neg2"] == {"inputs": {"a": [{"neg": "result"}]}}
    nested = answer("dataflow", "merge", "a.json", "b.yaml", "--not-linked", "-o", "yaml")
    assert nested["operations"]["neg2"]["inputs"]["a"] == {"name": "B", "primitive": "int"}
    assert answer("dataflow", "merge", "a.json") == answer("dataflow", "export", "a.json", "--linked")


def test_merge_says_what_is_wrong_where(weir, tmp_path):
    write(tmp_path / "a.json", BASE)
    write(tmp_path / "b.yaml", "operations:\n  neg:\n    inputs: {a: nothing}\n")
    refused(weir("dataflow", "merge", "a.json", "b.yaml"), "b.yaml:3:14: error: there is no definition `nothing`")
    write(tmp_path / "b.yaml", "seed: {}\n")
    refused(weir("dataflow", "merge", "a.json", "b.yaml"), "b.yaml:1:1: error: `seed` is no list")
    refused(weir("dataflow", "merge", "a.json", "absent.json"), "absent.json: error: there is no such file")
    refused(weir("dataflow", "merge"), "an argument is missing")


def test_an_overlay_is_laid_over_what_runs(answer, tmp_path):
    write(tmp_path / "f.json", BASE)
    write(tmp_path / "o.yaml", "operations:\n  neg: {inputs: {a: C}}\ndefinitions:\n  C: {primitive: int, default: 7}\nseed:\n- {value: 3, definition: A}\n- {value: 8, definition: C}\n")
    run = ["run", "f.json", "--plugin", PLUGIN, "-o", "json", "--durability", "none"]
    assert answer(*run, "A=5")["results"] == {"default": {"B": -5}}
    assert answer(*run, "--overlay", "o.yaml")["results"] == {"default": {"B": -8}}
    assert answer("dataflow", "export", "f.json", "--overlay", "o.yaml", "--linked")["operations"]["neg"]["inputs"] == {"a": "C"}


def test_configure(answer, weir, tmp_path):
    write(tmp_path / "f.json", ECHO)
    run = ["run", "f.json", "text=hi", "-o", "json", "--durability", "none"]
    assert answer(*run)["results"]["default"]["out"].strip() == "hi"
    other = answer(*run, "--configure", 'echo.one.command=["echo", "other"]')
    assert other["results"]["default"]["out"].strip() == "other"
    shown = answer("dataflow", "export", "f.json", "--configure", "echo.one.a=5", "--configure", "echo.one.b=x y")
    assert shown["configs"]["echo.one"] == {"command": ["echo", "{{inputs.text}}"], "a": 5, "b": "x y"}
    (tmp_path / "text").write_text("[1]")
    assert answer("dataflow", "export", "f.json", "--configure", "get.k=@text")["configs"]["get"] == {"k": [1]}
    refused(weir("dataflow", "export", "f.json", "--configure", "none.key=1"), "no operation `none`")
    refused(weir("dataflow", "export", "f.json", "--configure", "key=1"), "INSTANCE.KEY=VALUE")
    refused(weir("dataflow", "export", "f.json", "--configure", "get.k=1", "--configure", "get.k=2"), "given twice", "once is enough")


def test_places_of_an_overlaid_file(weir, tmp_path):
    """Problems that only compiling finds are said in the file that has them."""
    write(tmp_path / "f.yaml", yaml.safe_dump(BASE, sort_keys=False))
    write(tmp_path / "o.yaml", "# an overlay\noperations:\n  new:\n    name: transmogrify\n")
    ran = weir("check", "f.yaml", "--overlay", "o.yaml", "--plugin", PLUGIN)
    assert ran.returncode == 2
    assert re.search(r"^o\.yaml:(3:3|4:5): error: .*`transmogrify`", ran.stderr, re.M), ran.stderr
    bad = {**BASE, "operations": {**BASE["operations"], "bad": {"name": "transmogrify"}}}
    write(tmp_path / "f.yaml", yaml.safe_dump(bad, sort_keys=False))
    write(tmp_path / "o.yaml", "seed: []\n")
    ran = weir("check", "f.yaml", "--overlay", "o.yaml", "--plugin", PLUGIN)
    assert re.search(r"^f\.yaml:\d\d:\d+: error: .*`transmogrify`", ran.stderr, re.M), ran.stderr


def test_only_a_dataflow_takes_them(weir):
    file = ROOT / "examples/workflow/hello-world.yaml"
    refused(weir("run", file, "--overlay", file), "a workflow takes no `overlays`")
    refused(weir("run", file, "--configure", "a.b=1"), "a workflow takes no `configure`")


def test_a_run_needs_none_of_its_files_again(answer, weir, tmp_path):
    """What a journal keeps was put together: the run is read again after all of its files are gone."""
    write(tmp_path / "f.dirconf.json", {**ECHO, "configs": {"echo.one": {"command": ["echo", "base"]}}})
    write(tmp_path / "f/seed.yaml", '- {value: ["out"], definition: spec}\n- {value: hi, definition: text}\n')
    write(tmp_path / "o.json", {"configs": {"echo.one": {"command": ["{{inputs.text}}"]}}})
    name = answer("run", "f.dirconf.json", "--overlay", "o.json", "--configure", "echo.one.directory=/", "-o", "json")["name"]
    for path in ("f.dirconf.json", "o.json"):
        (tmp_path / path).unlink()
    shutil.rmtree(tmp_path / "f")
    shown = answer("get", name, "-o", "json")
    assert shown["phase"] == "Succeeded"
    assert shown["result"]["results"]["default"]["out"].strip() == "base hi"
    created = json.loads(weir("events", name, "-o", "jsonl").stdout.splitlines()[0])["data"]
    assert not {"overlays", "configure"} & created.keys()


# --- dataflows that configurations name ---


def test_a_dataflow_that_a_configuration_names(answer, weir, tmp_path):
    write(tmp_path / "flows/main.yaml", yaml.safe_dump({**BASE, "configs": {"neg": {"dataflow": "inner/one.json"}}}))
    write(tmp_path / "flows/inner/one.json", {**BASE, "configs": {"get": {"dataflow": "../two.yaml"}}})
    write(tmp_path / "flows/two.yaml", yaml.safe_dump(BASE))
    flow = answer("dataflow", "export", "flows/main.yaml", "--linked")
    one = flow["configs"]["neg"]["dataflow"]
    assert one["operations"] == BASE["operations"] and one["flow"]
    assert one["configs"]["get"]["dataflow"]["seed"] == BASE["seed"]
    write(tmp_path / "flows/two.yaml", "operations: {x: {inputs: {a: A}}}\n")
    refused(weir("dataflow", "export", "flows/main.yaml"), "flows/inner/../two.yaml:1:27: error: there is no definition `A`")
    (tmp_path / "flows/two.yaml").unlink()
    refused(weir("dataflow", "export", "flows/main.yaml"), "flows/inner/one.json:", "two.yaml: there is no such file")


def test_dataflows_that_name_each_other_end(weir, tmp_path):
    write(tmp_path / "a.json", {**BASE, "configs": {"neg": {"dataflow": "b.json"}, "get": {"dataflow": "b.json"}}})
    write(tmp_path / "b.json", {**BASE, "configs": {"neg": {"dataflow": "a.json"}, "get": {"dataflow": "a.json"}}})
    refused(weir("dataflow", "export", "a.json"), "more than 32 deep")


# --- directory configuration ---


def test_a_directory_is_merged_into_its_file(answer, weir, tmp_path):
    write(tmp_path / "d/x.dirconf.yaml", yaml.safe_dump({"definitions": DEFINITIONS, "configs": {"neg": {"a": 1}, "get": 2}}))
    write(tmp_path / "d/x/operations/neg.json", NEG)
    write(tmp_path / "d/x/operations/get.yml", yaml.safe_dump(GET))
    write(tmp_path / "d/x/seed.yaml", yaml.safe_dump(BASE["seed"]))
    write(tmp_path / "d/x/configs/neg/b.json", [1])
    write(tmp_path / "d/x/configs/get.json", {"nostrict": ["A"]})
    write(tmp_path / "d/x/configs/.hidden", "no value")
    flow = answer("dataflow", "export", "d/x.dirconf.yaml", "--linked")
    assert flow["operations"] == BASE["operations"] and flow["seed"] == BASE["seed"]
    assert flow["configs"] == {"neg": {"a": 1, "b": [1]}, "get": {"nostrict": ["A"]}}
    ran = answer("run", "d/x.dirconf.yaml", "A=2", "--plugin", PLUGIN, "-o", "yaml", "--durability", "none")
    assert ran["results"] == {"default": {"B": -2}}
    write(tmp_path / "d/x/operations/neg.json", {**NEG, "name": "nega"})
    ran = weir("check", "d/x.dirconf.yaml", "--plugin", PLUGIN)
    assert re.search(r"^d/x/operations/neg\.json:\d+:\d+: error: .*`nega`", ran.stderr, re.M), ran.stderr
    write(tmp_path / "d/x/operations/neg.json", "{\n  'a': 1}")
    refused(weir("run", "d/x.dirconf.yaml"), "d/x/operations/neg.json:2:3: error:")


def prepare(folder, kind):
    entry = folder / "x"
    write(folder / "x.dirconf.json", "[1]" if kind == "no object" else BASE)
    if kind == "absent":
        return
    entry.mkdir()
    if kind == "link":
        write(folder / "secret.json", {})
        (entry / "seed.json").symlink_to("../secret.json")
    elif kind == "linked folder":
        (folder / "other").mkdir()
        (entry / "configs").symlink_to("../other")
    elif kind == "linked directory":
        entry.rmdir()
        (folder / "other").mkdir()
        entry.symlink_to("other")
    elif kind == "twice":
        write(entry / "seed.json", [])
        write(entry / "seed.yaml", "[]")
    elif kind == "unknown":
        write(entry / "notes.txt", "")
    elif kind == "pipe":
        os.mkfifo(entry / "seed.json")
    elif kind == "deep":
        (entry / "/".join(["d"] * 40)).mkdir(parents=True)
    elif kind == "bytes":
        os.close(os.open(os.fsencode(entry) + b"/\xff.json", os.O_CREAT | os.O_WRONLY))
    elif kind == "form":
        write(entry / "operations/neg.yaml", "- 1\n")


@pytest.mark.parametrize(
    "kind, text",
    [
        ("absent", "x: error: there is no such directory"), ("link", "x/seed.json: error: a directory configuration has no symbolic links"),
        ("linked folder", "x/configs: error:"), ("linked directory", "x: error:"), ("twice", "x/seed.yaml: error: another entry"),
        ("unknown", "x/notes.txt: error:"), ("pipe", "x/seed.json: error: this is no regular file"), ("deep", "too deep"),
        ("bytes", "no file of a directory configuration"), ("no object", "x.dirconf.json: error:"),
        ("form", "x/operations/neg.yaml:1:1: error: the operation `neg` is no object"),
    ],
)
def test_a_directory_that_is_refused(kind, text, weir, tmp_path):
    prepare(tmp_path, kind)
    refused(weir("dataflow", "export", "x.dirconf.json", errors="replace"), text, code=3 if kind == "linked directory" else 2)


def test_only_a_dataflow_is_in_a_directory(weir, tmp_path):
    write(tmp_path / "x.dirconf.yaml", (ROOT / "examples/workflow/hello-world.yaml").read_text())
    (tmp_path / "x").mkdir()
    refused(weir("run", "x.dirconf.yaml"), "only a dataflow can be in a directory")


# --- -o yaml ---


def test_every_command_with_json_has_yaml(weir, answer, tmp_path):
    write(tmp_path / "f.json", {**BASE, "seed": [*BASE["seed"], {"value": 3, "definition": "A"}]})
    name = answer("run", "f.json", "--plugin", PLUGIN, "-o", "yaml")["name"]
    for command in (
        ["list"], ["get", name], ["events", name], ["operation", "list"], ["operation", "show", "process.run"], ["version"],
        ["check", "f.json", "--plugin", PLUGIN], ["recover", name], ["dataflow", "export", "f.json"],
    ):
        assert answer(*command, "-o", "yaml") == json.loads(weir(*command, "-o", "json").stdout), command
    helps = weir("help").stdout
    commands = re.findall(r"^  (\w+(?: \w+)?)  ", helps, re.M)
    forms = [re.search(r"--output (\S+)", weir("help", *command.split()).stdout) for command in commands if command != "eval"]  # an answer a line
    assert len(commands) > 10
    forms = [re.split(r"\W", form.group(1)) for form in forms if form]
    assert all("yaml" in form or "csv" in form for form in forms if "json" in form)  # rows are CSV


def test_a_failure_as_yaml(weir, tmp_path):
    write(tmp_path / "f.json", {**BASE, "operations": {"x": {"name": "transmogrify"}}})
    ran = weir("run", "f.json", "-o", "yaml")
    assert ran.returncode == 2
    assert yaml.safe_load(ran.stdout)["error"]["code"] == "unknown_operation"


def test_yaml_from_the_settings(weir, tmp_path):
    (tmp_path / "weir.yaml").write_text("output: yaml\n")
    shown = weir("operation", "show", "process.run").stdout
    assert shown[0] != "{" and yaml.safe_load(shown)["name"] == "process.run"


def test_yaml_that_other_readers_take_for_the_same(answer, tmp_path):
    texts = [
        "yes", "No", "ON", "null", "~", "1", "1.5", "0x1f", "1:30", "2026-01-01", "1e3", ".inf", "", " a", "a ", "a: b", "a #b", "- a",
        "{a", "[a", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a", "'a", '"a', "a\nb", "a\n", "\n\na\n\n", "  a\nb", "a\n \nb", "\ta\nb",
        "é\u2028\ufeff\x07", "😀", "=", "<<", "y", "n", "0o17", "1_000", "a" * 3000,
    ]
    value = {text: [text, {text: text}] for text in texts if text}
    value["all"] = texts
    value["numbers"] = [1.0, 1e20, 1.5e-7, -0.0, 2**62, -5, True, None, {}, []]
    write(tmp_path / "f.json", {**BASE, "mine": value})
    assert answer("dataflow", "export", "f.json", "-o", "yaml")["mine"] == value
