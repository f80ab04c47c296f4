"""Volumes, variables from elsewhere and limits of workflows: isolated as whoever runs the tests, as an ordinary user, and not isolated."""

import json
import os

import pytest

from test_sandbox import ORDINARY, Place, folder_of, probed

HEAD = """apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {word: alpha, deep.txt: beta}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {password: hunter22, user: adminadmin}
---
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec:
  entrypoint: main
"""


@pytest.fixture(params=["own", "user", "plain"])
def place(request):
    with folder_of(request.param, "volumes") as (path, prefix):
        made = Place(path, prefix) if request.param == "plain" else probed(request.param, path, prefix)
        made.plain = request.param == "plain"
        if made.plain:
            made.environment["WEIR_ISOLATION"] = "none"
        yield made


def run(place, spec, *flags, status=0):
    place.write("w.yaml", HEAD + spec)
    said = place.run("run", "w.yaml", "-o", "json", *flags)
    assert said.returncode == status, said.stdout + said.stderr
    return said


def lines(place, name="w"):
    return [line.split(": ", 1)[1] for line in place.run("logs", name).stdout.splitlines()]


def volumes(place):
    return [file for file in (place.path / ".weir/volumes").rglob("*") if file.is_file()]


def test_an_attempt_has_folders_of_its_own(place):
    run(place, """
  volumes: [{name: own, emptyDir: {}}, {name: one, ephemeral: {volumeClaimTemplate: {spec: {}}}}]
  templates:
  - name: main
    steps: [[{name: a, template: t, withSequence: {count: 3}}]]
  - name: t
    container:
      image: x
      command: [sh, -c, "test ! -e /own/f && echo x >/own/f && cat /own/f /one/*; cp /own/f /one/; ls /one"]
      volumeMounts: [{name: own, mountPath: /own}, {name: one, mountPath: /one}]
""")
    assert [line for line in lines(place) if "/one/*" not in line and "No such" not in line] == ["x", "f"] * 3
    assert volumes(place) == []


def test_volumes_of_a_run_and_of_all_runs(place):
    spec = """
  arguments: {parameters: [{name: claim, value: mine}]}
  volumeClaimTemplates: [{metadata: {name: work}, spec: {resources: {requests: {storage: 1Gi}}}}]
  volumes: [{name: kept, persistentVolumeClaim: {claimName: "{{workflow.parameters.claim}}"}}]
  templates:
  - name: main
    steps: [[{name: a, template: write}], [{name: b, template: read}]]
  - name: write
    script:
      image: x
      command: [sh]
      source: "echo made >/wk/f; echo run >>/kept/log"
      volumeMounts: [{name: work, mountPath: /wk, subPath: a/b}, {name: kept, mountPath: /kept}]
  - name: read
    script:
      image: x
      command: [sh]
      source: "cat /wk/a/b/f; wc -l </kept/log"
      volumeMounts: [{name: work, mountPath: /wk, readOnly: true}, {name: kept, mountPath: /kept}]
"""
    said = json.loads(run(place, spec).stdout)
    assert "persistentVolumeClaims" not in said["status"]
    assert lines(place) == ["made", "1"] and volumes(place) == []
    run(place, spec, "--name", "again")
    assert lines(place, "again") == ["made", "2"]
    assert (place.path / ".weir/claims/mine/log").read_text() == "run\nrun\n"
    run(place, spec, "--name", "other", "-p", "claim=../../x", status=1)
    assert not (place.path / "x").exists()


@pytest.mark.parametrize("strategy", ["OnWorkflowSuccess", "OnWorkflowCompletion"])
def test_what_stays_of_a_run_that_failed(place, strategy):
    said = run(place, f"""
  volumeClaimGC: {{strategy: {strategy}}}
  volumeClaimTemplates: [{{metadata: {{name: work}}}}]
  templates:
  - name: main
    container: {{image: x, command: [sh, -c, "echo x >/wk/f; false"], volumeMounts: [{{name: work, mountPath: /wk}}]}}
""", status=1)
    stays = strategy == "OnWorkflowSuccess"
    assert len(volumes(place)) == stays
    claims = [{"name": "work", "persistentVolumeClaim": {"claimName": "w-work"}}] if stays else None
    assert json.loads(said.stdout)["status"].get("persistentVolumeClaims") == claims
    assert place.run("delete", "w").returncode == 0
    assert volumes(place) == []


