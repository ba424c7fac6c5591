#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/output.h"

namespace varve {
namespace {

void print_tenant(const CommonOptions& common, const TenantInfo& tenant) {
  const Json json = to_json(tenant);
  common.json ? print_json(json) : print_fields(json);
}

void add_list(const Command& tenant) {
  const Command list = tenant.leaf("list", "List the tenants, local and remote");
  list.with_work_directory().with_json().run([&common = *list.common]() -> Result<> {
    VARVE_ASSIGN(const auto server, common.open_server());
    const Json json = to_json_array(server->tenants().tenants());
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
    VARVE_ASSIGN(const auto server, common.open_server());
    VARVE_ASSIGN(const TenantInfo made, server->tenants().create_tenant(id, options->name));
    print_tenant(common, made);
    return {};
  });
}

void add_show(const Command& tenant) {
  const auto wanted = std::make_shared<std::string>();
  const Command show = tenant.leaf("show", "Show a tenant");
  show.app->add_option("TENANT", *wanted, "ID or name")->required();
  show.with_work_directory().with_json().run([&common = *show.common, wanted]() -> Result<> {
    VARVE_ASSIGN(const auto server, common.open_server());
    VARVE_ASSIGN(const TenantInfo found, server->tenants().tenant(*wanted));
    print_tenant(common, found);
    return {};
  });
}

void add_attach(const Command& tenant) {
  const auto wanted = std::make_shared<std::string>();
  const Command attach = tenant.leaf(
      "attach", "Take a tenant over: from now on only this work directory writes to it");
  attach.app->add_option("TENANT", *wanted, "ID or name")->required();
  attach.with_work_directory().with_json().run([&common = *attach.common, wanted]() -> Result<> {
    VARVE_ASSIGN(const auto server, common.open_server());
    VARVE_ASSIGN(const TenantInfo found, server->tenants().tenant(*wanted));
    VARVE_ASSIGN(const TenantInfo attached, server->tenants().attach_tenant(found.id));
    print_tenant(common, attached);
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
