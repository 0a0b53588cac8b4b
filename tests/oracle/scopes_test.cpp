// How parameters are read and set where weights share a sigma.

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "ensyn/error.h"
#include "ensyn/population.h"
#include "oracle/parity.h"

namespace {

using ensyn::LayerParameters;
using ensyn::NoiseKind;
using ensyn::Population;

/// 4-7-3, trained until every group's phi is its own.
Population trained(NoiseKind noise) {
  parity::Case test = parity::case_named("many_exponents", ensyn::Precision::double_precision);
  test.config.members.front().noise = noise;
  Population population(test.config, parity::make_data(test), parity::on_cpu());
  population.train_steps(5);
  return population;
}

std::set<double> different(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

TEST(ScopesTest, WeightsOfAGroupHaveOneSigmaAndOthersAnother) {
  const struct {
    NoiseKind noise;
    std::size_t of_first, of_all;
  } cases[] = {{NoiseKind::heterogeneous, 35, 59},
               {NoiseKind::per_neuron, 7, 10},
               {NoiseKind::per_layer, 1, 2},
               {NoiseKind::homogeneous, 1, 1}};
  for (const auto& [noise, of_first, of_all] : cases) {
    SCOPED_TRACE(ensyn::name(noise));
    const Population population = trained(noise);
    const LayerParameters first = population.parameters(0, 0), second = population.parameters(0, 1);
    EXPECT_EQ(different(first.phi).size(), of_first);
    std::set<double> all = different(first.sigma);
    all.merge(different(second.sigma));
    EXPECT_EQ(all.size(), of_all);
    if (noise != NoiseKind::per_neuron) continue;
    for (std::size_t i = 0; i < first.phi.size(); ++i) EXPECT_EQ(first.phi[i], first.phi[i / 5 * 5]) << i;
  }
}

TEST(ScopesTest, WhatIsSetIsReadAndTrainsOn) {
  for (const NoiseKind noise : {NoiseKind::per_neuron, NoiseKind::per_layer, NoiseKind::homogeneous}) {
    SCOPED_TRACE(ensyn::name(noise));
    Population population = trained(noise);
    LayerParameters values = population.parameters(0, 1);
    const std::vector<double> untouched = population.parameters(0, 0).phi;
    for (std::size_t i = 0; i < values.phi.size(); ++i) {
      values.phi[i] = noise == NoiseKind::per_neuron ? -1.0 - static_cast<double>(i / 8) : -1.5;
    }
    population.set_parameters(0, 1, values);
    EXPECT_EQ(population.parameters(0, 1).phi, values.phi);
    const std::vector<double> first = population.parameters(0, 0).phi;
    if (noise == NoiseKind::homogeneous) {
      EXPECT_EQ(different(first), std::set<double>{-1.5});
    } else {
      EXPECT_EQ(first, untouched);
    }
    population.train_steps(1);
    EXPECT_NE(population.parameters(0, 1).phi, values.phi);
  }
}

TEST(ScopesTest, ValuesOfOneGroupThatDifferAreRejected) {
  const struct {
    NoiseKind noise;
    const char* words;
  } cases[] = {
      {NoiseKind::per_neuron,
       "the noise of network 0 is per_neuron: all values of phi in one row must be equal"},
      {NoiseKind::per_layer, "the noise of network 0 is per_layer: all values of phi must be equal"},
      {NoiseKind::homogeneous, "the noise of network 0 is homogeneous: all values of phi must be equal"}};
  for (const auto& [noise, words] : cases) {
    Population population = trained(noise);
    LayerParameters values = population.parameters(0, 0);
    const std::vector<double> before = values.phi;
    values.phi.back() += 0.25;
    try {
      population.set_parameters(0, 0, values);
      ADD_FAILURE() << words << ": not thrown";
    } catch (const ensyn::ConfigError& error) {
      EXPECT_EQ(std::string(error.what()), words);
    }
    EXPECT_EQ(population.parameters(0, 0).phi, before);
  }
}

}  // namespace
