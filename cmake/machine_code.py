#!/usr/bin/env python3
"""Checks the machine code of CUDA kernels, and writes a table of what they use.

    machine_code.py OBJECT... --cuobjdump PATH [--architectures 75 80 ...] [--shapes FILE.json] [--table FILE.md]
                    [--stamp FILE]

Reads object files of nvcc with NVIDIA's cuobjdump, which calls nvdisasm; needs no GPU. Exit status 1, and a line for
each finding, when
  - a kernel has a stack, or spills registers, or reads or writes local memory otherwise;
  - a kernel that is not instantiated for double computes in double, except those of DOUBLE_ON_PURPOSE;
  - a kernel lacks one of the architectures, an object has no kernel, or an exception excuses nothing;
  - the host's launch shapes (tests/build/launch_shapes.cpp) do not fit the kernels or the device, or a kernel does
    something on an architecture on which it is never launched.
The stamp is written when nothing is found, and the check not repeated while nothing is newer. With an empty --cuobjdump
the status is 77, which ctest reads as skipped, or 1 where ENSYN_REQUIRE_MACHINE_CODE=1.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple, Optional, Tuple, Union

# Kernels that compute in double whatever the networks' precision, and why.
DOUBLE_ON_PURPOSE = {
    "finish_step": "a few scalars of each network, in the order and precision of the CPU backend",
    "initialize": "runs once, rounds once",
    "resident_training": "as finish_step, at the end of each step",
    "streamed_training": "as finish_step, at the end of each step",
}

# DADD, DFMA.RM, DSETP.GT.AND, F2F.F64.F32, I2F.F64.U16, MUFU.RCP64H; but not I2F.U64 or LDG.E.64, which are integers.
DOUBLE = re.compile(r"D(ADD|MUL|FMA|MMA|SETP|SET|MNMX)\b|\w+(\.\w+)*\.F64\b|MUFU\.\w+64H")
LOCAL = re.compile(r"(LD|ST)L\b")
SHARED = re.compile(r"(LD|ST|ATOM)S\b|LDSM\b|STSM\b")
CALL = re.compile(r"CALL\b")
RESERVED_SHARED = 1024  # bytes of each block that CUDA takes for itself from sm_80 on


class Limits(NamedTuple):
    """What one multiprocessor holds at a time."""

    threads: int
    blocks: int
    shared: int  # bytes, of which RESERVED_SHARED go to each block
    reserved: int = RESERVED_SHARED
    shared_unit: int = 128


# CUDA C++ Programming Guide, "Technical Specifications per Compute Capability"; units of allocation and blocks as in
# the toolkit's cuda_occupancy.h.
LIMITS = {
    75: Limits(threads=1024, blocks=16, shared=64 << 10, reserved=0, shared_unit=256),
    80: Limits(threads=2048, blocks=32, shared=164 << 10),
    86: Limits(threads=1536, blocks=16, shared=100 << 10),
    89: Limits(threads=1536, blocks=24, shared=100 << 10),
    90: Limits(threads=2048, blocks=32, shared=228 << 10),
    100: Limits(threads=2048, blocks=32, shared=228 << 10),
    120: Limits(threads=1536, blocks=24, shared=100 << 10),
}
TABLE_ARCHITECTURE = "90"  # or the first there is
WARP, REGISTERS, REGISTER_UNIT, PARTITIONS = 32, 65536, 256, 4


@dataclass
class Code:
    """The code of one kernel for one architecture."""

    registers: int = 0
    stack: int = 0
    local: int = 0
    shared: int = 0  # static, in bytes
    constant: int = 0
    threads: int = 0  # launch bounds; 0: none
    opcodes: Counter = field(default_factory=Counter)

    def matching(self, pattern: "re.Pattern[str]") -> List[Tuple[str, int]]:
        """Instructions of some kinds, with their numbers."""
        return sorted((opcode, n) for opcode, n in self.opcodes.items() if pattern.match(opcode))

    def count(self, pattern: "re.Pattern[str]" = re.compile("")) -> int:
        """Number of these; without a pattern, of all."""
        return sum(n for _, n in self.matching(pattern))


Codes = Dict[Tuple[str, str], Code]  # by kernel and architecture
Shape = Dict[str, int]  # threads of a block, dynamic shared memory in bytes
# By kernel; or by kernel and the number of the architecture, for kernels that are launched on these only.
Shapes = Dict[str, Union[Shape, Dict[str, Shape]]]
MOST_OF_EMPTY = 32  # instructions of a kernel without a body, with what fills up its last line of code


def number_of(architecture: str) -> int:
    """90 of `90a`."""
    return int(re.sub(r"\D.*", "", architecture))


def parse_resources(lines: Iterable[str]) -> Codes:
    """What `cuobjdump -res-usage` says, by mangled name and architecture."""
    codes: Codes = {}
    architecture = kernel = ""
    for line in lines:
        if line.startswith("arch ="):
            architecture = line.split("sm_")[1].strip()
        elif line.startswith(" Function "):
            kernel = line.split()[1].rstrip(":")
        elif "REG:" in line:
            numbers = {name: int(value) for name, value in re.findall(r"(\w+)(?:\[\d+\])?:(\d+)", line)}
            constant = sum(int(value) for value in re.findall(r"CONSTANT\[\d+\]:(\d+)", line))
            # From Hopper on the figure includes what is reserved, for kernels that use shared memory at all.
            reserved = min(numbers["SHARED"], RESERVED_SHARED) if number_of(architecture) >= 90 else 0
            codes[kernel, architecture] = Code(registers=numbers["REG"], stack=numbers["STACK"], local=numbers["LOCAL"],
                                               shared=numbers["SHARED"] - reserved, constant=constant)
    return codes


def parse_instructions(lines: Iterable[str]) -> Dict[Tuple[str, str], Counter]:
    """Opcodes of `cuobjdump -sass`, by mangled name and architecture."""
    result: Dict[Tuple[str, str], Counter] = {}
    architecture, opcodes = "", Counter()
    instruction = re.compile(r"\s+/\*[0-9a-f]{4,}\*/\s+(?:\{\s*)?(?:@!?\w+\s+)?([A-Z][\w.]*)?")
    for line in lines:
        if match := instruction.match(line):
            if match[1] is None:
                raise ValueError(f"not understood: {line.strip()}")
            opcodes[match[1]] += 1
        elif "code for sm_" in line:
            architecture = line.split("sm_")[1].strip()
        elif "Function : " in line:
            opcodes = result[line.split()[-1], architecture] = Counter()
    return result


def parse_launch_bounds(lines: Iterable[str]) -> Dict[Tuple[str, str], int]:
    """Largest blocks by mangled name and architecture, of `cuobjdump -elf`; without those of no launch bounds."""
    result: Dict[Tuple[str, str], int] = {}
    architecture, kernel, wanted = "", "", False
    for line in lines:
        if line.startswith("arch ="):
            architecture = line.split("sm_")[1].strip()
        elif line.startswith(".nv.info."):
            kernel = line.strip()[len(".nv.info."):]
        elif "Attribute:" in line:
            wanted = line.split()[-1] in ("EIATTR_MAX_THREADS", "EIATTR_REQNTID")
        elif wanted and "Value:" in line:
            x, y, z = (int(value, 16) for value in line.split()[1:4])
            result[kernel, architecture] = x * y * z
    return result


def short_name(demangled: str) -> str:
    """`void a::(anonymous namespace)::f_kernel<float, 2>(...)` becomes `f<float, 2>`."""
    name = re.sub(r"\(anonymous namespace\)::|\b\w+::|^void ", "", demangled)
    match = re.match(r"(\w+?)(?:_kernel)?(<.*?>)?(\(|$)", name)
    return match[1] + (match[2] or "") if match else name


def lines_of(cuobjdump: str, *arguments: str) -> Iterable[str]:
    """The output of cuobjdump, line by line, since it can be 100 MB. nvdisasm is looked for beside it first."""
    path = os.pathsep.join([str(Path(cuobjdump).parent), os.environ.get("PATH", "")])
    with subprocess.Popen([cuobjdump, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={**os.environ, "PATH": path}) as process:
        yield from process.stdout
        errors = process.stderr.read()
    if process.returncode != 0:
        raise RuntimeError(f"{cuobjdump} {' '.join(arguments)}: {errors.strip()}")


def read_object(cuobjdump: str, path: str) -> Codes:
    """All kernels of one object file."""
    resources = parse_resources(lines_of(cuobjdump, "-res-usage", path))
    if not resources:
        return {}
    instructions = parse_instructions(lines_of(cuobjdump, "-sass", path))
    bounds = parse_launch_bounds(lines_of(cuobjdump, "-elf", path))
    names = "\n".join(kernel for kernel, _ in resources)
    demangled = subprocess.run(["c++filt"], input=names, capture_output=True, text=True, check=True).stdout.splitlines()
    codes: Codes = {}
    for ((kernel, architecture), code), name in zip(resources.items(), demangled):
        code.opcodes = instructions.get((kernel, architecture), Counter())
        code.threads = bounds.get((kernel, architecture), 0)
        codes[short_name(name), architecture] = code
    return codes


def merged(objects: Dict[str, Codes]) -> Codes:
    """The kernels of all objects, architectures in order."""
    items = [item for codes in objects.values() for item in codes.items()]
    return dict(sorted(items, key=lambda item: (item[0][0], number_of(item[0][1]), item[0][1])))


def local_findings(codes: Codes) -> List[str]:
    """Stacks, spills and other local memory, and kernels of which nothing was read."""
    found = []
    for (kernel, architecture), code in codes.items():
        what = [f"{name} of {n} bytes" for name, n in (("stack", code.stack), ("local memory", code.local)) if n]
        what += [f"{n} x {opcode}: local memory" for opcode, n in code.matching(LOCAL)]
        what += [] if code.opcodes else ["no instructions"]
        found += [f"{kernel} sm_{architecture}: {item}" for item in what]
    return found


def double_findings(codes: Codes, exceptions: Iterable[str]) -> List[str]:
    """Double precision in kernels that are not for double, and exceptions that no kernel needs."""
    found, needed = [], set()
    for (kernel, architecture), code in codes.items():
        family, *arguments = re.split(r"[<>, ]+", kernel)
        doubles = [] if "double" in arguments else code.matching(DOUBLE)
        if family in exceptions and doubles:
            needed.add(family)
        elif doubles:
            found += [f"{kernel} sm_{architecture}: {n} x {opcode}: double precision in a kernel that is not for double"
                      for opcode, n in doubles]
    return found + [f"exception for {family}: no kernel needs it" for family in exceptions if family not in needed]


def shape_of(shapes: Shapes, kernel: str, architecture: str) -> Optional[Shape]:
    """How a kernel is launched on an architecture, where that is known."""
    shape = shapes.get(kernel)
    return shape if shape is None or "threads" in shape else shape.get(str(number_of(architecture)))


def shape_findings(codes: Codes, shapes: Shapes) -> List[str]:
    """Shapes that fit no kernel, or not theirs, and kernels with dynamic shared memory of unknown size."""
    unknown = sorted(shapes.keys() - {kernel for kernel, _ in codes})
    found = [f"launch shape of {kernel}: no such kernel" for kernel in unknown]
    for (kernel, architecture), code in codes.items():
        shape = shape_of(shapes, kernel, architecture)
        threads = shape["threads"] if shape else 0
        if 0 < code.threads < threads:
            found.append(f"{kernel} sm_{architecture}: launched with {threads} threads, made for {code.threads}")
        limits = LIMITS.get(number_of(architecture))
        if shape and limits and resident_blocks(limits, code.registers, threads, shape["shared"] + code.shared) == 0:
            found.append(f"{kernel} sm_{architecture}: no block of {threads} threads and {shape['shared']} bytes fits")
        if shape is None and code.shared == 0 and code.count(SHARED) > 0:
            found.append(f"{kernel} sm_{architecture}: dynamic shared memory, but no launch shape")
        if kernel in shapes and shape is None and code.count() > MOST_OF_EMPTY:
            found.append(f"{kernel} sm_{architecture}: {code.count()} instructions, but never launched there")
    return found


def all_findings(objects: Dict[str, Codes], architectures: List[str], shapes: Optional[Shapes] = None,
                 exceptions: Iterable[str] = DOUBLE_ON_PURPOSE) -> List[str]:
    """Everything that is wrong, in a fixed order."""
    found = [] if objects else ["no object file"]
    for path in sorted(objects):
        kernels = sorted({kernel for kernel, _ in objects[path]})
        found += [] if kernels else [f"{path}: no kernel"]
        found += [f"{kernel} has no code for sm_{architecture}" for kernel in kernels for architecture in architectures
                  if (kernel, architecture) not in objects[path]]
    codes = merged(objects)
    found += local_findings(codes) + double_findings(codes, exceptions)
    return found + ([] if shapes is None else shape_findings(codes, shapes))


def resident_blocks(limits: Limits, registers: int, threads: int, shared: int) -> int:
    """Blocks that a multiprocessor holds at a time, as NVIDIA's cuda_occupancy.h counts them."""
    warps = -(-threads // WARP)
    registers_of_warp = -(-registers * WARP // REGISTER_UNIT) * REGISTER_UNIT
    by_registers = REGISTERS // PARTITIONS // registers_of_warp * PARTITIONS // warps
    shared_of_block = -(-(shared + limits.reserved) // limits.shared_unit) * limits.shared_unit
    return min(limits.blocks, limits.threads // WARP // warps, by_registers, limits.shared // max(shared_of_block, 1))


def markdown(head: List[str], rows: Iterable[List[object]]) -> str:
    """A table; all columns but the first are numbers."""
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "".join(f"| {' | '.join(map(str, cells))} |\n" for cells in lines)


def occupancy_row(kernel: str, architecture: str, codes: Codes, shapes: Shapes) -> List[object]:
    """One kernel on one architecture, with its registers on all."""
    code, limits = codes[kernel, architecture], LIMITS[number_of(architecture)]
    registers = [other.registers for (name, _), other in codes.items() if name == kernel]
    shape = shape_of(shapes, kernel, architecture) or {"threads": code.threads or 1024, "shared": 0}
    threads, shared = shape["threads"], shape["shared"] + code.shared
    blocks = resident_blocks(limits, code.registers, threads, shared)
    warps = blocks * -(-threads // WARP)
    return [f"`{kernel}`", threads, code.registers, f"{min(registers)}-{max(registers)}", shared, code.count(), blocks,
            warps, f"{100 * warps * WARP // limits.threads} %"]


def report(codes: Codes, shapes: Shapes) -> str:
    """Markdown: occupancy on one architecture, then the figures of all."""
    known = {architecture for _, architecture in codes if number_of(architecture) in LIMITS}
    chosen = TABLE_ARCHITECTURE if TABLE_ARCHITECTURE in known else min(known, key=number_of, default="")
    occupancy = markdown(
        ["kernel", "threads", "registers", "of all", "shared", "instructions", "blocks", "warps", "occupancy"],
        [occupancy_row(*key, codes, shapes) for key in codes if key[1] == chosen])
    figures = markdown(
        ["kernel", "sm", "registers", "shared", "stack", "local", "constant", "instructions", "LDL and STL",
         "double precision", "calls"],
        [[f"`{kernel}`", architecture, code.registers, code.shared, code.stack, code.local, code.constant, code.count(),
          code.count(LOCAL), code.count(DOUBLE), code.count(CALL)]
         for (kernel, architecture), code in codes.items()])
    return f"""# Machine code of the kernels

On sm_{chosen}; the range of registers is over all architectures. Shared memory is static and dynamic, in bytes; blocks,
warps and occupancy are those of a multiprocessor.

{occupancy}
## All architectures

Memory in bytes, shared memory only where static; then numbers of instructions.

{figures}"""


def parse_arguments(arguments: Optional[List[str]]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("objects", nargs="*", metavar="OBJECT")
    parser.add_argument("--cuobjdump", default="", metavar="PATH")
    parser.add_argument("--architectures", nargs="+", default=[], metavar="NUMBER", help="that each kernel must have")
    for name in ("shapes", "table", "stamp"):
        parser.add_argument("--" + name, type=Path, metavar="FILE")
    return parser.parse_args(arguments)


def check(options: argparse.Namespace) -> List[str]:
    """Writes the table and gives the findings."""
    shapes = json.loads(options.shapes.read_text()) if options.shapes else None
    # The largest files first, so that no thread ends long after the others.
    paths = sorted(options.objects, key=os.path.getsize, reverse=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = dict(zip(paths, pool.map(lambda path: read_object(options.cuobjdump, path), paths)))
    if options.table:
        options.table.write_text(report(merged(objects), shapes or {}))
    return all_findings(objects, options.architectures, shapes)


def is_up_to_date(stamp: Optional[Path], content: str, inputs: List[str]) -> bool:
    """Whether the same check has passed since the inputs were made."""
    return (stamp is not None and stamp.exists() and stamp.read_text() == content
            and all(os.path.getmtime(path) <= stamp.stat().st_mtime for path in inputs))


def main(arguments: Optional[List[str]] = None) -> int:
    """The exit status."""
    options = parse_arguments(arguments)
    if not options.cuobjdump:
        print("machine code not checked: " + ("no cuobjdump was found" if options.objects else "no CUDA kernels here"))
        return 1 if os.environ.get("ENSYN_REQUIRE_MACHINE_CODE") == "1" else 77
    content = f"{options}\n"
    if is_up_to_date(options.stamp, content, [__file__, *options.objects, *filter(None, [options.shapes])]):
        print("machine code checked before")
        return 0
    try:
        findings = check(options)
    except (OSError, ValueError, RuntimeError) as error:
        findings = [str(error)]
    for finding in findings:
        print("machine code: " + finding, file=sys.stderr)
    if not findings and options.stamp:
        options.stamp.write_text(content)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
