#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh STROBE SCRATCH: the browser tests, on the page that STROBE serves. Skips where there is no
# browser or no Playwright; ./dev test installs both.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
browser=$(node --input-type=module -e \
    'const { chromiumPath } = await import(process.argv[1]); console.log(chromiumPath)' \
    "$here/chromium.mjs")
[ -x "$browser" ] || { echo "skipped: chromium is not installed"; exit 77; }
cli=$root/node_modules/@playwright/test/cli.js
[ -f "$cli" ] || { echo "skipped: the npm packages are not installed (run ./dev test)"; exit 77; }
export STROBE=$1 STROBE_WEB_SCRATCH=$2/browser
cd "$root"
exec node "$cli" test -c tests/web/playwright.config.ts
