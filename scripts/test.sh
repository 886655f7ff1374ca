#!/usr/bin/env bash
# test.sh [--full]: set-up, tidy checks, then every test; ends with the runner's count on one line.
set -uo pipefail
cd "$(dirname "$0")/.."
[ "${1:-}" != --full ] || export KEELSON_TEST_FULL=1
scripts/setup.sh test || exit 1
unset NODE_EXTRA_CA_CERTS # costs each Node 47 ms at its start; only npm above may need it
[ "$(id -u)" = 0 ] || echo "test: not root: every test that needs the kernel is skipped" >&2

failed=0
step() { printf '\n== %s\n' "$1" >&2; shift; "$@" || { failed=1; echo "test: FAILED: $*" >&2; }; }
step 'type check' npx --no-install tsc -p tsconfig.json
step 'lint' npx --no-install biome check .
step 'dead code' npx --no-install knip
log=$(mktemp)
step 'tests' node scripts/run-tests.mjs "$log"
counts=$(tail -n 1 "$log"); rm -f "$log"
case $counts in
  *' passed, '*) ;;
  *) counts='0 passed, 1 failed, 0 skipped'; failed=1 ;;
esac
if [ "$failed" = 1 ] && [[ $counts == *', 0 failed,'* ]]; then counts=${counts/, 0 failed,/, 1 failed,}; fi
echo "$counts"
exit "$failed"