def test_config_maps_secrets_and_fields_are_files(place):
    run(place, """
  podMetadata: {labels: {team: blue}}
  volumes:
  - {name: all, configMap: {name: settings}}
  - {name: some, configMap: {name: settings, items: [{key: word, path: sub/w, mode: 256}]}}
  - {name: none, configMap: {name: nothing, optional: true}}
  - {name: keys, secret: {secretName: keys, defaultMode: 256}}
  - name: mixed
    projected:
      sources:
      - {configMap: {name: settings, items: [{key: word, path: w}]}}
      - {secret: {name: keys, items: [{key: user, path: u}]}}
      - {downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
  templates:
  - name: main
    metadata: {labels: {tier: "{{workflow.name}}-t"}}
    script:
      image: x
      command: [sh]
      source: |
        cat /all/word /all/deep.txt; echo
        ls -l /some/sub/w | cut -c1-10; ls /none | wc -l
        ls /keys; wc -c </keys/password; cat /keys/password; echo
        cat /mixed/w; wc -c </mixed/u; cat /mixed/labels; echo
        cat /one; echo
      volumeMounts:
      - {name: all, mountPath: /all}
      - {name: some, mountPath: /some}
      - {name: none, mountPath: /none}
      - {name: keys, mountPath: /keys}
      - {name: mixed, mountPath: /mixed}
      - {name: all, mountPath: /one, subPath: word}
""")
    assert lines(place) == [
        "alphabeta", "-r--------", "0", "password", "user", "8", "***", "alpha10", 'team="blue"', 'tier="w-t"',
        'workflows.argoproj.io/completed="false"', 'workflows.argoproj.io/workflow="w"', "alpha"]
    for file in (place.path / ".weir").rglob("*"):
        assert not file.is_file() or b"hunter22" not in file.read_bytes(), file
    assert volumes(place) == []


def test_variables_from_elsewhere(place):
    run(place, """
  templates:
  - name: main
    metadata: {labels: {team: blue}}
    container:
      image: x
      command: [sh, -c]
      args: ["env | grep ^V_ | LC_ALL=C sort; echo '$(V_A) $$(V_A) $(V_NO)'"]
      env:
      - {name: V_A, valueFrom: {configMapKeyRef: {name: settings, key: word}}}
      - {name: V_B, value: "<$(V_A)>"}
      - {name: V_NONE, valueFrom: {configMapKeyRef: {name: settings, key: nothing, optional: true}}}
      - {name: V_NO, valueFrom: {secretKeyRef: {name: nothing, key: x, optional: true}}}
      - {name: V_S, valueFrom: {secretKeyRef: {name: keys, key: password}}}
      - {name: V_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
      - {name: V_SPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
      - {name: V_TEAM, valueFrom: {fieldRef: {fieldPath: "metadata.labels['team']"}}}
      - {name: V_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
      - {name: V_CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}
      - {name: V_MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
      envFrom: [{configMapRef: {name: settings}, prefix: V_}, {secretRef: {name: keys}, prefix: V_}, {secretRef: {name: no, optional: true}}]
      resources: {limits: {cpu: 100m, memory: 1.5Gi}}
""")
    assert lines(place) == [
        "V_A=alpha", "V_B=<alpha>", "V_CPU=100", "V_IP=127.0.0.1", "V_MEMORY=1536", "V_NAME=w", "V_S=***", "V_SPACE=default",
        "V_TEAM=blue", "V_password=***", "V_user=***", "V_word=alpha", "alpha $(V_A) $(V_NO)"]


def test_what_is_not_there_is_said(place):
    for volume, message in [
            ("configMap: {name: none}", "ConfigMap 'none' does not exist: --library FILE"),
            ("configMap: {name: settings, items: [{key: none, path: x}]}", "ConfigMap 'settings' does not have the key 'none'"),
            ("secret: {secretName: none}", "there is no secret `none`: --library FILE"),
            ("configMap: {name: settings, items: [{key: word, path: ../x}]}", "is no path below a volume")]:
        said = run(place, f"""
  volumes: [{{name: v, {volume}}}]
  templates:
  - name: main
    container: {{image: x, command: [ls, /v], volumeMounts: [{{name: v, mountPath: /v}}]}}
""", "--name", "x", status=1)
        assert message in json.loads(said.stdout)["status"]["message"], volume
        assert place.run("delete", "x").returncode == 0


