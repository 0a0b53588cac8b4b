#include "host/config/json.h"

#include <cmath>
#include <limits>

#include "data/support.h"
#include "host/io/json_text.h"

namespace ensyn {
namespace {

using nlohmann::json;
using test::expect_error;

/// Every field differs from its default, with numbers that do not survive a shortened decimal form.
PopulationConfig unusual() {
  PopulationConfig config;
  config.architecture.sizes = {7, 5, 3};
  config.architecture.likelihood = Likelihood::gaussian;
  config.architecture.observation_sd = 0.1 + 0.2;
  config.members.resize(2);
  auto& member = config.members[1];
  member.seed = std::numeric_limits<std::uint64_t>::max();
  member.stream = 123;
  member.noise = NoiseKind::homogeneous;
  member.law = NoiseLaw::log_normal;
  member.vesicles = 9;
  member.objective = Objective::variational;
  member.costs = {{2.0 / 3.0, std::nextafter(1.0, 2.0)}, {0.1, 5e-324}};
  member.prior = Prior::laplace;
  member.prior_sigma = 0.1 + 0.2;
  member.prior_scale = 1.0 / 3.0;
  member.lambda = 1e-300;
  member.adam = {1.0 / 3.0, 0.1, 0.7, std::numeric_limits<double>::min()};
  member.mu_range = 1e22;
  member.sigma_init = 123456789.123456789;
  config.batch = 17;
  config.data_seed = (std::uint64_t{1} << 63) + 1;
  config.own_order = true;
  config.precision = Precision::double_precision;
  return config;
}

template <typename T>
T read_back(const T& value) {
  T result;
  apply_json(parse_config(json_of(value).dump(), "text"), "", result);
  return result;
}

TEST(ConfigJson, RoundTripsExactly) {
  EXPECT_EQ(read_back(unusual()), unusual());
  EXPECT_EQ(read_back(PopulationConfig{}), PopulationConfig{});
  EXPECT_EQ(read_back(unusual().members[1]), unusual().members[1]);
  EXPECT_EQ(read_back(unusual().architecture), unusual().architecture);
  const EvaluationConfig evaluation{3, 7, 2, Averaging::log_probabilities};
  EXPECT_EQ(read_back(evaluation), evaluation);
  const ExecutionConfig execution{DeviceKind::cuda, 2, 5, "avx2", TrainingMethod::streamed};
  EXPECT_EQ(read_back(execution), execution);
}

TEST(ConfigJson, OldArchitecturesAreCategorical) {
  Architecture architecture;
  apply_json(json::parse(R"({"sizes": [4, 3], "hidden": "relu"})"), "", architecture);
  EXPECT_EQ(architecture.likelihood, Likelihood::categorical);
  EXPECT_EQ(architecture.observation_sd, 1.0);
}

TEST(ConfigJson, EmptyListsAndNullsReadBack) {
  NetworkConfig config;
  config.costs.clear();
  const auto written = json_of(config);
  EXPECT_TRUE(written.at("prior_sigma").is_null());
  EXPECT_TRUE(written.at("stream").is_null());
  EXPECT_EQ(read_back(config), config);
  NetworkConfig other = unusual().members[1];
  apply_json(json::parse(R"({"prior_sigma": null, "stream": null})"), "", other);
  EXPECT_TRUE(std::isinf(other.prior_sigma));
  EXPECT_FALSE(other.stream.has_value());
}

TEST(ConfigJson, AbsentKeysKeepWhatIsThere) {
  auto config = unusual();
  apply_json(json::parse(R"({"batch": 3, "architecture": {"sizes": [1, 2]}})"), "", config);
  auto expected = unusual();
  expected.batch = 3;
  expected.architecture.sizes = {1, 2};
  EXPECT_EQ(config, expected);
}

TEST(ConfigJson, MembersStartFromTheDefaults) {
  auto config = unusual();
  apply_json(json::parse(R"({"members": [{"seed": 5}, {"adam": {"beta1": 0}, "costs": [{"rho": 1}]}]})"), "",
             config);
  std::vector<NetworkConfig> expected(2);
  expected[0].seed = 5;
  expected[1].adam.beta1 = 0;
  expected[1].costs = {{1, 1}};
  EXPECT_TRUE(config.members == expected);
}

TEST(ConfigJson, SignedNumbersOfACallerAreAccepted) {
  // Numbers made in a program are signed, those parsed from text are not.
  NetworkConfig config;
  apply_json(json{{"seed", 5}, {"lambda", 1}}, "", config);
  EXPECT_EQ(config.seed, 5u);
  EXPECT_EQ(config.lambda, 1.0);
}

struct Bad {
  const char* text;
  std::vector<std::string> parts;
};

void expect_bad(const Bad& bad) {
  SCOPED_TRACE(bad.text);
  PopulationConfig config;
  const auto text = expect_error<ConfigError>([&] { apply_json(json::parse(bad.text), "", config); }, {});
  for (const auto& part : bad.parts) {
    EXPECT_THAT(text, testing::HasSubstr(part));
  }
}

TEST(ConfigJson, UnknownKeysNameTheirPath) {
  for (const Bad& bad : {
           Bad{R"({"btch": 3})", {"'btch' is unknown", "architecture, members, batch"}},
           Bad{R"({"architecture": {"size": [1]}})", {"'architecture.size' is unknown", "sizes, hidden"}},
           Bad{R"({"members": [{}, {"lamda": 1}]})", {"'members[1].lamda' is unknown", "lambda"}},
           Bad{R"({"members": [{"adam": {"lr": 1}}]})", {"'members[0].adam.lr'", "learning_rate"}},
           Bad{R"({"members": [{"costs": [{"rho": 1, "C": 1}]}]})", {"'members[0].costs[0].C'", "rho, c"}},
           Bad{"{\"a\\nb\": 1}", {"'a\\x0ab' is unknown"}},
       }) {
    expect_bad(bad);
  }
}

TEST(ConfigJson, WrongTypesNameTheirPathAndValue) {
  for (const Bad& bad : {
           Bad{R"([])", {"the configuration is an array", "an object"}},
           Bad{R"(3)", {"the configuration is 3"}},
           Bad{R"({"batch": "20"})", {"batch is \"20\"", "a whole number"}},
           Bad{R"({"batch": 20.5})", {"batch is 20.5", "a whole number"}},
           Bad{R"({"batch": 20.0})", {"batch is 20.0"}},
           Bad{R"({"batch": null})", {"batch is null"}},
           Bad{R"({"batch": 2147483648})", {"batch is 2147483648", "to 2147483647"}},
           Bad{R"({"batch": -2147483649})", {"batch is -2147483649", "from -2147483648"}},
           Bad{R"({"data_seed": -1})", {"data_seed is -1", "from 0 to 18446744073709551615"}},
           Bad{R"({"data_seed": 18446744073709551616})", {"data_seed is 1.8446744073709552e+19"}},
           Bad{R"({"own_order": 1})", {"own_order is 1", "true or false"}},
           Bad{R"({"precision": 1})", {"precision is 1", "a string"}},
           Bad{R"({"precision": "half"})", {"precision: precision 'half'", "single, double"}},
           Bad{R"({"members": {}})", {"members is an object", "an array"}},
           Bad{R"({"members": [1]})", {"members[0] is 1", "an object"}},
           Bad{R"({"members": [{"adam": []}]})", {"members[0].adam is an array", "an object"}},
           Bad{R"({"members": [{"lambda": "x"}]})", {"members[0].lambda is \"x\"", "a finite number"}},
           Bad{R"({"members": [{"lambda": null}]})", {"members[0].lambda is null"}},
           Bad{R"({"members": [{"prior_sigma": "inf"}]})", {"members[0].prior_sigma is \"inf\""}},
           Bad{R"({"members": [{"stream": -3}]})", {"members[0].stream is -3", "to 4294967295"}},
           Bad{R"({"members": [{"stream": 4294967296}]})", {"members[0].stream is 4294967296"}},
           Bad{R"({"members": [{"noise": "none"}]})", {"members[0].noise: noise kind 'none'"}},
           Bad{R"({"members": [{"costs": {"rho": 1}}]})", {"members[0].costs is an object"}},
           Bad{R"({"members": [{"costs": [{"c": true}]}]})", {"members[0].costs[0].c is true"}},
           Bad{R"({"architecture": {"sizes": [3, "4"]}})", {"architecture.sizes[1] is \"4\""}},
           Bad{R"({"architecture": {"hidden": "tanh"}})", {"architecture.hidden: activation 'tanh'"}},
           Bad{R"({"architecture": {"likelihood": "t"}})", {"architecture.likelihood: likelihood 't'"}},
           Bad{R"({"architecture": {"observation_sd": "1"}})", {"architecture.observation_sd is \"1\""}},
       }) {
    expect_bad(bad);
  }
}

TEST(ConfigJson, NumbersThatAreNotFinite) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  NetworkConfig config;
  expect_error<ConfigError>(
      [&] {
        apply_json(json{{"lambda", nan}}, "members[4].", config);
      },
      {"members[4].lambda", "a finite number"});
  expect_error<ConfigError>([&] { apply_json(json{{"mu_range", infinity}}, "", config); }, {"mu_range"});
  expect_error<ConfigError>(
      [] { (void)parse_config(R"({"lambda": NaN})", "c.json"); },
      {"'c.json' is not valid JSON: line 1, column 12: expected a value", "found 'NaN'"});
  expect_error<ConfigError>([] { (void)parse_config(R"({"lambda": 1e999})", "c.json"); },
                            {"'c.json' is not valid JSON", "1e999"});
}

TEST(JsonText, SaysWhereAndWhatWasExpected) {
  const auto deep = [](int levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  const std::string value = "expected a value (a number, true, false, null, a text in double quotes, ";
  for (const auto& [text, message] : std::vector<std::pair<std::string, std::string>>{
           {"", "line 1, column 1: " + value},
           {"\n\n ", "line 3, column 2: " + value},
           {"{", "line 1, column 2: expected a name in double quotes, but the text ends"},
           {"{lr: 1}", "line 1, column 2: expected a name in double quotes, found 'lr'"},
           {"{\"a\" 1}", "line 1, column 6: expected ':' after the name, found '1'"},
           {"{\"a\":\n True}", "line 2, column 2: " + value},
           {"{\"a\": 1\n \"b\": 2}", "line 2, column 2: expected ',' or '}', found '\"b\"'"},
           {"{\"a\": 1", "line 1, column 8: expected ',' or '}', but the text ends"},
           {"[1 2]", "line 1, column 4: expected ',' or ']', found '2'"},
           {"[1 null]", "line 1, column 4: expected ',' or ']', found 'null'"},
           {"[1,]", "line 1, column 4: " + value},
           {"['a']", "line 1, column 2: " + value},
           {"[tru", "line 1, column 2: " + value},
           {"{} // end", "line 1, column 4: expected nothing more, found '/'"},
           {"{} {}", "line 1, column 4: expected nothing more, found '{'"},
           {"[1e999]", "line 1, column 2: the number 1e999 is beyond what a double can hold"},
           {"[-]", "line 1, column 3: invalid number; expected digit after '-'"},
           {"[1, \"a]", "line 1, column 5: invalid string: missing closing quote"},
           {"[\"a\nb\"]", "line 1, column 4: invalid string: control character"},
           {"[\"\xc3\xa4\xc3\xb6\", x]", "line 1, column 8: " + value},
           {"[\"\xff\"]", "line 1, column 3: invalid string: ill-formed UTF-8 byte"},
           {"{\"a\": {\"b\": 1,\n \"b\": 2}}", "line 2, column 2: key 'b' is given twice"},
           {R"({"a\"\\": 1, "a\"\\": 2})", "line 1, column 14: key 'a\"\\' is given twice"},
           {deep(33), "line 1, column 33: it is nested more than 32 deep"},
           {deep(200'000), "line 1, column 33: it is nested more than 32 deep"},
           {std::string(200'000, '{'), "line 1, column 2: expected a name in double quotes"},
       }) {
    SCOPED_TRACE(text.substr(0, 60));
    const auto what = expect_error<JsonTextError>([&text = text] { (void)parse_json(text); }, {message});
    EXPECT_THAT(what, testing::StartsWith("line "));
    for (const char* jargon : {"json.exception", "syntax error", "literal", "parse error"}) {
      EXPECT_THAT(what, testing::Not(testing::HasSubstr(jargon)));
    }
  }
  EXPECT_EQ(parse_json(deep(32)).size(), 1u);
  EXPECT_EQ(parse_json("\xEF\xBB\xBF{\"a\": 1}").size(), 1u);
  EXPECT_EQ(parse_json<nlohmann::ordered_json>("{\"b\": 1, \"a\": 2}").dump(), "{\"b\":1,\"a\":2}");
}

TEST(JsonText, FilesHoldOneObject) {
  const test::TempFolder folder;
  const auto read = [&](const std::string& text) {
    return read_json_object<json>(test::put(folder / "c.json", test::bytes_of(text)), "mend it");
  };
  EXPECT_EQ(read(" {\"a\": [1]}\n").dump(), "{\"a\":[1]}");
  EXPECT_EQ(read("\xEF\xBB\xBF{}").size(), 0u);
  for (const char* text : {"[{}]", "3", "null", "\"{\"", "-1", "true"}) {
    expect_error<DataError>([&] { (void)read(text); }, {"c.json' is not a JSON object", "; mend it"});
  }
  expect_error<DataError>([&] { (void)read(""); },
                          {"c.json' is not valid JSON: line 1, column 1", "; mend it"});
  expect_error<DataError>([&] { (void)read_json_object<json>(folder / "none", "mend it"); },
                          {"none'", "No such file"});
  expect_error<DataError>([&] { (void)read_json_object<json>(folder.path(), "mend it"); }, {"directory"});
}

TEST(ConfigJson, BadTextNamesTheFile) {
  expect_error<ConfigError>([] { (void)parse_config("", "c.json"); }, {"'c.json' is not valid JSON"});
  expect_error<ConfigError>(
      [] { (void)parse_config("{\n \"batch\": 3,\n}", "c.json"); },
      {"'c.json' is not valid JSON: line 3, column 1: expected a name in double quotes, "
       "found '}'"});
  expect_error<ConfigError>([] { (void)parse_config("{} {}", "c.json"); }, {"'c.json' is not valid JSON"});
  expect_error<ConfigError>([] { (void)parse_config(R"({"batch": 3, "batch": 4})", "c.json"); },
                            {"'c.json'", "'batch' is given twice"});
  expect_error<ConfigError>(
      [] { (void)parse_config(R"({"a": {"b": 1}, "c": [{"b": 1, "b": 2}]})", "c.json"); },
      {"'b' is given twice"});
  expect_error<ConfigError>([] { (void)parse_config(std::string(100'000, '['), "c.json"); },
                            {"'c.json'", "nested"});
  expect_error<ConfigError>([] { (void)parse_config("\"" + std::string(5000, 'x'), "c.json"); },
                            {"'c.json'"});
  expect_error<ConfigError>([] { (void)parse_config("\"\xff\"", "c.json"); }, {"'c.json'"});
  EXPECT_EQ(parse_config(R"({"a": {"b": 1}, "c": [{"b": 1}, {"b": 2}]})", "c.json").size(), 2u);
}

}  // namespace
}  // namespace ensyn
