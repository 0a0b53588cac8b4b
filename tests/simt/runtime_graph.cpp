// Stream capture and graphs of the emulated runtime.

#include <algorithm>
#include <memory>
#include <vector>

#include "order.h"
#include "runtime.h"

using simt::call;
using simt::Runtime;
using simt::Throws;

namespace simt {
namespace {

using Nodes = std::vector<CUgraphNode_st>;

/// Which of the nodes that may run next does is up to the settings: a dependency that the capture lacks
/// shows.
void run_nodes(const Nodes& nodes) {
  std::vector<bool> done(nodes.size(), false);
  std::vector<std::size_t> ready;
  for (std::size_t left = nodes.size(); left > 0; --left) {
    ready.clear();
    for (std::size_t n = 0; n < nodes.size(); ++n) {
      const auto& after = nodes[n].after;
      if (!done[n] &&
          std::all_of(after.begin(), after.end(), [&](std::size_t other) { return done[other]; })) {
        ready.push_back(n);
      }
    }
    std::size_t choice = 0;
    if (settings().order == Order::kReverse) choice = ready.size() - 1;
    if (settings().order == Order::kShuffled) choice = next_choice() % ready.size();
    done[ready[choice]] = true;
    nodes[ready[choice]].work();
    if (runtime().sticky_error != cudaSuccess) return;
  }
}

/// Whether every node leads to where the capture's first stream ended.
bool joined(const CUgraph_st& graph, const CUstream_st& origin) {
  std::vector<bool> reached(graph.nodes.size(), false);
  for (const std::size_t node : origin.last_nodes) reached[node] = true;
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    if (!reached[n]) return false;
    for (const std::size_t before : graph.nodes[n]->after) reached[before] = true;
  }
  return true;
}

cudaError_t end_capture(CUstream_st& origin, cudaGraph_t* result, Runtime& all) {
  *result = nullptr;
  const std::shared_ptr<Capture> capture = origin.capture;
  if (capture == nullptr) return cudaErrorIllegalState;
  if (capture->origin != &origin) {
    all.invalidate(*capture);
    return cudaErrorStreamCaptureUnmatched;
  }
  cudaError_t status = cudaSuccess;
  if (!joined(*capture->graph, origin)) status = cudaErrorStreamCaptureUnjoined;
  if (capture->invalid) status = cudaErrorStreamCaptureInvalidated;
  for (const auto& stream : all.streams) {
    if (stream->capture != capture) continue;
    stream->capture = nullptr;
    stream->last_nodes.clear();
  }
  for (const cudaEvent_t event : all.events) {
    if (event->capture == capture) event->capture = nullptr;
  }
  all.captures.erase(capture);
  if (status != cudaSuccess) {
    delete capture->graph;
    return status;
  }
  *result = capture->graph;
  all.graphs.insert(*result);
  return cudaSuccess;
}

}  // namespace
}  // namespace simt

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  return call([&](Runtime& all) {
    const auto stream = all.find(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (stream == all.default_stream) return cudaErrorStreamCaptureUnsupported;
    if (stream->capture != nullptr) return cudaErrorIllegalState;
    auto capture = std::make_shared<simt::Capture>();
    capture->graph = new CUgraph_st;
    capture->origin = handle;
    capture->mode = mode;
    capture->thread = std::this_thread::get_id();
    stream->capture = capture;
    stream->last_nodes.clear();
    all.captures.insert(capture);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  return call([&](Runtime& all) {
    const auto stream = all.find(handle);
    return stream == nullptr ? cudaErrorInvalidResourceHandle : simt::end_capture(*stream, graph, all);
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  return call([&](Runtime& all) {
    const auto stream = all.find(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    *status = cudaStreamCaptureStatusNone;
    if (stream->capture != nullptr) {
      *status = stream->capture->invalid ? cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
    }
    return cudaSuccess;
  });
}

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  thread_local cudaStreamCaptureMode current = cudaStreamCaptureModeGlobal;
  std::swap(current, *mode);
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  return call([&](Runtime& all) {
    if (!all.graphs.contains(graph)) return cudaErrorInvalidValue;
    auto nodes = std::make_shared<simt::Nodes>();
    for (const auto& node : graph->nodes) nodes->push_back(*node);
    *executable = new CUgraphExec_st{std::move(nodes)};
    all.executables.insert(*executable);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t) {
  return call([&](Runtime& all) {
    return all.executables.contains(executable) ? cudaSuccess : cudaErrorInvalidValue;
  });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  return call([&](Runtime& all) {
    if (!all.executables.contains(executable)) return cudaErrorInvalidValue;
    return all.enqueue(
        stream, [nodes = executable->nodes] { simt::run_nodes(*nodes); }, cudaGraphNodeTypeGraph);
  });
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  return call([&](Runtime& all) {
    if (!all.graphs.contains(graph)) return cudaErrorInvalidValue;
    const std::size_t there = graph->nodes.size();
    for (std::size_t n = 0; nodes != nullptr && n < *count; ++n) {
      nodes[n] = n < there ? graph->nodes[n].get() : nullptr;
    }
    *count = nodes == nullptr ? there : std::min(*count, there);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type) {
  return call([&](Runtime&) {
    *type = node->type;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  return call(
      [&](Runtime& all) {
        if (all.executables.erase(executable) == 0) return cudaErrorInvalidValue;
        delete executable;
        return cudaSuccess;
      },
      Throws::kNo);
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return call(
      [&](Runtime& all) {
        if (all.graphs.erase(graph) == 0) return cudaErrorInvalidValue;
        delete graph;
        return cudaSuccess;
      },
      Throws::kNo);
}

}  // extern "C"