def test_files_of_the_host_are_shown_with_a_flag_only(place):
    place.write("file", "of the host\n")
    spec = f"""
  volumes: [{{name: v, hostPath: {{path: {place.path}}}}}]
  templates:
  - name: main
    container: {{image: x, command: [cat, /v/file], volumeMounts: [{{name: v, mountPath: /v, readOnly: true}}]}}
"""
    said = run(place, spec, status=2)
    assert "17:23: error: a hostPath volume shows files of this machine: it needs --allow-host-path" in said.stderr
    run(place, spec, "--allow-host-path")
    assert lines(place) == ["of the host"]
    assert place.run("check", "w.yaml").returncode == 0


def test_no_link_leads_out_of_a_volume(place):
    said = run(place, """
  volumeClaimTemplates: [{metadata: {name: work}}]
  templates:
  - name: main
    steps: [[{name: a, template: link}], [{name: b, template: follow}]]
  - name: link
    container: {image: x, command: [ln, -s, /etc, /wk/out], volumeMounts: [{name: work, mountPath: /wk}]}
  - name: follow
    container: {image: x, command: [ls, /v], volumeMounts: [{name: work, mountPath: /v, subPath: out}]}
""", status=1)
    nodes = json.loads(said.stdout)["status"]["nodes"].values()
    assert ["leads nowhere within it" in node.get("message", "") for node in nodes if node["displayName"] == "b"] == [True]


def test_a_patch_of_the_pod_changes_its_containers(place):
    said = run(place, """
  arguments: {parameters: [{name: word, value: patched}]}
  podSpecPatch: |
    terminationGracePeriodSeconds: 3
    containers:
    - {name: main, env: [{name: A, value: of-the-workflow}, {name: B, value: of-the-workflow}], resources: {limits: {cpu: 50m}}}
  volumes: [{name: v, emptyDir: {}}]
  templates:
  - name: main
    podSpecPatch: |
      {"terminationGracePeriodSeconds": 4, "volumes": [{"name": "cm", "configMap": {"name": "settings"}}],
       "containers": [{"name": "main", "args": ["cat /cm/$W; echo; echo $A $B $C {{workflow.parameters.word}}; echo x >/v/x"],
         "env": [{"name": "B", "value": "{{workflow.parameters.word}}"}, {"name": "W", "value": "word"}],
         "volumeMounts": [{"name": "cm", "mountPath": "/cm"}]}]}
    container:
      image: x
      command: [sh, -c]
      args: ["echo not patched"]
      env: [{name: A, value: own}, {name: C, value: own}]
      volumeMounts: [{name: v, mountPath: /v}]
    outputs: {parameters: [{name: o, valueFrom: {path: /v/x}}]}
""", "--executor", "process")
    assert lines(place) == ["alpha", "of-the-workflow patched own patched"]
    node, = json.loads(said.stdout)["status"]["nodes"].values()
    assert node["outputs"]["parameters"] == [{"name": "o", "value": "x"}]
    assert said.stderr.count("`terminationGracePeriodSeconds` has no effect without Kubernetes") == 1


def test_a_patch_that_is_wrong_is_said(place):
    for patch, status, message in [
            ("'[1]'", 2, "podSpecPatch must be an object of a pod's fields"), ("'{\"a\"'", 2, "podSpecPatch: "),
            ("'{{workflow.parameters.p}}'", 1, "podSpecPatch must be an object"),
            ("'{\"containers\": [{\"name\": \"main\", \"volumeMounts\": [{\"name\": \"none\", \"mountPath\": \"/v\"}]}]}'", 1,
             "podSpecPatch: volume 'none' not found"),
            ("'{\"volumes\": [{\"name\": \"h\", \"hostPath\": {\"path\": \"/\"}}]}'", 1, "needs --allow-host-path")]:
        said = run(place, f"""
  arguments: {{parameters: [{{name: p, value: "[1]"}}]}}
  templates:
  - name: main
    podSpecPatch: {patch}
    container: {{image: x, command: ["true"]}}
""", "--name", "x", status=status)
        assert message in said.stdout + said.stderr, patch
        if status == 1:
            assert place.run("delete", "x").returncode == 0


def test_what_cannot_be_had_is_said_once(place):
    said = run(place, """
  templates:
  - name: main
    steps: [[{name: a, template: t, withItems: [1, 2]}]]
  - name: t
    container:
      image: x
      command: [sh, -c, "ulimit -f"]
      resources: {requests: {cpu: 4k, memory: 1Pi}, limits: {cpu: 5k, memory: 2Pi, ephemeral-storage: 1Mi}}
""")
    assert said.stderr.count("asks for more than this machine has") == 1
    assert "limit of memory" not in said.stderr
    if not place.plain:
        assert lines(place) == ["2048"] * 2


