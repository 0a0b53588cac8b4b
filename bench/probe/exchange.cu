// How long a word takes from one block of a cluster to another, and how much one block can send to all
// others. The word goes to and fro and each block adds one to it, so that it counts the passages: half a
// round trip holds a store into the other block's shared memory, the other's noticing it, and its reading it.
// Noticed by a barrier in shared memory that the store completes (st.async), or by looking at the word.

#include "device.h"

namespace probe {
namespace {

constexpr unsigned kRounds = 2048;

struct Passage {
  long long ticks;
  unsigned word;  ///< at the end
};

/// The word and its barrier, of each block.
struct __align__(16) Inbox {
  unsigned long long barrier;
  unsigned word;
};

/// A word that completes the other's barrier. Strictly the wait must acquire in the cluster; where all that
/// is received came with the barrier, code often does in the block only, which spares it a look at other
/// caches.
template <Scope kScope>
struct ByBarrier {
  std::uint32_t barrier, word, other_barrier, other_word;
  unsigned parity = 0;

  __device__ ByBarrier(Inbox& inbox, unsigned other)
      : barrier(shared_address(&inbox.barrier)),
        word(shared_address(&inbox.word)),
        other_barrier(remote_address(barrier, other)),
        other_word(remote_address(word, other)) {
    barrier_init(barrier, 1);
    barrier_init_fence();
    barrier_expect(barrier, sizeof(unsigned));
  }
  __device__ void send(unsigned value) const {
    PROBE_SM90_ASM(
        "st.async.shared::cluster.mbarrier::complete_tx::bytes.u32 [%0], %1, [%2];" ::"r"(other_word),
        "r"(value), "r"(other_barrier)
        : "memory");
  }
  /// The word, which must be `expected` or more; 0 when it did not come.
  __device__ unsigned receive(unsigned /*expected*/) {
    if (!barrier_wait<kScope>(barrier, parity)) return 0;
    parity ^= 1;
    unsigned value = 0;
    PROBE_SM90_ASM("ld.shared::cta.u32 %0, [%1];" : "=r"(value) : "r"(word) : "memory");
    barrier_expect(barrier, sizeof(unsigned));
    return value;
  }
};

/// A word that the other looks at until it has changed. Nothing else is sent, so no order is asked for.
struct ByLooking {
  std::uint32_t word, other_word;

