#!/usr/bin/env bash
# Installs what building and testing soma needs and is not there yet, from the distribution's own
# packages (names of Debian 12 and 13, Ubuntu 22.04 and later). As root, or through sudo.
# Usage: setup.sh [--ci]; --ci adds what the checks want: clang-format 14, clang 14 with
# libFuzzer, ccache; pip and debootstrap for the offline bundle and its proof; groff.
set -euo pipefail

# package and, after the colon, a file or command whose presence means that it need not be installed
needed=(
  g++:g++ pkg-config:pkg-config python3:python3 meson:meson ninja-build:ninja
  libpng-dev:png.h zlib1g-dev:zlib.h libtiff-dev:tiffio.h libstb-dev:stb/stb_image.h
  libfmt-dev:fmt/core.h libcli11-dev:CLI/CLI.hpp libtomlplusplus-dev:toml++/toml.h
  nlohmann-json3-dev:nlohmann/json.hpp doctest-dev:doctest/doctest.h
)
wanted=(libcpp-httplib-dev:httplib.h)  # soma serve; a release without it goes without
if [ "${1:-}" = --ci ]; then
  wanted+=(git:git ccache:ccache clang-format-14:clang-format-14 clang-14:clang++-14
          libclang-rt-14-dev:libclang_rt.fuzzer-x86_64.a python3-pip:pip3
          debootstrap:debootstrap groff:groff)
fi

is_there() {  # a command, or a header or a part of clang in the usual places
  case $1 in
    *.a) [ -n "$(ls -d /usr/lib/llvm-14/lib/clang/*/lib/linux/"$1" 2> /dev/null)" ] ;;
    *.h | *.hpp) [ -n "$(ls -d {/usr/include,/usr/include/*-linux-gnu,/usr/local/include}/"$1" \
                   2> /dev/null)" ] ;;
    *) command -v "$1" > /dev/null ;;
  esac
}

missing_of() {
  local entry
  for entry in "$@"; do is_there "${entry#*:}" || echo "${entry%%:*}"; done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo > /dev/null; then sudo "$@"
  else echo "setup: needs root or sudo to install: $*" >&2; exit 1
  fi
}

missing=$(missing_of "${needed[@]}")
optional=$(missing_of ${wanted[@]+"${wanted[@]}"})
[ -n "$missing$optional" ] || exit 0
command -v apt-get > /dev/null ||
  { echo "setup: no apt-get here; install by hand: $(echo $missing)" >&2; exit 1; }

echo "setup: installing" $missing $optional >&2
install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends)
as_root apt-get update -q < /dev/null > /dev/null
if [ -n "$missing" ]; then as_root "${install[@]}" $missing < /dev/null > /dev/null; fi
for package in $optional; do  # newer releases have no version 14: the checks say so and skip
  as_root "${install[@]}" "$package" < /dev/null > /dev/null 2>&1 ||
    echo "setup: this release has no $package; what needs it is skipped" >&2
done
