#!/usr/bin/env bash
# Makes dist/soma-offline-VERSION.tar.gz, from which soma can be built without a network: the source,
# the headers and static archives of its libraries (this machine's packages, with their licences),
# meson, ninja and pkgconf as wheels, the static program, and install.sh.
# Usage: bundle.sh [BUILD DIR]; the static program is built there (build-static unless told). Made on
# Debian 12, so that the archives link with glibc 2.35 and later. Needs pip and, for the wheels, a
# network; the same tree and machine give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
static=${1:-build-static}
version=$(sed -n "s/^project('soma'.* version: '\([^']*\)'.*/\1/p" meson.build)
name=soma-offline-$version
most_bytes=15000000

tools/build.sh "$static" -Dstatic=true -Dtests=false
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
top=$folder/$name deps=$folder/$name/deps
mkdir -p "$top"/{bin,source,wheels} "$deps"/{include,lib,pkgconfig,licences}
strip -o "$top/bin/soma" "$static/soma"
git -c safe.directory='*' ls-files -z | tar --null -T - -cf - | tar -xf - -C "$top/source"
cp tools/offline/install.sh tools/offline/README.md "$top"
python3 -m pip download --quiet --no-deps --require-hashes --only-binary=:all: \
  --python-version 3.8 --implementation py --abi none --platform manylinux2014_x86_64 \
  --platform any --dest "$top/wheels" --requirement tools/offline/wheels.txt

licence_of() { cp -L "/usr/share/doc/$1/copyright" "$deps/licences/$1"; }

# The headers of a package under their names, without the system's include folders before these.
headers_of() {
  local header place
  while read -r header; do
    place=$deps/include/$(sed -E 's#^/usr/include/([^/]*-linux-gnu/)?##' <<< "$header")
    mkdir -p "${place%/*}"
    cp -L "$header" "$place"
  done < <(dpkg -L "$1" | grep -E "^/usr/include/.*$2\$")
  licence_of "$1"
}
for package in libcli11-dev libtomlplusplus-dev nlohmann-json3-dev zlib1g-dev libpng-dev \
  libtiff-dev; do
  headers_of "$package" '\.(h|hpp|inl)'
done
headers_of libstb-dev /stb_image.h

# A description for pkg-config: NAME, the flag that finds its headers, the libraries with all that
# they need, since nothing but archives is here.
describe() {
  printf '%s\n' "deps=\${pcfiledir}/.." "Name: $1" "Description: $1" \
    "Version: $(pkg-config --modversion "$1")" "Cflags: -I\${deps}/$2" "Libs: -L\${deps}/lib $3" \
    > "$deps/pkgconfig/$1.pc"
}
for header_only in CLI11 nlohmann_json; do describe $header_only include ""; done
describe stb include/stb ""
for library in zlib libpng libtiff-4; do
  libraries=$(pkg-config --static --libs-only-l "$library")
  describe $library include "$libraries"
  for flag in $libraries; do
    archive=$(g++ -print-file-name="lib${flag#-l}.a")
    case $flag in -lm | -lpthread) continue ;; esac
    cp -L "$archive" "$deps/lib/"
    package=$(dpkg -S "$(readlink -f "$archive")" 2> /dev/null || dpkg -S "$archive")
    licence_of "$(cut -d: -f1 <<< "$package" | head -n 1)"
  done
done
strip --strip-debug "$deps"/lib/*.a

mkdir -p dist
when=@$(git -c safe.directory='*' log -1 --format=%ct)
tar --sort=name --mtime="$when" --owner=0 --group=0 --numeric-owner --mode=go=rX -C "$folder" \
  -cf - "$name" | gzip -n -9 > "dist/$name.tar.gz.part"
mv "dist/$name.tar.gz.part" "dist/$name.tar.gz"
bytes=$(stat -c %s "dist/$name.tar.gz")
[ "$bytes" -le "$most_bytes" ] || { echo "$bytes bytes, expected at most $most_bytes"; exit 1; }
echo "dist/$name.tar.gz: $bytes bytes"
