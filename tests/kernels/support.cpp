#include "kernels/support.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace ensyn::kernels::test {

const cuda::Stream& stream() {
  static const cuda::Stream the_stream;
  return the_stream;
}

namespace {

/// A hash of four small numbers (splitmix64's finaliser).
std::uint64_t hash(int what, int network, int row, int column) {
  std::uint64_t x = static_cast<std::uint64_t>(what) << 56 ^ static_cast<std::uint64_t>(network) << 48 ^
                    static_cast<std::uint64_t>(row) << 24 ^ static_cast<std::uint64_t>(column);
  x += 0x9E3779B97F4A7C15;
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
  x = (x ^ x >> 27) * 0x94D049BB133111EB;
  return x ^ x >> 31;
}

enum What { kMu = 200, kMuMoment1, kMuMoment2, kPhi, kPhiMoment1, kPhiMoment2, kInput };

}  // namespace

double value(int what, int network, int row, int column) {
  return static_cast<double>(hash(what, network, row, column) >> 47) * 0x1p-16 - 1;
}

double small_integer(int what, int network, int row, int column) {
  return static_cast<double>(hash(what, network, row, column) % 7) - 3;
}

Fill values_of(int what, double factor, double shift) {
  return [=](int n, int r, int c) { return factor * value(what, n, r, c) + shift; };
}

Fill integers_of(int what) {
  return [=](int n, int r, int c) { return small_integer(what, n, r, c); };
}

namespace {

oracle::Scope scope_of(Noise noise, int n) {
  using oracle::Scope;
  constexpr Scope kInTurn[] = {Scope::neuron, Scope::layer, Scope::network, Scope::weight};
  switch (noise) {
    case Noise::heterogeneous:
    case Noise::laws:
      return Scope::weight;
    case Noise::per_neuron:
      return Scope::neuron;
    case Noise::per_layer:
      return Scope::layer;
    case Noise::homogeneous:
      return Scope::network;
    case Noise::mixed:
      return n % 2 == 1 ? Scope::network : Scope::weight;
    case Noise::scopes:
      break;
  }
  return kInTurn[n % 4];
}

}  // namespace

std::vector<Member> members(int count, Noise noise) {
  std::vector<Member> result(static_cast<std::size_t>(count));
  const std::vector<NamedCosts> costs = all_costs();
  for (int n = 0; n < count; ++n) {
    Member& member = result[static_cast<std::size_t>(n)];
    oracle::Settings& s = member.settings;
    // Seeds and streams beyond 32 and 16 bits, so that a lost half shows.
    s.seed = 0xFEDCBA9876543210 + static_cast<std::uint64_t>(n);
    s.stream = 0x345678 + static_cast<std::uint64_t>(n);
    s.scope = scope_of(noise, n);
    if (s.scope == oracle::Scope::neuron || s.scope == oracle::Scope::layer) member.groups = kMemberGroups;
    if (noise == Noise::laws) {
      constexpr oracle::Law kLaws[] = {oracle::Law::binomial, oracle::Law::log_normal, oracle::Law::gaussian};
      s.law = kLaws[n % 3];
      s.vesicles = 3 + n;
    }
    const NamedCosts& cost = costs[static_cast<std::size_t>(n) % costs.size()];
    s.terms = cost.terms;
    s.lambda = 0.25 + n;
    s.learning_rate = 0x1p-7;
    s.batch = 20;
    s.examples = 200;
    member.step = static_cast<std::uint64_t>(7 + 5 * n);
    member.shared_phi = -2 + 0.125 * n;
  }
  return result;
}

std::vector<NamedCosts> all_costs() {
  return {{"calcium", {{0.5, 1.0}}},
          {"membrane", {{2.0 / 3.0, 0.5}}},
          {"actin", {{4.0 / 3.0, 0.25}}},
          {"trafficking", {{2.0, 0.125}}},
          {"calcium and actin", {{0.5, 0.75}, {4.0 / 3.0, 0.5}}},
          {"none", {}},
          {"variational", {}, true},
          {"variational with prior", {}, true, 0.5},
          {"laplace prior", {}, true, std::numeric_limits<double>::infinity(), 0.3}};
}

