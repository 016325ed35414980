// The server over real sockets: what it accepts, what it refuses, and what it survives.
#include "http/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/temp_dir.hpp"
#include "unit/http/raw_client.hpp"

namespace shoal::http::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Answers with what it understood of the request.
void echo(const Request& request, const std::shared_ptr<Responder>& responder) {
  Response response;
  response.content_type = "text/plain";
  response.body = request.method + " " + request.path + " ?" + request.raw_query + " [" +
                  request.body + "] x=" + request.header("x-test");
  responder->send(std::move(response));
}

class HttpServer : public ::testing::Test {
 protected:
  void serve(Handler handler, Limits limits = {}) {
    thread_ = std::make_unique<ServerThread>(std::move(handler), limits);
    thread_->start();
  }
  RawClient connect() const { return RawClient::tcp(thread_->port()); }
  std::string ask(std::string_view request) const { return connect().exchange(request); }

  std::unique_ptr<ServerThread> thread_;
};

TEST_F(HttpServer, AnswersSeveralRequestsOnOneConnection) {
  serve(echo);
  auto client = connect();
  for (int i = 0; i < 3; ++i) {
    auto answer = client.exchange("GET /a%20b?q=%41 HTTP/1.1\r\nHost: h\r\nX-Test: v\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nDate: "));
    EXPECT_THAT(answer, HasSubstr("Connection: keep-alive"));
    EXPECT_THAT(answer, HasSubstr("GET /a b ?q=%41 [] x=v"));
  }
}

