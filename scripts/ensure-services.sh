#!/bin/sh
# Makes sure that what the tests start is installed: redis-server always, chromium for the tests in a browser.
# Installs what is missing with apt-get where that is possible, and says what to install where it is not.
set -eu

missing=""
command -v redis-server >/dev/null 2>&1 || missing="redis-server"
if [ -d test/browser ] && ! command -v chromium >/dev/null 2>&1 && [ -z "${CHROMIUM_PATH:-}" ]; then
  missing="$missing chromium"
fi
[ -z "$missing" ] && exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then as_root="sudo -n"; else as_root="no"; fi
fi

if ! command -v apt-get >/dev/null 2>&1 || [ "$as_root" = "no" ]; then
  echo "The tests need these programs, please install them: $missing" >&2
  exit 1
fi

echo "Installing what the tests start: $missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
$as_root apt-get update -q </dev/null >/dev/null
# shellcheck disable=SC2086
$as_root apt-get install -q -y --no-install-recommends $missing </dev/null >/dev/null

# Debian starts the server it installs; the tests start their own.
if command -v service >/dev/null 2>&1; then
  case "$missing" in *redis-server*) $as_root service redis-server stop >/dev/null 2>&1 || true ;; esac
fi
