#!/bin/sh
# import.sh: shows what an import would do. Its inputs are in variables and in the file $RUNBOARD_INPUTS.
set -eu
echo "importing orders of $INPUT_DAY at $INPUT_RATE orders a second"
printf '%s\n' "${INPUT_CUSTOMERS:-all customers}" | while read -r customer; do
	echo "customer: $customer"
done
cat "$RUNBOARD_INPUTS"
