// Prints how the host launches each kernel, JSON: threads of a block, and dynamic shared memory in bytes. Of
// a kernel that is launched on some architectures only, or not alike on all, the same for each of them by its
// number. The machine code says neither; cmake/machine_code.py holds it against this. Needs no GPU: the
// shapes are pure functions.

#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/cross_entropy.h"
#include "kernels/dense.h"
#include "kernels/finish_step.h"
#include "kernels/gradient_statistics.h"
#include "kernels/homogeneous_update.h"
#include "kernels/initialize.h"
#include "kernels/materialize.h"
#include "kernels/noisy_backward.h"
#include "kernels/noisy_forward.h"
#include "kernels/not_finite.h"
#include "kernels/parameter_update.h"
#include "kernels/squared_error.h"
#include "kernels/whole/population_evaluation.h"
#include "kernels/whole/resident/resident_training.h"
#include "kernels/whole/streamed/streamed_training.h"
#include "kernels/whole/tile_state.h"

namespace {

using namespace ensyn::kernels;

constexpr int kForwardGroups = 16;  // of threads in a block of noisy_forward, each with its own examples

class Listing {
 public:
  explicit Listing(std::string_view type) : type_(type) {}

  /// `parameters` are the template's beyond the type, for example ", 8, 2".
  void add(std::string_view kernel, const LaunchShape& shape, const std::string& parameters = "") {
    add_line(kernel, parameters, text(shape));
  }

  /// As above, of a kernel that is launched on these architectures only.
  void add(std::string_view kernel, const std::map<int, LaunchShape>& shapes, const std::string& parameters) {
    std::string all;
    for (const auto& [architecture, shape] : shapes)
      all += (all.empty() ? "{\"" : ", \"") + std::to_string(architecture) + "\": " + text(shape);
    add_line(kernel, parameters, all + "}");
  }

  /// As above, of a kernel that is made without and with laws of noise other than the Gaussian.
  void add_for_laws(std::string_view kernel, const LaunchShape& shape, const std::string& parameters = "") {
    add(kernel, shape, parameters + ", false");
    add(kernel, shape, parameters + ", true");
  }

  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

 private:
  [[nodiscard]] static std::string text(const LaunchShape& shape) {
    std::ostringstream text;
    text << "{\"threads\": " << shape.block.x * shape.block.y * shape.block.z
         << ", \"shared\": " << shape.shared_bytes << '}';
    return text.str();
  }
  void add_line(std::string_view kernel, const std::string& parameters, const std::string& shape) {
    std::ostringstream line;
    line << "  \"" << kernel << '<' << type_ << parameters << ">\": " << shape;
    lines_.push_back(line.str());
  }

