#!/bin/sh
# lambda-entrypoint.sh - what images of AWS's begin with: the handler is its only word. Here, as in
# functions of AWS's, for whoever looks for it.
if [ $# -ne 1 ]; then
    echo "entrypoint requires the handler name to be the first argument" 1>&2
    exit 142
fi
export _HANDLER="$1"
exec /var/runtime/bootstrap
