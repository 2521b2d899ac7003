"""One report of all objects: by hand now; by schedule and by the bucket's events when those call it."""

from coverage_wrapper import coverage_combiner_handler


def handler(event, context):
    return coverage_combiner_handler(event, context)
