/* SPDX-License-Identifier: MIT */
#include "registry/http/host.h"

#include "base/clock.h"

bool host_has_room(const struct host *host, unsigned connections, bool bulk)
{
	unsigned most = connections > 2 ? connections - 2 : 1;

	return host->running < connections && (!bulk || host->bulk < most);
}

void host_enter(struct host *host, bool bulk)
{
	host->running++;
	host->bulk += bulk;
}

void host_leave(struct host *host, bool bulk)
{
	host->running--;
	host->bulk -= bulk;
}

void host_note_alive(struct host *host)
{
	__atomic_store_n(&host->alive, clock_ms(), __ATOMIC_RELAXED);
}

int64_t host_alive(const struct host *host)
{
	return __atomic_load_n(&host->alive, __ATOMIC_RELAXED);
}
