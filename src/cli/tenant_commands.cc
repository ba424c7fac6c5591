#include <fmt/format.h>

#include <functional>
#include <memory>

#include "cli/commands.h"
#include "cli/output.h"

namespace varve {
namespace {

void add_list(const Command& tenant) {
  const Command list = tenant.leaf("list", "List the tenants, local and remote");
  list.with_work_directory().with_json().run([&common = *list.common]() -> Result<> {
    VARVE_ASSIGN(const auto service, common.open_service());
    VARVE_ASSIGN(const Json json, service->tenants());
    if (common.json) {
      print_json(json);
    } else {
      print_table(json, {{"TENANT", "tenant_id"},
                         {"NAME", "name"},
                         {"OWNED", "owned"},
                         {"TIMELINES", "timelines"},
                         {"CREATED", "created_at"}});
    }
    return {};
  });
}

void add_create(const Command& tenant) {
  struct Options {
    std::string id;
    std::string name;
  };
  const auto options = std::make_shared<Options>();
  const Command create = tenant.leaf("create", "Make a tenant");
  create.app->add_option("TENANT", options->id,
                         "Its ID, 32 hex digits; drawn when it is not given");
  create.app->add_option("--name", options->name, "A unique name");
  create.with_work_directory().with_json().run([&common = *create.common, options]() -> Result<> {
    std::optional<TenantId> id;
    if (!options->id.empty()) {
      VARVE_ASSIGN(id, TenantId::parse(options->id));
    }
    VARVE_ASSIGN(const auto service, common.open_service());
    VARVE_ASSIGN(const Json made, service->create_tenant({.id = id, .name = options->name}));
    print_object(common, made);
    return {};
  });
}

// The commands whose only argument is a tenant.
using TenantAction =
    std::function<Result<Json>(PageService&, const CommonOptions&, const std::string& tenant)>;
void add_simple(const Command& tenant, const std::string& name, const std::string& description,
                TenantAction action) {
  const auto wanted = std::make_shared<std::string>();
  const Command command = tenant.leaf(name, description);
  command.app->add_option("TENANT", *wanted, "ID or name")->required();
  command.with_work_directory().with_json().run(
      [&common = *command.common, wanted, action = std::move(action)]() -> Result<> {
        VARVE_ASSIGN(const auto service, common.open_service());
        VARVE_ASSIGN(const Json result, action(*service, common, *wanted));
        print_object(common, result);
        return {};
      });
}

}  // namespace

void add_tenant_commands(const Command& root) {
  const Command tenant = root.group("tenant", "Tenants: the units of ownership");
  add_list(tenant);
  add_create(tenant);
  add_simple(tenant, "show", "Show a tenant",
             [](PageService& service, const CommonOptions&, const std::string& wanted) {
               return service.tenant(wanted);
             });
  add_simple(tenant, "attach",
             "Take a tenant over: from now on only this work directory writes to it",
             [](PageService& service, const CommonOptions&, const std::string& wanted) {
               return service.attach_tenant(wanted);
             });
  add_simple(tenant, "detach",
             "Give up what this work directory has of a tenant; it stays in the remote storage",
             [](PageService& service, const CommonOptions& common, const std::string& wanted) {
               return service.detach_tenant(wanted, common.call());
             });
  add_simple(tenant, "delete", "Delete a tenant with all its timelines, for good",
             [](PageService& service, const CommonOptions& common, const std::string& wanted) {
               return service.delete_tenant(wanted, common.call());
             });
}

}  // namespace varve
