/// \file
/// The program gnuplot as a child process: a script in, a picture out, nothing on disk, no shell between,
/// and none of the user's own settings.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "ensyn/error.h"

namespace ensyn::driver::report {

/// gnuplot could not draw a picture.
class GnuplotError : public Error {
 public:
  using Error::Error;
};

class Gnuplot {
 public:
  /// Looks for gnuplot 5.4 or newer on PATH. Without one, `problem` says what is missing and what to install.
  Gnuplot();

  [[nodiscard]] bool usable() const { return problem_.empty(); }
  [[nodiscard]] const std::string& problem() const { return problem_; }

  /// Runs `script` and gives back what it wrote to standard output, where a terminal without `set output`
  /// writes its picture. \param what names the picture in messages
  /// \throws GnuplotError with gnuplot's own words when it fails or writes nothing
  [[nodiscard]] std::string run(std::string_view script, const std::string& what) const;

 private:
  std::filesystem::path program_;
  std::string problem_;
};

}  // namespace ensyn::driver::report
