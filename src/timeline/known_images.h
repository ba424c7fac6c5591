// Images that took long to make, kept for a while: the next read of the key, at that LSN or a later
// one, goes on from there.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "base/bytes.h"
#include "base/lsn.h"
#include "layer/key.h"

namespace varve {

// Of a key as of the version that ends at `lsn`.
struct KnownImage {
  Lsn lsn;
  std::shared_ptr<const Bytes> image;
};

// Thread-safe. Versions never change, so what is in it stays right.
class KnownImages {
 public:
  // The one of `key`, if it is of no later LSN.
  std::optional<KnownImage> find(const Key& key, Lsn lsn);
  // Replaces that of the key; gives up what was not asked for since the longest time.
  void put(const Key& key, const KnownImage& known);

 private:
  // A page has 8 KiB.
  static constexpr size_t kImages = 1024;

  struct Entry {
    Key key;
    KnownImage known;
  };
  std::mutex mutex_;
  // The latest used first.
  std::list<Entry> entries_;
  std::map<Key, std::list<Entry>::iterator> places_;
};

}  // namespace varve
