#include "gunzip.h"

#include <algorithm>
#include <climits>

namespace tsbuild {

namespace {

/** The largest window, and gzip's header instead of zlib's (zlib.h, inflateInit2). */
constexpr int kGzipWindowBits = 15 + 16;

}  // namespace

Gunzip::Gunzip() {
  initialised_ = inflateInit2(&stream_, kGzipWindowBits) == Z_OK;
  if (!initialised_) broken_ = "insufficient memory";
}

Gunzip::~Gunzip() {
  if (initialised_) inflateEnd(&stream_);
}

size_t Gunzip::read(std::string_view* input, char* to, size_t room) {
  size_t put = 0;
  // zlib may hold output back although it has taken all of its input.
  while (put < room && broken_ == nullptr) {
    if (at_end_ && !input->empty() && input->front() == 0) padding_ = true;
    if (padding_) *input = {};
    if (at_end_ && input->empty()) break;
    if (at_end_) inflateReset(&stream_);
    at_end_ = false;
    auto available = static_cast<uInt>(std::min<size_t>(input->size(), UINT_MAX));
    auto space = static_cast<uInt>(std::min<size_t>(room - put, UINT_MAX));
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input->data()));
    stream_.avail_in = available;
    stream_.next_out = reinterpret_cast<Bytef*>(to + put);
    stream_.avail_out = space;
    int result = inflate(&stream_, Z_NO_FLUSH);
    input->remove_prefix(available - stream_.avail_in);
    put += space - stream_.avail_out;
    // Nothing more to take, and nothing held back.
    if (result == Z_BUF_ERROR) break;
    if (result == Z_NEED_DICT) broken_ = "missing dictionary";
    else if (result == Z_STREAM_END) at_end_ = true;
    else if (result != Z_OK) broken_ = stream_.msg != nullptr ? stream_.msg : "insufficient memory";
  }
  return put;
}

}  // namespace tsbuild
