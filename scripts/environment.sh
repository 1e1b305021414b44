# Sourced by the scripts beside it: makes .venv with all that uv.lock names, and installs Debian packages on demand.
# Quiet and quick when there is nothing to do.

say() { printf '%s\n' "$*" >&2; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# need_debian COMMAND PACKAGE...: install PACKAGE unless COMMAND is there.
need_debian() {
  command -v "$1" >/dev/null && return
  shift
  say "installing $* (Debian package)"
  if [ -z "${RINGWAY_APT_UPDATED:-}" ]; then as_root apt-get update -qq; export RINGWAY_APT_UPDATED=1; fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# npm_install DIRECTORY: what its package-lock.json names, unless that is there.
npm_install() {
  (cd "$1" && { [ node_modules -nt package-lock.json ] || { npm ci --silent --no-audit --no-fund --ignore-scripts && touch node_modules; }; })
}

# npm_build DIRECTORY SOURCE...: install and build it, unless nothing below the sources has changed since.
npm_build() {
  local directory=$1 wanted
  shift
  npm_install "$directory" || return
  wanted=$(cd "$directory" && find package-lock.json package.json "$@" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
  [ "$(cat "$directory/dist/.built" 2>/dev/null)" = "$wanted" ] && return
  say "building $directory"
  (cd "$directory" && npm run --silent build && printf '%s' "$wanted" >dist/.built)
}

build_client() { npm_build clients/typescript src tsconfig.json; }
build_demo() { npm_build examples/chat src ../../clients/typescript/src; }

find_python() {
  local candidate
  for candidate in python3 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
      command -v "$candidate"
      return
    fi
  done
  say "Ringway needs Python 3.11 or later; install it (Debian: apt-get install python3 python3-venv)"
  exit 2
}

# set_up [UV-SYNC-ARGUMENTS]: bring .venv in line with uv.lock and put it first on PATH.
set_up() {
  local stamp=.venv/.ringway-set-up wanted
  wanted="$* $(cat pyproject.toml uv.lock | sha256sum)"
  if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
    local python
    python=$(find_python)
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then need_debian no-such-command python3-venv; fi
    say "setting up .venv"
    [ -x .venv/bin/uv ] || [ -x .venv/bin/pip ] || "$python" -m venv .venv  # also mends one without pip
    [ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
    UV_PROJECT_ENVIRONMENT=.venv .venv/bin/uv sync --quiet --frozen --inexact --all-extras "$@"
    printf '%s' "$wanted" >"$stamp"
  fi
  PATH="$PWD/.venv/bin:$PATH"
  export PATH
}
