"""Faults to plant in kernels (mutation_test.py): each replaces one text, which must stand in its file exactly once."""

import dataclasses


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


FORWARD = "NoisyForwardTest/0.*"
BACKWARD = "NoisyBackwardTest/0.*"
UPDATE = "ParameterUpdateTest/0.*:-*Largest*"
HOMOGENEOUS = "HomogeneousUpdateTest/0.*:-*Largest*"
LOSS = "CrossEntropyTest/0.AgreesWithTheOracle:CrossEntropyTest/0.*Tie*"
SQUARES = "SquaredErrorTest/0.*"
FINISH = "FinishStepTest/0.*"
INITIALIZE = "InitializeTest/0.*"
STATISTICS = "GradientStatisticsTest/0.*"
NOT_FINITE = "NotFiniteTest/*"
MATERIALIZE = "MaterializeTest/0.*"
DENSE = "DenseTest/0.*"

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
    Mutant("the last row not looked at", "not_finite.cu", "if (row >= layer.rows) return;",
           "if (row >= layer.rows - 1) return;", NOT_FINITE),
    Mutant("the last column not looked at", "not_finite.cu", "+ 1), layer.columns);", "+ 1), layer.columns - 1);",
           NOT_FINITE),
    Mutant("padding looked at", "not_finite.cu", "+ 1), layer.columns);", "+ 1), layer.stride);", NOT_FINITE),
    Mutant("infinity taken for a number", "not_finite.cu", "kExponent = 0x7F800000;", "kExponent = 0x7FC00000;",
           NOT_FINITE),
    Mutant("own phi not looked at", "not_finite.cu", "if (own_phi) finite", "if (!own_phi) finite", NOT_FINITE),
    Mutant("shared phi of the first row alone", "not_finite.cu", "constants.sharing == Sharing::row || (", "(",
           NOT_FINITE),
    Mutant("the sum of losses not looked at", "not_finite.cu", "row > 0 || is_finite", "true || is_finite", NOT_FINITE),
    Mutant("the flag of another network", "not_finite.cu", "args.found + network", "args.found", NOT_FINITE),
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
]


def control(name, file, variant):
    """Compiled and linked as the mutants of a variant are, but unchanged: must pass all that they are tried with."""
    filters = sorted({mutant.tests.split(":-")[0] for mutant in MUTANTS if mutant.variant == variant})
    return Mutant(name, file, BARRIER, BARRIER, ":".join(filters) + ":-*Largest*", variant=variant)


CONTROLS = [
    control("nothing changed", "noisy_forward.cu", "plain"),
    control("nothing changed, race detector", "homogeneous_update.cu", "race"),
]
