#!/usr/bin/env python3
"""Plants faults in the kernels, one at a time, and asserts that their tests fail.

Each mutant replaces one text, which must stand in its file exactly once, in a copy of a kernel's source; the copy is
compiled for the emulation (tests/simt), plain or for the race detector, and linked with the tests' prebuilt objects.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile

JOBS = 2
RUN_TIMEOUT_S = 60
RACE = "race on "  # begins the race detector's report


@dataclasses.dataclass(frozen=True)
class Mutant:
    name: str
    file: str  # under kernels/
    text: str
    replacement: str
    tests: str  # gtest filter
    unit: str = ""  # kernel to compile, where `file` is a header
    variant: str = "plain"
    level: str = "-O1"  # of optimisation


def whole(name, file, text, replacement, cases="pixels", tests="WholeNetworkSingleTest", unit="streamed_training.cu",
          **others):
    """A mutant of what trains whole networks, which is long to compile."""
    return Mutant(name, file, text, replacement, "All/{0}.*/{1}:All/{0}.*/{1}_shared".format(tests, cases),
                  "" if file.endswith(".cu") else unit, level="-O0", **others)


def resident(name, file, text, replacement):
    """As above, of networks that clusters hold."""
    return whole("resident: " + name, "device/resident/" + file, text, replacement, tests="WholeNetworkResidentTest",
                 unit="resident_training.cu")


def evaluation(name, text, replacement, **others):
    return Mutant(name, "population_evaluation.cu", text, replacement, EVALUATION, level="-O0", **others)


FORWARD = "NoisyForwardTest/0.*"
BACKWARD = "NoisyBackwardTest/0.*"
UPDATE = "ParameterUpdateTest/0.*:-*Largest*"
HOMOGENEOUS = "HomogeneousUpdateTest/0.*:-*Largest*"
LOSS = "CrossEntropyTest/0.AgreesWithTheOracle:CrossEntropyTest/0.*Tie*"
SQUARES = "SquaredErrorTest/0.*"
FINISH = "FinishStepTest/0.*"
INITIALIZE = "InitializeTest/0.*"
STATISTICS = "GradientStatisticsTest/0.*"
MATERIALIZE = "MaterializeTest/0.*"
EVALUATION = "PopulationEvaluationTest/0.*"
DENSE = "DenseTest/0.*"
TILES = "TileStateTest/0.*"

BARRIER = "    __syncthreads();\n"
HALVES = "for (int n = kLanes / 2; n >= 1; n /= 2) sum = sum"
SOFTMAX_HALVES = HALVES.replace("kLanes", "kSoftmaxLanes")

MUTANTS = [
    # Barriers and buffers.
    Mutant("forward without its barrier", "noisy_forward.cu", BARRIER, "", FORWARD),
    Mutant("forward without its barrier, race detector", "noisy_forward.cu", BARRIER, "", FORWARD, variant="race"),
    Mutant("backward without its barrier", "noisy_backward.cu", BARRIER, "", BACKWARD),
    Mutant("homogeneous update without its barrier", "homogeneous_update.cu", BARRIER, "", HOMOGENEOUS, variant="race"),
    Mutant("homogeneous update with one buffer", "homogeneous_update.cu",
           "first += kColumns, buffer ^= 1)", "first += kColumns)", HOMOGENEOUS, variant="race"),
    Mutant("forward draws into the buffer that is read", "noisy_forward.cu",
           "(shared.weights[buffer ^ 1],", "(shared.weights[buffer],", FORWARD),
    Mutant("end of step without its barrier", "finish_step.cu", "  __syncthreads();\n", "", FINISH, variant="race"),
    # Shared phi.
    Mutant("a row's sum from another row", "homogeneous_update.cu", "const int row = thread / kLanes;\n",
           "const int row = 0;\n", HOMOGENEOUS),
    Mutant("rows' sums where the fours' are", "homogeneous_update.cu", "parts[kRows * four + thread", "parts[four + thread",
           HOMOGENEOUS),
    Mutant("later layers' sums over the first ones'", "homogeneous_update.cu", "args.first_four + ", "", HOMOGENEOUS),
    Mutant("each row's phi from the first row", "device/quad.h", "? 3 * (row + i) : at", "? 0 : at", MATERIALIZE,
           "materialize.cu"),
    Mutant("a layer's phi from the first layer", "device/quad.h", "? layer.layer_group", "? 0", MATERIALIZE,
           "materialize.cu"),
    Mutant("phi of another network", "device/quad.h", "3 * (constants.first_phi + group)", "3 * group", MATERIALIZE,
           "materialize.cu"),
    Mutant("as many groups as threads", "finish_step.cu", "g += kPhiThreads", "g += 1000", FINISH),
    Mutant("a group's phi divided by another's size", "finish_step.cu", "sum, group.size", "sum, groups[0].size", FINISH),
    # Tails.
    Mutant("forward leaves out the last column of a chunk", "noisy_forward.cu",
           "min(columns - first, Shared", "min(columns - first - 1, Shared", FORWARD),
    Mutant("forward writes a row too many", "noisy_forward.cu",
           "first_row + r >= layer.rows) continue", "first_row + r > layer.rows) continue", FORWARD),
    Mutant("forward counts a short minibatch as whole", "noisy_forward.cu",
           "min(args.batch, args.examples - examples.minibatch * args.batch)", "args.batch", FORWARD),
    Mutant("backward writes an example too many", "noisy_backward.cu",
           "if (example >= args.batch) continue;", "if (example > args.batch) continue;", BACKWARD),
    Mutant("a quad's column beyond the layer", "device/quad.h",
           "column + j < layer.columns) visit", "column + j <= layer.columns) visit", MATERIALIZE, "materialize.cu"),
    Mutant("initial values beyond the last row", "initialize.cu",
           "if (row + i >= layer.rows || column", "if (column", INITIALIZE),
    # Noise.
    Mutant("quads of a row rounded down", "device/quad.h", "((columns + 1) / 2)", "(columns / 2)", MATERIALIZE,
           "materialize.cu"),
    Mutant("tensor not in the noise", "device/quad.h", "static_cast<std::uint64_t>(tensor) << 40 | ", "", MATERIALIZE,
           "materialize.cu"),
    Mutant("step of the noise off by one", "device/quad.h", "step | constants.stream", "(step + 1) | constants.stream",
           UPDATE, "parameter_update.cu"),
    Mutant("initial values from the wrong purpose", "initialize.cu", "kPurpose = 2", "kPurpose = 3", INITIALIZE),
    Mutant("sine and cosine swapped", "device/quad.h", "{upper.first, upper.second}", "{upper.second, upper.first}",
           BACKWARD, "noisy_backward.cu"),
    Mutant("one noise for all minibatches", "device/quad.h", "draw.step + static_cast<std::uint64_t>(minibatch)",
           "draw.step", FORWARD, "noisy_forward.cu"),
    # Laws.
    Mutant("binomial weights of one word", "device/quad.h", "static_cast<T>(words.y)}", "static_cast<T>(words.x)}",
           MATERIALIZE, "materialize.cu"),
    Mutant("binomial weights from normals", "device/quad.h", "if (law == NoiseLaw::binomial) {", "if (false) {",
           MATERIALIZE, "materialize.cu"),
    Mutant("vesicles not looked at", "device/quad.h", "source.vesicles = constants.vesicles;", "source.vesicles = 4;",
           FORWARD, "noisy_forward.cu"),
    Mutant("log-normal weights taken for gaussian", "device/quad.h", "if (law == NoiseLaw::log_normal)", "if (false)",
           BACKWARD, "noisy_backward.cu"),
    Mutant("forward knows no law but the gaussian", "noisy_forward.cu", "kExamples, true>",
           "kExamples, false>", FORWARD),
    Mutant("slope of mu left out", "parameter_update.cu", "g * w.mu_slope", "g", UPDATE),
    Mutant("slope of sigma left out", "parameter_update.cu", "      sigma_slope = w.sigma_slope;\n", "", UPDATE),
    # Sums and formulas.
    Mutant("bias input 0", "noisy_forward.cu", "columns - 1 ? T(1) : x", "columns - 1 ? T(0) : x", FORWARD),
    Mutant("forward adds half of the lanes", "noisy_forward.cu", HALVES, HALVES.replace("/ 2;", "/ 4;", 1), FORWARD),
    Mutant("loss adds half of the lanes", "device/softmax.h", SOFTMAX_HALVES, SOFTMAX_HALVES.replace("/ 2;", "/ 4;", 1),
           LOSS, "cross_entropy.cu"),
    Mutant("ties go to the higher class", "device/softmax.h", "other_best < best", "other_best > best", LOSS,
           "cross_entropy.cu"),
    Mutant("squares add half of the lanes", "squared_error.cu", HALVES, HALVES.replace("/ 2;", "/ 4;", 1), SQUARES),
    Mutant("targets of another example", "squared_error.cu", "args.targets + example_of(args.inputs, network, step, args.batch, b) *",
           "args.targets + std::int64_t{b} *", SQUARES),
    Mutant("the likelihood's constant left out", "squared_error.cu", "sum + args.constant", "sum", SQUARES),
    Mutant("second row of a quad's gradient", "device/gradient.h", "lower = min(row + 1, of.layer.rows - 1)",
           "lower = row", STATISTICS, "gradient_statistics.cu"),
    Mutant("costs not in the gradient", "device/adam.h", "cost * sigma.derivative", "T(0) * cost", UPDATE,
           "parameter_update.cu"),
    Mutant("sigma's derivative left out", "device/adam.h", "sigma_slope * sigma.derivative,", "sigma_slope,", UPDATE,
           "parameter_update.cu"),
    Mutant("magnitude cost left out", "device/adam.h", "constants.magnitude, constants", "T(0), constants", UPDATE,
           "parameter_update.cu"),
    Mutant("backward without its mask", "noisy_backward.cu", "args.activation == nullptr ||", "true ||", BACKWARD),
    Mutant("order of another network", "device/views.h", "network * inputs.order_network_stride + ", "", DENSE,
           "dense.cu"),
    Mutant("Adam's rates not advanced", "finish_step.cu", "    progress.adam = rates_of(constants, progress.step);\n",
           "", FINISH),
    Mutant("divergence not noted", "finish_step.cu", "    progress.diverged_at = progress.step;\n", "", FINISH),
    # Tiles.
    Mutant("an element beyond the layer in a tile", "tile_state.cu",
           "column + j < layer.columns;", "column + j <= layer.columns;", TILES),
    Mutant("upper and lower row of a quad swapped", "tile_state.cu", "tile[2 * i + j]", "tile[2 * (1 - i) + j]", TILES),
    Mutant("moments of phi into tiles as those of mu", "tile_state.cu", "parameters.phi, parameters.phi_moment1,",
           "parameters.phi, parameters.mu_moment1,", TILES),
    # Whole networks: products.
    whole("split forward product without the lower weights", "device/tile_product.h",
          "    tensor_product(c, a.low, high);\n", "", "numbers"),
    whole("split product without the lower inputs", "device/tile_product.h",
          "    tensor_product(c, a.high, low);\n", "",
          "numbers"),
    whole("pixels' product without the lower weights", "device/tile_product.h",
          "    tensor_product(c, a.low, b);\n", ""),
    whole("pixels' product without the higher weights", "device/tile_product.h",
          "    tensor_product(c, a.high, b);\n", ""),
    whole("backward operand not transposed", "device/tile_product.h",
          "a.set(1, w.of[0][1]), a.set(2, w.of[1][0])", "a.set(1, w.of[1][0]), a.set(2, w.of[0][1])"),
    whole("sums of one warp alone", "device/warp_sums.h", "w < sharers.warps; ++w", "w < 1; ++w"),
    # Pixels and biases.
    whole("no shift of pixels forward", "device/streamed/pass.h", "detail::fused(ones, inputs.shift, bias)", "bias"),
    whole("no bias beside pixels", "device/streamed/pass.h", "detail::fused(ones, inputs.shift, bias)",
          "ones * inputs.shift"),
    whole("no shift of pixels in the gradient", "device/streamed/pass.h", "T(1) : inputs.shift;", "T(1) : T(0);"),
    whole("bias column's gradient as a pixel's", "device/streamed/pass.h",
          "is_bias ? T(1) : inputs.shift", "inputs.shift"),
    whole("no input of hidden biases", "device/streamed/pass.h",
          "!block.is_last(l) ? T(1) : T(0);", "false ? T(1) : T(0);"),
    whole("pixels of another example", "device/whole_network.h",
          "bytes + minibatch.example(b) * features + at", "bytes + std::int64_t{b} * features + at"),
    whole("labels of another example", "device/whole_network.h", "of.labels[minibatch.example(b)]", "of.labels[b]"),
    whole("targets of another example", "device/whole_network.h", "of.targets + minibatch.example(example) *",
          "of.targets + std::int64_t{example} *", "targets"),
    # Noise and sigma.
    whole("gradient with the next step's noise", "device/streamed/pass.h",
          "next.step_and_stream - 1", "next.step_and_stream"),
    whole("backward with the next step's noise", "device/streamed/pass.h",
          "source = keyed_noise(block.keys(), block.constants, pass.step,",
          "source = keyed_noise(block.keys(), block.constants, pass.step + 1,"),
    whole("sine and cosine swapped", "device/tile_math.h",
          "radius * special::sine(angle), radius * special::cosine(angle)",
          "radius * special::cosine(angle), radius * special::sine(angle)"),
    whole("backward with sigma of the row above", "device/streamed/pass.h", "sigmas[min(row + 1, last)]",
          "sigmas[min(row, last)]"),
    whole("forward with sigma of the layer above's row", "device/streamed/pass.h",
          "block.part(block.args.shape.sigmas)[of_all]", "block.part(block.args.shape.sigmas)[r]"),
    whole("a layer's phi for the first layer's rows", "device/whole_network.h",
          "{tiling.layers[group].first_row, ", "{0, "),
    whole("a phi divided by another's size", "device/whole_network.h", "of.groups[constants.first_group + group]",
          "of.groups[group]"),
    # Activation, update and the step's end.
    whole("activations without ReLU", "device/streamed/pass.h",
          "if (!block.is_last(l)) value = detail::relu(value);", ""),
    whole("backward without its ReLU mask", "device/streamed/pass.h",
          "k < below.layer.rows && detail::less(T(0), activations[b * stride + k])", "k < below.layer.rows"),
    whole("mu goes up the gradient where phi is shared", "device/tile_math.h", "-rates.step_size * x.moment1",
          "rates.step_size * x.moment1"),
    whole("mu goes up the gradient", "device/tile_math.h", "fused(x.moment1 * dy, both, x.value)",
          "fused(-x.moment1 * dy, both, x.value)"),
    whole("denominators of mu and phi swapped", "device/tile_math.h",
          "x.moment1 * dy, both, x.value);\n  y.value = detail::fused(y.moment1 * dx",
          "x.moment1 * dx, both, x.value);\n  y.value = detail::fused(y.moment1 * dy"),
    whole("moments of phi swapped", "device/tile_update.h",
          "field[4].of[at] = phi.moment1, field[5].of[at] = phi.moment2",
          "field[4].of[at] = phi.moment2, field[5].of[at] = phi.moment1"),
    whole("sigma's derivative that of positive phi", "device/tile_math.h", "phi < 0 ? e * reciprocal : reciprocal",
          "reciprocal"),
    whole("costs with the wrong sign", "device/tile_math.h", "fused(power[i] * term.weight,",
          "fused(-power[i] * term.weight,"),
    whole("examples not counted", "device/whole_network.h",
          "  progress.examples += static_cast<std::uint64_t>(batch);\n", ""),
    whole("rates of the first step for all", "streamed_training.cu",
          "block.progress().adam = rates_of(block.constants, pass.step);",
          "block.progress().adam = rates_of(block.constants, first);"),
    whole("double precision: mu goes up the gradient", "device/tile_math.h",
          "x.moment2, g, rates);\n}\n\n/// One step of Adam on mu",
          "x.moment2, -g, rates);\n}\n\n/// One step of Adam on mu", tests="WholeNetworkDoubleTest"),
    # Shared memory.
    whole("one place for two tiles on their way", "device/streamed/block.h", "number % kSlots", "number % 1", "wide"),
    whole("tiles taken before they are there", "device/streamed/block.h", "    copies_.wait();\n", ""),
    whole("backward without its first barrier", "device/streamed/pass.h",
          "    store_sums<T, kN>(block, sums, 0);\n    __syncthreads();\n", "    store_sums<T, kN>(block, sums, 0);\n",
          variant="race"),
    whole("forward without its first barrier", "device/streamed/pass.h",
          "block, noise_sums, 1);\n    __syncthreads();\n", "block, noise_sums, 1);\n", variant="race"),
    # Clusters.
    resident("no shift of pixels forward", "sums.h", "inputs.shift, sum(block.batch() + 1)",
             "0.0f, sum(block.batch() + 1)"),
    resident("no shift of pixels in the gradient", "visits.h", "is_bias ? 1.0f : inputs.shift",
             "is_bias ? 1.0f : 0.0f"),
    resident("noise of the next step", "warp.h", "constants, step, layer.tensor, 0)",
             "constants, step + 1, layer.tensor, 0)"),
    resident("backward with sigma of the row above", "exchange.h", "sigmas[min(row + 1, last)]",
             "sigmas[min(row, last)]"),
    resident("sigma of the layer above's row", "exchange.h", "[block.layer(l).first_row + r], noise", "[r], noise"),
    resident("backward without its ReLU mask", "exchange.h", " && detail::less(0.0f, activations(b, k + j)) ? value",
             " ? value"),
    resident("activations without ReLU", "exchange.h", "last ? value : detail::relu(value)", "value"),
    resident("outputs of one block's part", "exchange.h", "s < count; ++s) value = value", "s < 1; ++s) value = value"),
    resident("gradients in sigma of one block's part", "exchange.h", "s < count; ++s) sum = sum + parts[s]",
             "s < 1; ++s) sum = sum + parts[s]"),
    resident("gradients in sigma for one block alone", "exchange.h",
             "c < shape.cluster; ++c) {\n        cluster.map_shared_rank(block.at(shape.row_sums)",
             "c < 1; ++c) {\n        cluster.map_shared_rank(block.at(shape.row_sums)"),
    # Evaluation.
    evaluation("predictions of a part with the first part's noise",
               "block.args.first_minibatch + block.minibatch", "block.minibatch"),
    evaluation("predictions with one noise for all minibatches",
               "block.args.first_minibatch + block.minibatch", "block.args.first_minibatch"),
    evaluation("predictions without a pixel's shift",
               "detail::fused(ones, block.inputs().shift, bias)", "bias"),
    evaluation("predictions without ReLU",
               "block.is_last(l) ? value : detail::relu(value)", "value"),
    evaluation("predictions of a short minibatch as whole",
               "min(static_cast<std::int64_t>(args.batch - begin), args.examples - first)",
               "static_cast<std::int64_t>(args.batch - begin)"),
    evaluation("predictions with the first row's sigma",
               "constants, layer, row)", "constants, layer, 0)"),
    evaluation("predictions without the barrier before a layer",
               "kExact>(block, l, sharers, first);\n    __syncthreads();\n", "kExact>(block, l, sharers, first);\n",
               variant="race"),
    evaluation("predictions without the barrier before their sums",
               "block.warp, block.lane);\n    __syncthreads();\n", "block.warp, block.lane);\n", variant="race"),
]


def control(name, file, variant):
    """Compiled and linked as the mutants of a variant are, but unchanged: must pass all that they are tried with."""
    filters = sorted({mutant.tests.split(":-")[0] for mutant in MUTANTS if mutant.variant == variant})
    return Mutant(name, file, BARRIER, BARRIER, ":".join(filters) + ":-*Largest*", variant=variant)


CONTROLS = [
    control("nothing changed", "noisy_forward.cu", "plain"),
    control("nothing changed, race detector", "homogeneous_update.cu", "race"),
]


class Failure(Exception):
    """The mutation test itself does not work."""


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)


def compile_command(args, variant, unit):
    """The build's own command for one kernel, without optimisation level, warnings, input and output."""
    marker = {"plain": "kernels_simt_kernels.dir", "race": "kernels_race_kernels.dir"}[variant]
    commands = args.build / "compile_commands.json"
    for entry in json.loads(commands.read_text()):
        if marker in entry["command"] and pathlib.Path(entry["file"]).name == unit:
            words = iter(shlex.split(entry["command"]))
            kept = []
            for word in words:
                if word in ("-o", "-c"):
                    next(words)
                elif not word.startswith(("-W", "-O")):
                    kept.append(word)
            return kept, entry["directory"]
    raise Failure("{} has no command for {} of {}".format(commands, unit, marker))


