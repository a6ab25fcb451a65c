#include "dataplane/observe/access_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/observe/log_fields.h"
#include "dataplane/observe/log_file.h"
#include "dataplane/observe/log_line.h"
#include "dataplane/observe/log_ring.h"
#include "nlohmann/json.hpp"

namespace sluice::observe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

AccessRecord Record() {
  AccessRecord record;
  record.start_unix_micros = 1714566645123456;
  record.service = "api-gateway";
  record.route = "users";
  record.upstream = "users-service";
  record.endpoint = "10.0.1.1:8080";
  record.request_id = "018f3e2a-7c1b-7def-8a3b-1c2d3e4f5a6b";
  record.client = "203.0.113.7";
  record.peer = "10.0.0.1";
  record.client_cert_subject = "CN=alice";
  record.method = "GET";
  record.scheme = "https";
  record.host = "www.example.com";
  record.path = "/users/1";
  record.query = "page=2";
  record.protocol = "HTTP/1.1";
  record.user_agent = "curl/7.88.1";
  record.status = 200;
  record.attempts = 1;
  record.request_body_bytes = 12;
  record.response_body_bytes = 3456;
  record.duration_micros = 1234005;
  record.connect_micros = 0;
  record.version = 42;
  return record;
}

std::string LineOf(const v1::AccessLog& settings, const AccessRecord& record) {
  const auto plan = CompileLogPlan(settings, "json");
  EXPECT_TRUE(plan.ok()) << plan.status().ToString();
  std::vector<char> out(LogLineBytesMax(record));
  TimeText time;
  return {out.data(), WriteLogLine(*plan, record, time, out.data())};
}

TEST(LogLineTest, JsonHasAllFieldsInOrder) {
  const std::string line = LineOf({}, Record());
  EXPECT_EQ(line,
            "{\"time\":\"2024-05-01T12:30:45.123Z\","
            "\"request_id\":\"018f3e2a-7c1b-7def-8a3b-1c2d3e4f5a6b\",\"trace_id\":\"\","
            "\"client\":\"203.0.113.7\",\"peer\":\"10.0.0.1\","
            "\"client_cert_subject\":\"CN=alice\",\"method\":\"GET\","
            "\"scheme\":\"https\",\"host\":\"www.example.com\",\"path\":\"/users/1\","
            "\"query\":\"page=2\",\"protocol\":\"HTTP/1.1\",\"status\":200,"
            "\"service\":\"api-gateway\",\"route\":\"users\",\"upstream\":\"users-service\","
            "\"endpoint\":\"10.0.1.1:8080\",\"attempts\":1,\"request_bytes\":12,"
            "\"response_bytes\":3456,\"duration_ms\":1234.005,\"connect_ms\":0.000,"
            "\"upstream_ms\":null,\"failure\":\"\",\"user_agent\":\"curl/7.88.1\","
            "\"referer\":\"\",\"version\":42}\n");
  EXPECT_EQ(nlohmann::json::parse(line).size(), kLogFieldCount);
}

TEST(LogLineTest, JsonHasChosenFieldsInTheirOrder) {
  v1::AccessLog settings;
  for (const char* field : {"status", "path", "failure"}) settings.add_fields(field);
  AccessRecord record = Record();
  record.failure = http::Failure::kNoRoute;
  EXPECT_EQ(LineOf(settings, record),
            "{\"status\":200,\"path\":\"/users/1\",\"failure\":\"no_route\"}\n");
}

TEST(LogLineTest, EveryByteInEveryTextStaysOneValidObject) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  AccessRecord record;
  for (std::string_view* text :
       {&record.service, &record.route, &record.upstream, &record.endpoint, &record.request_id,
        &record.trace_id, &record.client, &record.peer, &record.client_cert_subject, &record.method,
        &record.scheme, &record.host, &record.path, &record.query, &record.protocol,
        &record.user_agent, &record.referer}) {
    *text = all;
  }
  record.start_unix_micros = -5;
  record.duration_micros = INT64_MAX;
  record.connect_micros = INT64_MAX;
  record.upstream_head_micros = INT64_MIN;
  record.status = 65535;
  record.attempts = UINT32_MAX;
  record.request_body_bytes = record.response_body_bytes = record.version = UINT64_MAX;
  const std::string line = LineOf({}, record);
  const auto parsed = nlohmann::json::parse(line, nullptr, false);
  ASSERT_FALSE(parsed.is_discarded()) << line;
  EXPECT_EQ(parsed["time"], "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(parsed["version"], UINT64_MAX);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  v1::AccessLog text;
  text.set_format("text");
  const std::string combined = LineOf(text, record);
  EXPECT_EQ(std::count(combined.begin(), combined.end(), '\n'), 1);
  EXPECT_EQ(std::count(combined.begin(), combined.end(), '"'), 6);
}

