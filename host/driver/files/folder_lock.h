/// \file
/// One command at a time writes into a folder.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ensyn::driver {

/// While one lives, no other process has a lock of that name in the folder. It makes the folder where there
/// is none. The lock is on a hidden file, `.ensyn.lock`; it is gone when the process is, however that ended.
/// The file is removed at the end, and with it the folders that were made here, where nothing was put into
/// them.
class FolderLock {
 public:
  /// \param folder empty for the current one.
  /// \param name of the lock. A command that writes a single file, beside those of whatever command the
  /// folder belongs to, has a lock of its own, by the name of that file. \throws ConfigError at once where
  /// another process has the lock; IoError that names the folder where it cannot be made or written into
  explicit FolderLock(const std::filesystem::path& folder, const std::string& name = "ensyn");
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  [[nodiscard]] bool take();
  [[nodiscard]] bool still_named() const;

  std::filesystem::path folder_, file_;
  std::vector<std::filesystem::path> made_;  ///< folders, the innermost first
  int descriptor_ = -1;
};

}  // namespace ensyn::driver
