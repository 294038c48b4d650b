#!/usr/bin/env python3
"""Checks the sizes that keep the source readable: files, lines, functions, parameters.

Usage: check_sizes.py [--all] [ROOT] | --self-test. Over WANTED is reported (--all: place by place);
over HARD fails with exit code 1 unless ALLOWED names the place and the reason.
"""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WANTED = {"file": 300, "function": 40, "parameters": 6, "line": 100}
HARD = {"file": 400, "function": 60, "parameters": 8, "line": 120}
# (file, kind, name of the function or "") -> why it may pass the hard limit
ALLOWED = {(f"emulator/{file}.cpp", "parameters", name): "the library's own entry point"
           for file, names in {"cublas": "heuristic matmul", "cudnn": "convolution_set forward "
                               "fused backward_data backward_filter"}.items()
           for name in names.split()}

CODE = {".h", ".cuh", ".cpp", ".cu"}
TEXT = CODE | {".py", ".sh", ".build"}
NOT_A_FUNCTION = re.compile(r"\b(namespace|class|struct|union|enum|extern|concept)\b")
PASSED_OVER = re.compile(r"^(\s|template\s*<[^{;]*?>\s*(?=[A-Za-z_\[:])|\[\[[^\]]*\]\])+")


def blank_out(text):
    """Comments, literals and preprocessor lines as spaces: same length, same line breaks."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'"
        r"|(?m:^[ \t]*#(?:[^\n\\]|\\.|\\\n)*)", re.S)

    def spaces(match):
        if match.group().startswith(('"', "R")):
            return '"' + re.sub(r"[^\n]", " ", match.group())[2:] + '"'
        return re.sub(r"[^\n]", " ", match.group())
    return pattern.sub(spaces, text)


def matching_brace(text, start):
    depth = 0
    for match in re.compile(r"[{}]").finditer(text, start):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            return match.start()
    return len(text) - 1


def parameter_list(head):
    """(name, parameters) of a function's head, or None where it is no function."""
    head = PASSED_OVER.sub("", head)
    match = re.search(r"(operator\s*(?:\(\)|[^\s\w(]+|[\w:]+)|~?[A-Za-z_]\w*)\s*\(", head)
    while match and match.group(1) in ("decltype", "alignas", "noexcept", "explicit", "requires",
                                       "__attribute__", "__launch_bounds__"):
        match = re.compile(r"([A-Za-z_]\w*)\s*\(").search(head, match.end())
    if not match:
        return None
    depth, commas, some = 1, 0, False
    for letter in head[match.end():]:
        if letter in "([{<":
            depth += 1
        elif letter in ")]}>":
            depth -= 1
        elif letter == "," and depth == 1:
            commas += 1
        if depth == 0:
            break
        some = some or not letter.isspace()
    return match.group(1), commas + 1 if some else 0


def is_function(head):
    """Whether a brace after `head` opens a function's body (not a type, a value or a member)."""
    bare = PASSED_OVER.sub("", head)
    if "(" not in bare:
        return False
    before = bare.split("(")[0]
    if NOT_A_FUNCTION.search(before) or ("=" in before and "operator" not in before):
        return False
    if re.search(r"\)\s*(noexcept\s*)?:[^:]", bare):  # constructor: members may use braces
        return bare.rstrip()[-1:] in ")}"
    return True


def functions(text):
    """(line, name, lines, parameters) of every function of a C++ file."""
    text = blank_out(text)
    position = head_start = 0
    for match in iter(lambda: re.compile(r"[{};]").search(text, position), None):
        position = match.end()
        head = text[head_start:match.start()]
        if match.group() != "{":
            head_start = position
        elif is_function(head) and parameter_list(head):
            end = matching_brace(text, match.start())
            first = head_start + len(head) - len(head.lstrip())
            name, parameters = parameter_list(head)
            line = text.count("\n", 0, first) + 1
            yield line, name, text.count("\n", first, end) + 1, parameters
            head_start = position = end + 1
        elif NOT_A_FUNCTION.search(head):
            head_start = position
        else:  # a braced value inside a declaration: passed over
            position = matching_brace(text, match.start()) + 1