  std::string type_;
  std::vector<std::string> lines_;
};

template <class T>
void add_tiles(Listing& listing) {
  for (const NoisyForwardTile tile :
       {NoisyForwardTile{2, 32}, NoisyForwardTile{8, 32}, NoisyForwardTile{8, 64}}) {
    NoisyForward<T> args;
    args.tile = tile;
    listing.add_for_laws(
        "noisy_forward", noisy_forward_shape(args),
        ", " + std::to_string(tile.rows) + ", " + std::to_string(tile.examples / kForwardGroups));
  }
  for (const NoisyBackwardTile tile : {NoisyBackwardTile{8}, NoisyBackwardTile{64}}) {
    NoisyBackward<T> args;
    args.tile = tile;
    listing.add_for_laws("noisy_backward", noisy_backward_shape(args), ", " + std::to_string(tile.columns));
  }
}

/// Architectures that whole networks are trained on, and the shared memory that a block may have there.
constexpr struct {
  int major, minor;
  std::size_t shared_limit;
} kWholeNetworks[] = {{8, 0, 163 << 10}, {9, 0, 227 << 10}, {10, 0, 227 << 10}};

/// The plan of the paper's network, or of one with the largest part of its widths for which a block has the
/// room and all its warps.
StreamedPlan plan_of(StreamedProblem problem) {
  StreamedPlan plan;
  for (int part = 1; part <= 64; part *= 2) {
    const int inputs = 784 / part, hidden = 100 / part;
    const Layer layers[] = {{hidden, inputs + 1, inputs + 4, 0},
                            {hidden, hidden + 1, hidden + 4, 1},
                            {10, hidden + 1, hidden + 4, 2}};
    problem.tiling = tiling_of(layers, 3);
    plan = streamed_plan(problem);
    const int most = streamed_warps(problem.major, problem.single, plan.shape.example_tiles);
    if (plan.problem.empty() && plan.shape.warps == most) break;
  }
  return plan;
}

/// Of minibatches that the kernel is made for.
template <class T>
void add_streamed(Listing& listing, int batch, bool own_phi, bool pixels) {
  StreamedProblem problem;
  problem.single = sizeof(T) == sizeof(float);
  problem.batch = batch;
  problem.own_phi = own_phi;
  problem.pixels = pixels;
  std::map<int, LaunchShape> shapes;
  StreamedTraining<T> args;
  for (const auto& architecture : kWholeNetworks) {
    problem.major = architecture.major;
    problem.shared_limit = architecture.shared_limit;
    args.shape = plan_of(problem).shape;
    shapes[10 * architecture.major + architecture.minor] = streamed_training_shape(args);
  }
  listing.add("streamed_training", shapes,
              ", " + std::to_string(args.shape.example_tiles) + ", " +
                  std::to_string(own_phi ? kOwnPhiFields : kSharedPhiFields) +
                  (pixels ? ", true" : ", false"));
}

template <class T>
void add_streamed(Listing& listing) {
  for (const int batch : {20, 32}) {
    if (batch > 22 && sizeof(T) != sizeof(float)) continue;
    for (const bool own_phi : {true, false}) {
      for (const bool pixels : {true, false}) add_streamed<T>(listing, batch, own_phi, pixels);
    }
  }
}

/// The plan that takes so many eights of examples, of the paper's network or of one with the largest part of
/// its widths for which a block has the room.
EvaluationPlan plan_of(EvaluationProblem problem, int example_tiles) {
  EvaluationPlan plan;
  problem.batch = 8 * example_tiles - 2;
  for (int part = 1; part <= 64 && plan.shape.example_tiles != example_tiles; part *= 2) {
    const int inputs = 784 / part, hidden = 100 / part;
    const Layer layers[] = {{hidden, inputs + 1, inputs + 4, 0},
                            {hidden, hidden + 1, hidden + 4, 1},
                            {10, hidden + 1, hidden + 4, 2}};
    problem.tiling = tiling_of(layers, 3);
    plan = evaluation_plan(problem);
  }
  return plan;
}

template <class T>
void add_evaluation(Listing& listing, int example_tiles, bool pixels) {
  EvaluationProblem problem;
  problem.single = sizeof(T) == sizeof(float);
  problem.pixels = pixels;
  std::map<int, LaunchShape> shapes;
  for (const auto& architecture : kWholeNetworks) {
    problem.shared_limit = architecture.shared_limit;
    PopulationEvaluation<T> args;
    args.shape = plan_of(problem, example_tiles).shape;
    shapes[10 * architecture.major + architecture.minor] = population_evaluation_shape(args);
  }
  listing.add("population_evaluation", shapes,
              ", " + std::to_string(example_tiles) + (pixels ? ", true" : ", false"));
}

/// Steps as of streamed training, in single precision, on architectures with clusters.
void add_resident(Listing& listing) {
  const Layer layers[] = {{100, 785, 788, 0}, {100, 101, 104, 1}, {10, 101, 104, 2}};
  for (const bool own_phi : {true, false}) {
    ResidentProblem problem;
    problem.tiling = tiling_of(layers, 3);
    problem.batch = 20;
    problem.pixels = true;
    problem.own_phi = own_phi;
    problem.shared_limit = 227 << 10;
    ResidentTraining args;
    args.shape = resident_plan(problem).shape;
    args.clusters = 1;
    const LaunchShape shape = resident_training_shape(args);
    for (const char* pixels : {", true", ", false"}) {
      listing.add("resident_training", {{90, shape}, {100, shape}},
                  std::to_string(own_phi ? kOwnPhiFields : kSharedPhiFields) + pixels);
    }
  }
}

template <class T>
std::vector<std::string> shapes_of(std::string_view type) {
  Listing listing(type);
  add_tiles<T>(listing);
  listing.add("cross_entropy", cross_entropy_shape(CrossEntropy<T>{}));
  listing.add("log_softmax", log_softmax_shape(LogSoftmax<T>{}));
  listing.add("gather_inputs", gather_inputs_shape(GatherInputs<T>{}));
  listing.add("rectify", rectify_shape(Rectify<T>{}));
  listing.add("finish_step", finish_step_shape(FinishStep<T>{}));
  listing.add("gradient_statistics", gradient_statistics_shape(GradientStatistics<T>{}));
  // Made without and with the Laplace prior.
  for (const char* laplace : {", false", ", true"}) {
    listing.add("homogeneous_update", homogeneous_update_shape(HomogeneousUpdate<T>{}), laplace);
  }
  listing.add("initialize", initialize_shape(Initialize<T>{}));
  listing.add_for_laws("materialize", materialize_shape(Materialize<T>{}));
  listing.add("not_finite", not_finite_shape(NotFinite<T>{}));
  listing.add_for_laws("parameter_update", parameter_update_shape(ParameterUpdate<T>{}));
  listing.add("squared_error", squared_error_shape(SquaredError<T>{}));
  for (const char* to_tiles : {", true", ", false"}) {
    listing.add("tile_state", tile_state_shape(TileState<T>{}), to_tiles);
  }
  add_streamed<T>(listing);
  listing.add("evaluation_weights", evaluation_weights_shape(EvaluationWeights<T>{}));
  for (const int example_tiles : {3, 7}) {
    for (const bool pixels : {true, false}) add_evaluation<T>(listing, example_tiles, pixels);
  }
  return listing.lines();
}

}  // namespace

int main() {
  std::string separator = "{\n";
  Listing of_one_type("");
  add_resident(of_one_type);
  for (const auto& lines : {shapes_of<float>("float"), shapes_of<double>("double"), of_one_type.lines()}) {
    for (const std::string& line : lines) {
      std::cout << separator << line;
      separator = ",\n";
    }
  }
  std::cout << "\n}\n";
}
