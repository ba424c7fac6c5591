// The commands. Each function adds a subcommand with its options and its action to the parser.
#pragma once

#include "cli/options.h"

namespace varve {

void add_init_command(const Command& root);
void add_serve_command(const Command& root);
void add_tenant_commands(const Command& root);
void add_timeline_commands(const Command& root);
void add_protection_commands(const Command& root);
void add_restore_command(const Command& root);
void add_status_commands(const Command& root);
void add_remote_commands(const Command& root);
void add_layer_commands(const Command& root);

}  // namespace varve
