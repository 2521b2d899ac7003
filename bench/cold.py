"""cold - the part of bench/run that starts environments: one by one, rested, with layers, at once."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile

from measure import MS, PYTHON, Connection, Series, children, groups_ns, row, run_ns, sign

REST_S = 0.05  # by then what a start has used up has been made again
AT_ONCE = 100
LAYER_MB = 249  # with the code it may be 250
REFERENCE_PYTHON = "python" if PYTHON == "python3.11" else None  # others start slower by themselves
SLOW_CODE = "import time\n\ndef handler(event, context):\n    time.sleep(event['s'])\n    return event\n"


def nothing(kind):
    python = shutil.which(PYTHON, path="/usr/bin:/usr/local/bin") or sys.executable
    return {"python": ("%s -I -S -c pass" % PYTHON, [python, "-I", "-S", "-c", "pass"]),
            "node": ("node -e 0", [shutil.which("node") or "node", "-e", "0"]),
            "c": ("an exec of /bin/true", ["/bin/true"])}[kind]


def invoke_cold(lab, name):
    request = sign("POST", lab.cloud.port, "lambda", lab.path(name), b"{}",
                   {"x-amz-log-type": "Tail"})
    status, headers, body, took = lab.cloud.connection.ask(request)
    log = base64.b64decode(headers.get("x-amz-log-result", "")).decode()
    init = re.search(r"Init Duration: ([0-9.]+) ms", log)
    if status != 200 or not init:
        raise OSError("not a cold start: %d %r %s" % (status, body, log))
    return took, float(init[1]) * MS


def in_a_row(lab, name, kind, count, rest):
    """Whole invocations, Init Durations, the floor bare and boxed; taken in turns."""
    ours, inits, bare, boxed = [], [], [], []
    for i in range(count):
        lab.renew(name, "%d %s" % (i, rest))
        if rest:
            time.sleep(rest)
        took, init = invoke_cold(lab, name)
        ours.append(took)
        inits.append(init)
        bare += lab.spawn(1, "bare", *nothing(kind)[1])
        try:
            boxed += lab.spawn(1, "boxed", *nothing(kind)[1])
        except subprocess.CalledProcessError:
            pass  # not allowed here
    return ours, inits, bare, boxed


def bench_cold(lab):
    for kind, budget, rested, worst in (("python", None, 2.5, 6), ("node", 6, 6, None),
                                        ("c", 3, 3, None)):
        name = lab.function("cold-" + kind, kind)
        if not name:
            continue
        floor = nothing(kind)[0]
        scale = {"c": "exec", "node": "node", "python": REFERENCE_PYTHON}[kind]
        ours, inits, bare, boxed = in_a_row(lab, name, kind, lab.n(50), 0)
        if kind == "python":  # has this machine's floor in it already: nothing to scale
            budget = round(Series(bare).median() / MS + 5, 1)
        row("cold start, %s, whole invoke" % kind, ours, floor, bare, budget,
            scale=scale if kind != "python" else None)
        if boxed:
            row("  the same", ours, "  in bare namespaces", boxed)
        row("  its Init Duration", inits, floor, bare)
        ours, inits, bare, _ = in_a_row(lab, name, kind, lab.n(50), REST_S)
        row("  with a rest before: a spare", ours, floor, bare, rested, worst=worst, scale=scale)
    layered(lab)
    at_once(lab)


def layered(lab):
    """A function with as many layers as may be. Only its first start has to unpack and merge them."""
    name = lab.function("cold-layer", "python")
    c, arns = lab.cloud.connection, []
    for layer, size in (("large", LAYER_MB - 1), ("small", 1)):
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as z:
            for i in range(size):
                z.writestr("%s/%d" % (layer, i), os.urandom(64) * (1 << 14))
        answer = c.call("POST", "lambda", "/2018-10-31/layers/%s/versions" % layer, {
            "Content": {"ZipFile": base64.b64encode(package.getvalue()).decode()}})[1]
        arns.append(json.loads(answer)["LayerVersionArn"])
    c.call("PUT", "lambda", "/2015-03-31/functions/%s/configuration" % name, {"Layers": arns})
    lab.settled(name)
    first = invoke_cold(lab, name)[0]
    ours, _, bare, _ = in_a_row(lab, name, "python", lab.n(50), REST_S)
    floor = nothing("python")[0]
    row("cold start, %d MB of layers, first" % LAYER_MB, [first], floor, bare)
    row("  again", ours, floor, bare, 5, scale=REFERENCE_PYTHON)


def at_once(lab):
    """Processor time of so many cold starts together, beside as many one after the other."""
    name = lab.function("cold-at-once", "python", SLOW_CODE, Timeout=60)
    spawner = next(iter(children(lab.cloud.pid)))

    def used():
        return groups_ns(spawner) + run_ns({lab.cloud.pid, spawner} | children(spawner))

    def ask(connection, seconds):
        body = json.dumps({"s": seconds}).encode()
        status, _, body, took = connection.ask(
            sign("POST", lab.cloud.port, "lambda", lab.path(name), body))
        if status != 200:
            raise OSError("%d %r" % (status, body))
        return took

    if groups_ns(spawner) is None:
        return
    serial, together, walls = [], [], []
    for i in range(lab.n(3) if not lab.args.quick else 1):
        lab.renew(name, "serial %d" % i)
        time.sleep(1)  # spares are there, as they are for the other
        before = used()
        for k in range(AT_ONCE):
            ask(lab.cloud.connection, 0)
            lab.renew(name, "serial %d.%d" % (i, k))
        time.sleep(1)
        serial.append(used() - before)
        connections = [Connection(lab.cloud.port) for _ in range(AT_ONCE)]
        threads = [threading.Thread(target=ask, args=(c, 2)) for c in connections]
        before, began = used(), time.monotonic_ns()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        walls.append(time.monotonic_ns() - began - int(2e9))
        lab.renew(name, "together %d" % i)
        time.sleep(1)
        together.append(used() - before)
        for c in connections:
            c.close()
    row("%d cold starts at once, cpu" % AT_ONCE, together, "one after the other", serial)
    row("  the ratio", [Series(together).median() / Series(serial).median()], budget=1.3, unit="x")
    row("  until all have answered", walls)
