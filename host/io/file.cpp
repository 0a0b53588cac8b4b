#include "host/io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "ensyn/error.h"
#include "host/base/message.h"

namespace ensyn {
namespace {

namespace fs = std::filesystem;

/// Pipes and devices have no size and may never end; regular files are as large as they are.
constexpr std::size_t kMaxUnsized = std::size_t{4} << 30;
constexpr std::size_t kFirstChunk = std::size_t{64} << 10;

class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  [[nodiscard]] int number() const noexcept { return number_; }
  /// Some file systems report a full disk only here. \returns the error number, 0 when there is none
  int close() noexcept { return ::close(std::exchange(number_, -1)) == 0 ? 0 : errno; }

 private:
  int number_;
};

/// Removes the temporary file unless it was renamed.
class Temporary {
 public:
  explicit Temporary(fs::path path) : path_(std::move(path)) {}
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (!path_.empty()) {
      ::unlink(path_.c_str());
    }
  }
  void release() noexcept { path_.clear(); }

 private:
  fs::path path_;
};

std::vector<std::uint8_t> read_all(const fs::path& file, int descriptor, std::size_t first_size,
                                   std::size_t limit) {
  std::vector<std::uint8_t> content(first_size);
  std::size_t used = 0;
  for (;;) {
    if (used == content.size()) {
      if (used >= limit) {
        throw IoError("cannot read " + quote(file.string()) + ": it has no end within " +
                      std::to_string(limit >> 30) + " GiB; name a regular file");
      }
      content.resize(used * 2);
    }
    const auto got = ::read(descriptor, content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      throw io_error("read", file, errno);
    }
    if (got == 0) {
      content.resize(used);
      return content;
    }
    used += static_cast<std::size_t>(got);
  }
}

void write_all(const fs::path& file, int descriptor, std::span<const std::uint8_t> content) {
  while (!content.empty()) {
    const auto put = ::write(descriptor, content.data(), content.size());
    if (put < 0 && errno == EINTR) {
      continue;
    }
    if (put < 0) {
      throw io_error("write", file, errno);
    }
    content = content.subspan(static_cast<std::size_t>(put));
  }
}

/// A rename would replace a device or fail on a folder after all the work; say so before it.
void check_target(const fs::path& file) {
  struct stat status;
  if (::stat(file.c_str(), &status) != 0) {
    return;
  }
  if (S_ISDIR(status.st_mode)) {
    throw io_error("write", file, EISDIR);
  }
  if (!S_ISREG(status.st_mode)) {
    throw IoError("cannot write " + quote(file.string()) +
                  ": it is a device, pipe or socket; name a regular file");
  }
}

fs::path temporary_name(const fs::path& file) {
  static std::atomic<unsigned> count{0};
  fs::path name = file;
  name += ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
  return name;
}

/// Makes the rename itself durable. The file is complete either way and some file systems cannot do this, so
/// a failure is no error.
void flush_folder(const fs::path& file) {
  const auto folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.number() >= 0) {
    ::fsync(descriptor.number());
  }
}

}  // namespace

std::vector<std::uint8_t> read_file(const fs::path& file) {
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status;
  if (descriptor.number() < 0 || ::fstat(descriptor.number(), &status) != 0) {
    throw io_error("read", file, errno);
  }
  if (S_ISDIR(status.st_mode)) {
    throw io_error("read", file, EISDIR);
  }
  const bool regular = S_ISREG(status.st_mode);
  // One byte more than the size, so that the end is seen without growing.
  const auto size = regular ? static_cast<std::size_t>(status.st_size) + 1 : kFirstChunk;
  const auto limit = regular ? static_cast<std::size_t>(-1) : kMaxUnsized;
  const auto out_of_memory = [&] {
    return OutOfMemoryError("not enough memory to read " + quote(file.string()) + " (" +
                            std::to_string(size - 1) + " bytes)");
  };
  try {
    return read_all(file, descriptor.number(), size, limit);
  } catch (const std::bad_alloc&) {
    throw out_of_memory();
  } catch (const std::length_error&) {
    throw out_of_memory();
  }
}

void write_file(const fs::path& file, std::span<const std::uint8_t> content) {
  check_target(file);
  const auto temporary = temporary_name(file);
  // O_EXCL: never through a link that somebody else has put there. The usual permissions, less the umask.
  Descriptor descriptor(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (descriptor.number() < 0) {
    throw io_error("write", file, errno);
  }
  Temporary guard(temporary);
  write_all(file, descriptor.number(), content);
  if (::fsync(descriptor.number()) != 0) {
    throw io_error("write", file, errno);
  }
  if (const int code = descriptor.close(); code != 0) {
    throw io_error("write", file, code);
  }
  if (::rename(temporary.c_str(), file.c_str()) != 0) {
    throw io_error("write", file, errno);
  }
  guard.release();
  flush_folder(file);
}

void write_file(const fs::path& file, std::string_view content) {
  write_file(file, std::span(reinterpret_cast<const std::uint8_t*>(content.data()), content.size()));
}

}  // namespace ensyn
