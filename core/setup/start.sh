#!/bin/sh
# Set-up, then the daemon in this very process: signals and the exit code are the daemon's own.
here=$(dirname "$0")
node "$here/setup.mjs" || exit
(node "$here/announce.mjs" "$$" "$@" &)
exec node "$here/../bin/gantryd.js" "$@"
