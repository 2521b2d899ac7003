"""Killed while log events are written and joined to bigger blocks: what was acknowledged is there
afterwards, once."""

import collections
import random
import threading
import time

from cloud import Cloud

NOW = int(time.time() * 1000)
GROUP = "kill"


def write(cloud, stream, first, done):
    """One event a call, until the cloud has gone; done: those that were acknowledged."""
    logs = cloud.client("logs")
    n = first
    try:
        while True:
            event = {"timestamp": NOW - 1000000 + n, "message": "%s %d" % (stream, n)}
            logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=[event])
            done.append(event["message"])
            n += 1
    except Exception:
        pass


def read(cloud):
    logs, found = cloud.client("logs"), []
    for page in logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP):
        found += [e["message"] for e in page["events"]]
    return found


def test_nothing_is_lost_and_nothing_is_there_twice(tmp_path):
    draw, done = random.Random(7), []
    cloud = Cloud(data=tmp_path / "data")
    cloud.start()
    cloud.logs.create_log_group(logGroupName=GROUP)
    for stream in "ab":
        cloud.logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    for life in range(4):
        threads = [threading.Thread(target=write, args=(cloud, s, life * 100000, done)) for s in "ab"]
        for t in threads:
            t.start()
        want = len(done) + draw.randrange(200, 900)
        while len(done) < want and any(t.is_alive() for t in threads):
            time.sleep(0.001)
        cloud.kill()
        for t in threads:
            t.join()
        cloud.start()
        counts = collections.Counter(read(cloud))
        assert all(n == 1 for n in counts.values()), counts.most_common(3)
        missing = set(done) - set(counts)
        assert not missing, sorted(missing)[:5]
        assert len(counts) - len(done) <= 2 * (life + 1)  # written, but not acknowledged any more
    cloud.stop()
