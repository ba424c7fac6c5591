// Everything that reached the remote storage, checked as it arrives: the ledger sees the storage
// itself, behind all faults.
#pragma once

#include "remote_storage/memory.h"
#include "remote_storage/streams.h"
#include "storage_sync/object_reader.h"
#include "storage_sync/test_support/simulation_model.h"
#include "storage_sync/test_support/simulation_story.h"

namespace varve::simulation {

// Who sent a request, and when.
struct Sender {
  uint32_t server = 0;
  uint64_t event = 0;
};

struct LandedCommit {
  uint64_t sequence = 0;
  uint64_t checksum = 0;
  Sender sender;
  // When it landed.
  uint64_t event = 0;
  // The rest: of timelines.
  bool deleted = false;
  Lsn lsn;
  StateId state = 0;
  Items items;
};

class Ledger {
 public:
  // `context` reaches the storage without faults.
  Ledger(const SyncContext& context, Model& model, Story& story)
      : context_(context), model_(model), story_(story) {}

  // The object has just been stored.
  void landed(const std::string& key, const Sender& sender) {
    const Checksum128 body = checksum128(read(key));
    const auto [object, is_new] = objects_.try_emplace(key, body);
    if (!is_new) {
      if (object->second != body) story_.violated("log: object {} was replaced", short_name(key));
      return;
    }
    const ObjectName name = ObjectName::parse(key).value();
    if (name.kind == ObjectKind::kPack) {
      story_.note("pack");
    } else if (name.log.is_tenant_log()) {
      landed_tenant(name, sender);
    } else {
      landed_timeline(name, sender);
    }
  }

  // A server reports that of the timeline, of which it holds `items`, everything up to `lsn` is
  // remote.
  void acknowledged(const TenantTimelineId& id, Lsn lsn, const Items& items) {
    const LandedCommit* head = this->head({id.tenant, id.timeline});
    if (head == nullptr || (!head->deleted && head->lsn < lsn)) {
      story_.violated("acknowledged: {} up to {}, and the newest commit has {}", short_name(id),
                      lsn, head == nullptr ? "nothing" : head->lsn.to_string());
      return;
    }
    Items below;
    for (const Item& item : items) {
      if (item.lsn <= lsn) below.insert(item);
    }
    if (!head->deleted && !holds(head->items, below)) {
      story_.violated("acknowledged: {} up to {}, and the newest commit lacks data below that",
                      short_name(id), lsn);
    }
  }

  const LandedCommit* head(const LogName& log) const {
    const auto found = logs_.find(log);
    return found == logs_.end() ? nullptr : &found->second.rbegin()->second;
  }
  const LandedCommit* find(const LogName& log, uint64_t sequence) const {
    const auto found = logs_.find(log);
    if (found == logs_.end()) return nullptr;
    const auto commit = found->second.find(sequence);
    return commit == found->second.end() ? nullptr : &commit->second;
  }
  const std::map<LogName, std::map<uint64_t, LandedCommit>>& logs() const { return logs_; }

  // What has landed is there still, as it was.
  void check_objects() {
    const auto listed = list_all(context_.storage, {}, {}).value();
    if (listed.size() != objects_.size()) {
      story_.violated("log: {} objects were stored, and {} are there", objects_.size(),
                      listed.size());
    }
  }

 private:
  Bytes read(const std::string& key) const {
    return get_bytes(context_.storage, key, ByteRange::whole(), 1 << 30, {}).value();
  }

  void enter(const ObjectName& name, const CommitStamp& stamp, LandedCommit commit) {
    auto& log = logs_[name.log];
    const LandedCommit before = log.empty() ? LandedCommit{} : log.rbegin()->second;
    if (name.sequence != before.sequence + 1) {
      story_.violated("log: {} follows number {}", short_name(name.key()), before.sequence);
    } else if (stamp.predecessor_checksum != before.checksum) {
      story_.violated("log: {} names another predecessor than the one there is",
                      short_name(name.key()));
    }
    commit.event = story_.events();
    log.emplace(name.sequence, std::move(commit));
  }

  void landed_tenant(const ObjectName& name, const Sender& sender) {
    const auto read = read_tenant_commit(context_.storage, name, {});
    if (!read.ok()) return unreadable(name, read.error());
    listed_[name.log.tenant].clear();
    for (const auto& timeline : read->manifest.timelines) {
      listed_[name.log.tenant].insert(timeline.id);
    }
    enter(name, read->manifest.stamp,
          {.sequence = name.sequence, .checksum = read->tail.trailer.checksum(), .sender = sender});
  }

  void landed_timeline(const ObjectName& name, const Sender& sender) {
    const auto read = read_timeline_commit(context_.storage, name, {});
    if (!read.ok()) return unreadable(name, read.error());
    const TimelineManifest& manifest = read->manifest;
    const TenantTimelineId id = manifest.id;
    LandedCommit commit{.sequence = name.sequence,
                        .checksum = read->tail.trailer.checksum(),
                        .sender = sender,
                        .deleted = manifest.deleted,
                        .lsn = manifest.metadata.disk_consistent_lsn,
                        .state = state_id(manifest),
                        .items = model_.items(manifest)};
    const LandedCommit* before = head(name.log);
    const std::string what = short_name(name.key());
    if (!model_.knows_state(manifest)) {
      story_.violated("mixture: {} holds a state that never was", what);
    }
    if (!listed_[id.tenant].contains(id.timeline)) {
      story_.violated("registration: {} is a commit of a timeline that its tenant does not list",
                      what);
    }
    if (before != nullptr && before->deleted) {
      story_.violated("log: {} follows the last commit of a deleted timeline", what);
    }
    if (before != nullptr && commit.lsn < before->lsn) {
      story_.violated("log: {} is at LSN {}, and the one before at {}", what, commit.lsn,
                      before->lsn);
    }
    if (manifest.deleted) {
      story_.note("deletion");
      if (!model_.timelines[id].deletion_begun) story_.violated("log: {} deletes unasked", what);
    } else {
      if (before != nullptr && !holds(commit.items, before->items)) {
        story_.violated("log: {} lacks data that the commit before it holds", what);
      }
      for (const LayerEntry& layer : manifest.layers) check_layer(name, layer);
    }
    enter(name, manifest.stamp, std::move(commit));
  }

  // Objects do not change, so that once is enough.
  void check_layer(const ObjectName& commit, const LayerEntry& layer) {
    const auto place =
        std::pair(commit.log.prefix() + layer.stored.object, layer.stored.table_offset);
    if (!read_layers_.emplace(place, layer.name).second) return;
    Bytes content;
    const ByteSink collect = [&](ByteView bytes) -> Result<> {
      content.insert(content.end(), bytes.begin(), bytes.end());
      return {};
    };
    const auto read = read_member(context_, commit.log, layer, collect, {});
    if (!read.ok()) return unreadable(commit, read.error());
    if (content != model_.layers[layer.name].content) {
      story_.violated("content: {} holds a layer with other bytes", short_name(commit.key()));
    }
  }

  void unreadable(const ObjectName& object, const Error& error) {
    story_.violated("content: {} cannot be read: {}", short_name(object.key()), error.message());
  }

  const SyncContext& context_;
  Model& model_;
  Story& story_;
  std::map<std::string, Checksum128> objects_;
  std::map<LogName, std::map<uint64_t, LandedCommit>> logs_;
  // What the newest commit of the tenant's log lists.
  std::map<TenantId, std::set<TimelineId>> listed_;
  // Where layers lie that were read and were right.
  std::set<std::pair<std::pair<std::string, uint64_t>, LayerName>> read_layers_;
};

}  // namespace varve::simulation
