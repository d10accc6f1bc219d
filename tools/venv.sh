# Sourced by tools/test and tools/demo: makes the virtual environment, installs evstore into it.
#   venv_install EXTRAS    EXTRAS is "" or "[test]"; sets $venv and $bin
# EVSTORE_VENV names the environment; without it, it is .venv in the checkout.

venv_python() { # the first Python of 3.10 or newer on PATH
  local name
  for name in python3 python python3.13 python3.12 python3.11 python3.10; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then
      echo "$name"
      return
    fi
  done
  echo "evstore needs Python 3.10 or newer on PATH" >&2
  return 1
}

venv_bin() { # Windows puts programs elsewhere
  if [ -d "$venv/Scripts" ]; then bin="$venv/Scripts"; else bin="$venv/bin"; fi
}

venv_install() {
  local extras=$1 wanted stamp python
  # A stranger's modules must not stand in for what is installed.
  unset PYTHONPATH PYTHONHOME
  venv=${EVSTORE_VENV:-.venv}
  venv_bin
  stamp="$venv/evstore-installed$extras"
  wanted="$(cksum <pyproject.toml) $PWD"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then return; fi
  if ! "$bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(venv_python) || return
    "$python" -m venv "$venv" || return
    venv_bin
  fi
  "$bin/python" -m pip install --quiet --disable-pip-version-check -e ".$extras" || return
  echo "$wanted" >"$stamp"
}
