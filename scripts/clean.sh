#!/usr/bin/env bash
# clean.sh: stops the cluster and removes its state, everything that was built, and every downloaded file.
set -uo pipefail
cd "$(dirname "$0")/.."
if [ -f dist/cli/main.js ] && [ -d /run/keelson ] && [ "$(id -u)" = 0 ]; then bin/keelson down || exit 1; fi
if [ "$(id -u)" = 0 ]; then rm -rf --one-file-system /var/lib/keelson /run/keelson; fi
rm -rf node_modules dist build native/build coverage .cache bin/keelson-oci
# Directories that are mount points of their own stay, empty.
exit 0
