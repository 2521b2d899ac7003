"""The clocks of invocations, which bench/breakdown asks for: in order, and only when asked for."""

import json
import time
import urllib.error
import urllib.request

import pytest

PATH = "/_lamina/lambda/times"
COLD = ("received", "queued", "sandbox_asked", "sandbox_ready", "init_done", "delivered", "answered",
        "runtime_done", "done")
WARM = ("received", "queued", "delivered", "answered", "runtime_done", "done")


def times_of(cloud, request_id):
    """They are complete when the runtime has asked for the next event."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with urllib.request.urlopen(cloud.url + PATH, timeout=20) as answer:
            found = [t for t in json.load(answer) if t["id"] == request_id]
        if found:
            return found[0]
    raise AssertionError("the times of %s are not there" % request_id)


def test_clocks_of_invocations_are_in_order(new_cloud):
    cloud = new_cloud(env={"LAMINA_TIMES": "1"})
    name = cloud.function("def handler(event, context):\n    return event\n")
    for clocks in (COLD, WARM):
        asked = time.monotonic_ns()
        request_id = cloud.invoke(name, tail=False).id
        got = time.monotonic_ns()
        times = times_of(cloud, request_id)
        assert set(times) - {"id"} == set(clocks)
        order = [asked] + [times[c] for c in clocks[:clocks.index("answered") + 1]] + [got]
        assert order == sorted(order), times
        assert times["answered"] <= times["runtime_done"] <= times["done"]


def test_clocks_are_not_told_to_who_has_not_asked_for_them(cloud):
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(cloud.url + PATH, timeout=20)
    assert error.value.code == 403
