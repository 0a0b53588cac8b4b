/// \file
/// Checkpoints as the safetensors package for Python sees them.
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "data/checkpoint_support.h"
#include "data/support.h"

namespace ensyn {
namespace {

using nlohmann::json;
using test::make_checkpoint;
using test::put;
using test::TempFolder;

/// Standard output of a command, which must succeed.
std::string output_of(const std::string& command) {
  std::string text;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) {
    ADD_FAILURE() << "cannot run " << command;
    return text;
  }
  char buffer[4096];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    text.append(buffer, got);
  }
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return text;
}

bool succeeds(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

std::vector<double> numbers(const json& entry) {
  std::vector<double> values;
  for (const auto& hex : entry["values"]) {
    values.push_back(std::strtod(hex.get_ref<const std::string&>().c_str(), nullptr));
  }
  return values;
}

/// Needs no numpy: the package hands out bytes.
constexpr const char* kScript = R"(
import json, struct, sys
from safetensors import deserialize
content = open(sys.argv[1], "rb").read()
result = {}
for name, tensor in deserialize(content):
    code = {"F32": "f", "F64": "d"}[tensor["dtype"]]
    data = bytes(tensor["data"])
    values = struct.unpack("<%d%s" % (len(data) // struct.calcsize(code), code), data)
    result[name] = {"dtype": tensor["dtype"], "shape": tensor["shape"], "values": [v.hex() for v in values]}
json.dump(result, sys.stdout)
)";

constexpr const char* kNumpyScript = R"(
import json, sys
from safetensors import safe_open
with safe_open(sys.argv[1], framework="numpy") as file:
    names = sorted(file.keys())
    sums = {name: float(file.get_tensor(name).sum(dtype="float64")) for name in names}
    json.dump({"metadata": file.metadata(), "sums": sums}, sys.stdout)
)";

class CheckpointPython : public testing::Test {
 protected:
  void SetUp() override {
    if (!succeeds("python3 -c 'import safetensors'")) {
      GTEST_SKIP() << "the Python package safetensors is not installed";
    }
  }
  json run(const char* script, const std::filesystem::path& file) const {
    put(folder_ / "script.py", test::bytes_of(script));
    const auto text = output_of("python3 '" + (folder_ / "script.py").string() + "' '" + file.string() + "'");
    return json::parse(text, nullptr, false);
  }
  TempFolder folder_;
};

TEST_F(CheckpointPython, ReadsEveryValue) {
  for (const auto precision : {Precision::single_precision, Precision::double_precision}) {
    const auto checkpoint = make_checkpoint({NoiseKind::heterogeneous, NoiseKind::homogeneous}, precision);
    write_checkpoint(folder_ / "model", checkpoint);
    const auto read = run(kScript, folder_ / "model");
    ASSERT_EQ(read.size(), 14u + 6 + 4);
    const char* const dtype = precision == Precision::single_precision ? "F32" : "F64";
    for (std::size_t l = 0; l < 2; ++l) {
      const auto& layer = checkpoint.members[0].layers[l];
      const auto prefix = "m0.layer" + std::to_string(l) + ".";
      EXPECT_EQ(read[prefix + "mu"]["dtype"], dtype);
      EXPECT_EQ(read[prefix + "mu"]["shape"], (json{layer.rows, layer.columns}));
      EXPECT_EQ(numbers(read[prefix + "mu"]), layer.mu);
      EXPECT_EQ(numbers(read[prefix + "mu.moment1"]), layer.mu_moment1);
      EXPECT_EQ(numbers(read[prefix + "mu.moment2"]), layer.mu_moment2);
      EXPECT_EQ(numbers(read[prefix + "phi"]), layer.phi);
      EXPECT_EQ(numbers(read[prefix + "phi.moment1"]), layer.phi_moment1);
      EXPECT_EQ(numbers(read[prefix + "phi.moment2"]), layer.phi_moment2);
    }
    EXPECT_EQ(numbers(read["m1.phi"]), checkpoint.members[1].shared_phi.value);
    EXPECT_EQ(read["m1.sigma"]["shape"], json{1});
  }
}

TEST_F(CheckpointPython, LoadsAsArraysWithItsMetadata) {
  if (!succeeds("python3 -c 'import numpy'")) {
    GTEST_SKIP() << "numpy is not installed";
  }
  const auto checkpoint = make_checkpoint({NoiseKind::heterogeneous}, Precision::double_precision);
  write_checkpoint(folder_ / "model", checkpoint);
  const auto read = run(kNumpyScript, folder_ / "model");
  EXPECT_EQ(read["metadata"]["format"], "ensyn");
  EXPECT_EQ(read["metadata"]["step"], std::to_string(checkpoint.step));
  EXPECT_EQ(json::parse(read["metadata"]["config"].get<std::string>())["members"][0]["seed"],
            checkpoint.config.members[0].seed);
  double sum = 0;
  for (const double value : checkpoint.members[0].layers[1].phi) {
    sum += value;
  }
  EXPECT_NEAR(read["sums"]["layer1.phi"].get<double>(), sum, 1e-12);
}

}  // namespace
}  // namespace ensyn
