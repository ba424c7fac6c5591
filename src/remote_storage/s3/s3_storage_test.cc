#include "remote_storage/s3/s3_storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "remote_storage/retrying.h"
#include "remote_storage/s3/credentials_static.h"
#include "remote_storage/s3/curl_transport.h"
#include "remote_storage/s3/digests.h"
#include "remote_storage/s3/sigv4.h"
#include "remote_storage/s3/test_support/scripted_server.h"
#include "remote_storage/streams.h"

namespace varve::s3 {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Then = ScriptedAnswer::Then;

const Credentials kOldKeys{
    .access_key_id = "OLD", .secret_access_key = "hush", .session_token = "t"};
const Credentials kNewKeys{.access_key_id = "NEW", .secret_access_key = "hush2"};
const std::string kMd5OfBody = "hBotaJrYa9FhFEdFPCLG/A==";
const std::string kModified = "Sun, 22 Nov 2026 02:00:00 GMT";

// Has others after the first were rejected.
class RenewedCredentials : public CredentialsProvider {
 public:
  Result<std::optional<Credentials>> get(const CallOptions&) override {
    return rejected_ ? kNewKeys : kOldKeys;
  }
  void reject(const Credentials& credentials) override {
    if (credentials == kOldKeys) rejected_ = true;
  }
  std::string source() const override { return "a test"; }

 private:
  std::atomic<bool> rejected_ = false;
};

std::string error_document(std::string_view code, std::string_view more = "") {
  return fmt::format(
      "<?xml version=\"1.0\"?><Error><Code>{}</Code><Message>It says why.</Message>{}</Error>",
      code, more);
}

ScriptedAnswer refusal(int status, std::string_view code, std::string_view more = "") {
  return {.status = status, .body = error_document(code, more)};
}

class S3StorageTest : public ::testing::Test {
 protected:
  S3StorageTest() { open({}); }

  void open(S3Options options, std::string prefix = "pre",
            std::unique_ptr<CredentialsProvider> credentials = nullptr) {
    if (credentials == nullptr) {
      credentials = std::make_unique<StaticCredentials>(kOldKeys, "a test");
    }
    storage_ = S3Storage::open({.location = {.bucket = "bucket",
                                             .prefix = std::move(prefix),
                                             .region = "us-east-1",
                                             .endpoint = server_.url()},
                                .options = std::move(options),
                                .transport = CurlTransport::create({}).value(),
                                .credentials = std::move(credentials),
                                .clock = &clock_})
                   .value();
  }

  Result<std::string> read(const ByteRange& range = ByteRange::whole(),
                           ObjectInfo* info = nullptr) {
    VARVE_ASSIGN(const Bytes bytes, get_bytes(*storage_, "key", range, 1 << 20, {}, info));
    return std::string(as_text(bytes));
  }
  Result<> put(PutCondition condition = PutCondition::kIfAbsent) {
    return storage_->put("key", as_bytes("body"), condition, {});
  }
  ReceivedRequest last_request() { return server_.requests().back(); }

  ScriptedServer server_;
  ManualClock clock_{Timestamp::parse("2026-11-22T03:00:00Z").value()};
  std::unique_ptr<S3Storage> storage_;
};

TEST_F(S3StorageTest, B1_APutIsSignedCheckedAndConditional) {
  server_.answer({.headers = {{"ETag", "\"841a2d689ad86bd1611447453c22c6fc\""}}});
  ASSERT_TRUE(put().ok());
  const ReceivedRequest request = last_request();
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.target, "/bucket/pre/key");
  EXPECT_EQ(request.body, "body");
  EXPECT_EQ(request.headers.at("if-none-match"), "*");
  EXPECT_EQ(request.headers.at("x-amz-content-sha256"), sha256_hex(as_bytes("body")));
  EXPECT_FALSE(request.headers.contains("content-md5")) << "one digest of a body is enough";
  EXPECT_EQ(request.headers.at("x-amz-security-token"), "t");
  EXPECT_EQ(request.headers.at("x-amz-date"), "20261122T030000Z");
  EXPECT_THAT(request.headers.at("authorization"),
              HasSubstr("Credential=OLD/20261122/us-east-1/s3/aws4_request"));

