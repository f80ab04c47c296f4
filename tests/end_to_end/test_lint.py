"""What `weir check` and `weir lint` say of workflows before anything runs, and what a request may say instead of the file."""

import json
import pathlib

import pytest

ARGO = "apiVersion: argoproj.io/v1alpha1\n"
MAIN = ARGO + """kind: Workflow
metadata: {generateName: w-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: word, value: of-the-file}, {name: other}]}
  templates:
  - name: main
    container: {image: x, command: [echo, "{{workflow.parameters.word}} {{workflow.parameters.other}}"]}
  - name: second
    container: {image: x, command: [echo, second]}
"""
TEMPLATE = ARGO + """kind: WorkflowTemplate
metadata: {name: lib}
spec:
  templates:
  - name: say
    container: {image: x, comand: [echo]}
"""
CALLER = ARGO + """kind: Workflow
metadata: {generateName: c-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps: [[{name: a, templateRef: {name: lib, template: say}}]]
"""
# Beside the source, and beside the folder of its worktrees.
CORPUS = next((p for n in (3, 4) if (p := pathlib.Path(__file__).resolve().parents[n] / "shared/corpus/workflow").is_dir()), None)


def test_an_unknown_field_is_a_warning_or_with_strict_an_error(weir, tmp_path):
    (tmp_path / "w.yaml").write_text(MAIN.replace("entrypoint:", "entripoint: x\n  entrypoint:"))
    ran = weir("run", "w.yaml", "-p", "other=o", "-q")
    assert ran.returncode == 0
    assert "w.yaml:5:3: warning: unknown field `entripoint` of the workflow's spec\n  hint: did you mean `entrypoint`?" in ran.stderr
    ran = weir("run", "w.yaml", "-p", "other=o", "-q", "--strict")
    assert ran.returncode == 2 and "w.yaml:5:3: error: unknown field `entripoint`" in ran.stderr
    problems = json.loads(weir("check", "w.yaml", "-o", "json").stdout)["problems"]
    assert [(p["code"], p["line"]) for p in problems if "component" not in p] == [("warning", 5)]


def test_all_files_are_linted_and_know_each_other(weir, tmp_path):
    (tmp_path / "t.yaml").write_text(TEMPLATE)
    (tmp_path / "c.yaml").write_text(CALLER)
    ran = weir("lint", "c.yaml", "t.yaml", "--strict", "--offline", "--kinds", "workflows", "-o", "simple")
    assert ran.returncode == 2
    assert "not found" not in ran.stderr
    assert ran.stderr.count("t.yaml:7:27: error: unknown field `comand` of a container\n") == 2  # by itself, and as it is referred to
    assert "hint" not in ran.stderr
    (tmp_path / "t.yaml").write_text(TEMPLATE.replace("comand", "command"))
    ran = weir("lint", "c.yaml", "t.yaml")
    assert (ran.returncode, ran.stdout) == (0, "c.yaml: nothing wrong\nt.yaml: nothing wrong\n"), ran.stderr
    ran = weir("lint", "c.yaml", "-o", "json")
    assert ran.returncode == 2 and [p["line"] for p in json.loads(ran.stdout)] == [8]


def test_a_directory_is_linted(weir, tmp_path):
    (tmp_path / "flows/deep").mkdir(parents=True)
    (tmp_path / "flows/c.yaml").write_text(CALLER)
    (tmp_path / "flows/deep/t.yml").write_text(TEMPLATE.replace("comand", "command"))
    (tmp_path / "flows/notes.txt").write_text("{ no yaml")
    (tmp_path / "flows/other.json").write_text('{"a": 1}')
    (tmp_path / "flows/settings.yaml").write_text("kind: ConfigMap\nmetadata: {name: settings}\n")
    ran = weir("lint", "flows")
    assert (ran.returncode, ran.stdout) == (0, "flows/c.yaml: nothing wrong\nflows/deep/t.yml: nothing wrong\n"), ran.stderr


def test_every_document_of_a_file_is_checked(weir, tmp_path):
    (tmp_path / "w.yaml").write_text(CALLER + "---\n" + TEMPLATE.replace("comand", "command") + "  - {name: again, steps: [[{name: b, template: c}]]}\n")
    ran = weir("check", "w.yaml")
    assert ran.returncode == 2
    assert "w.yaml:17:38: error: templates.again.steps[0].b template name 'c' undefined" in ran.stderr


def test_parameters_come_from_a_file_but_those_given_count(weir, tmp_path):
    (tmp_path / "w.yaml").write_text(MAIN)
    (tmp_path / "p.yaml").write_text("word: of-the-parameters\nother: 7\n")
    assert weir("run", "w.yaml", "-f", "p.yaml", "-p", "word=given", "--name", "r").returncode == 0
    assert "given 7" in weir("logs", "r").stdout
    (tmp_path / "p.yaml").write_text("- a\n")
    ran = weir("run", "w.yaml", "-f", "p.yaml")
    assert ran.returncode == 2 and "p.yaml:1:1: error: parameters are one object" in ran.stderr


