#include "server/listen_address.h"

#include <gtest/gtest.h>

namespace varve {
namespace {

TEST(ListenAddress, IsReadAsItIsWritten) {
  for (const char* text : {"127.0.0.1:9898", "0.0.0.0:0", "[::1]:65535", "localhost:80"}) {
    const auto address = ListenAddress::parse(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_EQ(address->to_string(), text);
  }
}

TEST(ListenAddress, WhatIsNoAddressAndPortIsRefused) {
  for (const char* text :
       {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80 ",
        "127.1:80", "::1:80", "[127.0.0.1]:80", "[]:80", "example.com:80", "[::1]"}) {
    EXPECT_TRUE(ListenAddress::parse(text).failed_with(ErrorCode::kInvalidArgument)) << text;
  }
}

TEST(ListenAddress, OnlyThisMachineReachesLoopback) {
  for (const char* text : {"127.0.0.1:1", "127.255.0.9:1", "[::1]:1", "localhost:1"}) {
    EXPECT_TRUE(ListenAddress::parse(text)->is_loopback()) << text;
  }
  for (const char* text :
       {"0.0.0.0:1", "128.0.0.1:1", "[::]:1", "[::2]:1", "[::ffff:127.0.0.1]:1"}) {
    EXPECT_FALSE(ListenAddress::parse(text)->is_loopback()) << text;
  }
}

TEST(ListenAddress, ClientsAreSentToAnAddressThatIsOne) {
  EXPECT_EQ(ListenAddress::parse("0.0.0.0:7")->for_clients().to_string(), "127.0.0.1:7");
  EXPECT_EQ(ListenAddress::parse("[::]:7")->for_clients().to_string(), "[::1]:7");
  EXPECT_EQ(ListenAddress::parse("192.0.2.1:7")->for_clients().to_string(), "192.0.2.1:7");
}

}  // namespace
}  // namespace varve
