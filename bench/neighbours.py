"""neighbours - how long a function's callers wait while another function goes wrong."""

import statistics
import threading
import time

from measure import Connection, Series, line, pss, text_of

# Each goes on until its time limit ends it, or earlier, and is invoked again then.
FAULTS = (
    ("a fork bomb", 256, "while True:\n        try:\n            os.fork()\n        except OSError:\n            pass"),
    ("a memory hog", 512, "while True:\n        if os.fork() == 0:\n            kept = []\n            while True:\n"
     "                kept.append(b'%d' % len(kept) * (1 << 20))\n        os.wait()"),
    ("a flood of lines", 1769, "while True:\n        os.write(1, LINES)"),
    ("one that fills /tmp", 1769, "while True:\n        try:\n            with open('/tmp/big', 'wb', 0) as f:\n"
     "                while True:\n                    f.write(BLOCK)\n        except OSError:\n            pass"),
    ("a busy loop", 1769, "while True:\n        pass"),
)
HEAD = "import os\nLINES = b'a line of a flood\\n' * 3600\nBLOCK = bytes(1 << 20)\ndef handler(event, context):\n    "
SECONDS = 3


def bench_neighbours(self):
    """The same callers in turns: with nothing beside them, and with each of the faults."""
    name = self.function("neighbour", "c")
    port, path = self.cloud.port, self.path(name)
    count = self.n(4000)
    self.samples(port, path, 500, body=b"{}")
    before = pss(self.cloud.pid)
    for what, memory, body in FAULTS:
        fault = self.function("fault-" + what.split()[-1].strip("/"), "python", HEAD + body + "\n",
                              Timeout=SECONDS, MemorySize=memory)
        alone, beside = [], []
        for _ in range(3):
            alone.append(self.samples(port, path, count, body=b"{}"))
            enough = threading.Event()

            def wrong():
                connection = Connection(port)
                while not enough.is_set():
                    connection.call("POST", "lambda", self.path(fault), b"{}")
                connection.close()

            fault_thread = threading.Thread(target=wrong)
            fault_thread.start()
            time.sleep(0.5)  # until it is at work
            try:
                beside.append(self.samples(port, path, count, "-t", "2", body=b"{}"))
            finally:
                enough.set()
                fault_thread.join()
        p99 = [statistics.median(Series(s).at(0.99) for s in rounds) for rounds in (alone, beside)]
        p50 = [statistics.median(Series(s).median() for s in rounds) for rounds in (alone, beside)]
        ratio = p99[1] / p99[0]
        line("neighbour of " + what, text_of(p50[1], "ms"), text_of(p99[1], "ms"),
             sum(map(len, beside)), "alone: p99, ratio of p99s", text_of(p99[0], "ms"),
             "%.2f" % ratio, "<= 2x" if ratio <= 2 else "ABOVE 2x")
    grown = pss(self.cloud.pid) - before
    line("  the daemon has grown by", text_of(grown, "MiB"), "", 1)
