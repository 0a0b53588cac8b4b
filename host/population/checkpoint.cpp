#include "host/population/checkpoint.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <deque>
#include <limits>
#include <map>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "ensyn/error.h"
#include "ensyn/population.h"
#include "host/base/message.h"
#include "host/io/file.h"
#include "host/io/safetensors.h"
#include "host/model/phi_groups.h"
#include "host/population/checkpoint_metadata.h"

namespace ensyn {
namespace {

/// What a tensor holds, and where that stands in the state of a network: in each layer, or, if the network
/// shares one phi, in `shared`.
struct Role {
  std::string_view name;
  std::vector<double> LayerState::*layer;
  std::vector<double> SharedPhi::*shared;
  bool not_negative = false;
  bool derived = false;  ///< softplus of the place named; written for readers' convenience
};

constexpr Role kRoles[] = {
    {"mu", &LayerState::mu, nullptr},
    {"mu.moment1", &LayerState::mu_moment1, nullptr},
    {"mu.moment2", &LayerState::mu_moment2, nullptr, true},
    {"phi", &LayerState::phi, &SharedPhi::value},
    {"phi.moment1", &LayerState::phi_moment1, &SharedPhi::moment1},
    {"phi.moment2", &LayerState::phi_moment2, &SharedPhi::moment2, true},
    {"sigma", &LayerState::phi, &SharedPhi::value, true, true},
};

/// One tensor of a checkpoint.
struct Slot {
  std::string name;
  const Role* role;
  std::size_t member;
  std::optional<std::size_t> layer;  ///< absent for a phi that weights share
  std::vector<std::uint64_t> shape;
};

/// Every tensor of a checkpoint, in the order in which their data are written.
std::vector<Slot> layout(const PopulationConfig& config) {
  std::vector<Slot> slots;
  const auto& sizes = config.architecture.sizes;
  for (std::size_t m = 0; m < config.members.size(); ++m) {
    const auto prefix = config.members.size() == 1 ? "" : "m" + std::to_string(m) + ".";
    const std::uint64_t groups = phi_group_count(config.members[m].noise, config.architecture);
    for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
      const auto layer = prefix + "layer" + std::to_string(l) + ".";
      const auto rows = static_cast<std::uint64_t>(sizes[l + 1]);
      const auto columns = static_cast<std::uint64_t>(sizes[l]) + 1;
      for (const auto& role : kRoles) {
        if (groups == 0 || role.shared == nullptr) {
          slots.push_back({layer + std::string(role.name), &role, m, l, {rows, columns}});
        }
      }
    }
    for (const auto& role : kRoles) {
      if (groups > 0 && role.shared != nullptr) {
        slots.push_back({prefix + std::string(role.name), &role, m, std::nullopt, {groups}});
      }
    }
  }
  return slots;
}

/// The values of a slot in the state of its member. State is NetworkState or const NetworkState.
template <typename State>
auto place_of(State& state, const Slot& slot) {
  using Value = std::conditional_t<std::is_const_v<State>, const double, double>;
  if (slot.layer) {
    return std::span<Value>(state.layers[*slot.layer].*slot.role->layer);
  }
  return std::span<Value>(state.shared_phi.*slot.role->shared);
}

TensorType type_of(const PopulationConfig& config) {
  return config.precision == Precision::single_precision ? TensorType::f32 : TensorType::f64;
}

/// Used in both directions: what could not be read back is not written over what can.
void check_values(std::span<const double> values, const Slot& slot, TensorType type,
                  const std::string& source) {
  const double largest = type == TensorType::f32 ? static_cast<double>(std::numeric_limits<float>::max())
                                                 : std::numeric_limits<double>::max();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(std::abs(values[i]) <= largest)) {
      bad_checkpoint(source, "tensor " + slot.name + " has a value that is not a finite " +
                                 std::string(name(type)) + " (" + shown(values[i]) + ", element " +
                                 std::to_string(i) + "); go back to an earlier checkpoint or train again");
    }
    if (slot.role->not_negative && values[i] < 0) {
      bad_checkpoint(source, "tensor " + slot.name + " has a negative value (" + shown(values[i]) +
                                 ", element " + std::to_string(i) +
                                 "), which it cannot have; go back to an earlier checkpoint");
    }
  }
}

std::string shape_text(const std::vector<std::uint64_t>& shape) {
  std::string text;
  for (const auto size : shape) {
    text += (text.empty() ? "" : " x ") + std::to_string(size);
  }
  return text.empty() ? "scalar" : text;
}

/// Exactly the tensors of the layout, each of its shape and type.
void check_tensors(const std::vector<Slot>& slots, const SafetensorsHeader& header, TensorType type,
                   const std::string& source) {
  std::map<std::string_view, const Slot*> expected;
  for (const auto& slot : slots) {
    expected.emplace(slot.name, &slot);
    const auto found = header.tensors.find(slot.name);
    if (found == header.tensors.end()) {
      bad_checkpoint(source, "tensor " + slot.name + " is missing");
    }
    const auto& entry = found->second;
    if (entry.shape != slot.shape) {
      bad_checkpoint(source, "tensor " + slot.name + " has shape " + shape_text(entry.shape) +
                                 ", but the configuration asks for " + shape_text(slot.shape));
    }
    if (entry.type != type) {
      bad_checkpoint(source, "tensor " + slot.name + " has dtype " + std::string(name(entry.type)) +
                                 ", but the configured precision asks for " + std::string(name(type)));
    }
  }
  for (const auto& [name, entry] : header.tensors) {
    if (!expected.contains(name)) {
      bad_checkpoint(source, "tensor " + quote(name, 100) + " does not belong to the configured population");
    }
  }
}

