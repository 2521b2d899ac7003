"""Coverage of C functions: gcc's counters handed over by the helper, and llvm's mapped ones; all the way."""

import json
import os
import shutil
import subprocess
import time

import pytest
from cloud import lamina
from test_coverage_node import objects, sources

# A runtime of its own: one request after the other, over one connection, no library.
RUNTIME = r"""
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char *handle(int n);

static char buffer[65536];

/* The whole answer, whose head has a length. */
static char *answer(int fd)
{
    size_t n = 0;
    for (;;) {
        ssize_t got = recv(fd, buffer + n, sizeof buffer - 1 - n, 0);
        if (got <= 0)
            exit(1);
        buffer[n += (size_t)got] = 0;
        char *end = strstr(buffer, "\r\n\r\n"), *length = strcasestr(buffer, "content-length:");
        if (end && (!length || n >= (size_t)(end + 4 - buffer) + strtoul(length + 15, NULL, 10)))
            return end + 4;
    }
}

int main(void)
{
    char text[4096], id[128];
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API"), *colon = strrchr(api, ':');
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
    snprintf(text, sizeof text, "%.*s", (int)(colon - api), api);
    inet_pton(AF_INET, text, &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        return 1;
    for (;;) {
        int n = snprintf(text, sizeof text,
                         "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\n\r\n", api);
        send(fd, text, (size_t)n, 0);
        char *body = answer(fd), *key = strstr(body, "\"n\":");
        const char *head = strcasestr(buffer, "lambda-runtime-aws-request-id:");
        sscanf(head + 30, " %127s", id);
        const char *said = handle(key ? atoi(key + 4) : 0);
        n = snprintf(text, sizeof text,
                     "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: %s\r\n"
                     "Content-Length: %zu\r\n\r\n\"%s\"", id, api, strlen(said) + 2, said);
        send(fd, text, (size_t)n, 0);
        answer(fd);
    }
}
"""
HANDLER = """\
/* What the function does. */
#include <signal.h>

const char *handle(int n);

static int never(int n)
{
    return n * 2;
}

const char *handle(int n)
{
    if (n > 10)
        return "big";
    if (n < 0)
        return never(n) ? "negative" : "?";
    if (n == 9)
        raise(SIGKILL);
    return "small";
}
"""

gcc = pytest.mark.skipif(not (shutil.which("gcc") and shutil.which("gcov")), reason="no gcc with gcov")
llvm = pytest.mark.skipif(
    not (shutil.which("clang") and shutil.which("llvm-profdata") and shutil.which("llvm-cov")),
    reason="no clang with llvm-profdata and llvm-cov",
)


@pytest.fixture
def covered(cloud, tmp_path):
    def make(*command):
        (tmp_path / "CODE").mkdir()
        sources(tmp_path, {"runtime.c": RUNTIME, "handler.c": HANDLER})
        (tmp_path / "lamina_coverage.c").write_text(lamina("coverage", "helper").stdout)
        subprocess.check_call([*command, "-D_GNU_SOURCE", "-o", "CODE/bootstrap"], cwd=str(tmp_path))
        program = (tmp_path / "CODE" / "bootstrap").read_bytes()
        name = cloud.function(
            files={"bootstrap*": program}, Runtime="provided.al2023", Handler="x", Timeout=10
        )
        cloud.lamina("coverage", "enable", name)
        return name

    return make


def missing(cloud, folder, name, *args):
    r = cloud.lamina("coverage", "json", name, *args, cwd=folder)
    return json.loads(r.stdout)["files"]["handler.c"]["missing_lines"]


def soon(look, wanted, within=10):
    deadline = time.monotonic() + within
    while look() != wanted and time.monotonic() < deadline:
        time.sleep(0.02)
    assert look() == wanted


