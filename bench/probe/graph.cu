// What a kernel node of a graph costs when the kernel does nothing: a chain of them, divided. The same chain
// with a counter must count every node.

#include "device.h"

namespace probe {
namespace {

constexpr int kNodes = 100, kLaunches = 20, kSamples = 11;

__global__ void node_kernel(unsigned* counter) {
  if (counter != nullptr) ++*counter;
}

ensyn::cuda::Graph chain(const Target& target, unsigned* counter) {
  return ensyn::cuda::Graph(target.stream, [&] {
    for (int i = 0; i < kNodes; ++i) launch(target.stream, "a node", node_kernel, {1, 1}, counter);
  });
}

}  // namespace

void measure_graph(const Target& target, Report& report) {
  const ensyn::cuda::DeviceBuffer<unsigned> counter(1, "a counter");
  ensyn::cuda::clear(counter, target.stream.get());
  const ensyn::cuda::Graph counting = chain(target, counter.data());
  counting.launch(target.stream);
  const unsigned counted = values(counter, target.stream)[0];
  const std::string wrong = counted == kNodes ? "" : "counted " + std::to_string(counted) + " nodes of 100";

  const ensyn::cuda::Graph graph = chain(target, nullptr);
  const double time = seconds(target, kSamples, [&] {
    for (int i = 0; i < kLaunches; ++i) graph.launch(target.stream);
  });
  // Assumption: limits.md, section 0, the middle of 1.5 to 2.5.
  report.add({"graph, empty kernel node",
              "us",
              1e6 * time / (kLaunches * kNodes),
              2.0,
              wrong,
              "in chains of 100",
              {}});
}

}  // namespace probe
