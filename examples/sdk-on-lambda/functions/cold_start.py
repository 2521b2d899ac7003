"""What a cold start costs: how long the SDK takes to load, and which start this is."""

import time

_started = time.perf_counter()
import os  # noqa: E402

import tracekit  # noqa: E402

_imported = time.perf_counter()
tracer = tracekit.Tracer(os.environ["TK_PROJECT"], os.environ["TK_API_KEY"], "cold-start")
_ready = time.perf_counter()

cold = True


def lambda_handler(event, context):
    global cold
    was_cold, cold = cold, False
    with tracer.span("cold-start-test", iteration=event.get("iteration")):
        pass
    return {
        "statusCode": 200,
        "body": {
            "cold": was_cold,
            "import_ms": round((_imported - _started) * 1000, 3),
            "init_ms": round((_ready - _imported) * 1000, 3),
            "spans": tracer.flush(),
            "remaining_ms": context.get_remaining_time_in_millis(),
        },
    }
