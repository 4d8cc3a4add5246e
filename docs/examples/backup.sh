#!/bin/sh
# backup.sh DATABASE --level=LEVEL [--gzip]: shows what a backup would do.
set -eu
echo "backing up $1 with $*"
for percent in 25 50 75 100; do
	echo "progress: $percent% copying $1"
done
