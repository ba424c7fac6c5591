// Whole objects. The input is taken as an object as it is, and as the parts of one whose checksums
// then fit, so that what lies behind them is reached.
//
//   u16 size of the manifest | manifest, raw | everything from the first byte behind the header on
#include "expect.h"
#include "remote_storage/memory.h"
#include "storage_sync/object_seal.h"
#include "storage_sync/verify.h"

namespace varve {
namespace {

const TenantId kTenant{{1}};
const TimelineId kTimeline{{2}};
const LogName kLog{kTenant, kTimeline};
constexpr uint64_t kSequence = 1;
const ByteSink kIgnore = [](ByteView) -> Result<> { return {}; };

void put(RemoteStorage& storage, const ObjectName& name, ByteView body) {
  expect(storage.put(name.key(), body, PutCondition::kNone, {}).ok());
}

// What is read of an object agrees with what its verification says.
void look_at(RemoteStorage& storage) {
  const auto report = verify_remote(storage, {.depth = VerifyDepth::kEveryByte, .jobs = 1}, {}, {});
  expect(report.ok());
  static ThreadPool pool({.name = "codec"});
  const SyncContext context{storage, system_clock(), system_random(), pool, pool, {}};
  const ObjectName object = ObjectName::archive(kLog, kSequence);
  const auto commit = read_timeline_commit(storage, object, {});
  bool all_good = commit.ok();
  if (commit.ok()) {
    for (const LayerEntry& layer : commit->manifest.layers) {
      all_good &= read_member(context, kLog, layer, kIgnore, {}).ok();
    }
  }
  bool object_is_named = false;
  for (const Finding& finding : report->findings) {
    object_is_named |= is_damage(finding.kind) && finding.object.starts_with(kLog.prefix());
  }
  // The header alone is read by verification and, where no member begins behind it, by nobody else.
  if (!all_good) expect(object_is_named);
  if (!object_is_named) expect(all_good);
}

void fit_table(LayerEntry& layer, const Bytes& object) {
  StoredMember& stored = layer.stored;
  stored.object = ObjectName::archive(kLog, kSequence).file_name();
  if (stored.table_offset > object.size() ||
      stored.table_size > object.size() - stored.table_offset) {
    return;
  }
  stored.table_checksum =
      checksum64(ByteView(object).subspan(stored.table_offset, stored.table_size));
}

// An archive with that manifest and content, and every checksum right but those of frames and of
// whole layers.
Bytes assemble(TimelineManifest manifest, ByteView content) {
  Bytes object = encode_object_header(ObjectKind::kTimelineArchive);
  object.insert(object.end(), content.begin(), content.end());
  manifest.id = {kTenant, kTimeline};
  manifest.stamp.sequence = kSequence;
  for (LayerEntry& layer : manifest.layers) fit_table(layer, object);
  const auto seal = seal_object(ObjectKind::kTimelineArchive, object.size(), manifest.encode(), 1);
  expect(seal.ok());
  object.insert(object.end(), seal->bytes.begin(), seal->bytes.end());
  return object;
}

}  // namespace
}  // namespace varve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace varve;
  const ByteView bytes(data, size);
  {
    MemoryStorage storage;
    put(storage, ObjectName::archive(kLog, kSequence), bytes);
    put(storage, ObjectName::archive({kTenant, {}}, kSequence), bytes);
    put(storage, ObjectName::pack(kLog, Nonce{{3}}, 0), bytes);
    look_at(storage);
  }
  if (size < sizeof(uint16_t)) return 0;
  const size_t manifest_size = std::min<size_t>(load_little<uint16_t>(data), size - 2);
  auto manifest = TimelineManifest::decode(bytes.subspan(2, manifest_size));
  if (!manifest.ok()) return 0;
  MemoryStorage storage;
  put(storage, ObjectName::archive(kLog, kSequence),
      assemble(*std::move(manifest), bytes.subspan(2 + manifest_size)));
  look_at(storage);
  return 0;
}