TEST(LogLineTest, LongValuesAreCut) {
  const std::string huge(1'000'000, 'x');
  AccessRecord record = Record();
  record.path = huge;
  const auto parsed = nlohmann::json::parse(LineOf({}, record));
  EXPECT_EQ(parsed["path"].get<std::string>().size(), kLogValueBytesMax);
  EXPECT_LT(LogLineBytesMax(record), LogRing::kBytes);
}

TEST(LogLineTest, TextBeginsLikeCombined) {
  v1::AccessLog settings;
  settings.set_format("text");
  EXPECT_EQ(
      LineOf(settings, Record()),
      "203.0.113.7 - - [01/May/2024:12:30:45 +0000] \"GET /users/1?page=2 HTTP/1.1\" 200 3456 "
      "\"-\" \"curl/7.88.1\" www.example.com api-gateway users users-service 10.0.1.1:8080 1 "
      "1234.005 0.000 - - 018f3e2a-7c1b-7def-8a3b-1c2d3e4f5a6b\n");
}

TEST(LogLineTest, TextWithFieldsHasTheirValues) {
  v1::AccessLog settings;
  settings.set_format("text");
  for (const char* field : {"time", "path", "upstream_ms", "status"}) settings.add_fields(field);
  EXPECT_EQ(LineOf(settings, Record()), "2024-05-01T12:30:45.123Z \"/users/1\" - 200\n");
}

TEST(LogLineTest, RefusesUnknownWordsNamingTheKnown) {
  v1::AccessLog settings;
  settings.add_fields("paht");
  const auto unknown = CompileLogPlan(settings, "json");
  EXPECT_THAT(std::string(unknown.status().message()), HasSubstr("no field is called \"paht\""));
  EXPECT_THAT(std::string(unknown.status().message()), HasSubstr("path, query"));
  settings.clear_fields();
  settings.add_fields("path");
  settings.add_fields("path");
  EXPECT_FALSE(CompileLogPlan(settings, "json").ok());
  settings.clear_fields();
  settings.set_format("xml");
  EXPECT_FALSE(CompileLogPlan(settings, "json").ok());
}

TEST(TimeTextTest, FollowsTheClockAcrossSecondsAndYears) {
  TimeText time;
  char out[40];
  const auto rfc3339 = [&](int64_t micros) {
    return std::string(out, time.WriteRfc3339(micros, out));
  };
  EXPECT_EQ(rfc3339(951782399'999'999), "2000-02-28T23:59:59.999Z");
  EXPECT_EQ(rfc3339(951782400'000'000), "2000-02-29T00:00:00.000Z");
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(INT64_MAX).size(), 24u);
}

TEST(LogRingTest, LinesAcrossTheEndStayWhole) {
  LogRing ring;
  const std::string line(1000, 'x');
  for (int i = 0; i < 5'000; ++i) {
    char* place = ring.Begin(line.size());
    ASSERT_NE(place, nullptr);
    std::copy(line.begin(), line.end(), place);
    ring.Publish(line.size());
    const auto queued = ring.Queued();
    ASSERT_EQ(std::string_view(queued.data(), queued.size()), line);
    ring.Free(queued.size());
  }
}

TEST(LogRingTest, RefusesWhatDoesNotFitUntilThereIsRoom) {
  LogRing ring;
  EXPECT_FALSE(ring.HalfFull());
  ASSERT_NE(ring.Begin(LogRing::kBytes), nullptr);
  ring.Publish(LogRing::kBytes);
  EXPECT_TRUE(ring.HalfFull());
  EXPECT_EQ(ring.Begin(1), nullptr);
  ring.Free(1);
  EXPECT_NE(ring.Begin(1), nullptr);
  EXPECT_EQ(ring.Begin(2), nullptr);
}

