// `soma serve`: pages/workbench.h behind HTTP on this machine only. Built where cpp-httplib is.
#include <httplib.h>

#include <charconv>
#include <mutex>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/growing_file.h"
#include "apps/interrupt.h"
#include "base/check.h"
#include "pages/workbench.h"
#include "run/inference.h"

namespace soma {
namespace {

constexpr const char* kHost = "127.0.0.1";
constexpr size_t kMostBytes = size_t{64} << 20;  // of an upload

// Only what this page asks for: a page from elsewhere whose name was made to point here (DNS
// rebinding) has another Host, and one that sends to this port has another Origin.
bool from_this_page(const httplib::Request& request, int port) {
  for (const char* name : {"127.0.0.1", "localhost"}) {
    const std::string host = text(name, ":", port), origin = request.get_header_value("Origin");
    if (request.get_header_value("Host") == host && (origin.empty() || origin == "http://" + host))
      return true;
  }
  return false;
}

void refuse(httplib::Response& response, int status, const std::string& line) {
  response.status = status;
  response.set_content(line + "\n", "text/plain; charset=utf-8");
}

// A number of the query, within its range; the slider's standard where it is none.
double number_of(const httplib::Request& request, const char* name, double standard, double most) {
  const std::string word = request.get_param_value(name);
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  const bool good = error == std::errc() && end == word.data() + word.size() && value >= 0;
  return good ? std::min(value, most) : standard;
}

// A name as RFC 5987 writes it.
std::string percent_encoded(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.') {
      out += c;
    } else {
      constexpr std::string_view kDigits = "0123456789ABCDEF";
      const auto byte = static_cast<uint8_t>(c);
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

class PageServer {
 public:
  PageServer(const LoadedModels& models, const std::string& model, const Console& console)
      : console_(console),
        limits_{models.config.test.submission_score[0],
                static_cast<int64_t>(models.config.test.min_pixels[0])},
        page_(serve_page(model, models.config.model.classes, limits_)),
        workbench_([&models](const Sample& sample,
                             const Image& image) { return predict_image(models, sample, image); },
                   models.config.test, models.config.model.classes) {
    server_.set_payload_max_length(kMostBytes);
    // Without SO_REUSEPORT, the library's own choice: two servers would share a port unnoticed.
    server_.set_socket_options([](socket_t socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    add_routes();
  }

  // Serves until an interrupt; `port` 0 takes a free one. Error: the port cannot be had.
  void run(int port) {
    port_ = port == 0 ? server_.bind_to_any_port(kHost) : port;
    check(port_ > 0 && (port == 0 || server_.bind_to_port(kHost, port)), "--port", port,
          " cannot be used: another program has it; give another --port, or 0 for any free one");
    console_.say(text("http://", kHost, ":", port_, "/  (Ctrl-C ends it)"));
    const EverySecond watch([this] {
      if (interrupted()) server_.stop();
    });
    server_.listen_after_bind();
  }

 private:
  // Errors of what was asked become one line with a status.
  template <class Work>
  void answer(httplib::Response& response, int status, const Work& work) {
    try {
      const std::lock_guard lock(mutex_);
      work();
    } catch (const Error& error) {
      refuse(response, status, error.what());
    }
  }

  CellLimits limits_of(const httplib::Request& request) const {
    return {number_of(request, "score", limits_.score, 1),
            static_cast<int64_t>(
                number_of(request, "pixels", static_cast<double>(limits_.min_pixels), 1e9))};
  }

  void add_routes() {
    server_.set_pre_routing_handler([this](const auto& request, auto& response) {
      if (from_this_page(request, port_)) return httplib::Server::HandlerResponse::Unhandled;
      refuse(response, 403, "serve: only its own page may ask");
      return httplib::Server::HandlerResponse::Handled;
    });
    server_.set_error_handler([](const httplib::Request&, httplib::Response& response) {
      if (!response.body.empty()) return;
      const bool large = response.status == 413;
      refuse(response, response.status,
             large ? text("image: larger than ", kMostBytes >> 20, " MB; use soma predict")
                   : text("serve: cannot answer this (", response.status, ")"));
    });
    server_.Get("/", [this](const httplib::Request&, httplib::Response& response) {
      response.set_content(page_, "text/html; charset=utf-8");
    });
    server_.Post("/images", [this](const httplib::Request& request, httplib::Response& response) {
      answer(response, 400, [&] { add_image(request, response); });
    });
    server_.Get(R"(/images/(\d{1,9})/([a-z]+\.[a-z]+))",
                [this](const httplib::Request& request, httplib::Response& response) {
                  answer(response, 404, [&] { send_file(request, response); });
                });
  }

  void add_image(const httplib::Request& request, httplib::Response& response) {
    const std::string name =
        httplib::detail::decode_url(request.get_header_value("X-File-Name"), false);
    const std::string json = workbench_.add(name.empty() ? "image" : name, request.body);
    console_.say(json);
    response.set_content(json, "application/json");
  }

  void send_file(const httplib::Request& request, httplib::Response& response) {
    const int64_t id = std::stoll(request.matches[1]);
    const std::string name = request.matches[2];
    if (name == "cells.json")
      return response.set_content(workbench_.cells(id, limits_of(request)), "application/json");
    const ServedFile file = workbench_.file(id, name, limits_of(request));
    response.set_header("Content-Disposition",
                        "inline; filename*=UTF-8''" + percent_encoded(file.name));
    response.set_content(file.bytes, file.type);
  }

  const Console& console_;
  CellLimits limits_;
  std::string page_;
  std::mutex mutex_;  // of the workbench, and of the thread pool below it
  Workbench workbench_;
  httplib::Server server_;
  int port_ = 0;
};

}  // namespace

int serve_command(const Options& options) {
  watch_interrupts();
  const Console console(options);
  const Device device = chosen_device(options, console);
  const LoadedModels models =
      load_models(options.models, config_files(options), options.overrides, device);
  PageServer(models, options.models[0], console).run(options.port);
  return interrupted() ? kInterruptedCode : 0;
}

}  // namespace soma
