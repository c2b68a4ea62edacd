// Text packed with gzip, for tests of what unpacks it.
#ifndef TOOLFORMER_TESTS_GZIP_H_
#define TOOLFORMER_TESTS_GZIP_H_

#include <doctest/doctest.h>
#include <zlib.h>

#include <string>

namespace toolformer::testing {

inline std::string Gzip(const std::string& text) {
  z_stream stream = {};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace toolformer::testing

#endif  // TOOLFORMER_TESTS_GZIP_H_