class AccessLogTest : public ::testing::Test {
 protected:
  AccessLogTest() {
    char name[] = "/tmp/sluice_access_log_XXXXXX";
    folder_ = mkdtemp(name);
    settings_.set_enabled(true);
    settings_.set_path(Path("a.log"));
    settings_.add_fields("request_id");
    settings_.add_fields("status");
  }
  ~AccessLogTest() override {
    for (const char* name : {"a.log", "b.log", "a.log.1", "pipe"}) {
      std::remove(Path(name).c_str());
    }
    rmdir(folder_.c_str());
  }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::vector<std::string> Lines(const std::string& name) const {
    std::ifstream file(Path(name));
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  static AccessRecord Numbered(const std::string& id) {
    AccessRecord record;
    record.request_id = id;
    record.status = 200;
    return record;
  }

  std::string folder_;
  v1::AccessLog settings_;
};

TEST_F(AccessLogTest, WritesNothingUntilConfiguredAndWhenSwitchedOff) {
  AccessLog log(1);
  AccessLog::Writer* writer = log.writer(0);
  EXPECT_FALSE(writer->enabled());
  writer->Append(Numbered("early"));
  ASSERT_TRUE(log.Configure(settings_, "json").ok());
  EXPECT_TRUE(writer->enabled());
  writer->Append(Numbered("one"));
  settings_.set_enabled(false);
  ASSERT_TRUE(log.Configure(settings_, "json").ok());
  EXPECT_FALSE(writer->enabled());
  writer->Append(Numbered("late"));
  log.Flush();
  EXPECT_THAT(Lines("a.log"), ElementsAre("{\"request_id\":\"one\",\"status\":200}"));
  EXPECT_EQ(log.dropped_total(), 0u);
}

TEST_F(AccessLogTest, AppendsToWhatIsThere) {
  std::ofstream(Path("a.log")) << "before\n";
  AccessLog log(1);
  ASSERT_TRUE(log.Configure(settings_, "json").ok());
  log.writer(0)->Append(Numbered("one"));
  log.Flush();
  EXPECT_THAT(Lines("a.log"), ElementsAre("before", HasSubstr("one")));
}

TEST_F(AccessLogTest, WritesWhatIsQueuedWhenDestroyed) {
  {
    AccessLog log(2);
    ASSERT_TRUE(log.Configure(settings_, "json").ok());
    log.writer(0)->Append(Numbered("one"));
    log.writer(1)->Append(Numbered("two"));
  }
  EXPECT_EQ(Lines("a.log").size(), 2u);
}

TEST_F(AccessLogTest, NewFieldsCountFromTheNextLine) {
  AccessLog log(1);
  ASSERT_TRUE(log.Configure(settings_, "json").ok());
  log.writer(0)->Append(Numbered("one"));
  settings_.clear_fields();
  settings_.add_fields("status");
  ASSERT_TRUE(log.Configure(settings_, "json").ok());
  ASSERT_TRUE(log.Configure(settings_, "json").ok());
  log.writer(0)->Append(Numbered("two"));
  log.Flush();
  EXPECT_THAT(Lines("a.log"),
              ElementsAre("{\"request_id\":\"one\",\"status\":200}", "{\"status\":200}"));
}

TEST_F(AccessLogTest, ReopenFollowsARenamedFile) {
  AccessLog log(1);
  ASSERT_TRUE(log.Configure(settings_, "json").ok());
  log.writer(0)->Append(Numbered("one"));
  log.Flush();
  std::rename(Path("a.log").c_str(), Path("a.log.1").c_str());
  log.writer(0)->Append(Numbered("two"));  // Queued before the reopening: to the old file.
  ASSERT_TRUE(log.Reopen().ok());
  log.Flush();
  log.writer(0)->Append(Numbered("three"));
  log.Flush();
  EXPECT_THAT(Lines("a.log.1"), ElementsAre(HasSubstr("one"), HasSubstr("two")));
  EXPECT_THAT(Lines("a.log"), ElementsAre(HasSubstr("three")));
}

TEST_F(AccessLogTest, AnotherPathTakesOverFromTheNextLine) {
  AccessLog log(1);
  ASSERT_TRUE(log.Configure(settings_, "json").ok());
  log.writer(0)->Append(Numbered("one"));
  settings_.set_path(Path("b.log"));
  ASSERT_TRUE(log.Configure(settings_, "json").ok());
  log.Flush();
  log.writer(0)->Append(Numbered("two"));
  log.Flush();
  EXPECT_THAT(Lines("a.log"), ElementsAre(HasSubstr("one")));
  EXPECT_THAT(Lines("b.log"), ElementsAre(HasSubstr("two")));
}

TEST_F(AccessLogTest, ErrorsChangeNothing) {
  AccessLog log(1);
  ASSERT_TRUE(log.Configure(settings_, "json").ok());
  v1::AccessLog bad = settings_;
  bad.set_path(folder_ + "/missing/a.log");
  EXPECT_THAT(std::string(log.Configure(bad, "json").message()), HasSubstr("missing/a.log"));
  bad.set_path("");
  EXPECT_FALSE(log.Configure(bad, "json").ok());
  bad = settings_;
  bad.add_fields("nonsense");
  EXPECT_FALSE(log.Configure(bad, "json").ok());
  bad = settings_;
  bad.set_path(folder_);
  EXPECT_FALSE(log.Configure(bad, "json").ok());
  log.writer(0)->Append(Numbered("one"));
  log.Flush();
  EXPECT_THAT(Lines("a.log"), ElementsAre("{\"request_id\":\"one\",\"status\":200}"));
}

TEST_F(AccessLogTest, TheDefaultFormatIsUsedWhereNoneIsNamed) {
  AccessLog log(1);
  settings_.clear_fields();
  ASSERT_TRUE(log.Configure(settings_, "text").ok());
  log.writer(0)->Append(Record());
  log.Flush();
  EXPECT_THAT(Lines("a.log"), ElementsAre(StartsWith("203.0.113.7 - - [")));
}

TEST_F(AccessLogTest, CountsLinesThatCannotBeWritten) {
  AccessLog log(1);
  settings_.set_path("/dev/full");
  ASSERT_TRUE(log.Configure(settings_, "json").ok());
  for (int i = 0; i < 5; ++i) log.writer(0)->Append(Numbered("one"));
  log.Flush();
  EXPECT_EQ(log.dropped_total(), 5u);
  // And goes on when there is room.
  settings_.set_path(Path("a.log"));
  ASSERT_TRUE(log.Configure(settings_, "json").ok());
  log.Flush();
  log.writer(0)->Append(Numbered("two"));
  log.Flush();
  EXPECT_EQ(Lines("a.log").size(), 1u);
}

TEST_F(AccessLogTest, DropsAndCountsWhenTheReaderOfAPipeIsTooSlow) {
  std::signal(SIGPIPE, SIG_IGN);
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  const int reader = open(Path("pipe").c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  uint64_t appended = 0;
  {
    AccessLog log(1);
    settings_.set_path(Path("pipe"));
    ASSERT_TRUE(log.Configure(settings_, "json").ok());
    // The pipe takes 64 KiB, the ring 1 MiB; nothing of it blocks us.
    const std::string id(1000, 'x');
    for (; log.dropped_total() == 0; ++appended) log.writer(0)->Append(Numbered(id));
    EXPECT_GE(appended, 1000u);
    close(reader);
  }
}

TEST_F(AccessLogTest, ATornLineIsNotContinuedByTheNext) {
  constexpr rlim_t kLimit = 100;  // Bytes a file of this process may have.
  const auto torn = [this] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{kLimit, kLimit};
    auto file = LogFile::Open(Path("a.log"));
    setrlimit(RLIMIT_FSIZE, &small);
    std::string lines = std::string(60, 'a') + "\n" + std::string(60, 'b') + "\n";
    iovec part{lines.data(), lines.size()};
    const LogFile::Result result = (*file)->Write({&part, 1});
    if (result.error != EFBIG || result.lines_lost != 1) _exit(1);
    // As a log rotation by truncation makes room again.
    if (truncate(Path("a.log").c_str(), 70) != 0) _exit(2);
    std::string more = "c\n";
    iovec next{more.data(), more.size()};
    _exit((*file)->Write({&next, 1}).error == 0 ? 0 : 3);
  };
  EXPECT_EXIT(torn(), ::testing::ExitedWithCode(0), "");
  EXPECT_THAT(Lines("a.log"), ElementsAre(std::string(60, 'a'), std::string(9, 'b'), "c"));
}

TEST_F(AccessLogTest, NoLineIsLostOrBrokenWhileReopenedAndReconfigured) {
  constexpr int kWorkers = 3;
  constexpr int kLines = 3'000;
  settings_.clear_fields();
  {
    AccessLog log(kWorkers);
    ASSERT_TRUE(log.Configure(settings_, "json").ok());
    std::atomic<int> running{kWorkers};
    std::vector<std::thread> workers;
    for (int worker = 0; worker < kWorkers; ++worker) {
      workers.emplace_back([&log, &running, worker] {
        for (int i = 0; i < kLines; ++i) {
          const std::string id = std::to_string(worker) + "-" + std::to_string(i);
          log.writer(worker)->Append(Numbered(id));
          if (i % 500 == 499) log.Flush();  // So that none is dropped.
        }
        --running;
      });
    }
    for (int i = 0; running > 0; ++i) {
      settings_.clear_fields();
      if (i % 2 == 1) {
        settings_.add_fields("request_id");
      }
      settings_.set_path(Path(i % 3 == 0 ? "b.log" : "a.log"));
      ASSERT_TRUE(log.Configure(settings_, "json").ok());
      ASSERT_TRUE(log.Reopen().ok());
      std::this_thread::yield();
    }
    for (std::thread& worker : workers) worker.join();
    EXPECT_EQ(log.dropped_total(), 0u);
  }
  size_t lines = 0;
  for (const char* name : {"a.log", "b.log"}) {
    for (const std::string& line : Lines(name)) {
      const auto parsed = nlohmann::json::parse(line, nullptr, false);
      ASSERT_FALSE(parsed.is_discarded()) << line;
      ASSERT_TRUE(parsed.size() == 1 || parsed.size() == kLogFieldCount) << line;
      ++lines;
    }
  }
  EXPECT_EQ(lines, static_cast<size_t>(kWorkers) * kLines);
}

}  // namespace
}  // namespace sluice::observe
