#include "tar-skimmer.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace tsbuild {

namespace {

constexpr size_t kTypeAt = 156;
constexpr size_t kSizeAt = 124;
constexpr size_t kSizeBytes = 12;
/** Extended headers that are longer are refused by whoever reads them. */
constexpr uint64_t kMostMetaBytes = 1024 * 1024;

uint64_t padding_of(uint64_t size, uint64_t block) { return (block - size % block) % block; }

bool is_zero(const char* block, size_t size) { return block[0] == 0 && memcmp(block, block + 1, size - 1) == 0; }

/** A plain octal number, spaces in front of it, ended by a space or NUL or the field; nothing for all other forms. */
std::optional<uint64_t> octal(const char* field, size_t size) {
  const char* end = field + size;
  while (field < end && *field == ' ') field++;
  uint64_t value = 0;
  for (; field < end && *field != ' ' && *field != 0; field++) {
    if (*field < '0' || *field > '7') return {};
    value = value * 8 + static_cast<uint64_t>(*field - '0');
  }
  return value;
}

/** Whether PAX records may say how long a content is, or how it stands in the tar. */
bool may_set_size(const std::string& records) {
  return records.find(" size=") != std::string::npos || records.find("GNU.sparse.") != std::string::npos;
}

}  // namespace

void TarSkimmer::push(std::string_view bytes) {
  while (!bytes.empty()) {
    switch (state_) {
      case State::kBlock:
        push_block(&bytes);
        break;
      case State::kMeta:
        push_meta(&bytes);
        break;
      case State::kContent:
        push_content(&bytes);
        break;
      case State::kPadding:
        push_padding(&bytes);
        break;
      case State::kAll:
        skimmed_.rest.append(bytes);
        return;
      case State::kBehind:
        return;
    }
  }
}

void TarSkimmer::push_block(std::string_view* bytes) {
  size_t part = std::min(kBlockBytes - block_.size(), bytes->size());
  skimmed_.rest.append(bytes->data(), part);
  const char* block = bytes->data();
  if (part < kBlockBytes) {
    block_.append(bytes->data(), part);
    block = block_.data();
  }
  bytes->remove_prefix(part);
  if (part < kBlockBytes && block_.size() < kBlockBytes) return;
  on_block(block);
  block_.clear();
}

void TarSkimmer::on_block(const char* block) {
  if (is_zero(block, kBlockBytes)) {
    if (half_ended_) state_ = State::kBehind;
    half_ended_ = true;
    return;
  }
  std::optional<uint64_t> size = octal(block + kSizeAt, kSizeBytes);
  if (half_ended_ || !size) {
    state_ = State::kAll;
  } else {
    on_header(block[kTypeAt], *size);
  }
}

void TarSkimmer::on_header(char type, uint64_t size) {
  switch (type) {
    case 'x':
    case 'g':
    case 'X':
    case 'L':
    case 'K':
      return begin_meta(type, size);
    case '0':
    case '7':
    case 0:
      return begin_content(size);
    // No content follows these, whatever their size says.
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case 'V':
      return;
    default:
      state_ = State::kAll;
  }
}

void TarSkimmer::begin_meta(char type, uint64_t size) {
  if (size > kMostMetaBytes) {
    state_ = State::kAll;
    return;
  }
  is_extended_ = type != 'L' && type != 'K';
  meta_.clear();
  meta_left_ = size + padding_of(size, kBlockBytes);
  if (meta_left_ > 0) state_ = State::kMeta;
}

void TarSkimmer::push_meta(std::string_view* bytes) {
  size_t part = static_cast<size_t>(std::min<uint64_t>(meta_left_, bytes->size()));
  skimmed_.rest.append(bytes->data(), part);
  if (is_extended_) meta_.append(bytes->data(), part);
  bytes->remove_prefix(part);
  meta_left_ -= part;
  if (meta_left_ == 0) state_ = may_set_size(meta_) ? State::kAll : State::kBlock;
}

void TarSkimmer::begin_content(uint64_t size) {
  if (size == 0) return;
  content_bytes_ = 0;
  content_left_ = size;
  padding_left_ = padding_of(size, kBlockBytes);
  sha256_.reset();
  state_ = State::kContent;
}

void TarSkimmer::push_content(std::string_view* bytes) {
  size_t part = static_cast<size_t>(std::min<uint64_t>(content_left_, bytes->size()));
  sha256_.update(bytes->data(), part);
  bytes->remove_prefix(part);
  content_bytes_ += part;
  content_left_ -= part;
  if (content_left_ > 0) return;
  digest_ = sha256_.finish();
  state_ = State::kPadding;
  if (padding_left_ == 0) end_content();
}

void TarSkimmer::push_padding(std::string_view* bytes) {
  size_t part = static_cast<size_t>(std::min<uint64_t>(padding_left_, bytes->size()));
  bytes->remove_prefix(part);
  content_bytes_ += part;
  padding_left_ -= part;
  if (padding_left_ == 0) end_content();
}

void TarSkimmer::end_content() {
  skimmed_.contents.push_back({skimmed_.rest.size(), content_bytes_});
  skimmed_.digests.append(reinterpret_cast<const char*>(digest_.data()), digest_.size());
  state_ = State::kBlock;
}

void TarSkimmer::end() {
  if (state_ == State::kContent || state_ == State::kPadding) end_content();
}

TarSkimmer::Skimmed TarSkimmer::take() {
  Skimmed taken = std::move(skimmed_);
  skimmed_ = {};
  return taken;
}

}  // namespace tsbuild
