# Sourced by ./quickstart and ./check: packages and builds. Wants $top, the source folder.

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

# need_packages WORD...: makes sure that the packages of these words of .ci/packages are there. Where no
# dpkg is, configure says what is missing.
need_packages() {
  local want missing="" p log="$top/build/apt.log"
  command -v dpkg-query >/dev/null || return 0
  want=$(for w in "$@"; do sed -n "s/^$w //p" "$top/.ci/packages"; done)
  for p in $want; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
  done
  [ -z "$missing" ] && return 0
  if [ "$(id -u)" != 0 ]; then
    die "packages are missing. Run this, then ${0##*/} again:
sudo apt-get install -y --no-install-recommends$missing"
  fi
  say "installing:$missing"
  mkdir -p "$top/build"
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086
  { apt-get update -q && apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1 ||
    { tail -5 "$log" >&2; die "apt-get failed, see build/apt.log"; }
}

# bootstrap_tree: configure and Makefile.in, when the checkout has none or one of their sources is newer.
bootstrap_tree() {
  if [ ! -x "$top/configure" ] || [ -n "$(find "$top" -maxdepth 3 -not -path "$top/build*" \
      \( -name module.mk -o -name Makefile.am -o -name configure.ac \) \
      -newer "$top/configure" -print -quit)" ]; then
    (cd "$top" && autoreconf -fi) >"$top/build/autoreconf.log" 2>&1 ||
      die "autoreconf failed, see build/autoreconf.log"
  fi
}

# build_in FOLDER "CONFIGURE ARGUMENTS" TARGET...: an out-of-tree build, quiet unless it fails. A
# target may carry variables: "check TESTS=".
build_in() {
  local dir="$top/build/$1" args=$2 log target
  shift 2
  mkdir -p "$dir"
  log="$dir/build.log"
  : >"$log"
  bootstrap_tree
  if [ ! -f "$dir/Makefile" ] || [ "$top/configure" -nt "$dir/config.status" ]; then
    (cd "$dir" && eval "../../configure -q $args") >"$log" 2>&1 ||
      { tail -20 "$log" >&2; die "configure failed, see build/${dir##*/}/build.log"; }
  fi
  for target in "$@"; do
    make -C "$dir" -s -k -j"$(nproc)" $target >>"$log" 2>&1 ||
      { grep -E 'error|Error' -A3 "$log" | head -40 >&2; die "the build failed, see build/${dir##*/}/build.log"; }
  done
}