namespace {

NoiseLaw law_of(oracle::Law law) {
  switch (law) {
    case oracle::Law::binomial:
      return NoiseLaw::binomial;
    case oracle::Law::log_normal:
      return NoiseLaw::log_normal;
    case oracle::Law::gaussian:
      break;
  }
  return NoiseLaw::gaussian;
}

template <class T>
NetworkConstants<T> constants_of(const Member& member, std::int64_t first_phi) {
  const oracle::Settings& s = member.settings;
  NetworkConstants<T> c;
  const double fraction = static_cast<double>(s.batch) / static_cast<double>(s.examples);
  c.seed = s.seed;
  c.stream = s.stream << 40;
  c.learning_rate = s.learning_rate;
  c.beta1 = s.beta1;
  c.beta2 = s.beta2;
  c.epsilon = s.epsilon;
  c.magnitude = static_cast<T>(s.lambda * fraction);
  c.sharing = s.scope == oracle::Scope::weight   ? Sharing::none
              : s.scope == oracle::Scope::neuron ? Sharing::row
              : s.scope == oracle::Scope::layer  ? Sharing::layer
                                                 : Sharing::network;
  c.first_phi = first_phi;
  c.group_count = member.shares() ? member.groups : 0;
  c.law = law_of(s.law);
  c.vesicles = s.vesicles;
  const auto add_term = [&](double weight, double power) {
    const double halves = -2 * power;
    const bool is_short = halves == std::floor(halves) && halves <= detail::kMostHalves;
    c.terms[c.term_count++] = {static_cast<T>(weight), static_cast<T>(power),
                               is_short ? static_cast<int>(halves) : 0};
  };
  if (s.variational) {
    add_term(-fraction, -1);
    c.inverse_variance = static_cast<T>(fraction / (s.prior_sigma * s.prior_sigma));
    if (s.laplace_scale > 0) c.inverse_scale = static_cast<T>(fraction / s.laplace_scale);
  } else {
    for (const oracle::Term& term : s.terms) add_term(-term.c * term.rho * fraction, -(term.rho + 1));
  }
  return c;
}

template <class T>
NetworkProgress<T> progress_of(const oracle::Settings& s, std::uint64_t step) {
  NetworkProgress<T> p;
  const auto t = static_cast<double>(step + 1);
  p.step = step;
  p.adam = {static_cast<T>(s.beta1),
            static_cast<T>(1 - s.beta1),
            static_cast<T>(s.beta2),
            static_cast<T>(1 - s.beta2),
            static_cast<T>(s.learning_rate / (1 - std::pow(s.beta1, t))),
            static_cast<T>(1 / std::sqrt(1 - std::pow(s.beta2, t))),
            static_cast<T>(s.epsilon)};
  return p;
}

/// One element for each member.
template <class E, class Make>
std::vector<E> for_each_member(const std::vector<Member>& members, Make make) {
  std::vector<E> result;
  for (const Member& member : members) result.push_back(make(member));
  return result;
}

template <class T>
std::vector<T> shared_of(const std::vector<Member>& members) {
  std::vector<T> result;
  for (const Member& m : members) {
    for (int g = 0; g < m.groups; ++g) {
      for (const double x : {m.phi_of(g), m.shared_moment1, m.shared_moment2})
        result.push_back(static_cast<T>(x));
    }
  }
  return result;
}

bool has_other_law(const Member& member) {
  return member.settings.law != oracle::Law::gaussian;
}

}  // namespace

template <class T>
Population<T>::Population(const std::vector<Member>& members)
    : constants(for_each_member<NetworkConstants<T>>(members,
                                                     [first_phi = std::int64_t{0}](const Member& m) mutable {
                                                       const auto result = constants_of<T>(m, first_phi);
                                                       first_phi += m.groups;
                                                       return result;
                                                     })),
      progress(for_each_member<NetworkProgress<T>>(
          members, [](const Member& m) { return progress_of<T>(m.settings, m.step); })),
      shared(shared_of<T>(members)),
      count_(static_cast<int>(members.size())),
      other_laws_(std::any_of(members.begin(), members.end(), has_other_law)),
      first_other_law_(has_other_law(members[0])),
      any_laplace_(std::any_of(members.begin(), members.end(),
                               [](const Member& m) { return m.settings.laplace_scale > 0; })),
      first_constants_(constants_of<T>(members[0], 0)),
      first_progress_(progress_of<T>(members[0].settings, members[0].step)) {}

template <class T>
Networks<T> Population<T>::view() const {
  Networks<T> networks;
  networks.count = count_;
  networks.constants = constants.data();
  networks.progress = progress.data();
  networks.shared_phi = shared.data();
  networks.other_laws = other_laws_;
  networks.any_laplace = any_laplace_;
  return networks;
}

template <class T>
Networks<T> Population<T>::first_by_value() const {
  Networks<T> networks;
  networks.one_constants = first_constants_;
  networks.one_progress = first_progress_;
  networks.shared_phi = shared.data();
  networks.other_laws = first_other_law_;
  return networks;
}

template <class T>
LayerParameters<T>::LayerParameters(int networks, int row_count, int column_count, int tensor_number)
    : rows(row_count),
      columns(column_count),
      tensor(tensor_number),
      mu_value(values_of(kMu + 10 * tensor_number, 0.5)),
      mu_moment1_value(values_of(kMuMoment1 + 10 * tensor_number, 0.125)),
      mu_moment2_value(values_of(kMuMoment2 + 10 * tensor_number, 0.125, 0.25)),
      phi_value(values_of(kPhi + 10 * tensor_number, 1, -2)),
      phi_moment1_value(values_of(kPhiMoment1 + 10 * tensor_number, 0.125)),
      phi_moment2_value(values_of(kPhiMoment2 + 10 * tensor_number, 0.125, 0.25)),
      mu(networks, rows, columns, mu_value),
      mu_moment1(networks, rows, columns, mu_moment1_value),
      mu_moment2(networks, rows, columns, mu_moment2_value),
      phi(networks, rows, columns, phi_value),
      phi_moment1(networks, rows, columns, phi_moment1_value),
      phi_moment2(networks, rows, columns, phi_moment2_value) {}