  __device__ ByLooking(Inbox& inbox, unsigned other)
      : word(shared_address(&inbox.word)), other_word(remote_address(word, other)) {
    inbox.word = 0;
  }
  __device__ void send(unsigned value) const {
    PROBE_SM90_ASM("st.relaxed.cluster.shared::cluster.u32 [%0], %1;" ::"r"(other_word), "r"(value)
                   : "memory");
  }
  __device__ unsigned receive(unsigned expected) const {
    // Counted, since reading the clock would take as long as looking: some 10 ms.
    for (unsigned looks = 0; looks < 1U << 20; ++looks) {
      unsigned value = 0;
      PROBE_SM90_ASM("ld.relaxed.cluster.shared::cta.u32 %0, [%1];" : "=r"(value) : "r"(word) : "memory");
      if (value >= expected) return value;
    }
    return 0;
  }
};

/// The first and the last block of the cluster pass the word; blocks are of one thread.
template <class Post>
__global__ void passage_kernel(unsigned rounds, Passage* passage) {
  __shared__ Inbox inbox;
  const unsigned rank = cluster_rank(), last = cluster_size() - 1;
  Post post(inbox, last - rank);
  cluster_barrier();  // all are ready
  if (rank == 0 || rank == last) {
    const long long start = ticks();
    unsigned word = 0;
    for (unsigned round = 0; round < rounds; ++round) {
      if (rank == 0) post.send(word + 1);
      word = post.receive(2 * round + (rank == 0 ? 2 : 1));
      if (word == 0) break;
      if (rank != 0) post.send(word + 1);
    }
    if (rank == 0) *passage = {ticks() - start, word};
  }
  cluster_barrier();  // no block leaves while another may still write to it
}

template <class Post>
void measure_passage(const Target& target, Report& report, const std::string& how) {
  for (const unsigned size : {2U, 16U}) {
    const std::string name = how + ", clusters of " + std::to_string(size);
    const Shape shape{size, 1, 0, size};
    if (active_clusters(target, reinterpret_cast<const void*>(passage_kernel<Post>), shape) == 0) {
      report.not_here(name);
      continue;
    }
    const ensyn::cuda::DeviceBuffer<Passage> passage(1, "a passage");
    // The first launch warms the instruction cache.
    for (int i = 0; i < 2; ++i) {
      launch(target.stream, "passing a word", passage_kernel<Post>, shape, kRounds, passage.data());
    }
    const Passage found = values(passage, target.stream)[0];
    const bool right = found.word == 2 * kRounds;
    // Assumption: limits.md, section 9.
    report.add({name,
                "clocks",
                static_cast<double>(found.ticks) / (2 * kRounds),
                300,
                right ? "" : "the word is " + std::to_string(found.word) + " after 4096 passages",
                "half a round trip, first and last block",
                {}});
  }
}

constexpr unsigned kPushThreads = 512, kPushBytes = 16 * kPushThreads;  // 8 KiB to each block
constexpr unsigned kPushes = 32;

__device__ inline uint4 pushed(unsigned push, unsigned to) {
  return {push, to, threadIdx.x, ~threadIdx.x};
}

/// The first block writes into the shared memory of every other, 16 bytes a thread and push. Timed until all
/// of it has arrived, which is what the last barrier says.
__global__ void __launch_bounds__(kPushThreads) push_kernel(long long* time, unsigned* errors) {
  __shared__ uint4 inbox[kPushThreads];
  const unsigned rank = cluster_rank(), size = cluster_size();
  inbox[threadIdx.x] = {};
  cluster_barrier();
  const long long start = ticks();
  if (rank == 0) {
    const std::uint32_t mine = shared_address(&inbox[threadIdx.x]);
    for (unsigned push = 1; push <= kPushes; ++push) {
      for (unsigned to = 1; to < size; ++to) {
        const uint4 value = pushed(push, to);
        PROBE_SM90_ASM("st.shared::cluster.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(remote_address(mine, to)),
                       "r"(value.x), "r"(value.y), "r"(value.z), "r"(value.w)
                       : "memory");
      }
    }
  }
  cluster_barrier();
  if (rank == 0) {
    if (threadIdx.x == 0) *time = ticks() - start;
    return;
  }
  const uint4 is = inbox[threadIdx.x], should = pushed(kPushes, rank);
  if (is.x != should.x || is.y != should.y || is.z != should.z || is.w != should.w) atomicAdd(errors, 1U);
}

void measure_push(const Target& target, Report& report) {
  constexpr unsigned kSize = 16;
  constexpr const char* kName = "remote stores, one block to 15 others";
  const Shape shape{kSize, kPushThreads, 0, kSize};
  if (active_clusters(target, reinterpret_cast<const void*>(push_kernel), shape) == 0) {
    return report.not_here(kName);
  }
  const ensyn::cuda::DeviceBuffer<long long> time(1, "a time");
  const ensyn::cuda::DeviceBuffer<unsigned> errors(1, "errors");
  ensyn::cuda::clear(errors, target.stream.get());
  for (int i = 0; i < 2; ++i) {
    launch(target.stream, "remote stores", push_kernel, shape, time.data(), errors.data());
  }
  const unsigned wrong = values(errors, target.stream)[0];
  const double bytes = double{kPushBytes} * (kSize - 1) * kPushes;
  report.add({kName,
              "bytes/clock",
              bytes / static_cast<double>(values(time, target.stream)[0]),
              {},
              wrong == 0 ? "" : std::to_string(wrong) + " words of 16 bytes are wrong",
              "8 KiB to each, 16 bytes a store, one cluster barrier in the time",
              {}});
}

}  // namespace

void measure_exchange(const Target& target, Report& report) {
  measure_passage<ByBarrier<Scope::cluster>>(target, report, "st.async, wait acquires in cluster");
  measure_passage<ByBarrier<Scope::block>>(target, report, "st.async, wait acquires in block");
  measure_passage<ByLooking>(target, report, "remote store, seen by looking");
  measure_push(target, report);
}

}  // namespace probe
