"""`weir eval`: what an expression gives, as text, as JSON, line by line, and where it is wrong."""

import json


def test_a_value_is_printed(weir):
    for expression, text in [("1 + 2", "3"), ('"a" + "b"', "ab"), ("[1, 2.5, nil]", "[1,2.5,null]"), ("1 / 0", "+Inf"), ("nil", "null")]:
        ran = weir("eval", expression)
        assert (ran.returncode, ran.stdout.strip()) == (0, text), expression
    assert weir("eval", '{"b": 1, "a": [true]}', "-o", "json").stdout == '{\n  "a": [\n    true\n  ],\n  "b": 1\n}\n'


def test_an_environment_may_be_yaml(weir, tmp_path):
    (tmp_path / "env.yaml").write_text("inputs: {parameters: {count: '3'}}\nn: 4\n")
    ran = weir("eval", "--env", str(tmp_path / "env.yaml"), "asInt(inputs.parameters.count) * 2 + n / 8")
    assert ran.stdout == "6.5\n"
    (tmp_path / "list.json").write_text("[1]")
    ran = weir("eval", "--env", str(tmp_path / "list.json"), "1")
    assert ran.returncode == 2 and "has to be an object" in ran.stderr


def test_mistakes_have_a_caret(weir):
    ran = weir("eval", 'let x = 1;\n"é" + uper(x)')
    assert ran.returncode == 2 and not ran.stdout
    assert "nothing is named `uper`" in ran.stderr and "did you mean `upper`?" in ran.stderr
    assert '  "é" + uper(x)\n        ^\n' in ran.stderr
    assert weir("eval", "1 +").stderr.endswith("  1 +\n     ^\n")


def test_a_file_has_one_a_line(weir, tmp_path):
    (tmp_path / "all.txt").write_text("1 < 2\n1 < \n\nnow().Year() > 2000\n")
    ran = weir("eval", "--file", str(tmp_path / "all.txt"), "-o", "jsonl")
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 0
    assert lines[0] == {"value": True} and lines[3] == {"value": True}
    assert lines[1]["error"]["line"] == 1 and lines[1]["error"]["code"] == "invalid_syntax"
    assert set(lines[2]["error"]) >= {"code", "what"}
    ran = weir("eval", "--file", str(tmp_path / "all.txt"))
    assert ran.returncode == 2 and ran.stdout == "true\ntrue\n"


def test_what_is_wanted_is_said(weir, tmp_path):
    for arguments in ([], ["1", "--file", "x"]):
        ran = weir("eval", *arguments)
        assert ran.returncode == 2 and "an expression is wanted" in ran.stderr
    assert weir("eval", "--file", str(tmp_path / "gone")).returncode in (2, 3)


def test_zones_are_read(weir):
    ran = weir("eval", 'date("2023-07-01 12:00:00", "2006-01-02 15:04:05", "Europe/Zurich").UTC().Hour()')
    assert ran.stdout == "10\n" or "no time zone" in ran.stderr
    assert weir("eval", 'timezone("../../etc/passwd")').returncode == 2
