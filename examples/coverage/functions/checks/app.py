"""A function that answers for its health as well as for its work."""

from coverage_wrapper import coverage_handler, health_check_handler


@coverage_handler
def handler(event, context):
    if event.get("action") == "health":
        return health_check_handler()
    numbers = event["numbers"]
    if event.get("operation") == "multiply":
        result = 1
        for n in numbers:
            result *= n
        return {"result": result}
    return {"result": sum(numbers)}