def test_a_dry_run_prints_what_would_run(weir, tmp_path):
    (tmp_path / "w.yaml").write_text(MAIN)
    ran = weir("submit", "w.yaml", "--dry-run", "-p", "other=o", "-p", "new=n", "--name", "n", "-l", "a=b", "--priority", "-3",
               "--entrypoint", "second", "-o", "json")
    assert ran.returncode == 0, ran.stderr
    shown = json.loads(ran.stdout)
    assert shown["metadata"] == {"name": "n", "labels": {"a": "b"}}
    assert (shown["spec"]["entrypoint"], shown["spec"]["priority"]) == ("second", -3)
    assert [(p["name"], p["value"]) for p in shown["spec"]["arguments"]["parameters"]] == [("word", "of-the-file"), ("other", "o"), ("new", "n")]
    (tmp_path / "again.yaml").write_text(weir("run", "w.yaml", "--dry-run", "-p", "other=o").stdout)
    assert weir("run", "again.yaml", "-q").returncode == 0
    assert weir("list", "-o", "name").stdout.count("\n") == 1
    ran = weir("run", "w.yaml", "--dry-run")
    assert ran.returncode == 2 and "spec.arguments.other.value or spec.arguments.other.valueFrom is required" in ran.stderr


def test_a_name_is_generated(weir, tmp_path):
    (tmp_path / "w.yaml").write_text(MAIN.replace("generateName: w-", "name: fixed"))
    for _ in range(2):
        ran = weir("run", "w.yaml", "-p", "other=o", "--generate-name", "gen-", "-o", "name")
        assert ran.returncode == 0 and ran.stdout.startswith("gen-"), ran.stderr
    ran = weir("run", "w.yaml", "-p", "other=o", "--generate-name", "a b")
    assert ran.returncode == 2 and "no run's name can begin with `a b`" in ran.stderr


def test_many_problems_of_a_large_file_are_told_at_once(weir, tmp_path):
    steps = "".join(f"    - - {{name: s{i}, template: leaf, whn: x}}\n" for i in range(2000))
    steps += "  - {name: leaf, suspend: {duration: 1}}\n"
    (tmp_path / "w.yaml").write_text(CALLER.split("    steps")[0] + "    steps:\n" + steps)
    ran = weir("check", "w.yaml", timeout=30)
    assert ran.returncode == 0 and ran.stderr.count("warning") == 100
    assert "w.yaml:108:37: warning: unknown field `whn` of a step" in ran.stderr


@pytest.mark.skipif(not CORPUS, reason="the corpus is not here")
@pytest.mark.parametrize("folder", ["argo", "own"])
def test_the_corpus_is_read_as_argo_reads_it(weir, folder):
    """What Argo ran has no problem but what is not supported yet; what it refused is refused."""
    wrong = []
    for case in sorted((CORPUS / folder).glob("*.json")):
        ran = weir("check", case.with_suffix(".yaml"), "--library", CORPUS / "library", "-o", "json")
        problems = json.loads(ran.stdout)["problems"]
        if not json.loads(case.read_text())["nodes"]:
            wrong += [case.name] if ran.returncode != 2 else []
            continue
        wrong += [f"{case.name}: {p['message']}" for p in problems
                  if "supported yet" not in p["message"] and "weir cannot ask the image for it" not in p["message"]
                  and not (p["code"] == "warning" and ("component" in p or "without Kubernetes" in p["message"]))]
    assert not wrong


def test_numbers_are_texts_as_argo_has_them(weir, tmp_path):
    names = {"a": ("1e-5", "0.00001"), "b": ("1.0", "1"), "c": ("1e20", "100000000000000000000"), "d": ("1e-7", "1e-7"), "e": ("1_0.5", "10.5")}
    head = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec:\n  entrypoint: main\n  arguments:\n    parameters:\n"
    inner = "".join(f"      - {{name: {name}, value: {text}}}\n" for name, (text, _) in names.items())
    loop = ", ".join(text for text, _ in names.values())
    tail = "  templates:\n"
    tail += f"  - {{name: main, steps: [[{{name: s, template: leaf, withItems: [{loop}], arguments: {{parameters: [{{name: p, value: '{{{{item}}}}'}}]}}}}]]}}\n"
    tail += "  - {name: leaf, inputs: {parameters: [{name: p}]}, suspend: {duration: '0'}}\n"
    (tmp_path / "w.yaml").write_text(head + inner + tail)
    (tmp_path / "p.yaml").write_text("".join(f"{name}: {text}\n" for name, (text, _) in names.items()))
    wanted = {name: text for name, (_, text) in names.items()}
    for more in ([], ["-f", "p.yaml"]):
        ran = json.loads(weir("run", "w.yaml", "-o", "json", *more).stdout)
        assert {one["name"]: one["value"] for one in ran["spec"]["arguments"]["parameters"]} == wanted
        leaves = [node for node in ran["status"]["nodes"].values() if node["type"] == "Suspend"]
        assert [node["inputs"]["parameters"][0]["value"] for node in leaves] == list(wanted.values())
        assert [node["displayName"] for node in leaves] == [f"s({at}:{text})" for at, text in enumerate(wanted.values())]


def test_a_name_that_yaml_reads_as_a_boolean_is_said(weir, tmp_path):
    (tmp_path / "w.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: w-}\nspec:\n  entrypoint: main\n"
        "  arguments: {parameters: [{name: n, value: 3}]}\n"
        "  templates:\n  - name: main\n    container: {image: x, command: [echo, '{{workflow.parameters.n}}']}\n"
    )
    done = weir("run", "w.yaml")
    assert done.returncode == 2 and "failed to resolve {{workflow.parameters.n}}" in done.stderr
    assert "w.yaml:6:" in done.stderr and "warning: this name is `false`: without quotes YAML reads" in done.stderr
