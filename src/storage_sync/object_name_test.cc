#include "storage_sync/object_name.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace varve {
namespace {

const TenantId kTenant = TenantId::parse("00112233445566778899aabbccddeeff").value();
const TimelineId kTimeline = TimelineId::parse("ffeeddccbbaa99887766554433221100").value();
const Nonce kNonce = Nonce::parse("0123456789abcdef0123456789abcdef").value();
const LogName kLog{kTenant, kTimeline};

TEST(ObjectName, KeysAreAsDocumented) {
  const std::string tenant = "tenants/00112233445566778899aabbccddeeff/";
  const std::string timeline = tenant + "timelines/ffeeddccbbaa99887766554433221100/";
  EXPECT_EQ(ObjectName::archive({kTenant, {}}, 1).key(),
            tenant + "tenant/0000000000000001.archive");
  EXPECT_EQ(ObjectName::archive(kLog, 0x1234).key(), timeline + "0000000000001234.archive");
  EXPECT_EQ(ObjectName::archive(kLog, 0x1234, kNonce).key(),
            timeline + "0000000000001234-0123456789abcdef0123456789abcdef.archive");
  EXPECT_EQ(ObjectName::pack(kLog, kNonce, 42).key(),
            timeline + "0123456789abcdef0123456789abcdef.0042.pack");
}

TEST(ObjectName, EveryNameIsReadBackFromItsKey) {
  for (const ObjectName& object :
       {ObjectName::archive({kTenant, {}}, 1), ObjectName::archive({kTenant, {}}, UINT64_MAX),
        ObjectName::archive(kLog, 1), ObjectName::archive(kLog, UINT64_MAX),
        ObjectName::archive(kLog, 1, kNonce), ObjectName::archive({kTenant, {}}, 1, kNonce),
        ObjectName::pack(kLog, kNonce, 0), ObjectName::pack(kLog, kNonce, 9999)}) {
    const auto parsed = ObjectName::parse(object.key());
    ASSERT_TRUE(parsed.ok()) << parsed.error().message();
    EXPECT_EQ(*parsed, object);
    EXPECT_EQ(ObjectName::parse_file_name(object.log, object.file_name()).value(), object);
  }
}

TEST(ObjectName, AnythingElseIsRefused) {
  const std::string archive = ObjectName::archive(kLog, 0xABC).key();
  const std::string pack = ObjectName::pack(kLog, kNonce, 42).key();
  const std::string tenant = ObjectName::archive({kTenant, {}}, 1).key();
  const auto replaced = [](std::string text, std::string_view from, std::string_view to) {
    return text.replace(text.find(from), from.size(), to);
  };
  const std::vector<std::string> bad = {
      "",
      "tenants/",
      archive + "x",
      "x" + archive,
      "/" + archive,
      replaced(archive, "abc", "ABC"),                            // Upper case.
      replaced(archive, "0000000000000abc", "0000000000000000"),  // No sequence 0.
      replaced(archive, "0000000000000abc", "000000000000abc"),   // A digit too few.
      replaced(archive, ".archive", ".pack"),
      replaced(archive, ".archive", "-.archive"),
      replaced(archive, ".archive", "-" + std::string(32, '0') + ".archive"),  // The nil nonce.
      replaced(archive, ".archive", "-" + kNonce.to_string().substr(1) + ".archive"),
      replaced(archive, ".archive", kNonce.to_string() + ".archive"),
      replaced(archive, ".archive", "-" + kNonce.to_string() + ".0001.archive"),
      replaced(archive, "timelines/", "timeline/"),
      replaced(archive, kTimeline.to_string(), std::string(32, '0')),  // The nil timeline.
      replaced(archive, kTimeline.to_string() + "/", kTimeline.to_string() + "//"),
      replaced(pack, ".0042.", ".42."),
      replaced(pack, ".0042.", ".00042."),
      replaced(pack, ".0042.", ".10000."),
      replaced(pack, ".0042.", ".+042."),
      replaced(pack, ".0042.", "."),
      replaced(tenant, "tenant/", ""),
      tenant_prefix(kTenant) + "tenant/" + ObjectName::pack(kLog, kNonce, 1).file_name(),
  };
  for (const std::string& key : bad) {
    EXPECT_TRUE(ObjectName::parse(key).failed_with(ErrorCode::kInvalidArgument)) << key;
  }
}

TEST(ObjectName, APrefixHoldsTheKeysOfItsLogAlone) {
  const LogName tenant_log{kTenant, {}};
  EXPECT_TRUE(ObjectName::archive(kLog, 1).key().starts_with(kLog.prefix()));
  EXPECT_FALSE(ObjectName::archive(kLog, 1).key().starts_with(tenant_log.prefix()));
  EXPECT_TRUE(ObjectName::archive(kLog, 1).key().starts_with(tenant_prefix(kTenant)));
}

TEST(ObjectName, KeysOfArchivesSortBySequence) {
  std::vector<std::string> keys;
  for (const uint64_t sequence : {1ULL, 9ULL, 10ULL, 0xFFULL, 0x100ULL, 1ULL << 40}) {
    keys.push_back(ObjectName::archive(kLog, sequence, kNonce).key());
    keys.push_back(ObjectName::archive(kLog, sequence).key());
  }
  EXPECT_TRUE(std::ranges::is_sorted(keys));
}

}  // namespace
}  // namespace varve