def mutate(args, mutant, folder):
    source = args.source / "kernels" / mutant.file
    text = source.read_text()
    count = text.count(mutant.text)
    if count != 1:
        raise Failure("{}: {!r} stands {} times in {}: bring the mutant up to date".format(
            mutant.name, mutant.text, count, source))
    copy = folder / "kernels" / mutant.file
    copy.parent.mkdir(parents=True)
    copy.write_text(text.replace(mutant.text, mutant.replacement))


def try_mutant(args, mutant, folder):
    """Whether the tests pass, and the first that does not."""
    mutate(args, mutant, folder)
    unit = mutant.unit or mutant.file
    command, directory = compile_command(args, mutant.variant, unit)
    changed = folder / "kernels" / unit
    source = changed if changed.exists() else args.source / "kernels" / unit
    # The folder of the copy comes first in the search path, so that a changed header is found there.
    built = run(command[:1] + ["-I", str(folder)] + command[1:] + [mutant.level, "-w", "-c", str(source), "-o",
                                                                    str(folder / "kernel.o")], cwd=directory)
    if built.returncode != 0:
        raise Failure("{} does not compile:\n{}".format(mutant.name, built.stdout))
    program = folder / "test"
    # The changed object comes before the libraries, which therefore do not give theirs.
    libraries = args.race if mutant.variant == "race" else args.plain
    linked = run([args.compiler, str(folder / "kernel.o")] + args.objects +
                 [name if "/" in name else "-l" + name for name in libraries] + ["-o", str(program)], cwd=directory)
    if linked.returncode != 0:
        raise Failure("{} does not link:\n{}".format(mutant.name, linked.stdout))
    try:
        tested = run([str(program), "--gtest_filter=" + mutant.tests], timeout=RUN_TIMEOUT_S)
    except subprocess.TimeoutExpired as hung:
        raise Failure("{} hangs".format(mutant.name)) from hung
    program.unlink()
    if "[==========] Running 0 tests" in tested.stdout:
        raise Failure("{}: no test matches {}".format(mutant.name, mutant.tests))
    if tested.returncode == 0:
        return True, ""
    failed = [line for line in tested.stdout.splitlines() if line.startswith("[  FAILED  ]")]
    caught = failed[0].split()[3].rstrip(",") if failed else "exit status {}".format(tested.returncode)
    if mutant.variant == "race":
        if RACE not in tested.stdout:
            raise Failure("{} fails {}, but no race is reported".format(mutant.name, caught))
        caught = "the race detector in " + caught
    return False, caught


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--objects", nargs="+", required=True, help="of the tests")
    parser.add_argument("--plain", nargs="+", required=True, help="libraries of the emulation")
    parser.add_argument("--race", nargs="+", required=True, help="likewise with the race detector")
    args = parser.parse_args()
    cases = [(mutant, True) for mutant in CONTROLS] + [(mutant, False) for mutant in MUTANTS]
    problems = []
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        futures = []
        for number, (mutant, _) in enumerate(cases):
            folder = pathlib.Path(scratch) / str(number)
            folder.mkdir()
            futures.append(pool.submit(try_mutant, args, mutant, folder))
        for (mutant, passes), future in zip(cases, futures):
            try:
                passed, caught = future.result()
            except Failure as failure:
                problems.append(str(failure))
                continue
            print("{:<50} {}".format(mutant.name, "passes" if passed else "caught by " + caught), flush=True)
            if passed != passes:
                problems.append("{}: {} {}".format(mutant.name, mutant.tests, "fail" if passes else "pass"))
    for problem in problems:
        print("FAILED:", problem)
    print("{} mutants, {} problems".format(len(cases), len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
