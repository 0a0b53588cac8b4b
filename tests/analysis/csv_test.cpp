#include "host/driver/csv.h"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "data/support.h"

namespace ensyn::driver {
namespace {

using test::bytes_of;
using test::expect_error;
using test::TempFolder;
using testing::ElementsAre;

TEST(Csv, WritesAndReads) {
  const TempFolder folder;
  const Table table{"", {"name", "x"}, {{"a,b", "1"}, {"say \"no\"", ""}, {"two\nlines", "-1e-300"}}};
  write_csv(folder / "t.csv", table);
  EXPECT_EQ(test::get(folder / "t.csv"),
            bytes_of("name,x\n\"a,b\",1\n\"say \"\"no\"\"\",\n\"two\nlines\",-1e-300\n"));
  EXPECT_EQ(test::entries_in(folder.path()), 1u);
  const Table read = read_csv(folder / "t.csv");
  EXPECT_EQ(read.columns, table.columns);
  EXPECT_EQ(read.rows, table.rows);
  EXPECT_EQ(read.number(0, "x"), 1);
  EXPECT_EQ(read.number(1, "x"), std::nullopt);
  EXPECT_EQ(read.number(2, "x"), -1e-300);
  EXPECT_EQ(read.text(0, "name"), "a,b");
  EXPECT_TRUE(read.has("x"));
  EXPECT_FALSE(read.has("y"));
}

TEST(Csv, ReadsWhatOthersWrite) {
  const TempFolder folder;
  const Table table = read_csv(
      test::put(folder / "t.csv",
                bytes_of("\xEF\xBB\xBF\"mean\", \"q (mV, before)\" ,\"x\",\r\n1, 2 ,3\r\n4,5,6,\r\n")));
  EXPECT_THAT(table.columns, ElementsAre("mean", "q (mV, before)", "x"));
  EXPECT_THAT(table.rows, ElementsAre(ElementsAre("1", "2", "3"), ElementsAre("4", "5", "6")));
  EXPECT_THAT(table.numbers("x"), ElementsAre(3, 6));
  EXPECT_TRUE(read_csv(test::put(folder / "u.csv", bytes_of("a,b\n"))).rows.empty());
}

TEST(Csv, NumbersReadBackExactly) {
  const TempFolder folder;
  Table table{"", {"x"}, {}};
  const std::vector<double> values{0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0, 100000, 1e-7};
  for (const double x : values) table.rows.push_back({exact(x)});
  write_csv(folder / "t.csv", table);
  EXPECT_EQ(read_csv(folder / "t.csv").numbers("x"), values);
  EXPECT_EQ(exact(0.1), "0.1");
  EXPECT_EQ(exact(std::nan("")), "");
}

TEST(Csv, NamesFileAndLine) {
  const TempFolder folder;
  const auto refuse = [&](const std::string& text, std::initializer_list<std::string> parts) {
    const auto file = test::put(folder / "bad.csv", bytes_of(text));
    const std::string message = expect_error<DataError>([&] { (void)read_csv(file); }, parts);
    EXPECT_THAT(message, testing::HasSubstr("bad.csv"));
  };
  refuse("", {"empty"});
  refuse("a,b\n1,2\n1\n", {"line 3", "1 fields", "header has 2"});
  refuse("a,b\n1,2,3\n", {"line 2", "3 fields"});
  refuse("a,b\n1,2,\n", {"line 2", "3 fields"});
  refuse("a,b\n1,2\n1,2", {"line 3", "cut off"});
  refuse("a,b\n\"1,2\n", {"line 2", "not closed"});
  refuse("a,b\n\"1\"x,2\n", {"line 2", "closing quote"});
  refuse("a,b\n1,2\n\n", {"line 3", "1 fields"});
  const auto file = test::put(folder / "t.csv", bytes_of("a,b\n1,\n2,x\n3,1e999\n"));
  const Table table = read_csv(file);
  expect_error<DataError>([&] { (void)table.numbers("b"); }, {"t.csv", "line 2", "'b' is empty"});
  expect_error<DataError>([&] { (void)table.number(1, "b"); }, {"t.csv", "line 3", "'x', not a number"});
  expect_error<DataError>([&] { (void)table.number(2, "b"); }, {"line 4", "1e999"});
  expect_error<DataError>([&] { (void)table.text(0, "c"); }, {"t.csv", "no column 'c'"});
  EXPECT_THROW((void)read_csv(folder / "none.csv"), IoError);
  EXPECT_THROW(write_csv(folder / "w.csv", {"", {"a"}, {{"1", "2"}}}), std::logic_error);
  EXPECT_FALSE(std::filesystem::exists(folder / "w.csv"));
}

}  // namespace
}  // namespace ensyn::driver
