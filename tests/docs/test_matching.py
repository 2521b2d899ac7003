"""The reader of examples tells right from wrong."""

import pytest
from examples import Shell, console_steps, matches, parse


@pytest.mark.parametrize(
    "shown, printed",
    [
        (["a"], "a\n"),
        (["a", "...", "c"], "a\nb\nb\nc\n"),
        (["a", "...", "c"], "a\nc\n"),
        (["x ... z"], "x y z\n"),
        (["took 1.20 ms"], "took   37 ms\n"),
        (["  init 35.45 ms, 5 MB"], "  init 100.1 ms, 12 MB\n"),
        (["id 9cd76548-3e0d-4ea3-b622-027b01bd8d49"], "id 00000000-3e0d-4ea3-b622-027b01bd8d40\n"),
        (["hello-F-Qo3dsCbkyzFk"], "hello-F-aaaaaaaaaaa1\n"),
        (["upload: done"], "50 % done\rupload: done   \n"),
    ],
)
def test_equal(shown, printed):
    assert matches(shown, printed)


@pytest.mark.parametrize(
    "shown, printed",
    [
        (["a"], "b\n"),
        (["a"], "a\nb\n"),
        (["a", "..."], "b\na\n"),
        (["2 passed, 0 failed"], "1 passed, 1 failed\n"),
        (["0 left"], "1 left\n"),
        (["ok    warm"], "FAIL  warm\n"),
        (["a.c"], "abc\n"),
        (["hello-function"], "hello-another\n"),
    ],
)
def test_different(shown, printed):
    assert not matches(shown, printed)


def test_commands_and_their_output():
    steps = console_steps(["$ a", "1", "$ b \\", "    c", "$ cat <<E", "> x", ">", "> E", "x"], 1, 0)
    assert [s.text for s in steps] == ["a", "b \\\n    c", "cat <<E\nx\n\nE"]
    assert [s.expected for s in steps] == [["1"], [], ["x"]]


def test_an_exit_code_that_is_shown_is_not_asked_for_before():
    steps = console_steps(["$ false", "$ echo $?", "1"], 1, 0)
    assert steps[0].exit_code is None and steps[1].exit_code == 0


def test_blocks_of_an_unknown_kind_are_refused(tmp_path):
    path = tmp_path / "x.md"
    path.write_text("```perl\n1\n```\n")
    with pytest.raises(ValueError, match="neither run nor text"):
        parse(str(path))


def test_shell_keeps_its_place_and_tells_exit_codes(tmp_path):
    shell = Shell(str(tmp_path), {"PATH": "/usr/bin:/bin"})
    try:
        assert shell.run("mkdir a && cd a && X=1") == (0, "")
        assert shell.run("pwd; echo $X") == (0, "%s/a\n1\n" % tmp_path)
        assert shell.run("(exit 7)") == (7, "")
        assert shell.run("echo $?") == (0, "7\n")
    finally:
        shell.close()
