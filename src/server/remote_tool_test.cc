#include "server/remote_tool.h"

#include "server/json.h"
#include "storage_sync/test_support/sync_fixture.h"

namespace varve {
namespace {

using test_support::kLog;
using test_support::layer_name;
using test_support::noise;
using test_support::SyncTest;

class RemoteTool : public SyncTest {
 protected:
  std::string key(uint64_t sequence) { return ObjectName::archive(kLog, sequence).key(); }
  Json show(uint64_t sequence) { return to_json(show_object(storage, key(sequence), {}).value()); }
};

TEST_F(RemoteTool, ShowTellsWhetherAManifestIsFullOrWhatItIsADeltaOf) {
  LocalManifest local = new_timeline();
  for (uint8_t i = 0; i < 200; ++i) server.add_layer(local, layer_name(i), noise(20, i));
  VARVE_ASSERT_OK(server.upload(local));
  const LayerName removed = local.manifest.layers[3].name;
  std::erase_if(local.manifest.layers, [&](const LayerEntry& l) { return l.name == removed; });
  const LayerName added = server.add_layer(local, layer_name(201), noise(20, 201)).name;
  VARVE_ASSERT_OK(server.upload(local));

  const Json full = show(1);
  EXPECT_EQ(full["manifest"], "full");
  EXPECT_EQ(full["layers"].size(), 200U);
  EXPECT_EQ(full["members"].size(), 200U);

  const Json delta = show(2);
  EXPECT_EQ(delta["manifest"], "delta");
  EXPECT_EQ(delta["base"], ObjectName::archive(kLog, 1).file_name());
  ASSERT_EQ(delta["layers_added"].size(), 1U);
  EXPECT_EQ(delta["layers_added"][0]["name"], added.to_string());
  EXPECT_EQ(delta["layers_removed"], Json::array({removed.to_string()}));
  ASSERT_EQ(delta["members"].size(), 1U);
  EXPECT_EQ(delta["sequence"], 2);
}

TEST_F(RemoteTool, MembersOfADeltaAreExtractedWithoutItsBase) {
  LocalManifest local = new_timeline();
  for (uint8_t i = 0; i < 200; ++i) server.add_layer(local, layer_name(i), noise(20, i));
  VARVE_ASSERT_OK(server.upload(local));
  const LayerName added = server.add_layer(local, layer_name(201), noise(20, 201)).name;
  VARVE_ASSERT_OK(server.upload(local));
  ASSERT_TRUE(storage.remove({key(1)}, {}).ok());
  const TemporaryDirectory target = TemporaryDirectory::create().value();
  VARVE_ASSERT_OK(extract_members(server.context(), {.key = key(2), .to = target.path()}, {}));
  EXPECT_EQ(read_file(target / added.to_string()).value(), noise(20, 201));
}

}  // namespace
}  // namespace varve
