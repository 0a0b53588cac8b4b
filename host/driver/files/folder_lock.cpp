#include "host/driver/files/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "ensyn/error.h"
#include "host/driver/files/run_folder.h"

namespace ensyn::driver {
namespace {

/// The folder and those around it, as far as they do not exist.
std::vector<std::filesystem::path> missing_folders(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> missing;
  std::error_code ignored;
  for (auto path = folder; !path.empty() && !std::filesystem::exists(path, ignored);
       path = path.parent_path()) {
    // That of `a/` is `a`, the same folder.
    if (path.has_filename()) missing.push_back(path);
  }
  return missing;
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder, const std::string& name)
    : folder_(folder.empty() ? "." : folder), file_(folder_ / ("." + name + ".lock")) {
  // A command that ends may remove file and folder between two of these steps; then they are made anew.
  do {
    for (const auto& missing : missing_folders(folder_)) {
      if (std::ranges::find(made_, missing) == made_.end()) made_.push_back(missing);
    }
    create_folder(folder_);
  } while (!take());
}

/// \returns false where the file is gone, so that the lock on it is none.
bool FolderLock::take() {
  descriptor_ = open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor_ < 0 && errno == ENOENT) return false;
  if (descriptor_ < 0) {
    throw IoError("output folder " + folder_.string() + " cannot be written into: " +
                  std::generic_category().message(errno) + "; choose another with --out");
  }
  // A file system without locks is no reason not to work.
  if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    close(descriptor_);
    throw ConfigError("another ensyn is at work in " + folder_.string() +
                      ": wait for it, or choose another --out");
  }
  if (still_named()) return true;
  close(descriptor_);
  return false;
}

/// Whether the name is still that of the file that is locked.
bool FolderLock::still_named() const {
  struct stat locked, named;
  return fstat(descriptor_, &locked) == 0 && stat(file_.c_str(), &named) == 0 &&
         locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

FolderLock::~FolderLock() {
  // The file goes while it is locked: whoever has opened it meanwhile finds that it has lost its name.
  if (still_named()) unlink(file_.c_str());
  close(descriptor_);
  for (const auto& folder : made_) {
    if (rmdir(folder.c_str()) != 0) break;
  }
}

}  // namespace ensyn::driver
