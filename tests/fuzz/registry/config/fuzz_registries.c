/* SPDX-License-Identifier: MIT */
/* Any text taken for a registries.conf and for a hosts.toml. */
#include <stdint.h>
#include <stdlib.h>

#include "registry/config/hosts_toml.h"
#include "registry/config/registries.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct registries r = {0};
	struct hosts_toml ht;
	const struct registry *g;

	(void)registries_parse(&r, (const char *)data, size, NULL);
	g = registries_match(&r, "docker.io/library/nginx");
	if (g)
		free(registries_rewrite(g, "docker.io/library/nginx", g->location));
	(void)registries_alias(&r, "nginx");
	registries_release(&r);
	if (hosts_toml_parse((const char *)data, size, "/nowhere", &ht, NULL) == 0)
		hosts_toml_release(&ht);
	return 0;
}
