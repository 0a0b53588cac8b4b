/// \file
/// Whether the kernels run on the CPU, where their checks mean something and their times do not.
#pragma once

namespace bench {

[[nodiscard]] bool is_emulation();

}  // namespace bench
