#include "extract-entry.h"

namespace tsbuild {

namespace {

constexpr int64_t kMaxNanoseconds = 999999999;
constexpr int64_t kMaxXattrs = 65536;
// The device number that the kernel can hold: 12 and 20 bits (MKDEV in include/linux/kdev_t.h).
constexpr int64_t kMaxMajor = 4095;
constexpr int64_t kMaxMinor = 1048575;

Attributes read_attributes(MessageReader* entries, bool owners) {
  Attributes attributes;
  attributes.mode = static_cast<uint32_t>(entries->number_within(0, 07777));
  uint32_t uid = entries->u32();
  uint32_t gid = entries->u32();
  if (owners) {
    attributes.uid = uid;
    attributes.gid = gid;
  }
  int64_t seconds = entries->number();
  attributes.mtime = Times{seconds, static_cast<uint32_t>(entries->number_within(0, kMaxNanoseconds))};
  int64_t count = entries->number_within(0, kMaxXattrs);
  for (int64_t i = 0; i < count; i++) {
    std::string_view name = entries->text();
    std::string_view value = entries->text();
    if (name.empty() || name.find('\0') != std::string_view::npos) entries->refuse();
    attributes.xattrs.push_back({name, value});
  }
  return attributes;
}

}  // namespace

ExtractEntry read_entry(MessageReader* entries, bool owners) {
  ExtractEntry entry;
  entry.kind = static_cast<EntryKind>(entries->number_within(0, static_cast<int>(EntryKind::kOpaque)));
  entry.path = entries->text();
  switch (entry.kind) {
    case EntryKind::kFile:
      entry.offset = entries->size();
      entry.size = entries->size();
      break;
    case EntryKind::kSymlink:
    case EntryKind::kHardlink:
      entry.target = entries->text();
      break;
    case EntryKind::kChar:
    case EntryKind::kBlock:
      entry.major = static_cast<uint32_t>(entries->number_within(0, kMaxMajor));
      entry.minor = static_cast<uint32_t>(entries->number_within(0, kMaxMinor));
      break;
    default:
      break;
  }
  bool bare = entry.kind == EntryKind::kHardlink || entry.kind == EntryKind::kWhiteout || entry.kind == EntryKind::kOpaque;
  if (!bare) entry.attributes = read_attributes(entries, owners);
  return entry;
}

}  // namespace tsbuild
