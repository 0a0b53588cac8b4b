"""cmake/machine_code.py finds what it is there to find: on excerpts of what cuobjdump prints, and on code of nvcc."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path
from unittest import mock

SCRIPT = Path(__file__).resolve().parents[2] / "cmake" / "machine_code.py"
sys.path.insert(0, str(SCRIPT.parent))
import machine_code  # noqa: E402
from machine_code import LIMITS, Code, resident_blocks, short_name  # noqa: E402

NVCC = os.environ.get("ENSYN_NVCC", "")
CUOBJDUMP = os.environ.get("ENSYN_CUOBJDUMP", "")

RESOURCES = """
Fatbin elf code:
================
arch = sm_75
code version = [1,8]
host = linux
compile_size = 64bit

Resource usage:
 Common:
  GLOBAL:0
 Function _Z14rectify_kernelIfEvPT_:
  REG:14 STACK:0 SHARED:256 LOCAL:0 CONSTANT[2]:16 CONSTANT[0]:416 TEXTURE:0 SURFACE:0 SAMPLER:0
 Function _Z13update_kernelIdEvPT_:
  REG:255 STACK:8 SHARED:0 LOCAL:0 CONSTANT[0]:592 TEXTURE:0 SURFACE:0 SAMPLER:0

Fatbin elf code:
================
arch = sm_90a
code version = [1,8]

Resource usage:
 Common:
  GLOBAL:0
 Function _Z14rectify_kernelIfEvPT_:
  REG:12 STACK:0 SHARED:1280 LOCAL:0 CONSTANT[0]:592 TEXTURE:0 SURFACE:0 SAMPLER:0

Fatbin ptx code:
================
arch = sm_90a
code version = [9,0]
"""

INSTRUCTIONS = """
Fatbin elf code:
================
arch = sm_75
code version = [1,8]

\tcode for sm_75
\t.target\tsm_75

\t\tFunction : _Z14rectify_kernelIfEvPT_
\t.headerflags\t@"EF_CUDA_SM75 EF_CUDA_VIRTUAL_SM(EF_CUDA_SM75)"
        /*0000*/                   IMAD.MOV.U32 R1, RZ, RZ, c[0x0][0x28] ;                     /* 0x00000a00ff017624 */
                                                                                               /* 0x000fe400078e00ff */
        /*0010*/              @!P1 DFMA R2, R2, 0x1, -R7 ;                                     /* 0x0000000102029824 */
                                                                                               /* 0x000fe400078e0a07 */
        /*0020*/             @!UP0 LDL.LU.64 R14, [R1+0x8] ;                                   /* 0x0000080000007947 */
        /*0030*/                   DFMA.RM R2, R2, R4, -R7 ;                                   /* 0x0000000102029824 */
\t\t..........

\t\tFunction : _Z13update_kernelIdEvPT_
        /*12340*/                  CALL.REL.NOINC 0x5b0 ;                                      /* 0x0000000000007944 */
