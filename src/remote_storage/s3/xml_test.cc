#include "remote_storage/s3/xml.h"

#include <gmock/gmock.h>

namespace varve::s3 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Timestamp at(std::string_view text) {
  return Timestamp::parse(text).value();
}

// The message of an answer that must be Corrupted.
template <typename T>
std::string refusal(const Result<T>& result) {
  EXPECT_TRUE(result.failed_with(ErrorCode::kCorrupted));
  return result.ok() ? "" : result.error().message();
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const size_t found = text.find(what);
  EXPECT_NE(found, std::string::npos) << what;
  return found == std::string::npos ? text : text.replace(found, what.size(), with);
}

// As AWS answers, with encoding-type=url.
const std::string kListing = R"(<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>bucket</Name><Prefix>100%</Prefix><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys>
  <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
  <NextContinuationToken>1ueGcx+Tr/XY%20Eok=</NextContinuationToken>
  <Contents>
    <Key>a+b/%E6%B0%B4%2B</Key><LastModified>2009-10-12T17:50:30.123Z</LastModified>
    <ETag>&quot;fba9dede5f27731c9771645a39863328&quot;</ETag><Size>434234</Size>
    <StorageClass>STANDARD</StorageClass>
  </Contents>
  <Contents>
    <Key>a%20b/%01</Key><LastModified>2009-10-12T17:50:31Z</LastModified>
    <Size>18446744073709551615</Size>
  </Contents>
</ListBucketResult>)";

TEST(S3Xml, AListingHasDecodedKeys) {
  const ObjectListing listing = parse_object_listing(as_bytes(kListing)).value();
  EXPECT_TRUE(listing.truncated);
  EXPECT_THAT(listing.objects,
              ElementsAre(ListedObject{.key = "a b/水+",
                                       .size = 434234,
                                       .last_modified = at("2009-10-12T17:50:30.123Z"),
                                       .etag = "\"fba9dede5f27731c9771645a39863328\""},
                          ListedObject{.key = "a b/\x01",
                                       .size = UINT64_MAX,
                                       .last_modified = at("2009-10-12T17:50:31Z")}));
}

TEST(S3Xml, AListingThatIsNotEncodedIsTakenAsItStands) {
  const auto listing =
      parse_object_listing(as_bytes(replaced(kListing, "<EncodingType>url</EncodingType>", "")))
          .value();
  EXPECT_EQ(listing.objects.at(0).key, "a+b/%E6%B0%B4%2B");
}

TEST(S3Xml, NothingFollowsTheLastPage) {
  const auto listing =
      parse_object_listing(as_bytes("<ListBucketResult><IsTruncated>false</IsTruncated>"
                                    "</ListBucketResult>"))
          .value();
  EXPECT_THAT(listing.objects, IsEmpty());
  EXPECT_FALSE(listing.truncated);
}

TEST(S3Xml, AListingThatIsNotOneIsRefusedWithTheReason) {
  const auto of = [](std::string_view what, std::string_view with) {
    return refusal(parse_object_listing(as_bytes(replaced(kListing, what, with))));
  };
  EXPECT_THAT(of("434234", "-1"), HasSubstr("<Size> is '-1'"));
  EXPECT_THAT(of("434234", "12x"), HasSubstr("<Size> is '12x'"));
  EXPECT_THAT(of("18446744073709551615", "18446744073709551616"), HasSubstr("<Size>"));
  EXPECT_THAT(of("<Size>434234</Size>", ""), HasSubstr("<Contents> has no <Size>"));
  EXPECT_THAT(of("2009-10-12T17:50:30.123Z", "2009-13-12T17:50:30Z"), HasSubstr("<LastModified>"));
  EXPECT_THAT(of("<Key>a%20b/%01</Key>", ""), HasSubstr("<Contents> has no <Key>"));
  EXPECT_THAT(of("a%20b/%01", "a%2"), HasSubstr("Key: 'a%2'"));
  EXPECT_THAT(of("a%20b/%01", "a<b/>"), HasSubstr("<Key> holds <b>"));
  EXPECT_THAT(of("a%20b/%01", "a&#x00;b"), HasSubstr("NUL"));
  EXPECT_THAT(of("a%20b/%01", std::string_view("a\0b", 3)), HasSubstr("NUL"));
  EXPECT_THAT(of(">true<", ">yes<"), HasSubstr("<IsTruncated> is 'yes'"));
  EXPECT_THAT(of("<IsTruncated>true</IsTruncated>", ""), HasSubstr("no <IsTruncated>"));
  const std::string contents =
      kListing.substr(kListing.find("<Contents>"),
                      kListing.rfind("</Contents>") + 11 - kListing.find("<Contents>"));
  EXPECT_THAT(of(contents, ""), HasSubstr("empty one"));
  EXPECT_THAT(of("<EncodingType>url", "<EncodingType>base64"), HasSubstr("<EncodingType>"));
  EXPECT_THAT(of("</ListBucketResult>", ""), HasSubstr("not XML"));
  EXPECT_THAT(of("</ListBucketResult>", "</ListBucketResult><Error/>"), HasSubstr("2 elements"));
}