def measure(name, text):
    """(kind, line, function's name or "", size) for all that can be too large."""
    lines = text.splitlines()
    yield "file", 1, "", len(lines)
    for number, line in enumerate(lines, 1):
        yield "line", number, "", len(line)
    if Path(name).suffix in CODE:
        for line, function, length, parameters in functions(text):
            yield "function", line, function, length
            yield "parameters", line, function, parameters


def check(files):
    """(failures, remarks): lists of lines."""
    failures, remarks = [], []
    for name, text in files:
        for kind, line, function, size in measure(name, text):
            if size <= WANTED[kind]:
                continue
            words = f"{name}:{line}: {kind} {function + ' ' if function else ''}has {size}"
            if size > HARD[kind] and (name, kind, function) not in ALLOWED:
                failures.append(f"{words}, the limit is {HARD[kind]}")
            else:
                remarks.append(f"{words}, wanted at most {WANTED[kind]}")
    return failures, remarks


def names_below(root):
    """The tracked files; outside a checkout, or without git, every file."""
    if shutil.which("git"):
        listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-z"],
                                capture_output=True, text=True)
        if listed.returncode == 0:
            return listed.stdout.split("\0")
    return [path.relative_to(root).as_posix() for path in Path(root).rglob("*")]


def tracked(root):
    for name in sorted(names_below(root)):
        path = Path(root) / name
        if path.suffix in TEXT and path.is_file() and not name.startswith(("build", "tests/goldens/")):
            yield name, path.read_text(encoding="utf-8")


def self_test():
    source = """
#include <vector>
namespace a { // {{{
struct S { S(int x) : x_{x}, y_(2) { run(); } std::array<int, 2> z = {1, 2}; int x_, y_; };
template <class T, class U> std::map<T, U> four(std::map<T, U> m, int b, int c = f(1, 2), T d) {
  const char* s = "}}}'"; char c = '}';
  auto lambda = [&](int i, int j) { return i; };
}
constexpr int table[] = {1, 2, 3};
bool operator==(const S& a, const S& b) { return true; }
TEST_CASE("a, b (c)") { CHECK(1 == 1); }
void none() {
%s}
auto trailing(int a) -> std::vector<int> { return {a}; }
}
"""
    expected = [("S", 1, 1), ("four", 4, 4), ("operator==", 1, 2), ("TEST_CASE", 1, 1),
                ("none", 43, 0), ("trailing", 1, 1)]
    found = [f[1:] for f in functions(source % ("  x();\n" * 41))]
    if found != expected:
        sys.exit(f"check_sizes self-test: expected {expected}, found {found}")
    for text, kinds in [("int f(%s) {}\n" % ", ".join("int a%d" % i for i in range(9)), 1),
                        ("x\n" * 401, 1), ("y" * 121 + "\n", 1),
                        ("void f() {\n%s}\n" % ("g();\n" * 60), 1), ("int x;\n", 0)]:
        failures, _ = check([("a.cpp", text)])
        if len(failures) != kinds:
            sys.exit(f"check_sizes self-test: {text[:40]!r}... gave {failures}")
    with tempfile.TemporaryDirectory() as root:
        (Path(root) / "a.cpp").write_text("z" * 200)
        if len(check(tracked(root))[0]) != 1:
            sys.exit("check_sizes self-test: a folder's long line was not found")
    print("check_sizes self-test: clean")


def main():
    arguments = sys.argv[1:]
    if arguments == ["--self-test"]:
        return self_test()
    show_all = "--all" in arguments
    roots = [a for a in arguments if a != "--all"] or [str(Path(__file__).resolve().parent.parent)]
    failures, remarks = check(list(tracked(roots[0])))
    for line in failures + (remarks if show_all else []):
        print(line)
    print(f"sizes: {len(failures)} over the hard limits, {len(remarks)} over the wanted ones")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
