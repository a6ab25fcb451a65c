#!/usr/bin/python3
"""The layout rules as a test: include direction, owed files, banned words, sizes.

usage: tidy.py [ROOT]      Prints file:line: rule: what, and ends with 1 if there was any.

Layers are read from the CMake files: a folder may include its own headers and those of folders
whose add_subdirectory stands above its own. The planes meet only in common/ and proto/.
"""
import functools
import os
import re
import subprocess
import sys
from collections import defaultdict

PLANES = ("dataplane", "controlplane")
LAYERED = ("common", *PLANES)
# What sluicectl has of the controller to validate, explain and restore without one: reading,
# building, and the store.
OFFLINE = {("controlplane", folder) for folder in ("source", "yaml", "build", "store")}
LINES_MAX = 600
SOURCES = (".cc", ".h")
TEXTS = (".cc", ".h", ".proto", ".py", ".sh", ".cmake", ".txt", ".yaml", ".yml", ".service", "")
# Scripts without a suffix are texts too; these are not ours to hold to it.
NOT_OURS = ("tests/corpus/", "tests/security/cases.yaml", "tools/bench/baseline-peers.json", "LICENSE")

BANNED_CALLS = {
    "strcpy": "bounded copies only", "strcat": "bounded copies only", "sprintf": "use fmt",
    "vsprintf": "use fmt", "gets": "unbounded", "strtok": "shared state", "atoi": "hides errors",
    "atol": "hides errors", "atoll": "hides errors", "rand": "use common/base/random.h",
    "srand": "use common/base/random.h", "system": "no shell", "popen": "no shell",
    "tmpnam": "races", "alloca": "unbounded stack", "gmtime": "shared state: gmtime_r",
    "localtime": "shared state: localtime_r", "setjmp": "skips destructors",
}
BANNED_WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
BANNED_NAMES = re.compile(r"\b(?:class|struct)\s+(\w*(?:Manager|Utils?|Helpers?|Impl))\b(?!\s*;)")
# Where someone's machine shows through; assembled so that this file does not match itself.
MACHINE_PATH = re.compile(r"(?<![\w./])/(?:" + "|".join(["home/" + r"\w+", "root/", "work" + "/",
                                                         "Users/" + r"\w+"]) + ")")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
TYPE = re.compile(r"^(?:template\s*<.*>\s*)?(?:class|struct)\s+(?:\[\[\w+\]\]\s+)?(\w+)\s*(?:final\s*)?(?:[:{]|$)")