TEST(S3Xml, AnAnswerThatIsSomethingElseIsRefused) {
  for (const std::string_view body :
       {"", "   ", "<html><body>502 Bad Gateway</body></html>", "{\"error\":1}",
        "<Error><Code>InternalError</Code></Error>", "plain text", "<", "<a"}) {
    EXPECT_THAT(refusal(parse_object_listing(as_bytes(body))),
                HasSubstr("answer to ListObjectsV2: "))
        << body;
    EXPECT_THAT(refusal(parse_upload_listing(as_bytes(body))),
                HasSubstr("answer to ListMultipartUploads: "));
    EXPECT_THAT(refusal(parse_created_upload(as_bytes(body))),
                HasSubstr("answer to CreateMultipartUpload: "));
    EXPECT_THAT(refusal(parse_deletion(as_bytes(body))), HasSubstr("answer to DeleteObjects: "));
  }
}

TEST(S3Xml, NothingOutsideOfTheDocumentIsReadAndNoEntityIsExpanded) {
  const auto error = parse_error_document(as_bytes(R"(<!DOCTYPE a [
      <!ENTITY file SYSTEM "file:///etc/passwd"><!ENTITY many "aaaaaaaaaa">]>
      <Error><Code>&file;&many;</Code></Error>)"));
  EXPECT_EQ(error.value().code, "&file;&many;");
}

TEST(S3Xml, DeepNestingIsNoTrouble) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  for (int i = 0; i < 100'000; ++i) deep += "</a>";
  const std::string body =
      "<ListBucketResult><IsTruncated>false</IsTruncated>" + deep + "</ListBucketResult>";
  EXPECT_TRUE(parse_object_listing(as_bytes(body)).ok());
}

TEST(S3Xml, ATextOfSeveralPiecesAndOneOfBlanksAreWhole) {
  const auto key_of = [](std::string_view key) {
    const std::string body =
        fmt::format("<DeleteResult><Deleted><Key>{}</Key></Deleted></DeleteResult>", key);
    return parse_deletion(as_bytes(body)).value().deleted.at(0);
  };
  EXPECT_EQ(key_of("a<!-- no -->b<![CDATA[<c>]]>d"), "ab<c>d");
  EXPECT_EQ(key_of("  "), "  ");
  EXPECT_EQ(key_of("&#xA;&#13;&#x1;&lt;&#233;"), "\n\r\x01<é");
}

TEST(S3Xml, UnfinishedUploadsAreListed) {
  const std::string body = R"(<ListMultipartUploadsResult>
    <Bucket>bucket</Bucket><KeyMarker/><UploadIdMarker/><Prefix>p%2F</Prefix>
    <NextKeyMarker>p/b%2B</NextKeyMarker><NextUploadIdMarker>id+%2</NextUploadIdMarker>
    <EncodingType>url</EncodingType><MaxUploads>2</MaxUploads><IsTruncated>true</IsTruncated>
    <Upload><Key>p/a</Key><UploadId>VXBs+%2</UploadId><Initiator><ID>x</ID></Initiator>
      <Initiated>2010-11-10T20:48:33.000Z</Initiated></Upload>
    <Upload><Key>p/b%2B</Key><UploadId>id+%2</UploadId>
      <Initiated>2010-11-10T20:49:33.000Z</Initiated></Upload>
    </ListMultipartUploadsResult>)";
  const UploadListing listing = parse_upload_listing(as_bytes(body)).value();
  EXPECT_THAT(listing.uploads, ElementsAre(ListedUpload{.key = "p/a",
                                                        .upload_id = "VXBs+%2",
                                                        .initiated = at("2010-11-10T20:48:33Z")},
                                           ListedUpload{.key = "p/b+",
                                                        .upload_id = "id+%2",
                                                        .initiated = at("2010-11-10T20:49:33Z")}));
  EXPECT_TRUE(listing.truncated);
  EXPECT_EQ(listing.next_key_marker, "p/b+");
  EXPECT_EQ(listing.next_upload_id_marker, "id+%2");

  EXPECT_THAT(refusal(parse_upload_listing(
                  as_bytes(replaced(body, "<NextKeyMarker>p/b%2B</NextKeyMarker>", "")))),
              HasSubstr("no <NextKeyMarker>"));
  EXPECT_THAT(refusal(parse_upload_listing(as_bytes(replaced(body, ">p/b%2B</Next", "></Next")))),
              HasSubstr("empty <NextKeyMarker>"));
  EXPECT_THAT(
      refusal(parse_upload_listing(as_bytes(replaced(body, "<UploadId>VXBs+%2</UploadId>", "")))),
      HasSubstr("<Upload> has no <UploadId>"));
}

