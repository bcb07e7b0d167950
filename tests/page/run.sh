#!/bin/sh
# run.sh MODEL_DIRECTORY - the page's tests: both builds in node, then build/bert.html in Chromium, offline, from disk.
# CHROMIUM names the browser; SKIPS_FAIL=1: without a browser they fail.
set -eu
cd "$(dirname "$0")/../.."
model=$1 tools=build/page/node
${MAKE:-make} -s page PAGE_MODEL="$model"
# An older node has the relaxed instructions behind a flag.
flag=''
node --v8-options | grep -q -e --experimental-wasm-relaxed-simd && flag=--experimental-wasm-relaxed-simd
node --no-warnings $flag tests/page/test_core.mjs "$model"

mkdir -p "$tools"
if ! cmp -s tests/page/package.json "$tools/package.json" || [ ! -d "$tools/node_modules" ]; then
    cp tests/page/package.json "$tools/package.json"
    (cd "$tools" && npm install --no-audit --no-fund --silent) || { rm "$tools/package.json"; exit 1; }
fi
browser=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
if [ -z "$browser" ]; then
    echo '    SKIPPED: no chromium is installed'
    [ "${SKIPS_FAIL:-0}" != 1 ]
    exit
fi
CHROMIUM=$browser node --no-warnings tests/page/test_page.mjs "$model"