def without_comments_and_strings(text):
    """Same lines, comments and literals blanked."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
                         r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'", re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


class Tree:
    def __init__(self, root):
        self.root = root
        self.files = self._list()
        self.problems = []

    def _list(self):
        git = subprocess.run(["git", "-C", self.root, "ls-files", "-z", "--cached", "--others",
                              "--exclude-standard"], capture_output=True)
        if git.returncode == 0 and os.path.exists(os.path.join(self.root, ".git")):
            names = [n for n in git.stdout.decode().split("\0") if n]
        else:
            names = [os.path.relpath(os.path.join(folder, f), self.root)
                     for folder, _, files in os.walk(self.root) for f in files]
            names = [n for n in names if not n.startswith(("build/", ".git/"))]
        return sorted(n for n in set(names) if os.path.isfile(os.path.join(self.root, n)))

    def read(self, name):
        with open(os.path.join(self.root, name), errors="replace") as f:
            return f.read()

    def say(self, name, line, rule, text):
        self.problems.append(f"{name}:{line}: {rule}: {text}")

    # ---- the rules ------------------------------------------------------------------

    def layers(self):
        """{"dataplane": {"io": 0, "http": 1, ...}, ...} in the order of add_subdirectory."""
        found = {}
        for plane in LAYERED:
            path = f"{plane}/CMakeLists.txt"
            if path in self.files:
                text = re.sub(r"#[^\n]*", "", self.read(path))
                found[plane] = {name: i for i, name in
                                enumerate(re.findall(r"add_subdirectory\(\s*(\w+)", text))}
        return found

    def check_includes(self):
        layers = self.layers()
        for name in self.files:
            if not name.endswith(SOURCES):
                continue
            parts = name.split("/")
            for number, line in enumerate(self.read(name).splitlines(), 1):
                match = INCLUDE.match(line)
                if match:
                    why = self._include_problem(layers, parts, match[1])
                    if why:
                        self.say(name, number, "include-direction", f'"{match[1]}": {why}')

    @staticmethod
    def _include_problem(layers, parts, included):
        to = included.split("/")
        if included.startswith("../") or len(to) == 1:
            return "spell the path from the root of the tree"
        plane, target = parts[0], to[0]
        if target not in layers:
            return None  # Generated, or a library's.
        if plane in PLANES and target in PLANES and plane != target:
            return "the planes meet only in common and proto"
        if plane == "common" and target != "common":
            return "common includes neither plane"
        if plane == "tools" and target in PLANES and (target, to[1]) not in OFFLINE:
            return "sluicectl speaks to the controller through proto"
        if plane != target or plane not in layers:
            return None
        order = layers[plane]
        if len(parts) == 2:
            return None  # main.cc stands above every layer.
        if len(to) == 2:
            return "a layer cannot include what stands above all layers"
        if to[1] not in order:
            return f"{plane}/{to[1]} is not in {plane}/CMakeLists.txt"
        if parts[1] not in order:
            return f"{plane}/{parts[1]} is not in {plane}/CMakeLists.txt"
        if order[to[1]] > order[parts[1]]:
            return f"{to[1]} comes after {parts[1]} in {plane}/CMakeLists.txt"
        return None

    def check_headers(self):
        for name in self.files:
            if not name.endswith(".h"):
                continue
            lines = self.read(name).splitlines()
            if "#pragma once" not in lines:
                self.say(name, 1, "pragma-once", "missing")
            if not lines or not re.match(r"// \S", lines[0]):
                self.say(name, 1, "purpose", "a header begins with a comment that says its purpose")
            comments = "\n".join(line for line in lines if line.lstrip().startswith("//"))
            if re.search(r"\bHot path\b", comments):
                if name not in self._benched(os.path.dirname(name)):
                    self.say(name, 1, "owed-bench",
                             f"says Hot path: owes {name[:-2]}_bench.cc, or a line in another one "
                             "of its folder")

    @functools.cache
    def _benched(self, folder):
        """What the benchmarks of `folder` include of it, directly or through its headers."""
        found = set()
        todo = [n for n in self.files if os.path.dirname(n) == folder and n.endswith("_bench.cc")]
        while todo:
            for line in self.read(todo.pop()).splitlines():
                match = INCLUDE.match(line)
                if match and os.path.dirname(match[1]) == folder and match[1] not in found:
                    if match[1] in self.files:
                        found.add(match[1])
                        todo.append(match[1])
        return found

    def check_sizes(self):
        for name in self.files:
            if name.endswith((".cc", ".h", ".py")) or self._is_script(name):
                count = self.read(name).count("\n")
                if count > LINES_MAX:
                    self.say(name, count, "length", f"{count} lines; {LINES_MAX} at most")

    def _is_script(self, name):
        if os.path.splitext(name)[1]:
            return False
        with open(os.path.join(self.root, name), "rb") as f:
            return f.read(2) == b"#!"

    def check_words(self):
        for name in self.files:
            if name.startswith(NOT_OURS) or os.path.splitext(name)[1] not in TEXTS + (".md",):
                continue
            if name.startswith("tools/dev/tidy"):
                continue  # Names what it bans.
            text = self.read(name)
            for number, line in enumerate(text.splitlines(), 1):
                if BANNED_WORDS.search(line):
                    self.say(name, number, "unfinished", line.strip()[:80])
                if MACHINE_PATH.search(line):
                    self.say(name, number, "machine-path", line.strip()[:80])

    def check_calls(self):
        calls = re.compile(r"(?<![\w.>:])(?:std::|::)?(" + "|".join(BANNED_CALLS) + r")\s*\(")
        for name in self.files:
            if not name.endswith(SOURCES):
                continue
            text = without_comments_and_strings(self.read(name))
            for number, line in enumerate(text.splitlines(), 1):
                for match in calls.finditer(line):
                    if match[1] in ("system", "popen") and name.endswith("_test.cc"):
                        continue  # A test may run a shell on what it made itself.
                    self.say(name, number, "banned-call", f"{match[1]}: {BANNED_CALLS[match[1]]}")
                if re.search(r"\busing\s+namespace\b", line) and "_literals" not in line:
                    self.say(name, number, "using-namespace", line.strip())
                # CLI11 takes a refusal from a validator or callback as its own exceptions.
                if re.search(r"(?<![\w.>:])throw\b(?!\s+CLI::)", line):
                    self.say(name, number, "throw", "errors are values")
                match = BANNED_NAMES.search(line)
                if match:
                    self.say(name, number, "banned-name", match[1])

    def check_duplicate_types(self):
        """One word per thing: within a program, a type's name belongs to one folder."""
        for program in (("common/", "dataplane/"), ("common/", "controlplane/", "tools/")):
            self._check_duplicate_types(program)

    def _check_duplicate_types(self, program):
        where = defaultdict(set)
        for name in self.files:
            if not name.endswith(".h") or not name.startswith(program):
                continue
            text = without_comments_and_strings(self.read(name))
            for line in text.splitlines():  # Only at namespace level: no indentation.
                match = TYPE.match(line)
                if match and not line.rstrip().endswith(";"):
                    where[match[1]].add(os.path.dirname(name))
        for type_name, folders in sorted(where.items()):
            if len(folders) > 1:
                self.say(sorted(folders)[0], 1, "duplicate-type",
                         f"{type_name} is declared in {', '.join(sorted(folders))}")

    def run(self):
        self.check_includes()
        self.check_headers()
        self.check_sizes()
        self.check_words()
        self.check_calls()
        self.check_duplicate_types()
        return self.problems


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    problems = Tree(root).run()
    for problem in problems:
        print(problem)
    if problems:
        print(f"{len(problems)} problems", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
