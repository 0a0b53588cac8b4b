#include "host/driver/files/csv.h"

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

/// `text` as a table that `author` wrote.
Table read(const std::string& text, Author author) {
  const TempFolder folder;
  return read_csv(test::put(folder / "t.csv", bytes_of(text)), author);
}

TEST(Csv, WritesAndReads) {
  const TempFolder folder;
  const Table table{
      "",
      {"name", "x"},
      {{"a,b", "1"}, {"say \"no\"", ""}, {"two\nlines", "-1e-300"}, {" spaces ", "2"}, {"\r", "\t3"}}};
  write_csv(folder / "t.csv", table);
  EXPECT_EQ(test::get(folder / "t.csv"),
            bytes_of("name,x\n\"a,b\",1\n\"say \"\"no\"\"\",\n\"two\nlines\",-1e-300\n\" spaces "
                     "\",2\n\"\r\",\"\t3\"\n"));
  EXPECT_EQ(test::entries_in(folder.path()), 1u);
  for (const Author author : {Author::ensyn, Author::user}) {
    const Table read = read_csv(folder / "t.csv", author);
    EXPECT_EQ(read.columns, table.columns);
    EXPECT_EQ(read.rows, table.rows);
    EXPECT_EQ(read.number(0, "x"), 1);
    EXPECT_EQ(read.number(1, "x"), std::nullopt);
    EXPECT_EQ(read.number(2, "x"), -1e-300);
    EXPECT_EQ(read.text(0, "name"), "a,b");
    EXPECT_TRUE(read.has("x"));
    EXPECT_FALSE(read.has("y"));
    // Where rows begin, with the line break within the third.
    EXPECT_THAT((std::vector{read.rows[0].line, read.rows[2].line, read.rows[3].line}), ElementsAre(2, 4, 6));
  }
}

TEST(Csv, OddTablesReadBack) {
  const TempFolder folder;
  for (const Table& table : {Table{"", {""}, {{""}, {"1"}}}, Table{"", {"a", ""}, {{"1", ""}, {"", ""}}},
                             Table{"", {"", "a;b", "c\td"}, {{"\"", "x;y", ""}}},
                             Table{"", {"\xEF\xBB\xBFx"}, {{"\n\r\n"}}}, Table{"", {"\xFF\xFEx"}, {}}}) {
    write_csv(folder / "t.csv", table);
    for (const Author author : {Author::ensyn, Author::user}) {
      const Table read = read_csv(folder / "t.csv", author);
      EXPECT_EQ(read.columns, table.columns);
      EXPECT_EQ(read.rows, table.rows);
    }
  }
}

TEST(Csv, ReadsWhatOthersWrite) {
  for (const Author author : {Author::ensyn, Author::user}) {
    const Table table =
        read("\xEF\xBB\xBF\"mean\", \"q (mV, before)\" ,\"x\",\r\n1, 2 ,3\r\n4,5,6,\r\n", author);
    EXPECT_THAT(table.columns, ElementsAre("mean", "q (mV, before)", "x"));
    EXPECT_THAT(table.rows, ElementsAre(ElementsAre("1", "2", "3"), ElementsAre("4", "5", "6")));
    EXPECT_THAT(table.numbers("x"), ElementsAre(3, 6));
    EXPECT_TRUE(read("a,b\n", author).rows.empty());
    // Line ends of old Macintosh programs, which some spreadsheets still write.
    EXPECT_THAT(read("a,b\r1,2\r\"3\",4\r", author).rows,
                ElementsAre(ElementsAre("1", "2"), ElementsAre("3", "4")));
  }
}

TEST(Csv, AUsersTableMayEndAsItLikes) {
  const auto whole = ElementsAre(ElementsAre("1", "2"), ElementsAre("3", "4"));
  for (const char* end : {"", "\n", "\r\n", "\r", "\n\n\n", "\r\n\r\n", "\r\r", "\n  \n\t", "\n  "}) {
    const Table table = read(std::string("\na,b\n1,2\n\n3,4") + end, Author::user);
    EXPECT_THAT(table.rows, whole) << end;
    EXPECT_EQ(table.rows[1].line, 5u);
  }
  EXPECT_THAT(read("a,b\n1,2\n3,\"4\"", Author::user).rows, whole);
  EXPECT_TRUE(read("a,b", Author::user).rows.empty());
}