/// More members than tensors cannot be right, and a layout for them could be very large.
std::vector<Slot> checked_layout(const PopulationConfig& config, const SafetensorsHeader& header,
                                 const std::string& source) {
  if (config.members.size() * static_cast<std::size_t>(config.architecture.layers()) >
      header.tensors.size()) {
    bad_checkpoint(source, "it has " + std::to_string(header.tensors.size()) + " tensors, too few for " +
                               std::to_string(config.members.size()) + " networks of " +
                               std::to_string(config.architecture.layers()) + " layers");
  }
  auto slots = layout(config);
  check_tensors(slots, header, type_of(config), source);
  return slots;
}

NetworkState empty_state(const PopulationConfig& config, const NetworkConfig& member) {
  NetworkState state;
  const auto& sizes = config.architecture.sizes;
  for (std::size_t l = 0; l + 1 < sizes.size(); ++l) {
    LayerState layer;
    layer.rows = sizes[l + 1];
    layer.columns = sizes[l] + 1;
    const auto count = static_cast<std::size_t>(layer.rows) * static_cast<std::size_t>(layer.columns);
    for (auto* values : {&layer.mu, &layer.mu_moment1, &layer.mu_moment2}) {
      values->resize(count);
    }
    if (member.noise == NoiseKind::heterogeneous) {
      for (auto* values : {&layer.phi, &layer.phi_moment1, &layer.phi_moment2}) {
        values->resize(count);
      }
    }
    state.layers.push_back(std::move(layer));
  }
  const auto groups = static_cast<std::size_t>(phi_group_count(member.noise, config.architecture));
  for (auto* values : {&state.shared_phi.value, &state.shared_phi.moment1, &state.shared_phi.moment2}) {
    values->resize(groups);
  }
  return state;
}

Checkpoint parse_checkpoint(std::span<const std::uint8_t> content, const std::string& source) {
  const auto header = parse_safetensors_header(content, content.size(), source);
  auto metadata = read_checkpoint_metadata(header.metadata, source);
  Checkpoint result{std::move(metadata.info.config),
                    metadata.info.step,
                    metadata.info.train_examples,
                    std::move(metadata.info.train_digest),
                    {}};
  const auto slots = checked_layout(result.config, header, source);
  for (std::size_t m = 0; m < result.config.members.size(); ++m) {
    result.members.push_back(empty_state(result.config, result.config.members[m]));
    result.members.back().epoch = metadata.epoch_sums[m];
  }
  std::vector<double> sigma;
  for (const auto& slot : slots) {
    const auto& entry = header.tensors.at(slot.name);
    std::span<double> values = place_of(result.members[slot.member], slot);
    if (slot.role->derived) {
      sigma.resize(values.size());
      values = sigma;
    }
    decode_tensor(content, header, entry, values);
    check_values(values, slot, entry.type, source);
  }
  return result;
}

/// \param sigmas keeps the derived values that the result refers to.
std::vector<TensorSource> tensor_sources(const Checkpoint& checkpoint,
                                         std::deque<std::vector<double>>& sigmas, const std::string& source) {
  assert(checkpoint.members.size() == checkpoint.config.members.size());
  const auto type = type_of(checkpoint.config);
  std::vector<TensorSource> tensors;
  for (auto& slot : layout(checkpoint.config)) {
    std::span<const double> values = place_of(checkpoint.members[slot.member], slot);
    if (slot.role->derived) {
      auto& sigma = sigmas.emplace_back();
      for (const double phi : values) {
        sigma.push_back(softplus(phi));
      }
      values = sigma;
    }
    assert(values.size() == slot.shape[0] * (slot.layer ? slot.shape[1] : 1));
    check_values(values, slot, type, source);
    tensors.push_back({std::move(slot.name), type, std::move(slot.shape), values});
  }
  return tensors;
}

/// Runs `work`, which needs memory for the checkpoint named.
template <typename Work>
auto with_memory(const std::string& source, Work&& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    throw OutOfMemoryError("not enough memory for the content of checkpoint " + quote(source));
  }
}

}  // namespace

void write_checkpoint(const std::filesystem::path& file, const Checkpoint& checkpoint) {
  const auto source = file.string();
  const auto content = with_memory(source, [&] {
    std::deque<std::vector<double>> sigmas;
    const auto tensors = tensor_sources(checkpoint, sigmas, source);
    return format_safetensors(checkpoint_metadata(checkpoint, source), tensors);
  });
  write_file(file, content);
}

Checkpoint read_checkpoint(const std::filesystem::path& file) {
  const auto content = read_file(file);
  return with_memory(file.string(), [&] { return parse_checkpoint(content, file.string()); });
}

CheckpointInfo read_checkpoint_info(const std::filesystem::path& file) {
  const auto source = file.string();
  return with_memory(source, [&] {
    const auto header = read_safetensors_header(file);
    auto info = read_checkpoint_metadata(header.metadata, source).info;
    checked_layout(info.config, header, source);
    return info;
  });
}

}  // namespace ensyn
