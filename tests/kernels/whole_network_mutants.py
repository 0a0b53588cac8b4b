"""Faults to plant in the kernels that train or evaluate whole networks (mutation_test.py), which are long to compile."""

from mutants import Mutant

EVALUATION = "PopulationEvaluationTest/0.*"
TILES = "TileStateTest/0.*"


def whole(name, file, text, replacement, cases="pixels", tests="WholeNetworkSingleTest", unit="whole/streamed/streamed_training.cu",
          **others):
    """A mutant of what trains whole networks, which is long to compile."""
    return Mutant(name, file, text, replacement, "All/{0}.*/{1}:All/{0}.*/{1}_shared".format(tests, cases),
                  "" if file.endswith(".cu") else unit, level="-O0", **others)


def resident(name, file, text, replacement):
    """As above, of networks that clusters hold."""
    return whole("resident: " + name, "whole/resident/" + file, text, replacement, tests="WholeNetworkResidentTest",
                 unit="whole/resident/resident_training.cu")


def evaluation(name, text, replacement, **others):
    return Mutant(name, "whole/population_evaluation.cu", text, replacement, EVALUATION, level="-O0", **others)


MUTANTS = [
    # Tiles.
    Mutant("an element beyond the layer in a tile", "whole/tile_state.cu",
           "column + j < layer.columns;", "column + j <= layer.columns;", TILES),
    Mutant("upper and lower row of a quad swapped", "whole/tile_state.cu", "tile[2 * i + j]", "tile[2 * (1 - i) + j]", TILES),
    Mutant("moments of phi into tiles as those of mu", "whole/tile_state.cu", "parameters.phi, parameters.phi_moment1,",
           "parameters.phi, parameters.mu_moment1,", TILES),
    # Whole networks: products.
    whole("split forward product without the lower weights", "whole/tile_product.h",
          "    tensor_product(c, a.low, high);\n", "", "numbers"),
    whole("split product without the lower inputs", "whole/tile_product.h",
          "    tensor_product(c, a.high, low);\n", "",
          "numbers"),
    whole("pixels' product without the lower weights", "whole/tile_product.h",
          "    tensor_product(c, a.low, b);\n", ""),
    whole("pixels' product without the higher weights", "whole/tile_product.h",
          "    tensor_product(c, a.high, b);\n", ""),
    whole("backward operand not transposed", "whole/tile_product.h",
          "a.set(1, w.of[0][1]), a.set(2, w.of[1][0])", "a.set(1, w.of[1][0]), a.set(2, w.of[0][1])"),
    whole("sums of one warp alone", "whole/warp_sums.h", "w < sharers.warps; ++w", "w < 1; ++w"),
    # Pixels and biases.
    whole("no shift of pixels forward", "whole/streamed/pass.h", "detail::fused(ones, inputs.shift, bias)", "bias"),
    whole("no bias beside pixels", "whole/streamed/pass.h", "detail::fused(ones, inputs.shift, bias)",
          "ones * inputs.shift"),
    whole("no shift of pixels in the gradient", "whole/streamed/pass.h", "T(1) : inputs.shift;", "T(1) : T(0);"),
    whole("bias column's gradient as a pixel's", "whole/streamed/pass.h",
          "is_bias ? T(1) : inputs.shift", "inputs.shift"),
    whole("no input of hidden biases", "whole/streamed/pass.h",
          "!block.is_last(l) ? T(1) : T(0);", "false ? T(1) : T(0);"),
    whole("pixels of another example", "whole/whole_network.h",
          "bytes + minibatch.example(b) * features + at", "bytes + std::int64_t{b} * features + at"),
    whole("labels of another example", "whole/whole_network.h", "of.labels[minibatch.example(b)]", "of.labels[b]"),
    whole("targets of another example", "whole/whole_network.h", "of.targets + minibatch.example(example) *",
          "of.targets + std::int64_t{example} *", "targets"),
    # Noise and sigma.
    whole("gradient with the next step's noise", "whole/streamed/pass.h",
          "next.step_and_stream - 1", "next.step_and_stream"),
    whole("backward with the next step's noise", "whole/streamed/pass.h",
          "source = keyed_noise(block.keys(), block.constants, pass.step,",
          "source = keyed_noise(block.keys(), block.constants, pass.step + 1,"),
    whole("sine and cosine swapped", "whole/tile_math.h",
          "radius * special::sine(angle), radius * special::cosine(angle)",
          "radius * special::cosine(angle), radius * special::sine(angle)"),
    whole("backward with sigma of the row above", "whole/streamed/pass.h", "sigmas[min(row + 1, last)]",
          "sigmas[min(row, last)]"),
    whole("forward with sigma of the layer above's row", "whole/streamed/pass.h",
          "block.part(block.args.shape.sigmas)[of_all]", "block.part(block.args.shape.sigmas)[r]"),
    whole("a layer's phi for the first layer's rows", "whole/whole_network.h",
          "{tiling.layers[group].first_row, ", "{0, "),
    whole("a phi divided by another's size", "whole/whole_network.h", "of.groups[constants.first_group + group]",
          "of.groups[group]"),
    # Activation, update and the step's end.
    whole("activations without ReLU", "whole/streamed/pass.h",
          "if (!block.is_last(l)) value = detail::relu(value);", ""),
    whole("backward without its ReLU mask", "whole/streamed/pass.h",
          "k < below.layer.rows && detail::less(T(0), activations[b * stride + k])", "k < below.layer.rows"),
    whole("mu goes up the gradient where phi is shared", "whole/tile_math.h", "-rates.step_size * x.moment1",
          "rates.step_size * x.moment1"),
    whole("mu goes up the gradient", "whole/tile_math.h", "fused(x.moment1 * dy, both, x.value)",
          "fused(-x.moment1 * dy, both, x.value)"),
    whole("denominators of mu and phi swapped", "whole/tile_math.h",
          "x.moment1 * dy, both, x.value);\n  y.value = detail::fused(y.moment1 * dx",
          "x.moment1 * dx, both, x.value);\n  y.value = detail::fused(y.moment1 * dy"),
    whole("moments of phi swapped", "whole/tile_update.h",
          "field[4].of[at] = phi.moment1, field[5].of[at] = phi.moment2",
          "field[4].of[at] = phi.moment2, field[5].of[at] = phi.moment1"),
    whole("sigma's derivative that of positive phi", "whole/tile_math.h", "phi < 0 ? e * reciprocal : reciprocal",
          "reciprocal"),
    whole("costs with the wrong sign", "whole/tile_math.h", "fused(power[i] * term.weight,",
          "fused(-power[i] * term.weight,"),
    whole("examples not counted", "whole/whole_network.h",
          "  progress.examples += static_cast<std::uint64_t>(batch);\n", ""),
    whole("rates of the first step for all", "whole/streamed/streamed_training.cu",
          "block.progress().adam = rates_of(block.constants, pass.step);",
          "block.progress().adam = rates_of(block.constants, first);"),
    whole("double precision: mu goes up the gradient", "whole/tile_math.h",
          "x.moment2, g, rates);\n}\n\n/// One step of Adam on mu",
          "x.moment2, -g, rates);\n}\n\n/// One step of Adam on mu", tests="WholeNetworkDoubleTest"),
    # Shared memory.
    whole("one place for two tiles on their way", "whole/streamed/block.h", "number % kSlots", "number % 1", "wide"),
    whole("tiles taken before they are there", "whole/streamed/block.h", "    copies_.wait();\n", ""),
    whole("backward without its first barrier", "whole/streamed/pass.h",
          "    store_sums<T, kN>(block, sums, 0);\n    __syncthreads();\n", "    store_sums<T, kN>(block, sums, 0);\n",
          variant="race"),
    whole("forward without its first barrier", "whole/streamed/pass.h",
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
