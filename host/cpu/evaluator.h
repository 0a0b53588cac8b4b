/// \file
/// Evaluation of one network: mean weights, one draw and K draws per minibatch, minibatches shared out over
/// threads.
#pragma once

#include "ensyn/evaluation.h"
#include "host/cpu/kernels.h"
#include "host/cpu/member.h"
#include "host/cpu/team.h"
#include "host/model/prediction.h"

namespace ensyn::cpu {

template <class T>
[[nodiscard]] Evaluation evaluate(const Member<T>& member, const Task& task, const KernelTable<T>& kernels,
                                  ThreadPool& pool);

template <class T>
[[nodiscard]] Prediction predict(const Member<T>& member, const Task& task, const KernelTable<T>& kernels,
                                 ThreadPool& pool);

}  // namespace ensyn::cpu
