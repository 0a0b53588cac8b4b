#include "host/io/file.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "data/support.h"
#include "host/io/safetensors.h"

namespace ensyn {
namespace {

namespace fs = std::filesystem;
using test::Bytes;
using test::bytes_of;
using test::entries_in;
using test::expect_error;
using test::get;
using test::put;
using test::TempFolder;

constexpr int kNotPermitted = 77;

/// Runs `body` in a child, whose limits, user and mounts are its own. \returns its exit status: 0 when it did
/// not fail, kNotPermitted when it could not try.
int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 3;
    try {
      status = body();
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
    if (status == 0 && ::testing::Test::HasFailure()) {
      status = 1;
    }
    // No destructors: the temporary folders are the parent's.
    std::fflush(nullptr);
    ::_exit(status);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(File, ReadsAndWrites) {
  const TempFolder folder;
  const auto file = folder / "a.bin";
  Bytes content(1'000'000);
  for (std::size_t i = 0; i < content.size(); ++i) {
    content[i] = static_cast<std::uint8_t>(i * i >> 3);
  }
  write_file(file, content);
  EXPECT_EQ(get(file), content);
  EXPECT_EQ(read_file(file), content);
  write_file(file, "shorter");
  EXPECT_EQ(read_file(file), bytes_of("shorter"));
  write_file(file, std::string_view());
  EXPECT_TRUE(read_file(file).empty());
  EXPECT_EQ(entries_in(folder.path()), 1u);
}

TEST(File, NewFilesHaveTheUsualPermissions) {
  const TempFolder folder;
  const auto mask = ::umask(0027);
  write_file(folder / "a", "x");
  ::umask(mask);
  struct stat status;
  ASSERT_EQ(::stat((folder / "a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST(File, ARelativeNameWithoutFolder) {
  const TempFolder folder;
  const auto before = fs::current_path();
  fs::current_path(folder.path());
  write_file("plain.txt", "x");
  fs::current_path(before);
  EXPECT_EQ(get(folder / "plain.txt"), bytes_of("x"));
}

TEST(File, ReadsPipes) {
  const TempFolder folder;
  const auto pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const Bytes content(200'000, 5);
  const pid_t child = ::fork();
  if (child == 0) {
    put(pipe, content);
    ::_exit(0);
  }
  EXPECT_EQ(read_file(pipe), content);
  ::waitpid(child, nullptr, 0);
}

TEST(File, MissingFilesAndFolders) {
  const TempFolder folder;
  const auto missing = folder / "missing.txt";
  expect_error<IoError>([&] { (void)read_file(missing); },
                        {"cannot read '" + missing.string() + "'", "No such file or directory", "check"});
  expect_error<IoError>([&] { (void)read_file(folder.path()); }, {folder.path().string(), "Is a directory"});
  expect_error<IoError>([&] { write_file(folder.path(), "x"); },
                        {"cannot write '" + folder.path().string() + "'", "Is a directory"});
  const auto no_folder = folder / "no/such/file";
  expect_error<IoError>([&] { write_file(no_folder, "x"); },
                        {"cannot write '" + no_folder.string() + "'", "No such file or directory", "folder"});
  put(folder / "file", bytes_of("x"));
  expect_error<IoError>([&] { write_file(folder / "file/in", "x"); }, {"file/in", "Not a directory"});
  expect_error<IoError>([&] { write_file(folder / std::string(300, 'n'), "x"); }, {"name too long"});
  EXPECT_EQ(entries_in(folder.path()), 1u);
  expect_error<IoError>([&] { (void)read_file(folder / "two\nlines"); }, {"two\\x0alines"});
}

TEST(File, DevicesAreNotReplaced) {
  expect_error<IoError>([] { write_file("/dev/null", "x"); }, {"'/dev/null'", "regular file"});
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST(File, FoldersAndFilesWithoutPermission) {
  const TempFolder folder;
  put(folder / "secret", bytes_of("x"));
  ASSERT_EQ(::chmod((folder / "secret").c_str(), 0), 0);
  ASSERT_EQ(::chmod(folder.path().c_str(), 0555), 0);
  const int status = in_child([&] {
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) {
      return kNotPermitted;
    }
    expect_error<IoError>([&] { write_file(folder / "out", "x"); },
                          {(folder / "out").string(), "Permission denied", "permissions"});
    expect_error<IoError>([&] { (void)read_file(folder / "secret"); }, {"secret", "Permission denied"});
    expect_error<IoError>([&] { (void)read_safetensors_header(folder / "secret"); },
                          {"secret", "Permission denied"});
    return 0;
  });
  EXPECT_EQ(entries_in(folder.path()), 1u);
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  if (status == kNotPermitted) {
    GTEST_SKIP() << "cannot become an ordinary user";
  }
  EXPECT_EQ(status, 0);
}

/// Fails half-way, after part of the content was written.
TEST(File, AFailedWriteLeavesWhatWasThere) {
  const TempFolder folder;
  const auto file = folder / "model";
  put(file, bytes_of("the old content"));
  const int status = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{50'000, 50'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) {
      return kNotPermitted;
    }
    const Bytes content(100'000, 1);
    expect_error<IoError>([&] { write_file(file, content); },
                          {"cannot write '" + file.string() + "'", "File too large", "space"});
    expect_error<IoError>([&] { write_file(folder / "new", content); }, {"new", "File too large"});
    return 0;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(get(file), bytes_of("the old content"));
  EXPECT_EQ(entries_in(folder.path()), 1u);
}

TEST(File, AFullDisk) {
  const TempFolder folder;
  const int status = in_child([&] {
    const bool own_mounts = ::unshare(CLONE_NEWNS) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
    // Private first, so that the mount stays in this process.
    if (!own_mounts || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=128k") != 0) {
      return kNotPermitted;
    }
    const auto file = folder / "model";
    const Bytes fits(60'000, 1);
    write_file(file, fits);
    expect_error<IoError>([&] { write_file(file, Bytes(200'000, 2)); },
                          {"cannot write '" + file.string() + "'", "No space left on device", "free"});
    EXPECT_EQ(get(file), fits);
    EXPECT_EQ(entries_in(folder.path()), 1u);
    return 0;
  });
  if (status == kNotPermitted) {
    GTEST_SKIP() << "cannot mount a small disk";
  }
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace ensyn