def test_a_limit_that_is_none_is_said(place):
    said = run(place, """
  templates:
  - name: main
    container: {image: x, command: ["true"], resources: {limits: {cpu: lots}}}
""", status=1)
    assert "`cpu` is no quantity" in json.loads(said.stdout)["status"]["message"]


def test_the_whole_host_has_paths_below_it(place):
    place.write("file", "of the host\n")
    run(place, f"""
  volumes: [{{name: v, hostPath: {{path: /}}}}]
  templates:
  - name: main
    container: {{image: x, command: [cat, /v/file], volumeMounts: [{{name: v, mountPath: /v, subPath: {str(place.path)[1:]}}}]}}
""", "--allow-host-path")
    assert lines(place) == ["of the host"]


def test_without_a_state_no_strangers_folder_is_used(place):
    temporary, stranger = place.path / "temporary", place.path / "stranger"
    user = ORDINARY if place.prefix else os.geteuid()
    for folder in (temporary, stranger):
        folder.mkdir(0o755)
        os.chown(folder, user, user)
    (temporary / f"weir-volumes-{user}").symlink_to(stranger)
    place.environment["TMPDIR"] = str(temporary)
    said = run(place, f"""
  volumes: [{{name: v, secret: {{secretName: keys}}}}, {{name: c, persistentVolumeClaim: {{claimName: c}}}}]
  templates:
  - name: main
    container:
      image: x
      command: [sh, -c, "ls {stranger}; cat /v/user >/dev/null; ls /c"]
      volumeMounts: [{{name: v, mountPath: /v}}, {{name: c, mountPath: /c}}]
""", "--durability", "none", "--log")
    assert list(stranger.iterdir()) == [] and "w: " not in said.stdout
    assert [entry.name for entry in temporary.iterdir() if "volumes" in entry.name] == [f"weir-volumes-{user}"]


def test_a_run_that_is_tried_again_keeps_what_it_writes(place):
    spec = """
  volumeClaimGC: {strategy: OnWorkflowCompletion}
  volumeClaimTemplates: [{metadata: {name: work}}]
  volumes: [{name: kept, persistentVolumeClaim: {claimName: kept}}]
  templates:
  - name: main
    script:
      image: x
      command: [sh]
      source: |
        if test -e /kept/again; then echo x >/wk/mark; sleep 0.5; cat /wk/mark; exit 0; fi
        touch /kept/again; mkdir /wk/deep; for i in $(seq 1500); do : >/wk/deep/$i; done; exit 1
      volumeMounts: [{name: work, mountPath: /wk}, {name: kept, mountPath: /kept}]
"""
    run(place, spec, status=1)
    said = place.run("retry", "w")
    assert said.returncode == 0, said.stdout + said.stderr
    assert place.run("wait", "w").returncode == 0 and lines(place)[-1] == "x"


def test_a_volume_has_a_size(place):
    """Of what runs, and of what was too quick to be seen; a volume of init containers is the same one."""
    said = run(place, """
  arguments: {parameters: [{name: size, value: 1Mi}]}
  templates:
  - name: main
    dag:
      tasks:
      - {name: small, template: t, arguments: {parameters: [{name: kib, value: "64"}, {name: more, value: ""}]}}
      - {name: quick, template: t, arguments: {parameters: [{name: kib, value: "3000"}, {name: more, value: ""}]}}
      - {name: slow, template: t, arguments: {parameters: [{name: kib, value: "3000"}, {name: more, value: sleep 60}]}}
      - {name: pod, template: of-two}
  - name: t
    inputs: {parameters: [{name: kib}, {name: more}]}
    volumes: [{name: v, emptyDir: {sizeLimit: "{{workflow.parameters.size}}", medium: Memory}}]
    container:
      image: x
      command: [sh, -c, "head -c {{inputs.parameters.kib}}k /dev/zero >/v/f; {{inputs.parameters.more}}"]
      volumeMounts: [{name: v, mountPath: /v}]
  - name: of-two
    volumes: [{name: shared, emptyDir: {sizeLimit: 100k}}]
    initContainers: [{name: first, image: x, command: [sh, -c, "head -c 300k /dev/zero >/s/f"], volumeMounts: [{name: shared, mountPath: /s}]}]
    container: {image: x, command: [sh, -c, "sleep 60 # /s"], volumeMounts: [{name: shared, mountPath: /s}]}
""", status=1)
    nodes = {node["displayName"]: node for node in json.loads(said.stdout)["status"]["nodes"].values()}
    assert nodes["small"]["phase"] == "Succeeded"
    for name in "quick", "slow":
        assert (nodes[name]["phase"], nodes[name]["message"]) == ("Failed", 'Usage of EmptyDir volume "v" exceeds the limit "1Mi"')
    assert nodes["pod"]["message"] == 'Usage of EmptyDir volume "shared" exceeds the limit "100k"'
    assert volumes(place) == []


