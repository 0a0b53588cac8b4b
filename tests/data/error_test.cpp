#include "ensyn/error.h"

#include <gtest/gtest.h>

#include <type_traits>

namespace ensyn {
namespace {

TEST(Error, EveryKindIsAnError) {
  EXPECT_TRUE((std::is_base_of_v<std::runtime_error, Error>));
  EXPECT_TRUE((std::is_base_of_v<Error, ConfigError>));
  EXPECT_TRUE((std::is_base_of_v<Error, DataError>));
  EXPECT_TRUE((std::is_base_of_v<Error, IoError>));
  EXPECT_TRUE((std::is_base_of_v<Error, DeviceError>));
  EXPECT_TRUE((std::is_base_of_v<Error, OutOfMemoryError>));
  EXPECT_TRUE((std::is_base_of_v<Error, DivergenceError>));
}

TEST(Error, DivergenceKeepsMemberAndStep) {
  try {
    throw DivergenceError("the loss is nan", 3, std::uint64_t{1} << 39);
  } catch (const Error& error) {
    const auto& divergence = dynamic_cast<const DivergenceError&>(error);
    EXPECT_STREQ(divergence.what(), "the loss is nan");
    EXPECT_EQ(divergence.member(), 3);
    EXPECT_EQ(divergence.step(), std::uint64_t{1} << 39);
  }
}

}  // namespace
}  // namespace ensyn
