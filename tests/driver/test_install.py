"""The installed package: headers that stand alone, and a program of another project that links the library."""

import os
import shlex
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

BUILD, EXAMPLE = Path(os.environ["ENSYN_BUILD"]), Path(os.environ["ENSYN_EXAMPLE"])
CMAKE, CXX = os.environ.get("CMAKE", "cmake"), os.environ.get("CXX", "c++")
CXXFLAGS = os.environ.get("CXXFLAGS", "").split()


def run(*command, **options):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if result.returncode != 0:
        raise AssertionError(f"{shlex.join(map(str, command))} gave {result.returncode}:\n{result.stdout}")
    return result.stdout


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="install-", dir=BUILD))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.prefix = cls.folder / "prefix"
        run(CMAKE, "--install", BUILD, "--prefix", cls.prefix)

    def check_example(self, program, **options):
        text = run(program, **options)
        self.assertRegex(text, r"^accuracy 0\.[89]\d*, sigma [0-9.]+\n$")

    def test_find_package(self):
        build = self.folder / "example"
        run(CMAKE, "-S", EXAMPLE, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DCMAKE_CXX_COMPILER={CXX}",
            "-DCMAKE_CXX_FLAGS=" + " ".join(["-Wall", "-Wextra", "-Werror", *CXXFLAGS]))
        run(CMAKE, "--build", build)
        self.check_example(build / "example")

    def test_package_asks_for_no_other_library(self):
        (targets,) = self.prefix.glob("**/ensynTargets.cmake")
        for name in ["hwy", "ZLIB", "nlohmann", "Threads", "CUDA"]:
            self.assertNotIn(name, targets.read_text())

    @unittest.skipUnless(shutil.which("pkg-config"), "needs pkg-config")
    def test_pkg_config(self):
        # Moved, to see that nothing remembers where it was installed.
        moved = self.folder / "moved"
        shutil.copytree(self.prefix, moved, symlinks=True)
        (description,) = moved.glob("**/ensyn.pc")
        environment = {**os.environ, "PKG_CONFIG_PATH": str(description.parent)}
        flags = run("pkg-config", "--cflags", "--libs", "ensyn", env=environment).split()
        program = self.folder / "example-pc"
        run(CXX, "-std=c++20", *CXXFLAGS, EXAMPLE / "main.cpp", "-o", program, *flags)
        (library,) = moved.glob("**/libensyn.so")
        self.check_example(program, env={**os.environ, "LD_LIBRARY_PATH": str(library.parent)})

    def test_headers_stand_alone(self):
        headers = sorted((self.prefix / "include").glob("**/*.h"))
        self.assertGreater(len(headers), 8)
        for header in headers:
            run(CXX, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-x", "c++",
                "-I", self.prefix / "include", "-include", header, "/dev/null")

    def test_readme_shows_the_example(self):
        program = (EXAMPLE / "main.cpp").read_text().split("\n", 1)[1]
        self.assertIn(program, (EXAMPLE / "../../README.md").read_text())

    def test_driver(self):
        self.assertIn("noise contract", run(self.prefix / "bin" / "ensyn", "info"))


if __name__ == "__main__":
    unittest.main()
