#include "host/driver/files/npy.h"

#include <limits>
#include <stdexcept>
#include <string>

#include "data/support.h"

namespace ensyn::driver {
namespace {

using test::Bytes;
using test::bytes_of;
using test::expect_error;
using test::TempFolder;

/// What numpy.save writes for a header of these words.
Bytes npy(std::string header, std::size_t values) {
  header += std::string(63 - (10 + header.size()) % 64, ' ') + "\n";
  Bytes bytes{0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, static_cast<std::uint8_t>(header.size()), 0};
  bytes.insert(bytes.end(), header.begin(), header.end());
  for (std::size_t i = 0; i < values; ++i) {
    const auto value = static_cast<double>(i);
    const auto* from = reinterpret_cast<const std::uint8_t*>(&value);
    bytes.insert(bytes.end(), from, from + sizeof value);
  }
  return bytes;
}

TEST(Npy, IsWhatNumpyWrites) {
  const TempFolder folder;
  write_npy(folder / "a.npy", std::vector<double>{0, 1, 2, 3, 4, 5}, {2, 3});
  EXPECT_EQ(test::get(folder / "a.npy"),
            npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,3), }", 6));
  write_npy(folder / "v.npy", std::vector<double>{0, 1}, {2});
  EXPECT_EQ(test::get(folder / "v.npy"), npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", 2));
  EXPECT_EQ(test::entries_in(folder.path()), 2u);
}

TEST(Npy, ReadsBack) {
  const TempFolder folder;
  const std::vector<std::vector<std::size_t>> shapes{{},       {1},       {0},           {785},
                                                     {31, 33}, {3, 0, 5}, {100000, 1, 3}};
  for (const auto& shape : shapes) {
    std::size_t count = 1;
    for (const std::size_t n : shape) count *= n;
    std::vector<double> values(count);
    for (std::size_t i = 0; i < count; ++i)
      values[i] = 1.0 / static_cast<double>(i);  // the first is infinite
    write_npy(folder / "a.npy", values, shape);
    EXPECT_EQ(test::get(folder / "a.npy").size() % 64, count * sizeof(double) % 64);
    const NpyArray read = read_npy(folder / "a.npy");
    EXPECT_EQ(read.shape, shape);
    EXPECT_EQ(read.values, values);
  }
  const auto numpy =
      test::put(folder / "n.npy", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", 6));
  EXPECT_EQ(read_npy(numpy).shape, (std::vector<std::size_t>{2, 3}));
}

TEST(Npy, RefusesOtherFiles) {
  const TempFolder folder;
  const auto refuse = [&](const Bytes& content, const std::string& part) {
    const auto file = test::put(folder / "bad.npy", content);
    expect_error<DataError>([&] { (void)read_npy(file); }, {"bad.npy", part});
  };
  const std::string good = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }";
  refuse({}, "not an .npy");
  refuse(bytes_of("\x93NUMPX and more"), "not an .npy");
  refuse(npy(good, 5), "40 bytes");
  refuse(npy(good, 7), "56 bytes");
  Bytes version = npy(good, 6);
  version[6] = 2;
  refuse(version, "version 2");
  Bytes cut = npy(good, 6);
  cut.resize(40);
  refuse(cut, "cut off");
  refuse(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 3), "doubles");
  refuse(npy("{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }", 6), "C order");
  refuse(npy("{'descr': '<f8', 'fortran_order': False, }", 6), "shape");
  refuse(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, x), }", 6), "shape");
  refuse(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, -3), }", 6), "shape");
  refuse(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296, 2), }", 0), "shape");
  EXPECT_THROW(write_npy(folder / "w.npy", std::vector<double>{1, 2}, {3}), std::logic_error);
}

}  // namespace
}  // namespace ensyn::driver