"""

LAUNCH_BOUNDS = """
arch = sm_75
.section .nv.info._Z14rectify_kernelIfEvPT_
.nv.info._Z14rectify_kernelIfEvPT_
\t<0x1>
\tAttribute:\tEIATTR_MAXREG_COUNT
\tFormat:\tEIFMT_HVAL
\tValue:\t0xff
\t<0x2>
\tAttribute:\tEIATTR_MAX_THREADS
\tFormat:\tEIFMT_SVAL
\tValue:\t0x80 0x2 0x1\x20
.nv.info._Z13update_kernelIdEvPT_
\t<0x1>
\tAttribute:\tEIATTR_EXIT_INSTR_OFFSETS
\tFormat:\tEIFMT_SVAL
\tValue:\t0x280 0x221b0 0x22220\x20
arch = sm_90a
.nv.info._Z14rectify_kernelIfEvPT_
\tAttribute:\tEIATTR_MAX_THREADS
\tValue:\t0x200 0x1 0x1\x20
"""


def code_of(*opcodes, **values):
    """A kernel of some instructions."""
    return Code(registers=32, opcodes=Counter(("FADD", *opcodes)), **values)


def findings_of(kernels, exceptions=(), architectures=(), shapes=None):
    """The findings in kernels of sm_90, all of one object."""
    codes = {(kernel, "90"): code for kernel, code in kernels.items()}
    return machine_code.all_findings({"a.o": codes}, list(architectures), shapes, exceptions)


class Parsing(unittest.TestCase):
    def test_resources(self):
        codes = machine_code.parse_resources(RESOURCES.splitlines())
        rectify, update = "_Z14rectify_kernelIfEvPT_", "_Z13update_kernelIdEvPT_"
        self.assertEqual(codes, {
            (rectify, "75"): Code(registers=14, shared=256, constant=432),
            (update, "75"): Code(registers=255, stack=8, constant=592),
            (rectify, "90a"): Code(registers=12, shared=256, constant=592),
        })

    def test_instructions(self):
        self.assertEqual(machine_code.parse_instructions(INSTRUCTIONS.splitlines()), {
            ("_Z14rectify_kernelIfEvPT_", "75"): {"IMAD.MOV.U32": 1, "DFMA": 1, "LDL.LU.64": 1, "DFMA.RM": 1},
            ("_Z13update_kernelIdEvPT_", "75"): {"CALL.REL.NOINC": 1},
        })

    def test_unreadable_instruction(self):
        with self.assertRaisesRegex(ValueError, "not understood"):
            machine_code.parse_instructions(["        /*0010*/    ?!? R1 ;"])

    def test_launch_bounds(self):
        self.assertEqual(machine_code.parse_launch_bounds(LAUNCH_BOUNDS.splitlines()),
                         {("_Z14rectify_kernelIfEvPT_", "75"): 256, ("_Z14rectify_kernelIfEvPT_", "90a"): 512})

    def test_names(self):
        for demangled, short in [
            ("void e::k::(anonymous namespace)::f_kernel<float, 8, 2>(e::k::Args<float>)", "f<float, 8, 2>"),
            ("void f_kernel<double>(A<double> const*, void (*)(A<int>))", "f<double>"),
            ("void f_kernel<(e::Kind)1, e::A<int>, true>(float)", "f<(Kind)1, A<int>, true>"),
            ("e::plain_kernel(float*)", "plain"),
            ("extern_c", "extern_c"),
        ]:
            self.assertEqual(short_name(demangled), short)


class Findings(unittest.TestCase):
    def test_clean(self):
        opcodes = ("LDG.E.64", "STG.E.64.SYS", "I2F.U64.RP", "F2I.U64.TRUNC", "LDC.64", "DEPBAR.LE", "MUFU.RCP",
                   "LDS.64", "ISETP.GE.U64.AND", "F2F.F32.F16", "BRA")
        self.assertEqual(findings_of({"f<float>": code_of(*opcodes, shared=64), "f<double>": code_of("DFMA")}), [])

    def test_local_memory(self):
        for opcode in ("LDL", "LDL.64", "LDL.LU", "STL", "STL.128"):
            for kernel in ("f<float>", "f<double>"):
                self.assertEqual(findings_of({kernel: code_of(opcode, opcode)}),
                                 [f"{kernel} sm_90: 2 x {opcode}: local memory"])

    def test_stack(self):
        self.assertEqual(findings_of({"f<double>": code_of(stack=8, local=16)}),
                         ["f<double> sm_90: stack of 8 bytes", "f<double> sm_90: local memory of 16 bytes"])

    def test_double_precision(self):
        for opcode in ("DADD", "DMUL.RP", "DFMA", "DFMA.RM", "DMMA.8x8x4", "DSETP.GT.AND", "DMNMX", "F2F.F64.F32",
                       "F2F.F32.F64", "F2I.F64.TRUNC", "F2I.U32.F64", "I2F.F64", "I2F.F64.U16", "MUFU.RCP64H",
                       "MUFU.RSQ64H"):
            for kernel in ("f<float, 2>", "doubled<8>", "plain"):
                self.assertEqual(findings_of({kernel: code_of(opcode)}),
                                 [f"{kernel} sm_90: 1 x {opcode}: double precision in a kernel that is not for double"])
            self.assertEqual(findings_of({"f<8, double>": code_of(opcode)}), [])

    def test_exceptions(self):
        self.assertEqual(findings_of({"f<float>": code_of("DADD")}, exceptions=["f"]), [])
        unused = ["exception for f: no kernel needs it"]
        self.assertEqual(findings_of({"g<float>": code_of()}, exceptions=["f"]), unused)
        self.assertEqual(findings_of({"f<float>": code_of(), "f<double>": code_of("DADD")}, exceptions=["f"]), unused)
        self.assertEqual(findings_of({"f<float>": code_of("DADD", "LDL")}, exceptions=["f"]),
                         ["f<float> sm_90: 1 x LDL: local memory"])

    def test_architectures(self):
        self.assertEqual(findings_of({"f<float>": code_of()}, architectures=["75", "90", "120"]),
                         ["f<float> has no code for sm_75", "f<float> has no code for sm_120"])

    def test_nothing_there(self):
        self.assertEqual(machine_code.all_findings({}, [], None, ()), ["no object file"])
        self.assertEqual(findings_of({}), ["a.o: no kernel"])
        self.assertEqual(findings_of({"f<float>": Code()}), ["f<float> sm_90: no instructions"])

    def test_shapes(self):
        kernels = {"f<float>": code_of("LDS", threads=128), "g<float>": code_of()}
        shape = {"threads": 128, "shared": 4096}
        self.assertEqual(findings_of(kernels, shapes={"f<float>": shape}), [])
        self.assertEqual(findings_of(kernels, shapes={}),
                         ["f<float> sm_90: dynamic shared memory, but no launch shape"])
        self.assertEqual(findings_of(kernels, shapes={"f<float>": shape, "f<float, 2>": shape}),
                         ["launch shape of f<float, 2>: no such kernel"])
        self.assertEqual(findings_of(kernels, shapes={"f<float>": {"threads": 256, "shared": 0}}),
                         ["f<float> sm_90: launched with 256 threads, made for 128"])

    def test_shapes_of_architectures(self):
        shapes = {"f<float>": {"80": {"threads": 256, "shared": 64}, "90": {"threads": 512, "shared": 64}}}
        empty = Code(registers=8, opcodes=Counter({"EXIT": 1, "BRA": 1, "NOP": 14}))
        codes = {("f<float>", "75"): empty, ("f<float>", "80"): code_of("LDS", threads=256),
                 ("f<float>", "90a"): code_of("LDS", threads=512)}

        def findings():
            return machine_code.all_findings({"a.o": codes}, [], shapes, ())

        self.assertEqual(findings(), [])
        codes["f<float>", "90a"].threads = 256
        self.assertEqual(findings(), ["f<float> sm_90a: launched with 512 threads, made for 256"])
        codes["f<float>", "90a"].threads = 512
        shapes["f<float>"]["80"]["shared"] = 164 << 10
        self.assertEqual(findings(), ["f<float> sm_80: no block of 256 threads and 167936 bytes fits"])
        shapes["f<float>"]["80"]["shared"] = 163 << 10
        self.assertEqual(findings(), [])
        empty.opcodes["NOP"] = 40
        self.assertEqual(findings(), ["f<float> sm_75: 42 instructions, but never launched there"])


class Table(unittest.TestCase):
    def test_resident_blocks(self):
        # As cudaOccMaxActiveBlocksPerMultiprocessor of cuda_occupancy.h has it.
        for architecture, registers, threads, shared, blocks in [
            (90, 32, 128, 0, 16), (90, 40, 128, 0, 12), (90, 245, 256, 16384, 1), (90, 129, 256, 0, 1),
            (90, 16, 64, 0, 32), (90, 16, 256, 49152, 4), (90, 72, 128, 8192, 7), (75, 32, 128, 0, 8),
            (75, 16, 32, 16384, 4), (86, 40, 128, 49152, 2), (89, 16, 32, 0, 24), (120, 64, 96, 1000, 10),
        ]:
            self.assertEqual(resident_blocks(LIMITS[architecture], registers, threads, shared), blocks)

    def test_rows(self):
        codes = {("f<float>", "75"): code_of(threads=128), ("f<float>", "90"): code_of("LDL", "CALL.REL", threads=128)}
        codes["f<float>", "90"].registers = 40
        text = machine_code.report(codes, {"f<float>": {"threads": 64, "shared": 4096}})
        self.assertIn("| `f<float>` | 64 | 40 | 32-40 | 4096 | 3 | 24 | 48 | 75 % |", text)
        self.assertIn("| `f<float>` | 75 | 32 | 0 | 0 | 0 | 0 | 1 | 0 | 0 | 0 |", text)
        self.assertIn("| `f<float>` | 90 | 40 | 0 | 0 | 0 | 0 | 3 | 1 | 0 | 1 |", text)


def run_main(*arguments, **environment):
    """Exit status and everything printed."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        with mock.patch.dict(os.environ, environment):
            status = machine_code.main(list(map(str, arguments)))
    return status, output.getvalue()


