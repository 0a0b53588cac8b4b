#include "kernels/base/launch_shape.h"

namespace ensyn::kernels {
namespace {

std::string text(const Extent& e) {
  return std::to_string(e.x) + " x " + std::to_string(e.y) + " x " + std::to_string(e.z);
}

}  // namespace

std::string to_string(const LaunchShape& shape) {
  std::string result = "grid " + text(shape.grid) + ", block " + text(shape.block) + ", " +
                       std::to_string(shape.shared_bytes) + " bytes shared";
  if (shape.cluster != Extent{}) result += ", cluster " + text(shape.cluster);
  return result;
}

}  // namespace ensyn::kernels
