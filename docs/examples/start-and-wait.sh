#!/bin/sh
# start-and-wait.sh KIND [INPUT=VALUE]...: starts a run, shows its log, and fails unless the run completes.
# RUNBOARD is the URL of the board, and ~/.netrc has the user and the password.
set -eu
board=${RUNBOARD:-http://127.0.0.1:3000}
# It repeats only what did nothing: refused connections, 429 and 503.
get() { curl --fail-with-body --no-progress-meter --retry 8 --retry-connrefused --netrc-optional "$@"; }
json() { get -H 'Accept: application/json' "$@"; }

kind=$1
shift
for input; do
	set -- "$@" --data-urlencode "input.$input"
	shift
done
answer=$(json "$board/process_runs" -d "kind=$kind" -d count=1 "$@") || { echo "$answer" >&2; exit 1; }
run=$(echo "$answer" | grep -o '"id":[0-9]*' | head -n 1 | cut -d : -f 2)

get --no-buffer "$board/process_runs/$run/log?follow=1" || true # it is cut if the server restarts
status() { json "$board/process_runs/$run/status" | grep -o '"status":"[a-z]*"' | cut -d '"' -f 4; }
while status=$(status) && { [ "$status" = created ] || [ "$status" = started ]; }; do
	sleep 1
done
echo "$board/process_runs/$run: $status" >&2
[ "$status" = completed ]