class CommandLine(unittest.TestCase):
    def test_no_tool(self):
        self.assertEqual(run_main("a.o", ENSYN_REQUIRE_MACHINE_CODE="0"),
                         (77, "machine code not checked: no cuobjdump was found\n"))
        self.assertEqual(run_main(ENSYN_REQUIRE_MACHINE_CODE="0")[0], 77)
        self.assertEqual(run_main("a.o", ENSYN_REQUIRE_MACHINE_CODE="1")[0], 1)

    def test_tool_that_fails(self):
        status, output = run_main(__file__, "--cuobjdump", "/bin/false")
        self.assertEqual((status, "machine code: /bin/false -res-usage" in output), (1, True))
        self.assertEqual(run_main(__file__, "--cuobjdump", "/nowhere/cuobjdump")[0], 1)
        self.assertEqual(run_main("--cuobjdump", "/bin/true")[0], 1)


SOURCE = """
template <class T> __global__ void __launch_bounds__(64) clean_kernel(T* x) { x[threadIdx.x] += T(1); }
template <class T> __global__ void array_kernel(T* x, int n) {
  T local[32];
  for (int i = 0; i < 32; ++i) local[(i * n) & 31] = x[i];
  x[threadIdx.x] = local[n & 31];
}
template <class T> __global__ void __launch_bounds__(1024) spill_kernel(const T* x, T* y, int n) {
  T v[128];
  for (int i = 0; i < 128; ++i) v[i] = x[i * n];
  __syncthreads();
  for (int i = 0; i < 128; ++i) y[i * n] = v[i] * v[127 - i];
}
template <class T> __global__ void double_kernel(T* x) { x[threadIdx.x] *= 1.1; }
template <class T> __global__ void root_kernel(T* x) { x[threadIdx.x] = T(sqrt(double(x[threadIdx.x]))); }
template __global__ void KERNEL;
"""
KERNELS = {
    "clean": "clean_kernel(float*)",
    "array": "array_kernel(float*, int)",
    "spill": "spill_kernel(const float*, float*, int)",
    "double": "double_kernel(float*)",
    "root": "root_kernel(float*)",
    "allowed": "double_kernel(double*)",
}