template <class T>
Parameters<T> LayerParameters<T>::view() const {
  return {mu.data(),          mu_moment1.data(),  mu_moment2.data(),  phi.data(),
          phi_moment1.data(), phi_moment2.data(), mu.network_stride()};
}

template <class T>
std::vector<std::uint8_t> LayerParameters<T>::bits() const {
  std::vector<std::uint8_t> result;
  for (const Stack<T>* stack : {&mu, &mu_moment1, &mu_moment2, &phi, &phi_moment1, &phi_moment2}) {
    const std::vector<std::uint8_t> bits = stack->bits();
    result.insert(result.end(), bits.begin(), bits.end());
  }
  return result;
}

namespace {

std::vector<std::uint32_t> orders(Order order, int networks, int examples) {
  std::vector<std::uint32_t> result;
  const int count = order == Order::none ? 0 : order == Order::shared ? 1 : networks;
  for (int n = 0; n < count; ++n) {
    const auto one = oracle::order(77, static_cast<std::uint64_t>(n), 0, static_cast<std::size_t>(examples));
    result.insert(result.end(), one.begin(), one.end());
  }
  return result;
}

template <class E>
std::vector<E> data_set(bool wanted, int examples, int features, const Fill& fill) {
  std::vector<E> result;
  for (int i = 0; wanted && i < examples; ++i) {
    for (int k = 0; k < features; ++k) result.push_back(static_cast<E>(fill(0, i, k)));
  }
  return result;
}

constexpr double kScale = 1.0 / 255, kShift = -0.25;

Fill fill_of(Source source) {
  if (source != Source::bytes) return values_of(kInput);
  return [](int, int i, int k) { return static_cast<double>(hash(kInput, 0, i, k) % 256); };
}

}  // namespace

template <class T>
TestInputs<T>::TestInputs(Source source, Order order, int networks, int examples, int features, int batch)
    : source_(source),
      order_(order),
      networks_(networks),
      examples_(examples),
      batch_(batch),
      features_(features),
      fill_(fill_of(source)),
      values_(source == Source::values ? networks : 0, examples, features, fill_),
      bytes_(data_set<std::uint8_t>(source == Source::bytes, examples, features, fill_)),
      floats_(data_set<float>(source == Source::floats, examples, features, fill_)),
      order_values_(orders(order, networks, examples)),
      order_memory_(order_values_) {}

template <class T>
TestInputs<T>::TestInputs(int networks, int examples, int features, const Fill& activations)
    : TestInputs(Source::values, Order::none, networks, examples, features, examples) {
  fill_ = activations;
  values_.set(fill_);
}

template <class T>
Inputs<T> TestInputs<T>::view() const {
  Inputs<T> inputs;
  switch (source_) {
    case Source::values:
      inputs.values = values_.data();
      inputs.network_stride = values_.network_stride();
      inputs.stride = values_.stride();
      break;
    case Source::bytes:
      inputs.bytes = bytes_.data();
      inputs.scale = static_cast<T>(kScale);
      inputs.shift = static_cast<T>(kShift);
      break;
    case Source::floats:
      inputs.floats = floats_.data();
      break;
  }
  if (order_ != Order::none) {
    inputs.order = order_memory_.data();
    inputs.order_network_stride = order_ == Order::own ? examples_ : 0;
    inputs.steps_per_epoch = static_cast<std::uint64_t>(examples_ / batch_);
  }
  return inputs;
}

template <class T>
int TestInputs<T>::example(int network, std::uint64_t step, int b) const {
  if (order_ == Order::none) return b;
  const int first = static_cast<int>(step % static_cast<std::uint64_t>(examples_ / batch_)) * batch_;
  const int from = order_ == Order::own ? network * examples_ : 0;
  return static_cast<int>(order_values_[static_cast<std::size_t>(from + first + b)]);
}

template <class T>
double TestInputs<T>::at(int network, std::uint64_t step, int b, int k) const {
  if (k == features_) return 1;  // of the bias
  const double raw = fill_(source_ == Source::values ? network : 0, example(network, step, b), k);
  return source_ == Source::bytes ? raw * static_cast<double>(static_cast<T>(kScale)) + kShift : raw;
}

template class Population<float>;
template class Population<double>;
template struct LayerParameters<float>;
template struct LayerParameters<double>;
template class TestInputs<float>;
template class TestInputs<double>;

}  // namespace ensyn::kernels::test
