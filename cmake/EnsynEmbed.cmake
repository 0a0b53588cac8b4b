# ensyn_embed(<file> <symbol> <output.cpp>): a source that defines `extern const` <symbol> and <symbol>Size holding the
# file's bytes, in namespace ensyn.

function(ensyn_embed file symbol output)
  set(source ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  file(READ ${source} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  file(SIZE ${source} size)
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT
"#include <cstddef>
#include <cstdint>
namespace ensyn {
extern const std::uint8_t @symbol@[];
extern const std::size_t @symbol@Size;
const std::uint8_t @symbol@[] = {@bytes@};
const std::size_t @symbol@Size = @size@;
}  // namespace ensyn
")
endfunction()
