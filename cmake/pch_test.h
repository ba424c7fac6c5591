// The same for tests, with GoogleTest, which takes longer to parse than most files that use it.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pch.h"
