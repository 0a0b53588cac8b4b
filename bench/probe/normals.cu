// Standard normals per second: the library's (Philox4x32-10 and its own box_muller, a quad at a time, as its
// kernels draw them), and from the same words by the hardware's special functions. Drawn by all threads that
// fit on the device; of each quad two instructions are the benchmark's own. Compiled as the library's kernels
// are, with no multiply-add but those written out.

#include "box_muller.h"
#include "generators.h"
#include "kernels/device/quad.h"

namespace probe {
namespace {

/// The words of a thread are a row of quads.
struct QuadWords {
  ensyn::kernels::NoiseSource source;
  int row, columns, column = 0;

  __device__ QuadWords(std::uint64_t seed, unsigned thread, unsigned quads)
      : source{seed, 1, 0}, row(static_cast<int>(thread)), columns(static_cast<int>(2 * quads)) {}
  __device__ uint4 next() { return ensyn::kernels::quad_words(source, row, column++, columns); }
};

struct Library : QuadWords {
  using QuadWords::QuadWords;
  __device__ void next(float (&x)[4]) {
    const ensyn::kernels::Quad<float> quad = ensyn::kernels::quad_normals<float>(QuadWords::next());
    for (int i = 0; i < 4; ++i) x[i] = quad.of[i / 2][i % 2];
  }
};

struct Hardware : QuadWords {
  using QuadWords::QuadWords;
  __device__ void next(float (&x)[4]) {
    const uint4 words = QuadWords::next();
    const Pair upper = hardware_pair(words.x, static_cast<int>(words.y));
    const Pair lower = hardware_pair(words.z, static_cast<int>(words.w));
    x[0] = upper.first;
    x[1] = upper.second;
    x[2] = lower.first;
    x[3] = lower.second;
  }
};

}  // namespace

// Assumption: limits.md, section 6.
void measure_normals(const Target& target, Report& report) {
  measure_generator<Library>(target, report, "normals, the library's", {});
  measure_generator<Hardware>(target, report, "normals, by special functions", 2000);
}

}  // namespace probe
