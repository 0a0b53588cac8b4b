// Streams and events of the emulated runtime.

#include <algorithm>
#include <memory>

#include "runtime.h"

using simt::call;
using simt::Runtime;
using simt::Throws;

namespace simt {
namespace {

cudaError_t create_stream(cudaStream_t* stream, unsigned flags, Runtime& all) {
  if ((flags & ~static_cast<unsigned>(cudaStreamNonBlocking)) != 0) return cudaErrorInvalidValue;
  all.streams.push_back(std::make_shared<CUstream_st>());
  *stream = all.streams.back().get();
  (*stream)->flags = flags;
  return cudaSuccess;
}

/// A capturing stream cannot be waited for: the attempt spoils the capture.
cudaError_t refuse_capturing(CUstream_st& stream, Runtime& all) {
  if (stream.capture == nullptr) return cudaSuccess;
  all.invalidate(*stream.capture);
  return cudaErrorStreamCaptureUnsupported;
}

cudaError_t record(CUevent_st& event, cudaStream_t handle, Runtime& all) {
  const auto stream = all.find(handle);
  if (stream == nullptr) return cudaErrorInvalidResourceHandle;
  event.capture = stream->capture;
  event.nodes = stream->last_nodes;
  if (stream->capture != nullptr)
    return stream->capture->invalid ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
  auto record = std::make_shared<Record>();
  record->stream = stream;
  event.record = record;
  return all.enqueue(
      handle,
      [record] {
        record->time = std::chrono::steady_clock::now();
        record->done = true;
      },
      cudaGraphNodeTypeEventRecord);
}

cudaError_t wait_for(CUevent_st& event, CUstream_st& stream, Runtime& all) {
  if (event.capture != nullptr) {
    if (event.capture->invalid) return cudaErrorStreamCaptureInvalidated;
    if (stream.capture != nullptr && stream.capture != event.capture) {
      all.invalidate(*stream.capture);
      return cudaErrorStreamCaptureMerge;
    }
    if (stream.capture == nullptr) stream.last_nodes.clear();  // the stream joins the capture
    stream.capture = event.capture;
    for (const std::size_t node : event.nodes) {
      if (std::find(stream.last_nodes.begin(), stream.last_nodes.end(), node) == stream.last_nodes.end()) {
        stream.last_nodes.push_back(node);
      }
    }
    return cudaSuccess;
  }
  if (stream.capture != nullptr && event.record != nullptr) {
    all.invalidate(*stream.capture);
    return cudaErrorStreamCaptureIsolation;
  }
  if (event.record != nullptr) stream.queue.push_back({nullptr, event.record, ++all.operations});
  return cudaSuccess;
}

/// Runs `body` on a live event.
template <class Body>
cudaError_t with_event(cudaEvent_t event, const Body& body) {
  return call([&](Runtime& all) {
    if (!all.events.contains(event)) return cudaErrorInvalidResourceHandle;
    return body(*event, all);
  });
}

template <class Body>
cudaError_t with_stream(cudaStream_t handle, const Body& body) {
  return call([&](Runtime& all) {
    const auto stream = all.find(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    return body(*stream, all);
  });
}

}  // namespace
}  // namespace simt

extern "C" {

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return call([&](Runtime& all) { return simt::create_stream(stream, cudaStreamDefault, all); });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return call([&](Runtime& all) { return simt::create_stream(stream, flags, all); });
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
  return cudaStreamCreateWithFlags(stream, flags);
}

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  return call(
      [&](Runtime& all) {
        const auto stream = all.find(handle);
        if (stream == nullptr || stream == all.default_stream) return cudaErrorInvalidResourceHandle;
        if (stream->capture != nullptr) all.invalidate(*stream->capture);
        stream->destroyed = true;
        if (stream->queue.empty()) std::erase(all.streams, stream);
        return cudaSuccess;
      },
      Throws::kNo);
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return simt::with_stream(handle, [](CUstream_st& stream, Runtime& all) {
    const cudaError_t status = simt::refuse_capturing(stream, all);
    if (status == cudaSuccess) all.run_stream(stream);
    return status;
  });
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return simt::with_stream(handle, [](CUstream_st& stream, Runtime& all) {
    const cudaError_t status = simt::refuse_capturing(stream, all);
    if (status != cudaSuccess) return status;
    if (stream.queue.empty()) return cudaSuccess;
    static_cast<void>(all.run_one(stream));
    return cudaErrorNotReady;
  });
}

cudaError_t cudaStreamGetFlags(cudaStream_t handle, unsigned* flags) {
  return simt::with_stream(handle, [&](CUstream_st& stream, Runtime&) {
    *flags = stream.flags;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned) {
  return simt::with_stream(handle, [&](CUstream_st& stream, Runtime& all) {
    if (!all.events.contains(event)) return cudaErrorInvalidResourceHandle;
    return simt::wait_for(*event, stream, all);
  });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  return call([&](Runtime& all) {
    return all.enqueue(
        stream, [function, data] { function(data); }, cudaGraphNodeTypeHost);
  });
}

cudaError_t cudaDeviceSynchronize() {
  return call([](Runtime& all) {
    const cudaError_t status = all.refuse_in_capture();
    if (status == cudaSuccess) all.run_all();
    return status;
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return call([&](Runtime& all) {
    *event = new CUevent_st;
    (*event)->flags = flags;
    all.events.insert(*event);
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return call(
      [&](Runtime& all) {
        if (all.events.erase(event) == 0) return cudaErrorInvalidResourceHandle;
        delete event;
        return cudaSuccess;
      },
      Throws::kNo);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return simt::with_event(event, [&](CUevent_st& of, Runtime& all) { return simt::record(of, stream, all); });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return simt::with_event(event, [](CUevent_st& of, Runtime& all) {
    if (of.capture != nullptr) {
      all.invalidate(*of.capture);
      return cudaErrorCapturedEvent;
    }
    if (of.record != nullptr) all.run_until(*of.record);
    return cudaSuccess;
  });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  return simt::with_event(event, [](CUevent_st& of, Runtime& all) {
    if (of.capture != nullptr) {
      all.invalidate(*of.capture);
      return cudaErrorCapturedEvent;
    }
    if (of.record == nullptr || of.record->done) return cudaSuccess;
    static_cast<void>(all.run_one(*of.record->stream));
    return cudaErrorNotReady;
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return simt::with_event(start, [&](CUevent_st& from, Runtime& all) {
    if (!all.events.contains(end) || from.record == nullptr || end->record == nullptr ||
        ((from.flags | end->flags) & cudaEventDisableTiming) != 0) {
      return cudaErrorInvalidResourceHandle;
    }
    if (!from.record->done || !end->record->done) return cudaErrorNotReady;
    *milliseconds = std::chrono::duration<float, std::milli>(end->record->time - from.record->time).count();
    return cudaSuccess;
  });
}

}  // extern "C"