def test_a_size_that_is_none(place):
    spec = """
  volumes: [{name: v, emptyDir: {sizeLimit: %s}}]
  templates:
  - name: main
    container: {image: x, command: [ls, /v], volumeMounts: [{name: v, mountPath: /v}]}
"""
    assert "`sizeLimit` is no quantity" in run(place, spec % "much", status=2).stderr
    assert run(place, spec % "0").returncode == 0


def test_names_of_mounts_may_have_tags(place):
    said = run(place, """
  volumeClaimTemplates: [{metadata: {name: one}}, {metadata: {name: two}}]
  volumes: [{name: map, configMap: {name: settings}}]
  templates:
  - name: main
    steps:
    - - {name: a, template: t, arguments: {parameters: [{name: v, value: one}, {name: do, value: echo 1 >/v/f}]}}
      - {name: b, template: t, arguments: {parameters: [{name: v, value: two}, {name: do, value: echo 2 >/v/f}]}}
    - - {name: c, template: t, arguments: {parameters: [{name: v, value: one}, {name: do, value: cat /v/f}]}}
    - - {name: d, template: t, arguments: {parameters: [{name: v, value: map}, {name: do, value: cat /v/word /own/x}]}}
    - - {name: e, template: t, arguments: {parameters: [{name: v, value: three}, {name: do, value: "true /v"}]}}
  - name: t
    inputs: {parameters: [{name: v}, {name: do}]}
    volumes: [{name: own, emptyDir: {}}]
    container:
      image: x
      command: [sh, -c, "echo own >/own/x; {{inputs.parameters.do}}"]
      volumeMounts: [{name: "{{inputs.parameters.v}}", mountPath: /v}, {name: own, mountPath: /own}]
""", status=1)
    assert [line for line in lines(place) if line.strip()] == ["1", "alphaown"]
    nodes = {node["displayName"]: node for node in json.loads(said.stdout)["status"]["nodes"].values()}
    assert nodes["e"]["phase"] == "Error" and "volume 'three' not found in workflow spec" in nodes["e"]["message"]


def test_a_patch_of_containers_that_are_argos_own(place):
    """`init` loads artifacts in Argo, and `wait` keeps them: files give them more memory."""
    run(place, """
  templates:
  - name: main
    podSpecPatch: '{"initContainers": [{"name": "init", "resources": {"requests": {"memory": "2Gi"}}}, {"name": "mine", "env": [{"name": "A", "value": "b"}]}],
      "containers": [{"name": "wait", "resources": {"requests": {"memory": "2Gi"}}}]}'
    volumes: [{name: v, emptyDir: {}}]
    initContainers: [{name: mine, image: x, command: [sh, -c, "echo $A >/v/f"], volumeMounts: [{name: v, mountPath: /v}]}]
    container: {image: x, command: [cat, /v/f], volumeMounts: [{name: v, mountPath: /v}]}
""")
    assert lines(place) == ["b"]


def test_short_secrets_of_files_are_used_and_seen(place):
    said = run(place, """
  templates:
  - name: main
    container:
      image: x
      env: [{name: PIN, valueFrom: {secretKeyRef: {name: short, key: pin}}}, {name: NONE, valueFrom: {secretKeyRef: {name: short, key: none}}}]
      command: [sh, -c, "echo 1 $PIN [$NONE] word"]
---
apiVersion: v1
kind: Secret
metadata: {name: short}
stringData: {pin: "12", none: "", long: "word-of-it"}
""")
    assert lines(place) == ["1 12 [] word"]
    assert said.stderr.count("the secret `short.pin` is too short to be hidden") == 1 and "short.long" not in said.stderr
