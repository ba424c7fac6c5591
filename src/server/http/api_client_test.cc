// The client of the HTTP API and the server, over a socket.
#include "server/http/api_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/http/http_server.h"
#include "server/http/routes.h"
#include "server/http/test_support/fake_page_service.h"

namespace varve::http {
namespace {

using testing::HasSubstr;

class ApiClientTest : public testing::Test {
 protected:
  void SetUp() override {
    server_ = *HttpServer::bind({.address = *ListenAddress::parse("127.0.0.1:0")});
    server_->start(Router(all_routes(service_, state_, "/scratch", [] { return ""; })), metrics_);
    const PidFile file{.pid = 1, .url = "http://" + server_->address().to_string()};
    client_ = std::make_unique<ApiClient>(*ApiConnection::open(file, {}));
  }

  static Key key_of(uint32_t number) {
    Key key;
    store_big(key.bytes.data() + Key::kSize - sizeof number, number);
    return key;
  }

  FakePageService service_;
  ApiState state_;
  Metrics metrics_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<ApiClient> client_;
};

TEST_F(ApiClientTest, AnImportArrivesWhole) {
  const auto import = *client_->start_import({.tenant = "a", .name = "n", .image_lsn = Lsn{0x10}});
  std::map<Key, std::string> put;
  // Several batches.
  for (uint32_t i = 0; i < 30; ++i) {
    put[key_of(i)] = std::string(kImageBatchSize / 10 + i, static_cast<char>('a' + i));
    ASSERT_TRUE(import->put_image(key_of(i), as_bytes(put[key_of(i)])).ok());
  }
  const auto made =
      import->commit({.last_record_lsn = Lsn{0x20}, .system_identifier = UINT64_MAX}, {}, {});
  ASSERT_TRUE(made.ok()) << made.error().message();
  EXPECT_EQ(made->at("with").at("name"), "n");
  EXPECT_EQ(made->at("with").at("system_identifier"), UINT64_MAX);
  EXPECT_EQ(service_.images, put);
}

TEST_F(ApiClientTest, AnImageThatNoBatchHasRoomForIsRefusedWithTheRemedy) {
  const auto import = *client_->start_import({.tenant = "a", .name = "", .image_lsn = Lsn{0x10}});
  const Bytes large(kLargestImageBatch);
  const auto refused = import->put_image(key_of(1), large);
  EXPECT_TRUE(refused.failed_with(ErrorCode::kInvalidArgument));
  EXPECT_THAT(refused.error().message(), HasSubstr("stop the server"));
}

TEST_F(ApiClientTest, AnImportThatIsDroppedIsGone) {
  auto import = *client_->start_import({.tenant = "a", .name = "", .image_lsn = Lsn{0x10}});
  EXPECT_EQ(service_.open_imports, 1U);
  import.reset();
  EXPECT_EQ(service_.open_imports, 0U);
}

TEST_F(ApiClientTest, ASnapshotIsReadAsItIs) {
  for (uint32_t i = 0; i < 30; ++i) {
    service_.images[key_of(i)] = std::string(kImageBatchSize / 10 + i, static_cast<char>('a' + i));
  }
  {
    const auto snapshot = *client_->open_snapshot({.timeline = "a/b", .at = Lsn{0x1A}});
    EXPECT_EQ(snapshot->lsn(), Lsn{0x1A});
    EXPECT_EQ(snapshot->timeline().at("timeline"), "a/b");
    EXPECT_EQ(snapshot->fetched()->bytes, 2U);
    std::map<Key, std::string> read;
    const auto scanned =
        snapshot->scan(KeyRange::all(), Lsn{0x1A}, [&](const Key& key, ByteView image) {
          read[key] = as_text(image);
          return Result<>();
        });
    ASSERT_TRUE(scanned.ok()) << scanned.error().message();
    EXPECT_EQ(read, service_.images);
    EXPECT_EQ(as_text(*snapshot->get(key_of(7), Lsn{0x1A})), service_.images[key_of(7)]);
    EXPECT_TRUE(snapshot->get(key_of(99), Lsn{0x1A}).failed_with(ErrorCode::kNotFound));
    EXPECT_TRUE(snapshot->get(key_of(7), Lsn{0x1B}).failed_with(ErrorCode::kInvalidArgument));
  }
  EXPECT_EQ(service_.open_snapshots, 0U);
}

TEST_F(ApiClientTest, ASnapshotIsFetchedAsItIsToBeRead) {
  ASSERT_TRUE(client_
                  ->open_snapshot({.timeline = "a/b",
                                   .at = Lsn{0x1A},
                                   .scratch_parent = {},
                                   .pattern = ReadPattern::kPart})
                  .ok());
  EXPECT_EQ(service_.last_pattern, ReadPattern::kPart);
  ASSERT_TRUE(client_->open_snapshot({.timeline = "a/b", .at = Lsn{0x1A}}).ok());
  EXPECT_EQ(service_.last_pattern, ReadPattern::kEverything);
}

TEST_F(ApiClientTest, AScanEndsWithTheErrorOfItsReaderOrOfTheServer) {
  for (uint32_t i = 0; i < 30; ++i) service_.images[key_of(i)] = std::string(kImageBatchSize, 'x');
  service_.damaged = key_of(20);
  const auto snapshot = *client_->open_snapshot({.timeline = "a/b", .at = Lsn{0x1A}});
  const auto stopped = snapshot->scan(KeyRange::all(), Lsn{0x1A}, [](const Key&, ByteView) {
    return Result<>(make_error(ErrorCode::kExhausted, "the disk is full"));
  });
  EXPECT_TRUE(stopped.failed_with(ErrorCode::kExhausted));
  size_t read = 0;
  const auto failed = snapshot->scan(KeyRange::all(), Lsn{0x1A}, [&](const Key&, ByteView) {
    ++read;
    return Result<>();
  });
  EXPECT_GT(read, 0U);
  EXPECT_TRUE(failed.failed_with(ErrorCode::kCorrupted));
  EXPECT_THAT(failed.error().message(), HasSubstr("a layer is damaged"));
}

TEST_F(ApiClientTest, WhatTakesLongEndsWithItsResultAndTellsHowFarItIs) {
  std::pair<uint64_t, uint64_t> heard;
  const auto done = client_->checkpoint(
      "a/b", {}, [&](uint64_t bytes, uint64_t total) { heard = {bytes, total}; });
  ASSERT_TRUE(done.ok()) << done.error().message();
  EXPECT_EQ(done->at("call"), "checkpoint");
  EXPECT_EQ(heard, (std::pair<uint64_t, uint64_t>(1, 2)));
  EXPECT_EQ(client_->detach_tenant("a", {})->at("call"), "detach");
  EXPECT_EQ(client_->delete_tenant("a", {})->at("call"), "delete tenant");
  EXPECT_EQ(client_->prefetch("a/b", {}, {})->at("call"), "prefetch");
  EXPECT_EQ(client_->collect_garbage("a/b", {})->at("call"), "gc");
  EXPECT_EQ(client_->lsn_at("a/b", {1'000'000})->at("with").at("time"),
            "1970-01-01T00:00:01.000000Z");
  EXPECT_EQ(client_->drop_local("a/b")->at("with"), "a/b");
  EXPECT_EQ(client_->pin({.timeline = "a/b", .at = Lsn{0x1A}})->at("with").at("at"), "0/1A");
  EXPECT_EQ(client_->pins("a/b")->at("call"), "pins");
  EXPECT_EQ(client_->unpin("a/b", Lsn{0x1A})->at("with").at("lsn"), "0/1A");
  EXPECT_EQ(client_->branch({.parent = "a/b", .at = Lsn{0x1A}, .name = "n"})->at("with").at("at"),
            "0/1A");
}

}  // namespace
}  // namespace varve::http
