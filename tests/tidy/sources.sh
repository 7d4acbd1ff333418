#!/bin/sh
# SPDX-License-Identifier: MIT
# sources.sh TREE [TABLES]: the rules of sources.awk for the tree's sources; tables from tests/tidy.
set -eu
tables=$(cd "${2:-$(dirname "$0")}" && pwd)
rules=$(cd "$(dirname "$0")" && pwd)/sources.awk
cd "$1"
find . \( -name .git -o -name 'build*' -o -name node_modules -o -name dist -o -name corpus \
    -o -name testdata -o -name golden -o -name test-results \) -prune -o \
    -type f \( -name '*.[ch]' -o -name '*.cc' -o -name '*.rs' -o -name '*.ts' -o -name '*.tsx' \
    -o -name '*.css' -o -name '*.sh' -o -name '*.awk' -o -name '*.js' -o -name '*.mjs' \
    -o -name meson.build -o -name dev -o -path ./.ci/run \) -print | LC_ALL=C sort >/tmp/tidy.$$
trap 'rm -f /tmp/tidy.$$' EXIT
# shellcheck disable=SC2046 # our own files have no spaces in their names
LC_ALL=C awk -f "$rules" mode=layers "$tables/layers.txt" mode=exceptions \
    "$tables/exceptions.txt" mode=source $(cat /tmp/tidy.$$)
# Lock files carry no addresses, so that any registry will do.
if find . -name node_modules -prune -o -name package-lock.json -print |
    xargs grep -l '"resolve[d]": "' 2>/dev/null; then
    echo "address: a lock file names where its packages came from; see CONTRIBUTING.md"
    exit 1
fi
