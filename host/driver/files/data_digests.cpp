#include "host/driver/files/data_digests.h"

#include <iostream>
#include <string>

#include "ensyn/error.h"

namespace ensyn::driver {
namespace {

using nlohmann::ordered_json;

void check(const char* what, const Dataset& data, const ordered_json& before,
           const std::filesystem::path& file) {
  if (before == data.digest()) return;
  throw DataError(std::string("the ") + what + " set of " + data.name() + " has digest " + data.digest() +
                  ", but " + file.string() + " is of one with digest " +
                  (before.is_string() ? before.get<std::string>() : before.dump()) +
                  ": restore the data, or choose another --out");
}

}  // namespace

ordered_json with_digests(ordered_json config, const TrainTest& data) {
  config[kTrainDigest] = data.train.digest();
  config[kTestDigest] = data.test.digest();
  return config;
}

ordered_json without_digests(ordered_json config) {
  config.erase(kTrainDigest);
  config.erase(kTestDigest);
  return config;
}

void check_digests(const ordered_json& before, const std::filesystem::path& file, const TrainTest& data) {
  if (!before.contains(kTrainDigest) || !before.contains(kTestDigest)) {
    std::cerr << "ensyn: " + file.string() +
                     " was written by an early version, which did not note the digests of its data: that the "
                     "data are still the same is not checked\n"
              << std::flush;
    return;
  }
  check("training", data.train, before[kTrainDigest], file);
  check("test", data.test, before[kTestDigest], file);
}

}  // namespace ensyn::driver
