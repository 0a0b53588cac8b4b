// Sizes that a caller gives are bounded by what there is, or refused before memory is touched.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>

#include "ensyn/device.h"
#include "ensyn/error.h"
#include "ensyn/population.h"
#include "oracle/parity.h"

namespace {

using ensyn::Population;
using ensyn::PopulationConfig;
using testing::HasSubstr;

constexpr int kHuge = std::numeric_limits<int>::max();

PopulationConfig small() {
  PopulationConfig config;
  config.architecture.sizes = {5, 4, 3};
  config.batch = 10;
  return config;
}

template <class Error, class Body>
std::string text_of(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no such error";
}

TEST(Limits, ABatchOfAnEvaluationIsAtMostTheExamples) {
  const PopulationConfig config = small();
  const ensyn::Dataset data = parity::make_data(config.architecture, 60);
  const Population population(config, data, parity::on_cpu());
  const ensyn::EvaluationConfig all{3, 60}, more{3, kHuge};
  const ensyn::Evaluation one = population.evaluate(data, all).front();
  const ensyn::Evaluation other = population.evaluate(data, more).front();
  EXPECT_EQ(one.average.nll, other.average.nll);
  EXPECT_EQ(one.sample.brier, other.sample.brier);
  EXPECT_EQ(one.mutual_information, other.mutual_information);
  EXPECT_EQ(population.predict(data, all).front().sd, population.predict(data, more).front().sd);
}

TEST(Limits, AnEvaluationThatDoesNotFitIntoMemoryIsRefused) {
  PopulationConfig config = small();
  config.architecture.sizes = {5, 255};
  const ensyn::Dataset data = parity::make_data(config.architecture, 200000);
  const Population population(config, data, parity::on_cpu());
  // 2e5 examples x 1e6 draws x 255 classes x 4 bytes: 204 TB.
  const ensyn::EvaluationConfig huge{ensyn::kMostSamples, kHuge};
  for (const std::string& text :
       {text_of<ensyn::OutOfMemoryError>([&] { static_cast<void>(population.evaluate(data, huge)); }),
        text_of<ensyn::OutOfMemoryError>([&] { static_cast<void>(population.predict(data, huge)); }),
        text_of<ensyn::OutOfMemoryError>([&] { population.check_evaluation(data, huge); })}) {
    EXPECT_THAT(text, HasSubstr("samples = 1000000 and batch = 200000"));
  }
  EXPECT_NO_THROW(population.check_evaluation(data, {}));
}

TEST(Limits, NetworksThatDoNotFitIntoMemoryAreRefused) {
  PopulationConfig config = small();
  config.architecture.sizes = {5, 2'000'000, 2'000'000, 3};
  EXPECT_THAT(text_of<ensyn::OutOfMemoryError>(
                  [&] { Population(config, parity::make_data(small().architecture, 60), parity::on_cpu()); }),
              HasSubstr("1 networks of 4000020000003 parameters"));
}

TEST(Limits, ThreadsAreNoMoreThanThereAreProcessors) {
  const int most = std::max(ensyn::available_processors(), 8);
  EXPECT_EQ(ensyn::thread_count(parity::on_cpu("auto", 0)), ensyn::available_processors());
  EXPECT_EQ(ensyn::thread_count(parity::on_cpu("auto", 3)), 3);
  EXPECT_EQ(ensyn::thread_count(parity::on_cpu("auto", kHuge)), most);
  const PopulationConfig config = small();
  Population population(config, parity::make_data(config.architecture, 60), parity::on_cpu("auto", kHuge));
  EXPECT_THAT(population.device(), HasSubstr(", " + std::to_string(most) + " threads"));
  population.train_steps(3);
  EXPECT_NO_THROW(static_cast<void>(population.signatures(0)));
}

TEST(Limits, StepsHaveNoise) {
  const PopulationConfig config = small();
  Population population(config, parity::make_data(config.architecture, 60), parity::on_cpu());
  population.train_steps(1);
  for (const std::uint64_t steps : {std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    EXPECT_THAT(text_of<ensyn::ConfigError>([&] { population.train_steps(steps); }), HasSubstr("2^40"));
  }
  PopulationConfig single = config;
  single.batch = 1;
  Population longer(single, parity::make_data(config.architecture, 600), parity::on_cpu());
  EXPECT_THAT(text_of<ensyn::ConfigError>([&] { longer.train(kHuge); }), HasSubstr("2^40"));
  EXPECT_EQ(population.step(), 1);
}

}  // namespace