@gcc
def test_gcc(cloud, covered, tmp_path):
    name = covered("gcc", "--coverage", "runtime.c", "handler.c", "lamina_coverage.c")
    assert cloud.invoke(name, {"n": 1}).payload == "small"
    (meta, files), = objects(cloud, name, lambda found: found and len(found[0][1]) >= 2)
    assert meta["language"] == "native" and meta["environment"] in meta["log_stream"]
    assert {kind for _, kind, _ in files} == {2}
    soon(lambda: missing(cloud, tmp_path, name), [6, 8, 14, 16, 18])
    cloud.invoke(name, {"n": 11})
    soon(lambda: missing(cloud, tmp_path, name), [6, 8, 16, 18])
    r = cloud.lamina("coverage", "lcov", name, cwd=tmp_path)
    assert "FNDA:0,never" in r.stdout and "FNDA:1,handle" in r.stdout and "BRDA:13," in r.stdout
    # another environment: what both ran is joined
    cloud.configure(name, Description="new environments")
    cloud.invoke(name, {"n": -3})
    soon(lambda: missing(cloud, tmp_path, name), [18])
    # and told apart
    version = cloud.lambda_.publish_version(FunctionName=name)["Version"]
    cloud.invoke(name, {"n": 12}, Qualifier=version)
    both = ["%s:$LATEST" % name, "%s:%s" % (name, version)]

    def who():
        r = cloud.lamina("coverage", "json", name, "--by", "version", cwd=tmp_path)
        contexts = json.loads(r.stdout)["files"]["handler.c"]["contexts"]
        return [sorted(contexts.get(line, [])) for line in ("14", "19", "18")]

    soon(who, [sorted(both), both[:1], []])


@gcc
def test_gcc_without_its_notes(cloud, covered, tmp_path):
    name = covered("gcc", "--coverage", "runtime.c", "handler.c", "lamina_coverage.c")
    cloud.invoke(name, {"n": 1})
    objects(cloud, name, lambda found: found and len(found[0][1]) >= 2)
    notes = tmp_path / "elsewhere" / "deep"
    notes.mkdir(parents=True)
    for path in (tmp_path / "CODE").glob("*.gcno"):
        path.rename(notes / path.name)
    r = cloud.lamina("coverage", "report", name, cwd=tmp_path, check=False)
    assert r.returncode == 1 and "handler.gcno of its build is not here" in r.stderr
    soon(lambda: missing(cloud, tmp_path, name, "--gcno", "elsewhere"), [6, 8, 14, 16, 18])
    later = time.time() + 100
    os.utime(str(tmp_path / "handler.c"), (later, later))
    r = cloud.lamina("coverage", "report", name, "--gcno", "elsewhere", cwd=tmp_path)
    assert "source changed since the program was built" in r.stderr


@llvm
def test_llvm_and_a_killed_process(cloud, covered, tmp_path):
    """Mapped counters need no helper, and stay when the process is killed."""
    name = covered(
        "clang", "-fprofile-instr-generate", "-fcoverage-mapping", "-mllvm",
        "-runtime-counter-relocation", "runtime.c", "handler.c",
    )
    assert cloud.invoke(name, {"n": 11}).payload == "big"
    assert cloud.invoke(name, {"n": 9}).error
    soon(lambda: [18 in missing(cloud, tmp_path, name, "--binary", "CODE/bootstrap")], [False])
    r = cloud.lamina("coverage", "report", name, cwd=tmp_path, check=False)
    assert r.returncode == 1 and "name it with --binary" in r.stderr
    found = missing(cloud, tmp_path, name, "--binary", "CODE/bootstrap")
    assert 8 in found and 14 not in found


@llvm
def test_llvm_with_the_helper(cloud, covered, tmp_path):
    name = covered(
        "clang", "-fprofile-instr-generate", "-fcoverage-mapping", "runtime.c", "handler.c",
        "lamina_coverage.c",
    )
    assert cloud.invoke(name, {"n": 1}).payload == "small"
    objects(cloud, name, lambda found: found and len(found[0][1]) >= 1)
    soon(lambda: 14 in missing(cloud, tmp_path, name, "--binary", "CODE/bootstrap"), True)
    cloud.invoke(name, {"n": 20})
    soon(lambda: 14 in missing(cloud, tmp_path, name, "--binary", "CODE/bootstrap"), False)