TEST(S3Xml, ACreatedUploadHasAnId) {
  EXPECT_EQ(parse_created_upload(as_bytes("<InitiateMultipartUploadResult><Bucket>b</Bucket>"
                                          "<Key>k</Key><UploadId>VXBsb2Fk</UploadId>"
                                          "</InitiateMultipartUploadResult>"))
                .value(),
            "VXBsb2Fk");
  EXPECT_THAT(refusal(parse_created_upload(as_bytes("<InitiateMultipartUploadResult><UploadId/>"
                                                    "</InitiateMultipartUploadResult>"))),
              HasSubstr("<UploadId> is empty"));
}

TEST(S3Xml, ACompletionMaySucceedOrFailWithTheSameStatus) {
  const auto success = parse_completed_upload(as_bytes(
      "\n\n <CompleteMultipartUploadResult><Location>l</Location><ETag>&quot;3858-2&quot;</ETag>"
      "</CompleteMultipartUploadResult>"));
  EXPECT_EQ(success.value().etag, "\"3858-2\"");
  EXPECT_FALSE(success.value().error.has_value());

  const auto failure = parse_completed_upload(
      as_bytes("<Error><Code>InternalError</Code><Message>Try again.</Message></Error>"));
  EXPECT_EQ(failure.value().error->code, "InternalError");

  EXPECT_THAT(refusal(parse_completed_upload(as_bytes("<CompleteMultipartUploadResult/>"))),
              HasSubstr("no <ETag>"));
  EXPECT_THAT(refusal(parse_completed_upload(as_bytes("<Error/>"))),
              HasSubstr("answer to CompleteMultipartUpload: <Error> has no <Code>"));
}

TEST(S3Xml, ADeletionMayFailInPart) {
  const auto deletion = parse_deletion(
      as_bytes("<DeleteResult><Deleted><Key>a&amp;b+%20</Key></Deleted><Error><Key>c</Key>"
               "<Code>AccessDenied</Code><Message>Access Denied</Message></Error></DeleteResult>"));
  EXPECT_THAT(deletion.value().deleted, ElementsAre("a&b+%20"));
  EXPECT_THAT(
      deletion.value().failed,
      ElementsAre(FailedDeletion{.key = "c", .code = "AccessDenied", .message = "Access Denied"}));
  EXPECT_THAT(parse_deletion(as_bytes("<DeleteResult/>")).value().failed, IsEmpty());
  EXPECT_THAT(
      refusal(parse_deletion(as_bytes("<DeleteResult><Error><Key>c</Key></Error></DeleteResult>"))),
      HasSubstr("<Error> has no <Code>"));
}

TEST(S3Xml, AFailureIsDescribed) {
  const auto error = parse_error_document(as_bytes(R"(<?xml version="1.0"?>
      <Error><Code>PermanentRedirect</Code><Message>Use &lt;this&gt;.</Message>
      <Key>k</Key><BucketName>b</BucketName><Resource>/b/k</Resource>
      <RequestId>4442587FB7D0A2F9</RequestId><HostId>h/o=</HostId><Region>eu-west-1</Region>
      <Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint><ServerTime>2026-11-22T02:45:00Z</ServerTime>
      </Error>)"));
  EXPECT_EQ(error.value(), (ErrorDocument{.code = "PermanentRedirect",
                                          .message = "Use <this>.",
                                          .bucket = "b",
                                          .key = "k",
                                          .resource = "/b/k",
                                          .request_id = "4442587FB7D0A2F9",
                                          .host_id = "h/o=",
                                          .region = "eu-west-1",
                                          .endpoint = "b.s3.eu-west-1.amazonaws.com",
                                          .server_time = at("2026-11-22T02:45:00Z")}));
}

TEST(S3Xml, AFailureIsToldEvenWhenDetailsAreOddOrItComesFromSts) {
  EXPECT_EQ(parse_error_document(as_bytes("<Error><Code>SlowDown</Code><Message><b/></Message>"
                                          "<ServerTime>soon</ServerTime></Error>"))
                .value(),
            ErrorDocument{.code = "SlowDown"});
  EXPECT_EQ(parse_error_document(
                as_bytes("<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code>"
                         "<Message>m</Message></Error><RequestId>r</RequestId></ErrorResponse>"))
                .value(),
            (ErrorDocument{.code = "ExpiredToken", .message = "m", .request_id = "r"}));
  for (const std::string_view body :
       {"", "<html/>", "<Error/>", "<Error><Code/></Error>", "<ErrorResponse/>"}) {
    EXPECT_THAT(refusal(parse_error_document(as_bytes(body))), HasSubstr("failure: ")) << body;
  }
}

TEST(S3Xml, RequestsAreWritten) {
  EXPECT_EQ(completion_body(std::vector<std::string>{"\"a\"", "b&c"}),
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            "<Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag></Part>"
            "<Part><PartNumber>2</PartNumber><ETag>b&amp;c</ETag></Part>"
            "</CompleteMultipartUpload>");
  EXPECT_EQ(deletion_body(std::vector<std::string>{"a<b>]]>", "\r\n\x01 水"}),
            "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>"
            "<Object><Key>a&lt;b&gt;]]&gt;</Key></Object>"
            "<Object><Key>&#13;&#10;&#1; 水</Key></Object></Delete>");
}

}  // namespace
}  // namespace varve::s3
