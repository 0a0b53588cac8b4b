#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "host/driver/files/text.h"
#include "host/driver/report/axes.h"
#include "host/driver/report/figure.h"
#include "host/driver/report/gnuplot_string.h"

namespace ensyn::driver::report {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Figure figure_of(const std::vector<double>& values, bool logarithmic) {
  const Axis axis{"value", logarithmic};
  return {"name", "", "", 1, {{"", axis, axis, {{"series", {}, values, values}}}}};
}

TEST(Axes, AreNeverTooNarrowToBeDrawn) {
  const std::vector<double> sizes{
      0,     5e-324,  1e-310,    1e-30,       0.00010213430399036639, 0.25, 0.7, 1, 1.5, 9.99, 19, 3e7,
      1e290, 1.7e308, kInfinity, std::nan("")};
  for (const double size : sizes) {
    for (const double spread : {0.0, 1e-17, 1e-15, 1e-9, 1e-3, 0.3}) {
      for (const double sign : {1.0, -1.0}) {
        for (const bool logarithmic : {false, true}) {
          const Figure figure = figure_of({sign * size, sign * size * (1 + spread)}, logarithmic);
          const Range range = ranges_of(figure, 0).x;
          SCOPED_TRACE(std::to_string(size) + " " + std::to_string(spread) + (logarithmic ? " log" : ""));
          ASSERT_TRUE(std::isfinite(range.from) && std::isfinite(range.to));
          // The script writes ten digits.
          ASSERT_LT(std::stod(formatted("%.10g", range.from)), std::stod(formatted("%.10g", range.to)));
          ASSERT_TRUE(!logarithmic || range.from > 0);
          const std::vector<Tic> wide = tics(range, logarithmic, {300, true});
          ASSERT_THAT(wide,
                      testing::Contains(testing::Field(&Tic::label, testing::ContainsRegex("^[-0-9]"))));
          ASSERT_THAT(tics(range, logarithmic, {100, false}),
                      testing::Each(testing::Field(&Tic::label, Not(HasSubstr("inf")))));
        }
      }
    }
  }
}

TEST(Axes, HoldTheirOwnEnds) {
  Figure figure = figure_of({-3, -2}, false);
  figure.panels[0].x.from = 0;
  EXPECT_EQ(ranges_of(figure, 0).x.from, 0);
  EXPECT_GT(ranges_of(figure, 0).x.to, 0);
  figure = figure_of({1, 2}, false);
  EXPECT_NEAR(ranges_of(figure, 0).x.from, 0.96, 1e-12);
  EXPECT_NEAR(ranges_of(figure, 0).x.to, 2.04, 1e-12);
}

TEST(Text, IsLegible) {
  EXPECT_EQ(legible("\xCF\x81 = 1/2, it's `x`"), "\xCF\x81 = 1/2, it's `x`");
  EXPECT_EQ(legible("\xF0\x9F\x98\x80"), "\xF0\x9F\x98\x80");
  EXPECT_EQ(legible(std::string_view("a\0b\n\x7F", 5)), "a\\x00b\\x0a\\x7f");
  EXPECT_EQ(legible("\xC0\xAF"), "\\xc0\\xaf");                    // too long for what it is
  EXPECT_EQ(legible("\xED\xA0\x80"), "\\xed\\xa0\\x80");           // half of a pair of UTF-16
  EXPECT_EQ(legible("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond Unicode
  EXPECT_EQ(legible("\xC2\x85\xEF\xBF\xBF"), "\\xc2\\x85\\xef\\xbf\\xbf");
  EXPECT_EQ(legible("\xE2\x82"), "\\xe2\\x82");  // cut off
}

TEST(Text, IsOneStringOfAScript) {
  EXPECT_EQ(gnuplot_string("a b"), "\"a b\"");
  EXPECT_EQ(gnuplot_string("`x`\"'\\"), "\"\\140x\\140\\042\\047\\134\"");
  EXPECT_EQ(gnuplot_string("1/2"), "\"\\061\\057\\062\"");  // a digit would belong to the escape before it
  EXPECT_EQ(gnuplot_string("\n"), "\"\\134x\\060a\"");
}

TEST(Text, IsMarkupOnlyWhereItIsOurOwn) {
  Figure figure = figure_of({1, 2}, false);
  figure.panels[0].title = "a_b\nc^d";
  figure.panels[0].x.label = markup("x_i");
  figure.panels[0].series[0].label = "run_a1 `x`";
  const std::string script = to_gnuplot(figure, Format::svg);
  EXPECT_THAT(script, HasSubstr("set label \"a\\137b\" noenhanced at screen"));
  EXPECT_THAT(script, HasSubstr("set label \"c\\136d\" noenhanced at screen"));
  EXPECT_THAT(script, HasSubstr("set label \"x\\137i\" at screen"));
  EXPECT_THAT(script, HasSubstr("set label \"run\\137a\\061 \\140x\\140\" noenhanced at screen"));
  EXPECT_THAT(script, Not(HasSubstr("`")));
}

TEST(Shell, WordsCanBePasted) {
  EXPECT_EQ(shell_quoted("runs/a-1,2=x:y@z.5%"), "runs/a-1,2=x:y@z.5%");
  EXPECT_EQ(shell_quoted(""), "''");
  EXPECT_EQ(shell_quoted("a b"), "'a b'");
  EXPECT_EQ(shell_quoted("it's `x` $y"), "'it'\\''s `x` $y'");
  EXPECT_EQ(shell_quoted("~/r"), "'~/r'");
  EXPECT_EQ(shell_quoted("a\n'\\\xFF"), "$'a\\012\\'\\\\\\377'");
  EXPECT_EQ(shell_quoted("gr\xC3\xB6\xC3\x9F"), "'gr\xC3\xB6\xC3\x9F'");
  EXPECT_EQ(shell_flag("--out", "a b"), "--out 'a b'");
  EXPECT_EQ(shell_flag("--out", "-a"), "--out=-a");
}

}  // namespace
}  // namespace ensyn::driver::report
