#!/bin/sh
# isa_symbols.sh LIBRARY...: fails when a per-instruction-set library defines a symbol that another
# translation unit could define too (weak or unique in nm's words), since the linker may then keep
# the copy with the newer instructions for code that runs on any CPU (ops/cpu/isa.h).
found=$(nm -A -C --defined-only "$@" | grep -E ' [WVu] ')
[ -z "$found" ] && exit 0
echo "kernel libraries leave shared copies of inline functions behind:"
echo "$found"
exit 1
