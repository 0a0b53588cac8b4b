/// \file
/// Marks what `libensyn.so` exports; everything else in the library is hidden.
#pragma once

#if defined(_WIN32)
#  define ENSYN_API
#else
#  define ENSYN_API __attribute__((visibility("default")))
#endif
