"""Uses the SDK from the layer as an application would."""

import os

import tracekit

tracer = tracekit.Tracer(
    project=os.environ["TK_PROJECT"],
    api_key=os.environ["TK_API_KEY"],
    source=os.environ.get("TK_SOURCE", "lambda"),
)
invocations = 0


@tracer.traced
def total(items):
    return sum(item["price"] * item.get("count", 1) for item in items)


def lambda_handler(event, context):
    global invocations
    invocations += 1

    try:
        with tracer.span("order", request_id=context.aws_request_id) as span:
            amount = total(event["items"])
            span.set(amount=amount)
    finally:
        spans = tracer.flush()  # those of a failure, too

    return {
        "statusCode": 200,
        "body": {
            "status": "success",
            "total": amount,
            "trace_id": span.trace_id,
            "spans": spans,
            "project": tracer.project,
            "key": tracer.key_hint,
            "invocations": invocations,
            "sdk": tracekit.__version__,
            "sdk_path": os.path.dirname(tracekit.__file__),
        },
    }
