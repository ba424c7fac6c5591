#include <fmt/format.h>

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

void add_show(const Command& tenant) {
  const auto wanted = std::make_shared<std::string>();
  const Command show = tenant.leaf("show", "Show a tenant");
  show.app->add_option("TENANT", *wanted, "ID or name")->required();
  show.with_work_directory().with_json().run([&common = *show.common, wanted]() -> Result<> {
    VARVE_ASSIGN(const auto service, common.open_service());
    VARVE_ASSIGN(const Json found, service->tenant(*wanted));
    print_object(common, found);
    return {};
  });
}

void add_attach(const Command& tenant) {
  const auto wanted = std::make_shared<std::string>();
  const Command attach = tenant.leaf(
      "attach", "Take a tenant over: from now on only this work directory writes to it");
  attach.app->add_option("TENANT", *wanted, "ID or name")->required();
  attach.with_work_directory().with_json().run([&common = *attach.common, wanted]() -> Result<> {
    VARVE_ASSIGN(const auto service, common.open_service());
    VARVE_ASSIGN(const Json attached, service->attach_tenant(*wanted));
    print_object(common, attached);
    return {};
  });
}

}  // namespace

void add_tenant_commands(const Command& root) {
  const Command tenant = root.group("tenant", "Tenants: the units of ownership");
  add_list(tenant);
  add_create(tenant);
  add_show(tenant);
  add_attach(tenant);
}

}  // namespace varve
