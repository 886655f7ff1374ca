#!/bin/sh
# What a package carries as bin/keelson-oci until its install script has built the native front (native/front) in this
# place. It starts Node on the command line's bundle, as the front does with all it does not do itself, without the
# NODE_* variables: Node reads them before any of our code (one costs 47 ms a start, others load code), and they are
# the caller's, not ours.
self=$0
while [ -h "$self" ]; do
  link=$(readlink "$self")
  case $link in
    /*) self=$link ;;
    *) self=${self%/*}/$link ;;
  esac
done
case $self in
  */*) folder=${self%/*} ;;
  *) folder=. ;;
esac
main=$folder/../dist/cli/oci-main.cjs
if ! [ -f "$main" ]; then
  echo "keelson-oci: start: the command line is not built (run \`npm run build\` in $folder/..)" >&2
  exit 1
fi
variables=$(export -p)
case $variables in
  *NODE_*)
    set -f
    separators=$IFS
    IFS='
'
    for line in $variables; do
      line=${line#export }
      line=${line#declare -x }
      name=${line%%=*}
      case $name in
        *[!A-Za-z0-9_]*) ;;
        NODE_*) unset "$name" ;;
      esac
    done
    IFS=$separators
    set +f
    ;;
esac
exec node "$main" "$@"
