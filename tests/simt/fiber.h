/// \file
/// Fibers on Boost.Context's primitive switch, with their stacks in one range of addresses and kept for
/// reuse.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <deque>
#include <vector>

#ifdef SIMT_ASAN
#  include <sanitizer/common_interface_defs.h>
#endif

namespace simt {

struct Fiber {
  boost::context::detail::fcontext_t context = nullptr;
  const std::byte* stack_low = nullptr;
  std::size_t stack_bytes = 0;
  void* fake_stack = nullptr;  // AddressSanitizer's
};

/// What a switch hands over: who left, and who was switched to.
struct Handover {
  Fiber* from;
  Fiber* to;
};

/// Called first on the side that was switched to.
inline void finish_switch(boost::context::detail::transfer_t transfer) {
  const auto& handover = *static_cast<const Handover*>(transfer.data);
  handover.from->context = transfer.fctx;
#ifdef SIMT_ASAN
  const void* low = nullptr;
  std::size_t bytes = 0;
  __sanitizer_finish_switch_fiber(handover.to->fake_stack, &low, &bytes);
  handover.from->stack_low =
      static_cast<const std::byte*>(low);  // no other way to learn those of the OS thread
  handover.from->stack_bytes = bytes;
#endif
}

/// Leaves `from`, which is running, for `to`; returns when something switches back.
inline void switch_fiber(Fiber& from, Fiber& to) {
  Handover handover{&from, &to};
#ifdef SIMT_ASAN
  __sanitizer_start_switch_fiber(&from.fake_stack, to.stack_low, to.stack_bytes);
#endif
  finish_switch(boost::context::detail::jump_fcontext(to.context, &handover));
}

/// Fibers that all run one function, which never returns but hands its fiber back with `give` and switches
/// away.
class FiberPool {
 public:
  using Run = void (*)(Fiber& own);
  explicit FiberPool(Run run);
  FiberPool(const FiberPool&) = delete;
  FiberPool& operator=(const FiberPool&) = delete;

  /// A fiber at the start of its function or just after it gave itself back.
  [[nodiscard]] Fiber& take() {
    if (idle_.empty()) grow();
    Fiber& fiber = *idle_.back();
    idle_.pop_back();
    return fiber;
  }
  void give(Fiber& fiber) { idle_.push_back(&fiber); }
  /// Takes all fibers back, wherever they are; what is on their stacks is never unwound.
  void abandon_all();

  [[nodiscard]] bool on_a_stack(const void* address) const {
    const auto* byte = static_cast<const std::byte*>(address);
    return byte >= low_ && byte < high_;
  }

 private:
  void grow();
  void start(Fiber& fiber) const;

  std::byte* low_ = nullptr;
  std::byte* high_ = nullptr;
  std::deque<Fiber> fibers_;
  std::vector<Fiber*> idle_;
};

}  // namespace simt
