#include "host/cuda/data.h"

namespace ensyn::cuda {

DeviceData::DeviceData(const Dataset& data, cudaStream_t stream)
    : labels_(data.labels().size(), "labels"), targets_(data.targets().size(), "targets") {
  copy_to_device(labels_.data(), data.labels(), stream);
  copy_to_device(targets_.data(), data.targets(), stream);
  if (data.holds_bytes()) {
    const Normalization& n = data.normalization();
    scale_ = 1.0 / (n.maximum * n.sd);
    shift_ = -n.mean / n.sd;
    bytes_ = DeviceBuffer<std::uint8_t>(data.bytes().size(), "the data set");
    copy_to_device(bytes_.data(), data.bytes(), stream);
  } else {
    floats_ = DeviceBuffer<float>(data.floats().size(), "the data set");
    copy_to_device(floats_.data(), data.floats(), stream);
  }
}

}  // namespace ensyn::cuda