TEST(Csv, NumbersReadBackExactly) {
  const TempFolder folder;
  Table table{"", {"x"}, {}};
  const std::vector<double> values{0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0, 100000, 1e-7};
  for (const double x : values) table.rows.push_back({exact(x)});
  write_csv(folder / "t.csv", table);
  EXPECT_EQ(read_csv(folder / "t.csv", Author::ensyn).numbers("x"), values);
  EXPECT_EQ(exact(0.1), "0.1");
  EXPECT_EQ(exact(std::nan("")), "");
}

void refuse(const std::string& text, Author author, std::initializer_list<std::string> parts) {
  SCOPED_TRACE(text);
  const std::string message = expect_error<DataError>([&] { (void)read(text, author); }, parts);
  EXPECT_THAT(message, testing::HasSubstr("t.csv'"));
}

TEST(Csv, NamesFileAndLine) {
  for (const auto& [author, advice] :
       {std::pair{Author::ensyn, "restore the file"}, {Author::user, "correct the line"}}) {
    refuse("", author, {"empty"});
    refuse("a,b\n1,2\n1\n", author, {"line 3", "1 fields", "header has 2", advice});
    refuse("a,b\n1,2,3\n", author, {"line 2", "3 fields", advice});
    refuse("a,b\n1,2,\n", author, {"line 2", "3 fields"});
    refuse("a,b\n\"1\n2\",3\n1\n", author, {"line 4", "1 fields"});
    refuse("a,b\n\"1,2\n\n", author, {"line 2", "not closed", advice});
    refuse("a,b\n\"1\"x,2\n", author, {"line 2", "'x' follows a closing quote", advice});
    refuse(
        "\xFF\xFE"
        "a\n",
        author, {"line 1", "UTF-16", "UTF-8"});
  }
  const TempFolder folder;
  EXPECT_THROW((void)read_csv(folder / "none.csv", Author::user), IoError);
  EXPECT_THROW(write_csv(folder / "w.csv", {"", {"a"}, {{"1", "2"}}}), std::logic_error);
  EXPECT_FALSE(std::filesystem::exists(folder / "w.csv"));
}

TEST(Csv, OwnTablesMustBeWhole) {
  refuse("a,b\n1,2\n1,2", Author::ensyn, {"line 3", "cut off", "restore the file"});
  refuse("a,b", Author::ensyn, {"line 1", "cut off"});
  refuse("a,b\n1,2\n\n", Author::ensyn, {"line 3", "the line is empty"});
  refuse("\n1\n", Author::ensyn, {"line 1", "header is empty"});
}

TEST(Csv, AUsersSeparatorsAreNamed) {
  refuse("a;b\n1;2\n", Author::user, {"line 1", "';' stands between the header's names", "with commas"});
  refuse("a\tb\n1\t2\n", Author::user, {"line 1", "a tab stands between"});
  refuse("\"a\";\"b\"\n1;2\n", Author::user, {"line 1", "';' follows a closing quote"});
  refuse(" \n\n", Author::user, {"empty"});
}

TEST(Csv, FieldsAreNamedByLineAndColumn) {
  const Table table = read("a,b\n1,\n2,x\n\n3,1e999\n4,nan\n5,-inf\n", Author::user);
  expect_error<DataError>([&] { (void)table.numbers("b"); }, {"t.csv", "line 2", "'b' is empty"});
  expect_error<DataError>([&] { (void)table.number(1, "b"); }, {"t.csv", "line 3", "'x', not a number"});
  expect_error<DataError>([&] { (void)table.number(2, "b"); }, {"line 5", "1e999"});
  expect_error<DataError>([&] { (void)table.text(0, "c"); }, {"t.csv", "no column 'c'"});
  for (const auto& [row, name] : {std::pair{3u, "'nan'"}, {4u, "'-inf'"}}) {
    Table one = table;
    one.rows = {table.rows[row]};
    expect_error<DataError>([&] { (void)one.numbers("b"); },
                            {"line " + std::to_string(row + 3), "'b' is " + std::string(name), "finite"});
  }
}

}  // namespace
}  // namespace ensyn::driver
