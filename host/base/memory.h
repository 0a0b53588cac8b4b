/// \file
/// Memory that is asked for by sizes which users give: refused before it is touched where there is not as
/// much. Systems promise more than they have, and end the process that takes them at their word.
#pragma once

#include <string>

namespace ensyn {

/// \param what for example "an evaluation with samples = 1000 and batch = 20" \param advice what to do
/// \throws OutOfMemoryError when `bytes` are more than this process can still take
void require_memory(double bytes, const std::string& what, const std::string& advice);

}  // namespace ensyn