  server_.answer({});
  ASSERT_TRUE(put(PutCondition::kNone).ok());
  EXPECT_FALSE(last_request().headers.contains("if-none-match"));
}

TEST_F(S3StorageTest, B1_TheOptionsBecomeHeaders) {
  open({.checksum = Checksum::kCrc32c,
        .sign_payload = false,
        .storage_class = "STANDARD_IA",
        .server_side_encryption = "aws:kms",
        .kms_key_id = "alias/k"});
  server_.answer({});
  ASSERT_TRUE(put().ok());
  auto headers = last_request().headers;
  EXPECT_EQ(headers.at("x-amz-checksum-crc32c"), crc32c_base64(as_bytes("body")));
  EXPECT_EQ(headers.at("x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
  EXPECT_EQ(headers.at("x-amz-storage-class"), "STANDARD_IA");
  EXPECT_EQ(headers.at("x-amz-server-side-encryption"), "aws:kms");
  EXPECT_EQ(headers.at("x-amz-server-side-encryption-aws-kms-key-id"), "alias/k");
  EXPECT_FALSE(headers.contains("content-md5"));

  open({.checksum = Checksum::kSha256});
  server_.answer({});
  ASSERT_TRUE(put().ok());
  headers = last_request().headers;
  EXPECT_EQ(headers.at("x-amz-checksum-sha256"), "Iw2DWNyOiJC0xY3utikS7i8gNXrpKlzIYbmOaP4xrLU=");
  EXPECT_FALSE(headers.contains("x-amz-storage-class"));
}

TEST_F(S3StorageTest, B1_ABodyThatIsNotSignedHasAnMd5) {
  open({.sign_payload = false});
  server_.answer({});
  ASSERT_TRUE(put().ok());
  EXPECT_EQ(last_request().headers.at("content-md5"), kMd5OfBody);
  EXPECT_EQ(last_request().headers.at("x-amz-content-sha256"), "UNSIGNED-PAYLOAD");

  open({}, "pre", std::make_unique<StaticCredentials>(std::nullopt, "nobody"));
  server_.answer({});
  ASSERT_TRUE(put().ok());
  EXPECT_EQ(last_request().headers.at("content-md5"), kMd5OfBody);

  open({.checksum = Checksum::kNone, .sign_payload = false});
  server_.answer({});
  ASSERT_TRUE(put().ok());
  EXPECT_FALSE(last_request().headers.contains("content-md5"));
}

TEST_F(S3StorageTest, B1_AServerThatDemandsAnMd5IsGivenOneFromThenOn) {
  server_.answer(refusal(400, "InvalidRequest"));
  server_.answer({});
  ASSERT_TRUE(put().ok());
  EXPECT_EQ(last_request().headers.at("content-md5"), kMd5OfBody);
  EXPECT_EQ(last_request().headers.at("x-amz-content-sha256"), sha256_hex(as_bytes("body")));
  const size_t before = server_.requests().size();
  server_.answer({});
  ASSERT_TRUE(put().ok());
  EXPECT_EQ(server_.requests().size(), before + 1);
  EXPECT_EQ(last_request().headers.at("content-md5"), kMd5OfBody);
}

TEST_F(S3StorageTest, B1_ARefusalThatAnMd5DoesNotMendIsReported) {
  server_.answer(refusal(400, "InvalidRequest"));
  server_.answer(refusal(400, "InvalidRequest"));
  EXPECT_THAT(put().error().message(), HasSubstr("It says why."));
  server_.answer({});
  ASSERT_TRUE(put().ok());
  EXPECT_FALSE(last_request().headers.contains("content-md5"));
}

TEST_F(S3StorageTest, B1_ABodyThatWasStoredOtherwiseIsCorrupted) {
  open({.checksum = Checksum::kMd5});
  const std::string other = "\"" + std::string(32, '0') + "\"";
  server_.answer({.headers = {{"ETag", other}}});
  EXPECT_TRUE(put().failed_with(ErrorCode::kCorrupted));
  server_.answer({.headers = {{"ETag", other}, {"x-amz-server-side-encryption", "aws:kms"}}});
  EXPECT_TRUE(put().ok()) << "with KMS an ETag is no MD5";
}

TEST_F(S3StorageTest, AnonymousRequestsAreNotSigned) {
  open({}, "pre", std::make_unique<StaticCredentials>(std::nullopt, "nobody"));
  server_.answer({.headers = {{"Last-Modified", kModified}}, .body = "x"});
  ASSERT_TRUE(read().ok());
  EXPECT_FALSE(last_request().headers.contains("authorization"));
  EXPECT_FALSE(last_request().headers.contains("x-amz-date"));
}

TEST_F(S3StorageTest, W1_APutThatIsRefused) {
  server_.answer(refusal(412, "PreconditionFailed"));
  EXPECT_TRUE(put().failed_with(ErrorCode::kConflict));
  server_.answer(refusal(409, "ConditionalRequestConflict"));
  EXPECT_TRUE(put().failed_with(ErrorCode::kUnavailable));
  server_.answer(refusal(501, "NotImplemented"));
  EXPECT_THAT(put().error().message(), HasSubstr("only if it is absent"));
  server_.answer(refusal(404, "NoSuchBucket"));
  EXPECT_THAT(put().error().message(), HasSubstr("create bucket bucket"));
  server_.answer(refusal(403, "AccessDenied"));
  EXPECT_THAT(put().error().message(),
              AllOf(HasSubstr("s3://bucket/pre/key"), HasSubstr("a test"), Not(HasSubstr("hush"))));
}

TEST_F(S3StorageTest, S1_RangesBecomeHeaders) {
  const auto asked = [&](const ByteRange& range, const std::string& content_range) {
    server_.answer({.status = 206,
                    .headers = {{"Content-Range", content_range}, {"Last-Modified", kModified}},
                    .body = "234"});
    ObjectInfo info;
    const auto bytes = read(range, &info);
    EXPECT_TRUE(bytes.ok()) << bytes.error().message();
    EXPECT_EQ(info.size, 10U);
    return last_request().headers.at("range");
  };
  EXPECT_EQ(asked(ByteRange::between(2, 5), "bytes 2-4/10"), "bytes=2-4");
  EXPECT_EQ(asked(ByteRange::from(7), "bytes 7-9/10"), "bytes=7-");
  EXPECT_EQ(asked(ByteRange::suffix(3), "bytes 7-9/10"), "bytes=-3");
  EXPECT_EQ(asked(ByteRange::between(7, 100), "bytes 7-9/10"), "bytes=7-99");
}

TEST_F(S3StorageTest, AnotherRangeThanAskedForIsNotPassedOn) {
  bool received = false;
  const auto sink = [&](ByteView) -> Result<> {
    received = true;
    return {};
  };
  for (const auto* content_range : {"bytes 0-2/10", "bytes 2-3/10", "", "bytes 2-4/3"}) {
    server_.answer({.status = 206,
                    .headers = {{"Content-Range", content_range}, {"Last-Modified", kModified}},
                    .body = "234"});
    EXPECT_FALSE(storage_->get("key", ByteRange::between(2, 5), sink, {}).ok()) << content_range;
  }
  server_.answer({.headers = {{"Last-Modified", kModified}}, .body = "0123456789"});
  EXPECT_FALSE(storage_->get("key", ByteRange::between(2, 5), sink, {}).ok()) << "all of it";
  EXPECT_FALSE(received);
}

TEST_F(S3StorageTest, ARangeAtTheEndIsEmptyAndOneBeyondIsNone) {
  const ScriptedAnswer beyond{.status = 416, .body = error_document("InvalidRange")};
  const ScriptedAnswer head{.headers = {{"Last-Modified", kModified}}, .content_length = 10};
  for (const auto& answer : {beyond, head}) server_.answer(answer);
  EXPECT_EQ(read(ByteRange::from(10)).value(), "");
  for (const auto& answer : {beyond, head}) server_.answer(answer);
  EXPECT_TRUE(read(ByteRange::from(11)).failed_with(ErrorCode::kInvalidArgument));
}

TEST_F(S3StorageTest, W1_ADownloadThatIsCutShortIsUnavailableAndGoesOnWhenRepeated) {
  const auto whole = [&](Then then) {
    server_.answer({.headers = {{"Last-Modified", kModified}},
                    .body = "01234",
                    .content_length = 10,
                    .then = then});
  };
  whole(Then::kClose);
  EXPECT_TRUE(read().failed_with(ErrorCode::kUnavailable));
  whole(Then::kReset);
  EXPECT_TRUE(read().failed_with(ErrorCode::kUnavailable));
  // Whole as an answer, and less than it says to be of the object.
  server_.answer({.status = 206,
                  .headers = {{"Content-Range", "bytes 0-9/10"}, {"Last-Modified", kModified}},
                  .body = "01234"});
  EXPECT_TRUE(read().failed_with(ErrorCode::kUnavailable));

  whole(Then::kClose);
  server_.answer({.status = 206,
                  .headers = {{"Content-Range", "bytes 5-9/10"}, {"Last-Modified", kModified}},
                  .body = "56789"});
  Retrying retrying(std::move(storage_), {.clock = &clock_});
  EXPECT_EQ(as_text(get_bytes(retrying, "key", ByteRange::whole(), 10, {}).value()), "0123456789");
  EXPECT_EQ(last_request().headers.at("range"), "bytes=5-9");
}

TEST_F(S3StorageTest, W1_AThrottledRequestIsRepeatedWhenTheServerSaysSo) {
  ScriptedAnswer slow_down = refusal(503, "SlowDown");
  slow_down.headers = {{"Retry-After", "42"}};
  server_.answer(slow_down);
  server_.answer({});
  Retrying retrying(std::move(storage_), {.clock = &clock_});
  const BootTime start = clock_.boot_time();
  ASSERT_TRUE(retrying.put("key", as_bytes("body"), PutCondition::kNone, {}).ok());
  EXPECT_EQ(clock_.boot_time() - start, seconds(42));
}

TEST_F(S3StorageTest, B1_AfterASlowDownFewerRequestsAreSentAtOnce) {
  open({.maximum_requests = 2});
  const auto answer = [&] {
    server_.answer({.headers = {{"Last-Modified", kModified}}, .body = "x"});
  };
  // Whether one more request is sent while another is being answered.
  const auto sends_another = [&](Duration patience) {
    bool sent = false;
    const auto read_meanwhile = [&](ByteView) -> Result<> {
      const CallOptions call{.deadline = Deadline::after(patience)};
      sent = storage_
                 ->get("other", ByteRange::whole(), ByteSink([](ByteView) { return Result<>(); }),
                       call)
                 .ok();
      return {};
    };
    answer();
    answer();
    EXPECT_TRUE(storage_->get("key", ByteRange::whole(), ByteSink(read_meanwhile), {}).ok());
    return sent;
  };
  EXPECT_TRUE(sends_another(std::chrono::seconds(30)));
  server_.answer(refusal(503, "SlowDown"));
  EXPECT_TRUE(read().failed_with(ErrorCode::kThrottled));
  EXPECT_FALSE(sends_another(std::chrono::milliseconds(200)));
}

TEST_F(S3StorageTest, ExpiredCredentialsAreRenewedOnce) {
  open({}, "pre", std::make_unique<RenewedCredentials>());
  server_.answer(refusal(400, "ExpiredToken"));
  server_.answer({});
  EXPECT_TRUE(put().ok());
  EXPECT_THAT(last_request().headers.at("authorization"), HasSubstr("Credential=NEW/"));

  server_.answer(refusal(400, "ExpiredToken"));
  const auto refused = put();
  ASSERT_TRUE(refused.failed_with(ErrorCode::kDenied));
  EXPECT_THAT(refused.error().message(), HasSubstr("renew"));
  EXPECT_EQ(server_.requests().size(), 3U) << "there are no newer ones to try";
}

TEST_F(S3StorageTest, AWrongClockIsCorrectedByTheServers) {
  server_.answer(
      refusal(403, "RequestTimeTooSkewed", "<ServerTime>2026-11-22T05:00:00Z</ServerTime>"));
  server_.answer({});
  EXPECT_TRUE(put().ok());
  EXPECT_EQ(last_request().headers.at("x-amz-date"), "20261122T050000Z");
  clock_.advance(seconds(60));
  server_.answer({});
  EXPECT_TRUE(put().ok());
  EXPECT_EQ(last_request().headers.at("x-amz-date"), "20261122T050100Z") << "it is remembered";

  for (int i = 0; i < 2; ++i) server_.answer(refusal(403, "RequestTimeTooSkewed"));
  EXPECT_TRUE(put().failed_with(ErrorCode::kDenied)) << "once is enough";
}

TEST_F(S3StorageTest, AnotherRegionIsFollowedAndRemembered) {
  server_.answer(refusal(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"));
  server_.answer({});
  EXPECT_TRUE(put().ok());
  EXPECT_THAT(last_request().headers.at("authorization"), HasSubstr("/eu-west-1/s3/"));
  server_.answer({});
  EXPECT_TRUE(put().ok());
  EXPECT_THAT(last_request().headers.at("authorization"), HasSubstr("/eu-west-1/s3/"));
  EXPECT_EQ(server_.requests().size(), 3U);
}

TEST_F(S3StorageTest, ARedirectToAnotherHostIsFollowed) {
  ScriptedServer other;
  for (const int status : {307, 301}) {
    server_.answer(refusal(status, status == 301 ? "PermanentRedirect" : "TemporaryRedirect",
                           "<Endpoint>" + other.authority() + "</Endpoint>"));
    other.answer({});
    EXPECT_TRUE(put().ok());
    EXPECT_EQ(other.requests().back().target, "/bucket/pre/key");
    EXPECT_EQ(other.requests().back().body, "body");
  }
  other.answer({});
  EXPECT_TRUE(put().ok()) << "the permanent one is remembered";
  EXPECT_EQ(server_.requests().size(), 2U);
}

TEST_F(S3StorageTest, RedirectsInACircleEnd) {
  ScriptedServer other;
  server_.answer(
      refusal(307, "TemporaryRedirect", "<Endpoint>" + other.authority() + "</Endpoint>"));
  other.answer(
      refusal(307, "TemporaryRedirect", "<Endpoint>" + server_.authority() + "</Endpoint>"));
  EXPECT_FALSE(put().ok());
  EXPECT_EQ(server_.requests().size(), 1U);
  EXPECT_EQ(other.requests().size(), 1U);
}

TEST_F(S3StorageTest, W1_AHeadThatIsRefusedIsExplainedByAGet) {
  server_.answer({.status = 404});
  server_.answer(refusal(404, "NoSuchBucket"));
  EXPECT_THAT(storage_->head("key", {}).error().message(), HasSubstr("create bucket bucket"));
  server_.answer({.status = 404});
  server_.answer(refusal(404, "NoSuchKey"));
  EXPECT_TRUE(storage_->head("key", {}).failed_with(ErrorCode::kNotFound));
  const size_t before = server_.requests().size();
  server_.answer({.status = 404});
  EXPECT_TRUE(storage_->head("key", {}).failed_with(ErrorCode::kNotFound));
  EXPECT_EQ(server_.requests().size(), before + 1) << "the bucket is known to exist by now";
}

TEST_F(S3StorageTest, AHeadWithExpiredCredentialsIsMendedAsWell) {
  open({}, "pre", std::make_unique<RenewedCredentials>());
  server_.answer({.status = 400});
  server_.answer(refusal(400, "ExpiredToken"));
  server_.answer({.status = 206,
                  .headers = {{"Content-Range", "bytes 0-0/10"}, {"Last-Modified", kModified}},
                  .body = "0"});
  const auto head = storage_->head("key", {});
  ASSERT_TRUE(head.ok()) << head.error().message();
  EXPECT_EQ(head->size, 10U);
}

TEST_F(S3StorageTest, S3_AListingIsOfThePrefixAlone) {
  const std::string page =
      "<ListBucketResult><Prefix>pre/a</Prefix><EncodingType>url</EncodingType>"
      "<IsTruncated>true</IsTruncated><NextContinuationToken>t+/=</NextContinuationToken>"
      "<Contents><Key>pre/a%20b</Key><Size>5</Size>"
      "<LastModified>2026-11-22T02:00:00.789Z</LastModified></Contents>"
      "<Contents><Key>pre/a%2F</Key><Size>0</Size>"
      "<LastModified>2026-11-22T02:00:00.000Z</LastModified></Contents></ListBucketResult>";
  server_.answer({.body = page});
  const auto listed = storage_->list("a", "", {});
  ASSERT_TRUE(listed.ok()) << listed.error().message();
  ASSERT_EQ(listed->objects.size(), 1U) << "what a console makes as a folder is no object";
  EXPECT_EQ(listed->objects[0].key, "a b");
  EXPECT_EQ(listed->objects[0].size, 5U);
  EXPECT_EQ(listed->objects[0].last_modified, Timestamp::parse("2026-11-22T02:00:00Z").value());
  EXPECT_EQ(listed->continuation, "a/") << "whether it is an object or not";
  EXPECT_EQ(listed->storage_time, Timestamp::parse("2026-11-22T03:00:00Z").value());
  EXPECT_EQ(last_request().target,
            "/bucket?list-type=2&encoding-type=url&max-keys=1000&prefix=pre%2Fa");

  server_.answer({.body = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"});
  ASSERT_TRUE(storage_->list("a", listed->continuation, {}).ok());
  EXPECT_THAT(last_request().target, HasSubstr("&start-after=pre%2Fa%2F"));
}

TEST_F(S3StorageTest, B1_ARemovalSaysWhatItCouldNotRemove) {
  server_.answer({.body = "<DeleteResult><Error><Key>pre/b</Key><Code>AccessDenied</Code>"
                          "<Message>locked</Message></Error><Error><Key>pre/c</Key>"
                          "<Code>InternalError</Code></Error><Error><Key>pre/a</Key>"
                          "<Code>NoSuchKey</Code></Error></DeleteResult>"});
  const auto failed = storage_->remove({"a", "b", "c", "a"}, {});
  ASSERT_TRUE(failed.ok()) << failed.error().message();
  ASSERT_EQ(failed->size(), 2U);
  EXPECT_EQ(failed->at(0).key, "b");
  EXPECT_EQ(failed->at(0).error.code(), ErrorCode::kDenied);
  EXPECT_EQ(failed->at(1).error.code(), ErrorCode::kUnavailable);
  const ReceivedRequest request = last_request();
  EXPECT_EQ(request.target, "/bucket?delete=");
  EXPECT_EQ(request.headers.at("content-md5"), base64_encode(md5(as_bytes(request.body))));
  EXPECT_THAT(request.body, AllOf(HasSubstr("<Key>pre/a</Key>"), HasSubstr("<Quiet>true")));
}

TEST_F(S3StorageTest, AKeyThatXmlCannotHoldIsRemovedByItself) {
  server_.answer({.status = 204});
  EXPECT_THAT(storage_->remove({"a\x01"}, {}).value(), IsEmpty());
  EXPECT_EQ(last_request().method, "DELETE");
  EXPECT_EQ(last_request().target, "/bucket/pre/a%01");
  server_.answer(refusal(403, "AccessDenied"));
  EXPECT_EQ(storage_->remove({"a\x01"}, {}).value().at(0).key, "a\x01");
}

class S3UploadTest : public S3StorageTest {
 protected:
  static constexpr uint64_t kPartSize = 5ULL << 20;

  std::unique_ptr<MultipartUpload> start() {
    server_.answer({.body = "<InitiateMultipartUploadResult><UploadId>u/1</UploadId>"
                            "</InitiateMultipartUploadResult>"});
    return storage_->start_multipart("key", kPartSize, {}).value();
  }
  std::unique_ptr<MultipartUpload> start_with_a_part() {
    auto upload = start();
    server_.answer({.headers = {{"ETag", "\"part-0\""}}});
    EXPECT_TRUE(upload->upload_part(0, as_bytes("end"), {}).ok());
    return upload;
  }
};

TEST_F(S3UploadTest, PartsAndTheirETagsMakeTheObject) {
  open({.storage_class = "STANDARD_IA"});
  const auto upload = start();
  EXPECT_EQ(last_request().target, "/bucket/pre/key?uploads=");
  EXPECT_EQ(last_request().headers.at("x-amz-storage-class"), "STANDARD_IA");
  server_.answer({.headers = {{"ETag", "\"second\""}}});
  server_.answer({.headers = {{"ETag", "\"first\""}}});
  ASSERT_TRUE(upload->upload_part(1, as_bytes("end"), {}).ok());
  EXPECT_EQ(last_request().target, "/bucket/pre/key?partNumber=2&uploadId=u%2F1");
  ASSERT_TRUE(upload->upload_part(0, Bytes(kPartSize, 'x'), {}).ok());
  server_.answer({.body = "<CompleteMultipartUploadResult><ETag>\"x-2\"</ETag>"
                          "</CompleteMultipartUploadResult>"});
  ASSERT_TRUE(upload->complete(2, {}).ok());
  const std::string body = last_request().body;
  EXPECT_LT(body.find("first"), body.find("second"));
}

TEST_F(S3UploadTest, PartsHaveAnMd5WhereObjectsHaveANewerChecksum) {
  open({.checksum = Checksum::kSha256});
  auto upload = start_with_a_part();
  EXPECT_EQ(last_request().headers.at("content-md5"), base64_encode(md5(as_bytes("end"))));
  server_.answer({.status = 204});
  upload.reset();
  open({});
  upload = start_with_a_part();
  EXPECT_FALSE(last_request().headers.contains("content-md5"));
  EXPECT_EQ(last_request().headers.at("x-amz-content-sha256"), sha256_hex(as_bytes("end")));
  server_.answer({.status = 204});
}

TEST_F(S3UploadTest, ACompletionMayFailWithTheStatusOfASuccess) {
  const auto upload = start_with_a_part();
  server_.answer({.body = error_document("InternalError")});
  EXPECT_TRUE(upload->complete(1, {}).failed_with(ErrorCode::kUnavailable));
  server_.answer({.body = error_document("AccessDenied")});
  EXPECT_TRUE(upload->complete(1, {}).failed_with(ErrorCode::kDenied));
  server_.answer({.body = "<html>a proxy</html>"});
  EXPECT_TRUE(upload->complete(1, {}).failed_with(ErrorCode::kUnavailable));
  server_.answer({.status = 204});
}

TEST_F(S3UploadTest, AnUploadThatIsNotCompletedIsAborted) {
  auto upload = start_with_a_part();
  server_.answer({.status = 204});
  upload.reset();
  EXPECT_EQ(last_request().method, "DELETE");
  EXPECT_EQ(last_request().target, "/bucket/pre/key?uploadId=u%2F1");
}

TEST_F(S3UploadTest, AnUploadThatIsGoneHasEnded) {
  const auto upload = start();
  server_.answer(refusal(404, "NoSuchUpload"));
  EXPECT_TRUE(upload->upload_part(0, as_bytes("x"), {}).failed_with(ErrorCode::kInvalidArgument));
  const size_t before = server_.requests().size();
  EXPECT_TRUE(upload->complete(1, {}).failed_with(ErrorCode::kInvalidArgument));
  EXPECT_EQ(server_.requests().size(), before) << "the server need not be asked again";
  server_.answer(refusal(404, "NoSuchUpload"));
  EXPECT_TRUE(storage_->abort_upload("key", "gone", {}).ok());
}

TEST_F(S3UploadTest, UnfinishedUploadsComeInPages) {
  server_.answer(
      {.body = "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>"
               "<EncodingType>url</EncodingType><NextKeyMarker>pre/a%2Fb</NextKeyMarker>"
               "<NextUploadIdMarker>u/1</NextUploadIdMarker><Upload><Key>pre/a%2Fb</Key>"
               "<UploadId>u/1</UploadId><Initiated>2026-11-22T02:00:00.789Z</Initiated></Upload>"
               "</ListMultipartUploadsResult>"});
  const auto page = storage_->list_uploads("a", "", {});
  ASSERT_TRUE(page.ok()) << page.error().message();
  ASSERT_EQ(page->uploads.size(), 1U);
  EXPECT_EQ(page->uploads[0].key, "a/b");
  EXPECT_EQ(page->uploads[0].upload_id, "u/1");
  server_.answer({.body = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>"
                          "</ListMultipartUploadsResult>"});
  ASSERT_TRUE(storage_->list_uploads("a", page->continuation, {}).ok());
  EXPECT_THAT(last_request().target, HasSubstr("&key-marker=pre%2Fa%2Fb&upload-id-marker=u%2F1"));
}

TEST_F(S3StorageTest, AKeyThatIsTooLongWithThePrefixIsRefused) {
  const std::string key(1022, 'k');
  EXPECT_TRUE(storage_->head(key, {}).failed_with(ErrorCode::kInvalidArgument));
  EXPECT_THAT(server_.requests(), IsEmpty());
}

}  // namespace
}  // namespace varve::s3
