// Standard normals per second in the library's two forms, from the same words of Philox4x32-10, a quad at a
// time as its kernels draw them: by box_muller, which gives the CPU's bits, and by special functions, as
// kernels that train whole networks do (tile_math.h). Drawn by all threads that fit on the device; of each
// quad two instructions are the benchmark's own. Compiled as the library's kernels are, with no multiply-add
// but those written out.

#include "generators.h"
#include "kernels/device/quad.h"
#include "kernels/whole/tile_math.h"

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

__device__ inline void copy(float (&x)[4], const ensyn::kernels::Quad<float>& quad) {
  for (int i = 0; i < 4; ++i) x[i] = quad.of[i / 2][i % 2];
}

struct Formulas : QuadWords {
  using QuadWords::QuadWords;
  __device__ void next(float (&x)[4]) { copy(x, ensyn::kernels::quad_normals<float>(QuadWords::next())); }
};

struct Specials : QuadWords {
  using QuadWords::QuadWords;
  __device__ void next(float (&x)[4]) { copy(x, ensyn::kernels::tile_normals(QuadWords::next(), 0.0F)); }
};

}  // namespace

// Assumption: limits.md, section 6.
void measure_normals(const Target& target, Report& report) {
  measure_generator<Formulas>(target, report, "normals, by the CPU's formulas", {});
  measure_generator<Specials>(target, report, "normals, by special functions", 2000);
}

}  // namespace probe
