#!/usr/bin/python3
"""Each rule of tidy.py can fail, and a plain tree passes."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tidy

GOOD = "// Does one thing.\n#pragma once\n"
LAYERS = {
    "common/CMakeLists.txt": "add_subdirectory(base)\nadd_subdirectory(route)\n",
    "dataplane/CMakeLists.txt": "add_subdirectory(io)  # First.\n# add_subdirectory(gone)\nadd_subdirectory(http)\n",
    "controlplane/CMakeLists.txt": "add_subdirectory(yaml)\n",
}


class TidyTest(unittest.TestCase):
    def problems(self, **files):
        """Rules broken by a tree of these files ("__" in a name stands for "/", "_dot_" for ".")."""
        tree = dict(LAYERS)
        tree.update({k.replace("__", "/").replace("_dot_", "."): v for k, v in files.items()})
        with tempfile.TemporaryDirectory() as root:
            for name, text in tree.items():
                path = os.path.join(root, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "w") as out:
                    out.write(text)
            found = tidy.Tree(root).run()
        return [p.split(": ")[1] for p in found]

    def test_a_plain_tree_passes(self):
        self.assertEqual(self.problems(
            tools__sluicectl__a_dot_h=GOOD + '#include "controlplane/yaml/b.h"\n',
            dataplane__http__a_dot_h=GOOD + '#include <string>\n#include "dataplane/io/b.h"\n'
            '#include "common/route/c.h"\n#include "sluice/v1/route.pb.h"\nstruct A {\n  int system = 0;\n};\n',
            dataplane__main_dot_cc='#include "dataplane/http/a.h"\nint f(A& a) { return a.rand(); }\n'
            '// atoi( and "TO-DO" in words\nconst char* s = "throw system(";\nconst int n = 1\'000;\n'
            '  throw CLI::ValidationError("x");\n'), [])

    def test_include_direction(self):
        for name, line in (("dataplane__io__a_dot_h", '#include "dataplane/http/b.h"'),
                           ("dataplane__io__a_dot_h", '#include "dataplane/gone/b.h"'),
                           ("dataplane__io__a_dot_h", '#include "dataplane/options.h"'),
                           ("dataplane__io__a_dot_h", '#include "controlplane/yaml/b.h"'),
                           ("controlplane__yaml__a_dot_h", '#include "dataplane/io/b.h"'),
                           ("common__base__a_dot_h", '#include "common/route/b.h"'),
                           ("common__route__a_dot_h", '#include "dataplane/io/b.h"'),
                           ("tools__sluicectl__a_dot_h", '#include "controlplane/publish/b.h"'),
                           ("tools__sluicectl__a_dot_h", '#include "dataplane/io/b.h"'),
                           ("dataplane__io__a_dot_h", '#include "../http/b.h"'),
                           ("dataplane__io__a_dot_h", '#include "b.h"')):
            with self.subTest(name=name, line=line):
                self.assertEqual(self.problems(**{name: GOOD + line + "\n"}), ["include-direction"])

    def test_header_shape(self):
        self.assertEqual(self.problems(common__base__a_dot_h="// Purpose.\nint a();\n"), ["pragma-once"])
        self.assertEqual(self.problems(common__base__a_dot_h="#pragma once\n"), ["purpose"])

    def test_hot_paths_owe_a_bench(self):
        hot = "// Picks.\n//\n// Hot path: no locks.\n#pragma once\n"
        self.assertEqual(self.problems(common__base__a_dot_h=hot), ["owed-bench"])
        bench = '#include "common/base/a.h"\n'
        for name in ("common__base__a_bench_dot_cc", "common__base__b_bench_dot_cc"):
            self.assertEqual(self.problems(common__base__a_dot_h=hot, **{name: bench}), [])

    def test_unfinished_marks_and_machine_paths(self):
        for word in ("TO" + "DO", "FIX" + "ME"):
            self.assertEqual(self.problems(common__base__a_dot_cc=f"// {word}: later\n"), ["unfinished"])
        path = "/ho" + "me/someone/x"
        self.assertEqual(self.problems(docs__a_dot_md=f"see {path}\n"), ["machine-path"])

    def test_banned_calls_and_names(self):
        for line, rule in (("int a = atoi(s);", "banned-call"), ("std::system(s);", "banned-call"),
                           ("  ::rand ();", "banned-call"), ("using namespace std;", "using-namespace"),
                           ("  throw 1;", "throw"), ("  throw CLI2::Error();", "throw"), ("class RouteManager {", "banned-name"),
                           ("struct StringUtil {", "banned-name")):
            with self.subTest(line=line):
                self.assertEqual(self.problems(common__base__a_dot_cc=line + "\n"), [rule])

    def test_length(self):
        self.assertEqual(self.problems(common__base__a_dot_cc="int a;\n" * 601), ["length"])
        self.assertEqual(self.problems(common__base__a_dot_cc="int a;\n" * 600), [])

    def test_duplicate_types(self):
        thing = GOOD + "class Thing {\n};\n"
        self.assertEqual(self.problems(common__base__a_dot_h=thing, dataplane__io__b_dot_h=thing),
                         ["duplicate-type"])
        self.assertEqual(self.problems(common__base__a_dot_h=thing,
                                       dataplane__io__b_dot_h=GOOD + "class Thing;\n"), [])
        self.assertEqual(self.problems(controlplane__yaml__a_dot_h=thing, dataplane__io__b_dot_h=thing),
                         [], "two programs")


if __name__ == "__main__":
    unittest.main(verbosity=2)
