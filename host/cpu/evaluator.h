/// \file
/// Evaluation of one network: mean weights, one draw and K draws per minibatch, minibatches shared out over
/// threads.
#pragma once

#include "ensyn/dataset.h"
#include "ensyn/evaluation.h"
#include "host/cpu/kernels.h"
#include "host/cpu/member.h"
#include "host/cpu/team.h"

namespace ensyn::cpu {

template <class T>
[[nodiscard]] Evaluation evaluate(const Member<T>& member, const Dataset& data,
                                  const EvaluationConfig& config, const KernelTable<T>& kernels,
                                  ThreadPool& pool);

}  // namespace ensyn::cpu
