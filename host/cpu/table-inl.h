// The table of this instruction set's kernels.
#pragma once

#include "host/cpu/advance-inl.h"
#include "host/cpu/dense-inl.h"
#include "host/cpu/kernels.h"
#include "host/cpu/signatures-inl.h"
#include "host/cpu/softmax-inl.h"

namespace ensyn::HWY_NAMESPACE {

template <class T>
inline constexpr cpu::KernelTable<T> kTable{
    .advance_heterogeneous = advance_heterogeneous<T>,
    .update_shared = update_shared<T>,
    .sample_shared = sample_shared<T>,
    .sample_plain = sample_plain<T>,
    .add_gradient_powers = add_gradient_powers<T>,
    .add_products = add_products<T>,
    .forward = forward<T>,
    .backward = backward<T>,
    .loss = loss<T>,
    .log_softmax = log_softmax<T>,
    .normalize = normalize<T>,
};

}  // namespace ensyn::HWY_NAMESPACE
