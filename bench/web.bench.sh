#!/bin/sh
# SPDX-License-Identifier: MIT
# web.bench.sh BUILD [--short]: the page with a flame graph of a million boxes (--short: a hundred
# thousand), as the browser's own clock sees it.
set -eu
build=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
nodes=1000000
[ "${2:-}" != --short ] || nodes=100000
if { [ ! -x /usr/bin/chromium ] && [ ! -x /usr/bin/chromium-headless-shell ]; } ||
    [ ! -d "$root/node_modules/@playwright" ]; then
    echo "not measured: chromium or the npm packages are not installed (run ./dev test)"
    exit 0
fi
exec node "$root/bench/web.mjs" "$build/strobe" "$nodes"
