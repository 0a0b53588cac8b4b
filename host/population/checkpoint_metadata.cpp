#include "host/population/checkpoint_metadata.h"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <string_view>

#include "ensyn/error.h"
#include "ensyn/noise.h"
#include "host/base/message.h"
#include "host/config/json.h"
#include "host/data/digest.h"
#include "host/io/json_text.h"

namespace ensyn {
namespace {

constexpr std::string_view kFormat = "ensyn";
constexpr std::uint64_t kFormatVersion = 1;
constexpr const char* kTrainDigest = "train_digest";
/// The noise contract has 40 bits for the step.
constexpr std::uint64_t kMaxStep = std::uint64_t{1} << 40;

std::string epoch_sums_text(const std::vector<NetworkState>& members, const std::string& source) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& member : members) {
    if (!std::isfinite(member.epoch.nll)) {
      bad_checkpoint(source, "the loss of network " + std::to_string(list.size()) + " in this epoch is " +
                                 shown(member.epoch.nll) +
                                 "; go back to an earlier checkpoint or train again");
    }
    list.push_back(
        {{"examples", member.epoch.examples}, {"correct", member.epoch.correct}, {"nll", member.epoch.nll}});
  }
  return list.dump();
}

class MetadataReader {
 public:
  MetadataReader(const std::map<std::string, std::string>& metadata, const std::string& source)
      : metadata_(metadata), source_(source) {}

  [[nodiscard]] CheckpointMetadata read() const {
    if (const auto& format = text("format"); format != kFormat) {
      bad_checkpoint(source_, "its format is " + quote(format, 100) + ", not " + std::string(kFormat) +
                                  "; it was not written by ensyn");
    }
    expect("format_version", kFormatVersion);
    expect("noise_contract", static_cast<std::uint64_t>(kNoiseContract));
    CheckpointMetadata result;
    result.info.noise_contract = kNoiseContract;
    result.info.config = config();
    result.info.step = number("step");
    if (result.info.step > kMaxStep) {
      bad_checkpoint(source_, "step = " + std::to_string(result.info.step) + ": it must be at most 2^40");
    }
    result.info.train_examples = number("train_examples");
    if (result.info.train_examples < static_cast<std::uint64_t>(result.info.config.batch)) {
      bad_checkpoint(source_, "train_examples = " + std::to_string(result.info.train_examples) +
                                  ": it must be at least the batch size " +
                                  std::to_string(result.info.config.batch));
    }
    result.info.train_digest = train_digest();
    result.epoch_sums = epoch_sums(result.info);
    return result;
  }

 private:
  [[nodiscard]] const std::string& text(const char* key) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end()) {
      bad_checkpoint(source_,
                     "its metadata have no " + quote(key) + "; it was not written by ensyn, or is damaged");
    }
    return found->second;
  }

  [[nodiscard]] std::uint64_t number(const char* key) const {
    const auto& digits = text(key);
    std::uint64_t value = 0;
    const auto* const end = digits.data() + digits.size();
    const auto [after, status] = std::from_chars(digits.data(), end, value);
    if (status != std::errc{} || after != end) {
      bad_checkpoint(source_,
                     "metadata " + quote(key) + " = " + quote(digits, 100) + ": it must be a whole number");
    }
    return value;
  }

  void expect(const char* key, std::uint64_t supported) const {
    if (const auto value = number(key); value != supported) {
      bad_checkpoint(source_, std::string(key) + " is " + std::to_string(value) +
                                  ", but this version of ensyn reads " + std::to_string(supported) +
                                  "; use the version that wrote it");
    }
  }

  /// Empty where there is none.
  [[nodiscard]] std::string train_digest() const {
    const auto found = metadata_.find(kTrainDigest);
    if (found == metadata_.end()) return {};
    if (!is_digest(found->second)) {
      bad_checkpoint(source_, "metadata 'train_digest' = " + quote(found->second, 100) +
                                  ": it must be eight hexadecimal digits; the file is damaged");
    }
    return found->second;
  }

  [[nodiscard]] PopulationConfig config() const {
    PopulationConfig result;
    try {
      apply_json(parse_config(text("config"), "config"), "", result);
      result.validate();
    } catch (const ConfigError& error) {
      bad_checkpoint(source_, std::string("bad configuration: ") + error.what());
    }
    return result;
  }

  [[nodiscard]] std::vector<EpochSums> epoch_sums(const CheckpointInfo& info) const {
    std::vector<EpochSums> result;
    try {
      const auto list = parse_json(text("epoch_sums"));
      if (!list.is_array()) {
        bad_epoch_sums();
      }
      for (const auto& entry : list) {
        const auto& examples = entry.at("examples");
        const auto& correct = entry.at("correct");
        const auto& nll = entry.at("nll");
        if (entry.size() != 3 || !examples.is_number_unsigned() || !correct.is_number_unsigned() ||
            !nll.is_number()) {
          bad_epoch_sums();
        }
        result.push_back({examples.get<std::uint64_t>(), correct.get<std::uint64_t>(), nll.get<double>()});
        if (result.back().examples > info.train_examples || result.back().correct > result.back().examples) {
          bad_epoch_sums();
        }
      }
    } catch (const JsonTextError&) {
      bad_epoch_sums();
    } catch (const nlohmann::json::exception&) {
      bad_epoch_sums();
    }
    if (result.size() != info.config.members.size()) {
      bad_epoch_sums();
    }
    return result;
  }

  [[noreturn]] void bad_epoch_sums() const {
    bad_checkpoint(
        source_,
        "metadata 'epoch_sums' must hold examples, correct and nll of each member, with correct <= "
        "examples <= train_examples; the file is damaged");
  }

  const std::map<std::string, std::string>& metadata_;
  const std::string& source_;
};

}  // namespace

void bad_checkpoint(const std::string& source, const std::string& what) {
  throw DataError("checkpoint " + quote(source) + ": " + what);
}

std::map<std::string, std::string> checkpoint_metadata(const Checkpoint& checkpoint,
                                                       const std::string& source) {
  std::map<std::string, std::string> metadata = {
      {"format", std::string(kFormat)},
      {"format_version", std::to_string(kFormatVersion)},
      {"noise_contract", std::to_string(kNoiseContract)},
      {"step", std::to_string(checkpoint.step)},
      {"train_examples", std::to_string(checkpoint.train_examples)},
      {"config", json_of(checkpoint.config).dump()},
      {"epoch_sums", epoch_sums_text(checkpoint.members, source)}};
  if (!checkpoint.train_digest.empty()) metadata[kTrainDigest] = checkpoint.train_digest;
  return metadata;
}

CheckpointMetadata read_checkpoint_metadata(const std::map<std::string, std::string>& metadata,
                                            const std::string& source) {
  return MetadataReader(metadata, source).read();
}

}  // namespace ensyn
