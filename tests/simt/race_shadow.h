/// \file
/// What the race detector remembers of each cell of memory: who wrote it last, and who read it since.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>

namespace simt {

/// One access, with the clocks of its thread at that time.
struct Access {
  std::uint32_t launch = 0;  // 0: no access
  std::uint32_t block = 0;   // number within the grid
  std::uint16_t thread = 0;  // number within the block
  bool atomic = false;
  std::uint32_t barriers = 0;    // of the block, passed
  std::uint32_t arrivals = 0;    // at the cluster's barrier
  std::uint32_t warp_clock = 0;  // own component of the lane's vector clock
  const void* point = nullptr;   // of the program

  [[nodiscard]] bool same_thread(const Access& other) const {
    return launch == other.launch && block == other.block && thread == other.thread;
  }
};

/// Two readers are enough to find a later write by any thread but one of them; which two are kept is chosen
/// so that they have as little in common as possible.
struct Cell {
  Access write;
  Access reads[2];
};

/// Cells of one page: one for each word, and one for each byte of a word that was ever accessed in parts.
class ShadowPage {
 public:
  static constexpr std::size_t kBytes = 4096, kWordBytes = 4;

  [[nodiscard]] Cell& word(std::size_t offset) { return words_[offset / kWordBytes]; }
  [[nodiscard]] bool split(std::size_t offset) const {
    return bytes_ != nullptr && split_[offset / kWordBytes];
  }
  [[nodiscard]] Cell& byte(std::size_t offset) { return bytes_[offset]; }
  /// Each byte of the word begins with what the word has.
  void split_word(std::size_t offset);

 private:
  Cell words_[kBytes / kWordBytes];
  bool split_[kBytes / kWordBytes] = {};
  std::unique_ptr<Cell[]> bytes_;
};

class Shadow {
 public:
  [[nodiscard]] ShadowPage& page_of(std::uintptr_t address) {
    const std::uintptr_t number = address / ShadowPage::kBytes;
    Recent& recent = recent_[number % kRecent];
    if (recent.number == number) return *recent.page;
    auto& page = pages_[number];
    if (page == nullptr) page = std::make_unique<ShadowPage>();
    recent = {number, page.get()};
    return *page;
  }
  /// Forgets everything once it has grown large.
  void trim();

 private:
  struct Recent {
    std::uintptr_t number = 0;
    ShadowPage* page = nullptr;
  };
  static constexpr std::size_t kRecent = 256;
  Recent recent_[kRecent];
  std::unordered_map<std::uintptr_t, std::unique_ptr<ShadowPage>> pages_;
};

}  // namespace simt
