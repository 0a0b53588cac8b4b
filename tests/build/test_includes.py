"""Which folder may include which. Arrows point down only: a folder may use what stands above it in the table and is named
in its row, so that nothing depends on what is built on top of it, and no two folders need each other."""

import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
API = "include/ensyn include/ensyn/detail"

# From the bottom up: a folder, and the folders whose headers it includes.
TABLE = {
    "include/ensyn/detail": "",
    "include/ensyn": "include/ensyn/detail",
    # The library on the host.
    "host/base": "include/ensyn",
    "host/io": "host/base include/ensyn",
    "host/config": "host/base host/io include/ensyn",
    "host/data": "host/base host/io include/ensyn",
    "host/model": f"host/base {API}",
    "host/science": "host/base include/ensyn",
    # The kernels.
    "kernels/base": API,
    "kernels/device": f"kernels/base {API}",
    "kernels": f"kernels/base kernels/device {API}",
    "kernels/whole": f"kernels/base kernels/device {API}",
    "kernels/whole/resident": "kernels/base kernels/device kernels/whole include/ensyn",
    "kernels/whole/streamed": "kernels/base kernels/device kernels/whole include/ensyn",
    # What computes, and what chooses among them.
    "host/cpu": f"host/base host/model {API}",
    "host/cpu/sets": "host/cpu",
    "host/cuda": f"host/base host/cpu host/model kernels kernels/base kernels/whole kernels/whole/resident "
                 f"kernels/whole/streamed {API}",
    "host/population": f"host/base host/config host/cpu host/cuda host/data host/io host/model {API}",
    # The driver: a user of the library.
    "host/driver/files": "host/base host/io include/ensyn",
    "host/driver/terminal": "host/driver/files host/base include/ensyn",
    "host/driver/settings": "host/driver/files host/base host/io include/ensyn",
    "host/driver/sweep": "host/driver/files host/driver/settings host/driver/terminal host/base host/io include/ensyn",
    "host/driver/bayes": "host/driver/files host/driver/settings host/driver/terminal host/base include/ensyn",
    "host/driver/signatures": "host/driver/files host/driver/settings host/driver/terminal host/base include/ensyn",
    "host/driver/report": "host/driver/files host/driver/settings host/base host/io include/ensyn",
    "host/driver/reproduce": "host/driver/files host/driver/report host/driver/settings "
                             "host/driver/signatures host/driver/terminal host/base host/io "
                             "include/ensyn",
    "host/driver": "host/driver/bayes host/driver/files host/driver/report host/driver/reproduce host/driver/settings "
                   "host/driver/signatures host/driver/sweep host/driver/terminal host/base include/ensyn",
    # Measurements.
    "bench": f"host/cpu {API}",
    "bench/cuda": f"bench host/cpu host/cuda host/io host/model kernels kernels/base kernels/whole kernels/whole/resident "
                  f"kernels/whole/streamed {API}",
    "bench/peers": f"host/cuda kernels/base kernels/device {API}",
    "bench/probe": f"bench/cuda host/cuda host/io kernels/base kernels/device kernels/whole {API}",
}
SOURCE = re.compile(r"\.(h|cpp|cu|inl)$")
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.MULTILINE)


def folder(path):
    return str(Path(path).parent)


def includes(files, read):
    """Each inclusion of one of `files` by another, as (source, header)."""
    for source in sorted(files):
        for name in INCLUDE.findall(read(source)):
            # In the order of the build's search: beside the source, then in its include folders.
            for place in (folder(source), "", "include", "kernels"):
                header = str(Path(place, name))
                if header in files:
                    yield source, header
                    break


def violations(files, read, table):
    """What is included against the table, and sources in folders that it does not have."""
    found = [f"{source}: {folder(source)} is not in the table" for source in sorted(files) if folder(source) not in table]
    for source, header in includes(files, read):
        below = table.get(folder(source), "").split()
        if folder(header) != folder(source) and folder(header) not in below:
            found.append(f"{source} includes {header}: {folder(source)} may not include {folder(header)}")
    return found


class Includes(unittest.TestCase):
    def test_they_follow_the_table(self):
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
        files = {name for name in listed if SOURCE.search(name) and not name.startswith("tests/")
                 and (ROOT / name).is_file()}
        self.assertGreater(len(list(includes(files, lambda name: (ROOT / name).read_text()))), 500)
        self.assertEqual(violations(files, lambda name: (ROOT / name).read_text(), TABLE), [])

    def test_arrows_of_the_table_point_down(self):
        above = set()
        for name, below in TABLE.items():
            self.assertEqual([one for one in below.split() if one not in above], [], name)
            above.add(name)

    def test_an_arrow_upwards_is_found(self):
        text = {"host/io/a.h": '#include "host/io/b.h"\n', "host/io/b.h": '#  include <ensyn/c.h>\n',
                "include/ensyn/c.h": '#include "host/io/a.h"\n', "elsewhere/d.h": ""}
        self.assertEqual(violations(set(text), text.get, TABLE),
                         ["elsewhere/d.h: elsewhere is not in the table",
                          "include/ensyn/c.h includes host/io/a.h: include/ensyn may not include host/io"])


if __name__ == "__main__":
    unittest.main()
