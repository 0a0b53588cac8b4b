/// \file
/// The race detector: every access of a kernel compiled with -fsanitize=thread comes here.
#pragma once

#include <cstddef>
#include <string>

namespace simt {

enum class AccessKind { kRead, kWrite, kAtomic };

/// Remembers the access; ends the launch with an Error if it races with an earlier one.
void note_access(const void* address, std::size_t bytes, AccessKind kind, const void* point);

/// Function, file and line of a place in the program, as far as they can be had.
[[nodiscard]] std::string program_point(const void* point);

}  // namespace simt
