#!/bin/sh
# deploy.sh --version=VERSION --target=TARGET [--services=SERVICE]...: shows what a deployment would do.
# The token is in the variable INPUT_TOKEN.
set -eu
: "${INPUT_TOKEN:?}"
echo "deploying with $*"
echo "progress: 100% deployed $INPUT_VERSION"
