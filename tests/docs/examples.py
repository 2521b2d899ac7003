"""What is shown in a document, as steps that can be carried out, and a shell that does it.

A document is Markdown, or a man page in scdoc. Of its fenced blocks
    console      each "$ command" is run, in order; the lines below it are what it must print
    sh           is run as one script
    python, javascript   are run by /usr/bin/python3 and node
    yaml, toml, json     are written to the file that the directive above names
    text         is not run
A block of a man page without a word is `console` below EXAMPLES and `text` elsewhere.

Directives, in a Markdown comment <!-- docs: ... --> or a scdoc comment "; docs: ...":
    setup COMMAND   run unseen, must succeed
    file NAME       the next block is the content of this file
    exit N          the last command of the next block ends with N
    no-cloud        the document starts its own cloud

Expected output: "..." alone stands for any lines, inside a line for any text. Figures with a unit,
times, UUIDs, hashes and CloudFormation's random endings may be others than those shown.
"""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time

RUN = {"console", "sh", "python", "javascript"}
WRITTEN = {"yaml", "toml", "json", "python", "javascript"}


class Step:
    def __init__(self, kind, text, line, expected=None, exit_code=0, name=None):
        self.kind, self.text, self.line = kind, text, line
        self.expected, self.exit_code, self.name = expected, exit_code, name

    def __repr__(self):
        return "%s at line %d: %s" % (self.kind, self.line, self.text.strip().split("\n")[0])


def console_steps(lines, first_line, exit_code):
    """"$ command" with its continuation lines ("> ..." or after a backslash), then its output."""
    steps = []
    for number, line in enumerate(lines, first_line):
        last = steps[-1] if steps else None
        going_on = last and last.text.endswith("\\") and not last.expected
        if line.startswith("$ "):
            steps.append(Step("command", line[2:], number, []))
        elif going_on or (last and not last.expected and re.match("> |>$", line)):
            last.text += "\n" + (line[2:] if re.match("> |>$", line) else line)
        elif last:
            last.expected.append(line.rstrip())
        else:
            raise ValueError("line %d: a console block begins with \"$ \"" % number)
    if steps:
        steps[-1].exit_code = exit_code
    for i, step in enumerate(steps[:-1]):
        if steps[i + 1].text.strip() == "echo $?":
            step.exit_code = None  # shown by the next one
    return steps


def parse(path):
    """The steps of a document, and whether it wants a cloud around it."""
    man = path.endswith(".scd")
    directive = re.compile(r"; docs: (.*)" if man else r"<!-- docs: (.*?) -->")
    steps, cloud, name, exit_code, in_examples = [], True, None, 0, False
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    i = 0
    while i < len(lines):
        line = lines[i]
        if man and line.startswith("# "):
            in_examples = line == "# EXAMPLES"
        m = directive.match(line)
        if m:
            word, _, rest = m.group(1).partition(" ")
            if word == "setup":
                steps.append(Step("command", rest, i + 1))
            elif word == "file":
                name = rest
            elif word == "exit":
                exit_code = int(rest)
            elif word == "no-cloud":
                cloud = False
            else:
                raise ValueError("%s:%d: unknown directive %s" % (path, i + 1, word))
        elif line.lstrip().startswith("```"):
            indent = len(line) - len(line.lstrip())
            kind = line.strip()[3:]
            if man and not kind:
                kind = "console" if in_examples else "text"
            begin = i + 1
            i += 1
            while lines[i].strip() != "```":
                i += 1
            body = [text[indent:] for text in lines[begin:i]]
            steps += block_steps(path, kind, body, begin + 1, name, exit_code)
            name, exit_code = None, 0
        i += 1
    return steps, cloud


def block_steps(path, kind, body, line, name, exit_code):
    if kind == "text":
        return []
    text = "\n".join(body) + "\n"
    if name and kind in WRITTEN:
        return [Step("file", text, line, name=name)]
    if kind == "console":
        return console_steps(body, line, exit_code)
    if kind in RUN:
        return [Step(kind, text, line, exit_code=exit_code)]
    raise ValueError("%s:%d: a block of kind \"%s\" is neither run nor text" % (path, line, kind))


# What differs from run to run, in the order of trying: how it looks, what it may look like.
VARIABLE = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", r"[0-9a-f-]{36}"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+\d{4})?", r"[0-9T:.Z+-]+"),
    (r"\d\d:\d\d:\d\d", r"\d\d:\d\d:\d\d"),
    (r"\b[0-9a-f]{32,64}\b", r"[0-9a-f]{32,64}"),
    (r"samclisourcebucket-[a-z0-9]{12}", r"samclisourcebucket-[a-z0-9]{12}"),
    (r"-(?=[A-Za-z0-9]*[A-Z0-9])[A-Za-z0-9]{12}\b", r"-[A-Za-z0-9]{12}"),
    (r"\d+(?:\.\d+)? (?=ms\b|s\b|MB\b|kB\b|%)", r"[\d.]+ "),
    (r" {2,}", r" +"),
    (r"\.\.\.", r".*"),
]
ANY = re.compile("|".join("(%s)" % seen for seen, _ in VARIABLE))


def pattern_of(line):
    out, at = "", 0
    for m in ANY.finditer(line):
        out += re.escape(line[at : m.start()]) + VARIABLE[m.lastindex - 1][1]
        at = m.end()
    # A figure may be shorter or longer than the one shown: so may the blanks before it.
    return re.sub(r"(?:\\ | \+)+(?=\[\\d\.\])", " +", out + re.escape(line[at:]))


def matches(expected, actual):
    """expected: lines as shown; actual: the text that came."""
    parts = []
    for line in expected:
        parts.append(r"(?:[^\n]*\n)*?" if line.strip() == "..." else pattern_of(line) + r"[ \t]*\n")
    # What a line overwrites after a carriage return is not seen any more.
    seen = [line.split("\r")[-1].rstrip() for line in actual.replace("\r\n", "\n").split("\n")]
    # A busy machine is no part of an example.
    seen = [line for line in seen if not re.search(r" warn +one turn of the loop took \d+ ms$", line)]
    text = "\n".join(seen).rstrip("\n") + "\n"
    return re.fullmatch("".join(parts), text) is not None


class Shell:
    """A bash that keeps its folder and variables between commands, on a terminal of its own."""

    def __init__(self, cwd, env):
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 240, 0, 0))
        modes = termios.tcgetattr(slave)
        modes[1] &= ~termios.OPOST
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        self.bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )
        os.close(slave)

    def run(self, command, timeout_s=180):
        """(exit code, output) of a command."""
        script = "{ %s\n} </dev/null; rc=$?; printf '\\036%%d\\036' $rc; (exit $rc)\n" % command
        self.bash.stdin.write(script.encode())
        self.bash.stdin.flush()
        out, until = b"", time.monotonic() + timeout_s
        while True:
            ready, _, _ = select.select([self.master], [], [], max(0, until - time.monotonic()))
            if not ready:
                raise TimeoutError("%s: still running after %d s\n%s" % (command, timeout_s, out))
            try:
                out += os.read(self.master, 65536)
            except OSError:
                raise EOFError("%s: the shell ended\n%s" % (command, out.decode("utf-8", "replace")))
            m = re.search(rb"\x1e(\d+)\x1e", out)
            if m:
                return int(m.group(1)), out[: m.start()].decode("utf-8", "replace")

    def close(self):
        self.bash.stdin.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.bash.pid, number)
            except ProcessLookupError:
                break
            try:
                self.bash.wait(10)
                break
            except subprocess.TimeoutExpired:
                pass
        self.bash.wait()
        os.close(self.master)
