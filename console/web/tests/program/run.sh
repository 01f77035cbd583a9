#!/usr/bin/env bash
# The console in a real browser, against the real program:
#
#   console/web/tests/program/run.sh [NAME…]     all tests, or those whose file begins so
#
# Installs what it needs: Debian's Chromium and poppler's tools by apt, the page's own tools by npm as the lock file has
# them. CONTAINER_TRACKER names a binary that is there already; without it a debug build is made. Screenshots and the printed
# report are kept in SCREENSHOTS, target/screenshots by default. Ends with "N passed, N failed".
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../../../.." && pwd)
cd "$repository"

packages=(poppler-utils fonts-dejavu-core)
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] || packages+=(chromium)
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)
scripts/need "${packages[@]}"

if [ -z "${CONTAINER_TRACKER:-}" ]; then
    CONTAINER_TRACKER=$(cargo build --quiet --locked --bin container-tracker --message-format json-render-diagnostics |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
fi
export CONTAINER_TRACKER
export SCREENSHOTS=${SCREENSHOTS:-$repository/target/screenshots}

cd console/web
[ -d node_modules/axe-core ] || npm ci --silent --no-audit --no-fund
node tests/program/run.mjs "$@"
