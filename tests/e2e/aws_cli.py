"""Debian's aws CLI, its modules read once: nine tenths of what a call takes is python importing them.
Each call is a process of its own, forked from one that has them, with its arguments, environment,
folder and files as it would have got them from exec."""

import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile

PROGRAM = "/usr/bin/aws"
PYTHON = "/usr/bin/python3"


def serve(requests):
    before = dict(os.environ)
    import awscli.clidriver
    import awscli.handlers  # noqa: F401  what the driver loads first of all

    own = {k: v for k, v in os.environ.items() if before.get(k) != v}  # where its models are
    while True:
        message, fds, _, _ = socket.recv_fds(requests, 1 << 20, 3)
        if not message:
            return
        call = json.loads(message)
        pid = os.fork()
        if pid == 0:
            requests.close()
            os._exit(perform(awscli.clidriver.main, call, fds, own))
        for fd in fds:
            os.close(fd)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        requests.send(json.dumps(code).encode())


def perform(main, call, fds, own):
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    os.environ.clear()
    os.environ.update(call["env"], **own)
    os.chdir(call["cwd"])
    sys.argv = [PROGRAM, *call["args"]]
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)
    try:
        code = main()
    except SystemExit as e:
        code = e.code
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 1 if code else 0


_server = None


def _start():
    global _server
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen([PYTHON, os.path.abspath(__file__), str(theirs.fileno())],
                                   pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)

    def end():
        ours.close()
        process.wait(10)

    atexit.register(end)
    _server = ours


def run(args, env, input=None, cwd=None, text=True, timeout=120):
    """As subprocess.run does with the program."""
    if _server is None:
        _start()
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as out, \
            tempfile.TemporaryFile() as err:
        if input is not None:
            stdin.write(input.encode() if text else input)
            stdin.seek(0)
        call = {"args": list(args), "env": env, "cwd": str(cwd or os.getcwd())}
        _server.settimeout(timeout)
        fds = [f.fileno() for f in (stdin, out, err)]
        socket.send_fds(_server, [json.dumps(call).encode()], fds)
        code = json.loads(_server.recv(100))
        said = []
        for f in (out, err):
            f.seek(0)
            said.append(f.read().decode() if text else f.read())
    return subprocess.CompletedProcess([PROGRAM, *args], code, *said)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