TEST_F(HttpServer, AnswersPipelinedRequestsInOrder) {
  serve(echo);
  auto client = connect();
  client.send(
      "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"
      "GET /2 HTTP/1.1\r\nHost: h\r\n\r\nGET /3 HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(client.read_response(), HasSubstr("POST /1 ? [ab]"));
  EXPECT_THAT(client.read_response(), HasSubstr("GET /2"));
  EXPECT_THAT(client.read_response(), HasSubstr("GET /3"));
}

TEST_F(HttpServer, AcceptsARequestByteByByte) {
  serve(echo);
  auto client = connect();
  std::string request = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
  for (char c : request) client.send({&c, 1});
  EXPECT_THAT(client.read_response(), HasSubstr("POST /x ? [abc]"));
}

TEST_F(HttpServer, AcceptsChunkedBodiesAndAbsoluteTargets) {
  serve(echo);
  EXPECT_THAT(ask("POST http://h:80/p?q HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
              HasSubstr("POST /p ?q [abcde]"));
  EXPECT_THAT(ask("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n"), HasSubstr("GET / ?"));
  EXPECT_THAT(ask("GET HTTP://h?a=/b HTTP/1.1\r\nHost: h\r\n\r\n"), HasSubstr("GET / ?a=/b"));
}

TEST_F(HttpServer, HeadGetsTheLengthAndNoBody) {
  serve(echo);
  auto client = connect();
  auto answer = client.exchange("HEAD /h HTTP/1.1\r\nHost: h\r\n\r\n", false);
  EXPECT_THAT(answer, HasSubstr("Content-Length: 15\r\n"));
  EXPECT_THAT(client.exchange("GET /n HTTP/1.1\r\nHost: h\r\n\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServer, ClosesWhenTheClientAsksAndForHttp10) {
  serve(echo);
  for (std::string request :
       {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"}) {
    auto client = connect();
    client.send(request);
    EXPECT_THAT(client.read_to_end(), HasSubstr("Connection: close")) << request;
  }
}

TEST_F(HttpServer, TellsToContinueBeforeTheBody) {
  serve(echo);
  auto client = connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_THAT(client.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 100 Continue\r\n"));
  EXPECT_THAT(client.exchange("hi"), HasSubstr("[hi]"));
}

TEST_F(HttpServer, RefusesABodyBeyondTheLimitBeforeItIsSent) {
  serve(echo, {.max_body_bytes = 10});
  EXPECT_THAT(ask("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                  "Content-Length: 11\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(ask("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "b\r\n01234567890\r\n0\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789"),
              HasSubstr("[0123456789]"));
}

TEST_F(HttpServer, TheRefusalReachesAClientThatIsStillSending) {
  serve(echo, {.max_body_bytes = 10});
  auto client = connect();
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" +
              std::string(100'000, 'x'));
  EXPECT_THAT(client.read_to_end(), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServer, RefusesATrailerBeyondTheLimitAndGoesOn) {
  serve(echo);
  EXPECT_THAT(ask("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: " +
                  std::string(65'534, 'a') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"), HasSubstr("[hi]"));
}

TEST_F(HttpServer, RefusesAHeadBeyondTheLimit) {
  serve(echo, {.max_header_bytes = 1024});
  auto huge = std::string(5000, 'a');
  EXPECT_THAT(ask("GET / HTTP/1.1\r\nHost: h\r\nX-A: " + huge + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(ask("GET /" + huge + " HTTP/1.1\r\nHost: h\r\n\r\n"), StartsWith("HTTP/1.1 431 "));
}

TEST_F(HttpServer, RefusesMalformedRequests) {
  serve(echo);
  const std::string requests[] = {
      "nonsense\r\n\r\n",
      "GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET /%4 HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET x HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET http:///x HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
      "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na",
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
  };
  for (const auto& request : requests) {
    auto client = connect();
    client.send(request);
    auto answer = client.read_to_end();  // and the connection ends
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << request;
    EXPECT_THAT(answer, HasSubstr(R"("kind":"invalid_request")")) << request;
  }
  EXPECT_THAT(ask("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n"),
              StartsWith("HTTP/1.1 501 "));
}

TEST_F(HttpServer, TimesOutASlowSender) {
  serve(echo, {.read_timeout_ms = 50});
  auto client = connect();
  client.send("GET / HTTP/1.1\r\nHo");
  EXPECT_THAT(client.read_to_end(), StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpServer, ClosesAnIdleConnectionSilently) {
  serve(echo, {.idle_timeout_ms = 50});
  auto client = connect();
  EXPECT_EQ(client.read_to_end(), "");
}

TEST_F(HttpServer, ClosesAReaderThatTakesNothing) {
  serve(
      [](const Request&, const std::shared_ptr<Responder>& responder) {
        Response response;
        response.body = std::string(32 << 20, 'x');
        responder->send(std::move(response));
      },
      {.write_timeout_ms = 50});
  auto client = connect();
  client.shrink_receive_buffer();
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(thread_->eventually([&] { return thread_->server().connections() == 1; }));
  EXPECT_TRUE(thread_->eventually([&] { return thread_->server().connections() == 0; }));
}

TEST_F(HttpServer, ClosesConnectionsBeyondTheLimit) {
  serve(echo, {.max_connections = 1});
  auto first = connect();
  EXPECT_THAT(first.exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), HasSubstr("200"));
  EXPECT_EQ(connect().read_to_end(), "");
  EXPECT_THAT(first.exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), HasSubstr("200"));
}

TEST_F(HttpServer, ADroppedResponderAnswers500) {
  serve([](const Request&, const std::shared_ptr<Responder>&) {});
  EXPECT_THAT(ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), StartsWith("HTTP/1.1 500 "));
}

TEST_F(HttpServer, AnswersLater) {
  std::shared_ptr<Responder> kept;
  serve([&](const Request&, std::shared_ptr<Responder> responder) { kept = std::move(responder); });
  auto client = connect();
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(thread_->eventually([&] { return kept != nullptr; }));
  thread_->run([&] { std::exchange(kept, nullptr)->send({.status = 202, .body = "late"}); });
  EXPECT_THAT(client.read_response(), HasSubstr("late"));
}

TEST_F(HttpServer, AnAnswerAfterTheServerStoppedIsHarmless) {
  std::shared_ptr<Responder> kept;
  serve([&](const Request&, std::shared_ptr<Responder> responder) { kept = std::move(responder); });
  auto client = connect();
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(thread_->eventually([&] { return kept != nullptr; }));
  thread_->run([&] {
    thread_->server().stop();
    std::exchange(kept, nullptr)->send({.body = "late"});
  });
  EXPECT_EQ(client.read_to_end(), "");
}

TEST_F(HttpServer, HeaderValuesCannotSplitTheResponse) {
  serve([](const Request&, const std::shared_ptr<Responder>& responder) {
    responder->send({.headers = {{"X-A", "v\r\nX-Evil: 1"}}, .body = "ok"});
  });
  EXPECT_THAT(ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), Not(HasSubstr("\r\nX-Evil")));
}

TEST_F(HttpServer, DrainAnswersWhatIsUnderWayAndClosesTheRest) {
  std::shared_ptr<Responder> kept;
  serve([&](const Request&, std::shared_ptr<Responder> responder) { kept = std::move(responder); });
  auto idle = connect();
  auto busy = connect();
  busy.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(thread_->eventually([&] { return kept && thread_->server().connections() == 2; }));
  bool drained = false;
  thread_->run([&] { thread_->server().drain([&] { drained = true; }); });
  EXPECT_EQ(idle.read_to_end(), "");
  thread_->run([&] {
    EXPECT_FALSE(drained);
    std::exchange(kept, nullptr)->send({.body = "finished"});
  });
  auto answer = busy.read_to_end();
  EXPECT_THAT(answer, HasSubstr("finished"));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  busy.close();
  EXPECT_TRUE(thread_->eventually([&] { return drained; }));
}

struct StreamFixture : HttpServer {
  std::shared_ptr<Stream> stream;
  int closed = 0;

  RawClient open_stream(Limits limits = {}) {
    serve(
        [this](const Request&, const std::shared_ptr<Responder>& responder) {
          stream = responder->stream({.content_type = "text/event-stream"}, [this] { ++closed; });
        },
        limits);
    auto client = connect();
    client.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_TRUE(thread_->eventually([&] { return stream != nullptr; }));
    return client;
  }
  void TearDown() override {
    if (thread_) thread_->run([&] { stream.reset(); });
  }
};

TEST_F(StreamFixture, EventsArriveAsTheyAreWritten) {
  auto client = open_stream();
  EXPECT_THAT(client.read_until("\r\n\r\n"), Not(HasSubstr("Content-Length")));
  thread_->run([&] { stream->write("data: 1\n\n"); });
  EXPECT_THAT(client.read_until("\n\n"), HasSubstr("data: 1"));
  thread_->run([&] {
    stream->write("data: 2\n\n");
    stream->write("data: 3\n\n");
  });
  EXPECT_THAT(client.read_until("data: 3\n\n"), HasSubstr("data: 2\n\ndata: 3"));
}

TEST_F(StreamFixture, TellsOnceThatTheReaderHasGone) {
  auto client = open_stream();
  client.close();
  EXPECT_TRUE(thread_->eventually([&] { return closed == 1; }));
  thread_->run([&] {
    EXPECT_FALSE(stream->open());
    stream->write("ignored");
    stream->close();
    EXPECT_EQ(closed, 1);
  });
}

TEST_F(StreamFixture, AReaderThatLagsIsClosed) {
  auto client = open_stream({.max_stream_backlog_bytes = 1 << 16});
  client.shrink_receive_buffer();
  EXPECT_TRUE(thread_->eventually([&] {
    stream->write(std::string(1 << 15, 'x'));
    return closed == 1;
  }));
}

TEST_F(StreamFixture, ServerStopEndsStreams) {
  auto client = open_stream();
  thread_->run([&] { thread_->server().stop(); });
  client.read_to_end();
  EXPECT_EQ(closed, 1);
}

class UnixServer : public ::testing::Test {
 protected:
  std::string path() const { return (dir_ / "api.sock").string(); }
  shoal::test::TempDir dir_;
};

TEST_F(UnixServer, KnowsWhoThePeerIsAndSetsTheMode) {
  Peer seen;
  ServerThread thread([&](const Request& request, const std::shared_ptr<Responder>& responder) {
    seen = request.peer;
    responder->send({.body = "ok"});
  });
  ASSERT_TRUE(thread.server().listen_unix(path(), 0620));
  struct ::stat status{};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0620u);
  thread.start();
  EXPECT_THAT(RawClient::unix_socket(path()).exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
              HasSubstr("ok"));
  EXPECT_EQ(seen.uid, ::getuid());
  ASSERT_FALSE(seen.groups.empty());
  EXPECT_EQ(seen.groups[0], ::getgid());
  int others = ::getgroups(0, nullptr);
  EXPECT_EQ(seen.groups.size(), 1u + static_cast<unsigned>(others));
  EXPECT_EQ(seen.address, "");
}

TEST_F(UnixServer, OneUserHasNotAllTheConnections) {
  ServerThread thread(echo, {.max_connections_per_user = 2});
  ASSERT_TRUE(thread.server().listen_unix(path(), 0600));
  thread.start();
  const std::string_view request = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi";
  auto first = RawClient::unix_socket(path());
  auto second = RawClient::unix_socket(path());
  EXPECT_THAT(first.exchange(request), HasSubstr("[hi]"));
  EXPECT_THAT(second.exchange(request), HasSubstr("[hi]"));
  EXPECT_EQ(RawClient::unix_socket(path()).read_to_end(), "");
  first.close();
  // The server learns of that in its own time.
  std::string answer;
  for (int i = 0; i < 500 && answer.empty(); ++i)
    answer = RawClient::unix_socket(path()).exchange(request);
  EXPECT_THAT(answer, HasSubstr("[hi]"));
}

TEST_F(UnixServer, ReplacesAStaleSocketAndRemovesItsOwn) {
  {
    int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    ::sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(fd, reinterpret_cast<::sockaddr*>(&address), sizeof address), 0);
    ::close(fd);  // the file stays
  }
  EventLoop loop;
  {
    Server server(loop, {}, echo);
    EXPECT_TRUE(server.listen_unix(path(), 0600));
  }
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(UnixServer, RefusesAPathThatIsInUseOrNoSocket) {
  EventLoop loop;
  Server first(loop, {}, echo);
  Server second(loop, {}, echo);
  ASSERT_TRUE(first.listen_unix(path(), 0600));
  auto in_use = second.listen_unix(path(), 0600);
  ASSERT_FALSE(in_use);
  EXPECT_EQ(in_use.error().kind, ErrorKind::conflict);
  auto file = dir_.write("precious", "data");
  auto no_socket = second.listen_unix(file.string(), 0600);
  ASSERT_FALSE(no_socket);
  EXPECT_EQ(no_socket.error().kind, ErrorKind::conflict);
  EXPECT_EQ(shoal::test::read_text(file), "data");
  EXPECT_EQ(second.listen_unix(std::string(200, 'a'), 0600).error().kind,
            ErrorKind::invalid_request);
}

TEST(TcpServer, ReportsBadAndBusyAddresses) {
  EventLoop loop;
  Server first(loop, {}, echo);
  Server second(loop, {}, echo);
  auto port = first.listen_tcp("127.0.0.1", 0);
  ASSERT_TRUE(port);
  EXPECT_NE(*port, 0);
  EXPECT_EQ(second.listen_tcp("127.0.0.1", *port).error().kind, ErrorKind::conflict);
  EXPECT_EQ(second.listen_tcp("localhost", 0).error().kind, ErrorKind::invalid_request);
  EXPECT_EQ(second.listen_tcp("192.0.2.1", 0).error().kind, ErrorKind::invalid_request);
}

}  // namespace
}  // namespace shoal::http::test
