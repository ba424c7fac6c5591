#include "storage_sync/verify/data_checks.h"

#include <algorithm>
#include <set>

namespace varve {
namespace {

// Of what is not asked for between two things: reading it costs less than another request.
constexpr uint64_t kReadThrough = 128 << 10;
// As much as a single frame, so that a thread holds no more for small members than for large ones.
constexpr uint64_t kLargestWindow = kFrameSize;

// Something to be checked, and the bytes of the object that this takes.
struct Piece {
  uint64_t start = 0;
  uint64_t end = 0;
  const DataCheck::Member* member = nullptr;  // Null: the header.
};

std::vector<Piece> pieces_of(const ExaminedObject& object,
                             const std::vector<DataCheck::Member>& members, VerifyDepth depth) {
  std::vector<Piece> pieces;
  // Where the manifest is all there is, the header was read together with it.
  if (!object.readable || object.manifest_offset > kObjectHeaderSize) {
    pieces.push_back({.start = 0, .end = kObjectHeaderSize});
  }
  uint64_t previous_end = kObjectHeaderSize;
  for (const DataCheck::Member& member : members) {
    const StoredMember& stored = member.layer.stored;
    // Frames lie before their table, behind what came before them.
    const bool with_frames =
        depth == VerifyDepth::kEveryByte && object.readable && previous_end <= stored.table_offset;
    pieces.push_back({.start = with_frames ? previous_end : stored.table_offset,
                      .end = stored.table_offset + stored.table_size,
                      .member = &member});
    previous_end = pieces.back().end;
  }
  return pieces;
}

// Puts pieces together as long as they fit into a window.
std::vector<DataCheck> gather(ExaminedObject& object, const std::vector<Piece>& pieces) {
  std::vector<DataCheck> checks;
  for (const Piece& piece : pieces) {
    const bool joins = !checks.empty() && piece.start <= checks.back().window_end + kReadThrough &&
                       piece.start >= checks.back().window_start &&
                       piece.end <= checks.back().window_start + kLargestWindow;
    if (!joins) checks.push_back({.object = &object, .window_start = piece.start});
    DataCheck& check = checks.back();
    check.window_end = std::max(check.window_end, piece.end);
    if (piece.member == nullptr) {
      check.with_header = true;
    } else {
      check.members.push_back(*piece.member);
      if (piece.member->need == Need::kByNewestState) check.need = Need::kByNewestState;
    }
  }
  for (DataCheck& check : checks) {
    if (check.window_end - check.window_start > kLargestWindow) {
      check.window_end = check.window_start;
    }
  }
  return checks;
}

// What the newest commit of a log says is needed.
class NeededLayers {
 public:
  explicit NeededLayers(const ExaminedLog& log) : log_(log), head_(log.timeline()) {
    if (head_ == nullptr) return;
    for (const LayerEntry& layer : head_->layers) {
      by_object_[layer.stored.object].push_back(&layer);
    }
  }

  Need need_of(const LayerEntry& member) const {
    // Without any commit there is nothing that could need it; where the newest can't be read,
    // everything may be needed.
    if (head_ == nullptr) {
      return log_.archives.empty() ? Need::kByHistoryAlone : Need::kByNewestState;
    }
    const auto found = std::ranges::lower_bound(head_->layers, member.name, {}, &LayerEntry::name);
    const bool needed = found != head_->layers.end() && *found == member;
    return needed ? Need::kByNewestState : Need::kByHistoryAlone;
  }

  // Of an object whose own manifest is unreadable.
  std::vector<LayerEntry> layers_in(const ExaminedObject& object) const {
    std::vector<LayerEntry> layers;
    const auto found = by_object_.find(object.listed.name.file_name());
    if (found == by_object_.end()) return layers;
    for (const LayerEntry* layer : found->second) layers.push_back(*layer);
    return layers;
  }

 private:
  const ExaminedLog& log_;
  const TimelineManifest* head_;
  std::map<std::string, std::vector<const LayerEntry*>> by_object_;
};

Result<> check_header(const ObjectBytes& bytes, const DataCheck& check, DataCheckResult& result) {
  const ObjectName& object = check.object->listed.name;
  const auto checked = [&]() -> Result<> {
    VARVE_ASSIGN(const Bytes header, bytes.read_all(0, kObjectHeaderSize));
    return check_object_header(header, object.kind);
  }();
  if (checked.ok()) return {};
  if (!tells_of_damage(checked.code())) return checked;
  result.findings.push_back(
      damage_of(checked.error(), check.need, {.log = object.log, .object = object.key()}));
  return {};
}

}  // namespace

std::vector<DataCheck> plan_data_checks(const ExaminedLog& log, VerifyDepth depth) {
  const NeededLayers needed(log);
  std::vector<DataCheck> checks;
  for (const auto* list : {&log.packs, &log.archives}) {
    for (ExaminedObject* object : *list) {
      std::vector<DataCheck::Member> members;
      Need need = Need::kByHistoryAlone;
      for (LayerEntry& layer : object->readable ? object->members : needed.layers_in(*object)) {
        const Need of_layer = needed.need_of(layer);
        if (of_layer == Need::kByNewestState) need = of_layer;
        members.push_back({std::move(layer), of_layer});
      }
      if (!object->readable && members.empty()) continue;
      std::ranges::sort(members, {}, [](const auto& member) {
        return std::pair(member.layer.stored.table_offset, member.layer.name);
      });
      auto gathered = gather(*object, pieces_of(*object, members, depth));
      // A header that is damaged makes readers refuse the object, whatever lies behind it.
      if (!gathered.empty()) gathered.front().need = need;
      std::ranges::move(gathered, std::back_inserter(checks));
    }
  }
  return checks;
}

Result<DataCheckResult> run_data_check(RemoteStorage& storage, const DataCheck& check,
                                       VerifyDepth depth, const FrameProgress& progress,
                                       const CallOptions& options) {
  const ObjectName& object = check.object->listed.name;
  ObjectBytes bytes(storage, object.key(), options);
  DataCheckResult result;
  if (check.window_start < check.window_end) {
    const auto held = bytes.hold(check.window_start, check.window_end);
    if (!held.ok() && !tells_of_damage(held.code())) return held.error();
  }
  if (check.with_header) VARVE_TRY(check_header(bytes, check, result));
  for (const auto& [layer, need] : check.members) {
    VARVE_ASSIGN(const MemberCheck checked, check_member(bytes, layer, depth, progress));
    result.raw_bytes += checked.raw_bytes;
    for (const MemberDamage& damage : checked.damage) {
      result.findings.push_back(damage_of(damage.error, need,
                                          {.log = object.log,
                                           .object = object.key(),
                                           .member = layer.name.to_string(),
                                           .frames = damage.frames}));
    }
  }
  return result;
}

}  // namespace varve
