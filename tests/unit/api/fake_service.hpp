// The agent as the API's tests need it: everything it holds is there to set, and every request it
// got is there to see.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/service.hpp"

namespace shoal::test {

struct FakeService final : agent::Service {
  agent::SystemView system_view;
  std::vector<agent::RepositoryView> repository_views;
  std::vector<agent::ProductView> product_views;
  std::vector<agent::InstallView> install_views;
  agent::PlanView plan_view;
  std::vector<agent::Change> change_list;           // newest first
  std::vector<agent::ProductProblem> new_problems;  // of every repository that is added
  std::optional<Error> refuse;                      // what every request that acts is answered with
  bool hold_replies = false;                        // keep the replies of what answers later

  std::vector<agent::ChangeRequest> started;
  std::vector<std::string> steered;  // "pause c1"
  std::vector<Reply<std::vector<agent::ProductView>>> held;
  std::function<void(const agent::Event&)> listener;

  agent::Change& add_change(const std::string& id, agent::ChangeState state) {
    agent::Change change;
    change.id = id;
    change.product = "game";
    change.state = state;
    change_list.insert(change_list.begin(), change);
    return change_list.front();
  }
  agent::Change* find(const std::string& id) {
    for (auto& change : change_list)
      if (change.id == id) return &change;
    return nullptr;
  }
  void tell(const std::string& resource, const std::string& id) {
    if (listener) listener({resource, id});
  }

  agent::SystemView system() const override { return system_view; }
  Result<void> configure(const agent::ConfigUpdate& update) override {
    if (refuse) return fail(*refuse);
    if (update.consent) system_view.consent = *update.consent;
    if (update.upload_bytes_per_s)
      system_view.limits.upload_bytes_per_s = *update.upload_bytes_per_s;
    if (update.download_bytes_per_s)
      system_view.limits.download_bytes_per_s = *update.download_bytes_per_s;
    if (update.policy) system_view.policy = *update.policy;
    tell("config", "");
    return {};
  }

  std::vector<agent::RepositoryView> repositories() const override { return repository_views; }
  void add_repository(const std::string& url, const std::string& root_json,
                      Reply<agent::RepositoryView> reply) override {
    if (refuse) return reply(fail(*refuse));
    if (root_json != "the root")
      return reply(fail(ErrorKind::metadata_invalid, "root.json is not a root"));
    agent::RepositoryView view;
    view.id = static_cast<std::int64_t>(repository_views.size()) + 1;
    view.url = url;
    view.problems = new_problems;
    repository_views.push_back(view);
    reply(view);
  }
  Result<void> remove_repository(std::int64_t id) override {
    if (std::erase_if(repository_views, [&](const auto& view) { return view.id == id; }) == 0)
      return fail(ErrorKind::not_found, "no repository " + std::to_string(id));
    tell("repository", std::to_string(id));
    return {};
  }
  void products(Reply<std::vector<agent::ProductView>> reply) override {
    if (hold_replies) return held.push_back(std::move(reply));
    reply(product_views);
  }

  std::vector<agent::InstallView> installs() const override { return install_views; }
  void plan(const agent::ChangeRequest& request, Reply<agent::PlanView> reply) override {
    if (refuse) return reply(fail(*refuse));
    plan_view.kind = request.kind;
    plan_view.product = request.product;
    reply(plan_view);
  }
  Result<agent::Change> start(const agent::ChangeRequest& request) override {
    if (refuse) return fail(*refuse);
    started.push_back(request);
    auto& change =
        add_change("c" + std::to_string(change_list.size() + 1), agent::ChangeState::queued);
    change.kind = request.kind;
    change.product = request.product;
    change.priority = request.priority;
    return change;
  }

  std::vector<agent::Change> changes() const override { return change_list; }
  Result<agent::Change> change(const std::string& id) const override {
    for (const auto& change : change_list)
      if (change.id == id) return change;
    return fail(ErrorKind::not_found, "no change " + id);
  }
  Result<agent::Change> pause(const std::string& id) override {
    return steer("pause", id, agent::ChangeState::paused);
  }
  Result<agent::Change> resume(const std::string& id) override {
    return steer("resume", id, agent::ChangeState::running);
  }
  Result<agent::Change> cancel(const std::string& id) override {
    return steer("cancel", id, agent::ChangeState::cancelled);
  }
  void set_listener(std::function<void(const agent::Event&)> to) override {
    listener = std::move(to);
  }

 private:
  Result<agent::Change> steer(const std::string& verb, const std::string& id,
                              agent::ChangeState state) {
    if (refuse) return fail(*refuse);
    auto* change = find(id);
    if (change == nullptr) return fail(ErrorKind::not_found, "no change " + id);
    steered.push_back(verb + " " + id);
    change->state = state;
    tell("change", id);
    return *change;
  }
};

}  // namespace shoal::test