@unittest.skipUnless(NVCC and CUOBJDUMP, "needs nvcc and cuobjdump")
class Compiled(unittest.TestCase):
    """Kernels of which it is known what is wrong with them, compiled for sm_90."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        # The table of exceptions is that of the real kernels.
        exceptions = mock.patch.dict(machine_code.DOUBLE_ON_PURPOSE, clear=True)
        exceptions.start()
        self.addCleanup(exceptions.stop)

    def check(self, kernel, *arguments):
        source, target = self.folder / f"{kernel}.cu", self.folder / f"{kernel}.o"
        if not target.exists():
            source.write_text(SOURCE.replace("KERNEL", KERNELS[kernel]))
            subprocess.run([NVCC, "-std=c++20", "-O3", "-gencode", "arch=compute_90,code=[sm_90,compute_90]", "-c",
                            source, "-o", target], check=True)
        return run_main(target, "--cuobjdump", CUOBJDUMP, *arguments)

    def test_good(self):
        for kernel in ("clean", "allowed"):
            self.assertEqual(self.check(kernel, "--architectures", 90), (0, ""))

    def test_bad(self):
        for kernel, expected in [
            ("array", r"array<float> sm_90: stack of 128 bytes\n(.*\n)*.*array<float> sm_90: \d+ x STL"),
            ("spill", r"spill<float> sm_90: stack of \d+ bytes\n(.*\n)*.*spill<float> sm_90: \d+ x LDL"),
            ("double", r"double<float> sm_90: 1 x DMUL: double precision"),
            ("root", r"root<float> sm_90: \d+ x MUFU.RSQ64H: double precision"),
        ]:
            status, output = self.check(kernel)
            self.assertEqual(status, 1)
            self.assertRegex(output, expected)

    def test_missing_architecture(self):
        self.assertEqual(self.check("clean", "--architectures", 89, 90),
                         (1, "machine code: clean<float> has no code for sm_89\n"))

    def test_stamp_and_table(self):
        stamp, table = self.folder / "stamp", self.folder / "table.md"
        arguments = ("clean", "--stamp", stamp, "--table", table)
        self.assertEqual(self.check(*arguments), (0, ""))
        self.assertRegex(table.read_text(), r"\| `clean<float>` \| 64 \| \d+ \| ")
        self.assertEqual(self.check(*arguments), (0, "machine code checked before\n"))
        self.assertEqual(self.check(*arguments, "--architectures", 80)[0], 1)
        os.utime(self.folder / "clean.o", (4e9, 4e9))
        self.assertEqual(self.check(*arguments), (0, ""))


if __name__ == "__main__":
    unittest.main()
