#include "host/driver/sweep/sweep_ranks.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>
#include <vector>

#include "ensyn/ensyn.h"
#include "host/driver/files/data_digests.h"
#include "host/driver/terminal/signals.h"

namespace ensyn::driver {
namespace {

using nlohmann::ordered_json;

/// Between two looks for messages; waiting inside MPI would take a processor from those who work.
constexpr std::chrono::milliseconds kPause(1);

ordered_json to_json(const Chunk& chunk) {
  return {{"id", chunk.id}, {"networks", chunk.networks}, {"saved", chunk.saved}};
}

Chunk chunk_from(const ordered_json& message) {
  return {message["id"], message["networks"].get<std::vector<std::size_t>>(),
          message["saved"].get<std::vector<std::size_t>>()};
}

ordered_json to_json(const Delivery& delivery) {
  ordered_json results = ordered_json::array();
  for (const auto& [network, cells] : delivery.results) results.push_back({network, cells});
  return {{"results", results}, {"done", delivery.done ? ordered_json(*delivery.done) : ordered_json()}};
}

Delivery delivery_from(const ordered_json& message) {
  Delivery delivery;
  for (const ordered_json& result : message["results"]) delivery.results.push_back({result[0], result[1]});
  if (!message["done"].is_null()) delivery.done = message["done"].get<std::size_t>();
  return delivery;
}

}  // namespace

ExecutionConfig execution_of(const Ranks& ranks, const SweepSettings& settings) {
  ExecutionConfig execution = settings.base.execution;
  if (ranks.size() == 1) return execution;
  if (execution.threads == 0) execution.threads = std::max(1, available_processors() / ranks.sharers());
  const auto devices = static_cast<int>(cuda_devices().size());
  if (devices > 0 && !settings.values.has("device_index")) {
    execution.device_index = ranks.local_rank() % devices;
  }
  return execution;
}

ordered_json agreement_of(const SweepSettings& settings, const TrainTest& data) {
  ordered_json all = to_json(settings);
  all["out"] = std::filesystem::absolute(settings.base.out).lexically_normal().string();
  return {{"settings", all}, {"data", with_digests(ordered_json::object(), data)}};
}

void check_agreement(Ranks& ranks, const ordered_json& own) {
  for (int heard = 1; heard < ranks.size();) {
    const auto message = ranks.receive();
    if (!message) {
      std::this_thread::sleep_for(kPause);
      continue;
    }
    ++heard;
    const ordered_json other = ordered_json::parse(message->text);
    // Settings first: they say more than that the data differ.
    auto difference = sweep_difference(own["settings"], other["settings"]);
    if (!difference) difference = sweep_difference(own["data"], other["data"]);
    if (!difference) continue;
    throw ConfigError("rank " + std::to_string(message->from) + " differs from rank 0: " + difference->key +
                      " is " + difference->after + " there, and " + difference->before +
                      " here: start all ranks of one ensyn, with the same flags and data");
  }
}

RankServer::RankServer(Ranks& ranks, SweepWork& work, SweepProgress& progress)
    : ranks_(ranks), work_(work), progress_(progress), present_(ranks.size() - 1) {
  for (int rank = 1; rank < ranks.size(); ++rank) ranks.send(rank, ordered_json{{"begin", true}}.dump());
  thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

RankServer::~RankServer() = default;

bool RankServer::done() const {
  if (!ended_) return false;
  if (failure_) std::rethrow_exception(failure_);
  return true;
}

void RankServer::serve(const std::stop_token& stop) {
  try {
    while (present_ > 0 && !stop.stop_requested()) {
      if (const auto message = ranks_.receive()) {
        answer(*message);
      } else {
        std::this_thread::sleep_for(kPause);
      }
    }
  } catch (...) {
    failure_ = std::current_exception();
  }
  ended_ = true;
}

void RankServer::answer(const Message& message) {
  const ordered_json content = ordered_json::parse(message.text);
  if (content.contains("want")) {
    const auto chunk = work_.next(content["want"].get<std::size_t>());
    if (!chunk) --present_;
    ranks_.send(message.from, (chunk ? to_json(*chunk) : ordered_json{{"end", true}}).dump());
  } else if (content.contains("results")) {
    work_.take(delivery_from(content));
  } else {
    progress_.watch(message.from, content["position"].get<std::uint64_t>(),
                    content["trained"].get<std::uint64_t>());
  }
}

RankClient::RankClient(Ranks& ranks, const ordered_json& agreement) : ranks_(ranks) {
  ranks_.send(0, agreement.dump());
  static_cast<void>(wait());
}

std::optional<Chunk> RankClient::next(std::size_t wanted) {
  ranks_.send(0, ordered_json{{"want", wanted}}.dump());
  const ordered_json answer = wait();
  return answer.contains("end") ? std::nullopt : std::optional(chunk_from(answer));
}

void RankClient::take(const Delivery& delivery) {
  ranks_.send(0, to_json(delivery).dump());
}

void RankClient::watch(std::uint64_t position, std::uint64_t trained) {
  ranks_.send(0, ordered_json{{"position", position}, {"trained", trained}}.dump());
}

ordered_json RankClient::wait() {
  while (true) {
    if (const auto message = ranks_.receive()) return ordered_json::parse(message->text);
    if (InterruptGuard::interrupted()) throw Interrupted("interrupted");
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace ensyn::driver
