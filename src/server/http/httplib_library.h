// cpp-httplib, to be included by this header alone.
//
// Debian builds it as a shared library with these switches on, and they change the layout of its
// classes: see Cflags in cpp-httplib.pc.
#pragma once

#define CPPHTTPLIB_OPENSSL_SUPPORT
#define CPPHTTPLIB_ZLIB_SUPPORT
#define CPPHTTPLIB_BROTLI_SUPPORT
#include <httplib.h>
