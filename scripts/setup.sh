#!/usr/bin/env bash
# setup.sh build|run|demo|test: makes this checkout ready for the verb. Installs Debian packages when root on a
# machine with apt; otherwise names exactly what is missing and stops. Safe to repeat: what is there is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."
export npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false
purpose=${1:-build}
say() { printf 'setup: %s\n' "$*" >&2; }

packages=(cmake make g++ nftables)
case $purpose in
  demo) packages+=(dpkg-dev) ;;
  test) packages+=(dpkg-dev busybox-static crun runc skopeo umoci iproute2 procps libseccomp-dev dbus-daemon openssl util-linux uidmap) ;;
esac

node_ok() { command -v node >/dev/null && node -e 'const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>20||(a===20&&b>=19)?0:1)'; }
node_ok || { say "Node 20.19 or newer is needed (found: $(node --version 2>/dev/null || echo none)); see https://nodejs.org"; exit 1; }
[ "$(uname -s)" = Linux ] || { say "keelson needs Linux"; exit 1; }

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
# What is needed is the program; a machine that has it without the package is fine.
for pair in cmake:cmake make:make g++:g++ nftables:nft; do
  command -v "${pair#*:}" >/dev/null || [ -x "/usr/sbin/${pair#*:}" ] && missing=("${missing[@]/#${pair%%:*}/}")
done
read -ra missing <<<"${missing[*]:-}" || true
if [ "${#missing[@]}" -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/tmp/keelson-setup-apt.log 2>&1 \
      || { tail -n 5 /tmp/keelson-setup-apt.log >&2; say "apt-get failed, see /tmp/keelson-setup-apt.log"; exit 1; }
  else
    say "missing: ${missing[*]}"
    say "install them (Debian: apt-get install ${missing[*]}) and run the same command again"
    exit 1
  fi
fi

if [ ! -f node_modules/.package-lock.json ] || [ package.json -nt node_modules/.package-lock.json ]; then
  say "installing npm packages and building the native part"
  npm install --no-save --loglevel=error >/tmp/keelson-setup-npm.log 2>&1 || { tail -n 15 /tmp/keelson-setup-npm.log >&2; say "npm install failed, see /tmp/keelson-setup-npm.log"; exit 1; }
  touch node_modules/.package-lock.json
fi
if [[ $purpose = demo || $purpose = test ]] && ! command -v kubectl >/dev/null; then
  say "no kubectl here: installing Debian's kubernetes-client"
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends kubernetes-client; } >/tmp/keelson-setup-apt.log 2>&1 \
    || { say "install kubectl (Debian: kubernetes-client) and run the same command again"; exit 1; }
fi
if [ "$purpose" = test ]; then
  node scripts/peers.mjs >/tmp/keelson-setup-peers.log 2>&1 || say "some peers cannot be had (their tests are skipped): $(tail -n 1 /tmp/keelson-setup-peers.log)"
  [ "${KEELSON_TEST_FULL:-}" != 1 ] || node scripts/kubelet.mjs >/tmp/keelson-setup-kubelet.log 2>&1 || say "a stock kubelet cannot be built (its test is skipped): $(tail -n 1 /tmp/keelson-setup-kubelet.log)"
  node scripts/cri-tools.mjs >/tmp/keelson-setup-cri-tools.log 2>&1 || say "crictl and critest cannot be built (their tests are skipped): $(tail -n 1 /tmp/keelson-setup-cri-tools.log)"
fi
newer() { [ ! -e "$1" ] || [ -n "$(find "${@:2}" -newer "$1" -type f -print -quit)" ]; }
if [ ! -e bin/keelson-oci ] || newer build/Release/keelson.node native; then
  say "building the native part"
  npm run --silent install >/tmp/keelson-setup-native.log 2>&1 || { tail -n 20 /tmp/keelson-setup-native.log >&2; exit 1; }
  touch build/Release/keelson.node
fi
if [ "$purpose" != build ] && newer dist/.stamp src cri scripts/bundle.mjs package.json; then
  say "building dist"
  npm run --silent build && touch dist/.stamp
fi
