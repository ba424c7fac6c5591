#include "base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace varve {
namespace {

using ::testing::HasSubstr;

TEST(Metrics, AreShownAsTextForAScraper) {
  Metrics metrics;
  metrics.counter("varve_test_total", "Things.", {{"kind", "a"}}).add();
  metrics.counter("varve_test_total", "Things.", {{"kind", "b"}}).add(2.5);
  metrics.gauge("varve_level", "Level.").set(7);
  const std::string text = metrics.text();
  EXPECT_THAT(text,
              HasSubstr("# HELP varve_test_total Things.\n# TYPE varve_test_total counter\n"));
  EXPECT_THAT(text, HasSubstr("varve_test_total{kind=\"a\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("varve_test_total{kind=\"b\"} 2.5\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE varve_level gauge\nvarve_level 7\n"));
}

TEST(Metrics, TheSameNameAndLabelsAreTheSameSeries) {
  Metrics metrics;
  metrics.counter("varve_test_total", "Things.").add();
  metrics.counter("varve_test_total", "Another text.").add();
  EXPECT_THAT(metrics.text(), HasSubstr("# HELP varve_test_total Things.\n"));
  EXPECT_THAT(metrics.text(), HasSubstr("varve_test_total 2\n"));
}

TEST(Metrics, AGaugeGoesUpAndDown) {
  Metrics metrics;
  Gauge gauge = metrics.gauge("varve_level", "Level.");
  gauge.set(5);
  gauge.add(2);
  gauge.add(-4);
  EXPECT_THAT(metrics.text(), HasSubstr("varve_level 3\n"));
}

TEST(Metrics, AHistogramCountsByUpperBounds) {
  Metrics metrics;
  Histogram histogram = metrics.histogram("varve_seconds", "Time.", {{"operation", "x"}}, {1, 10});
  for (const double value : {0.5, 1.0, 5.0, 50.0}) histogram.observe(value);
  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("varve_seconds_bucket{operation=\"x\",le=\"1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("varve_seconds_bucket{operation=\"x\",le=\"10\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("varve_seconds_bucket{operation=\"x\",le=\"+Inf\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("varve_seconds_sum{operation=\"x\"} 56.5\n"));
}

TEST(Metrics, CountFromSeveralThreadsWhileTheyAreRead) {
  Metrics metrics;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&] {
        for (int i = 0; i < 250; ++i) metrics.counter("varve_test_total", "Things.").add();
        EXPECT_FALSE(metrics.text().empty());
      });
    }
  }
  EXPECT_THAT(metrics.text(), HasSubstr("varve_test_total 1000\n"));
}

TEST(Metrics, ARemovedGaugeIsToldNoMoreAndMayComeBack) {
  Metrics metrics;
  metrics.remove_gauge("varve_test", {{"of", "nothing"}});
  metrics.gauge("varve_test", "Things.", {{"of", "a"}}).set(1);
  metrics.gauge("varve_test", "Things.", {{"of", "b"}}).set(2);
  metrics.remove_gauge("varve_test", {{"of", "a"}});
  metrics.remove_gauge("varve_test", {{"of", "a"}});
  EXPECT_EQ(metrics.samples(), (std::vector<MetricSample>{{"varve_test", {{"of", "b"}}, 2}}));
  metrics.gauge("varve_test", "Things.", {{"of", "a"}}).add(3);
  EXPECT_EQ(metrics.samples().front(), (MetricSample{"varve_test", {{"of", "a"}}, 3}));
}

TEST(MetricsDeathTest, AMisusedNameEndsTheProgram) {
  Metrics metrics;
  metrics.counter("varve_test_total", "Things.");
  EXPECT_DEATH(metrics.gauge("varve_test_total", "Things."), "");
  EXPECT_DEATH(metrics.counter("not a name", "Things."), "");
}

}  // namespace
}  // namespace varve
