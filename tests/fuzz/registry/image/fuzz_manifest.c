/* SPDX-License-Identifier: MIT */
/* Any document taken for an index, a manifest and a config. */
#include "registry/image/document_kind.h"
#include "registry/image/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct entries en;
	struct manifest m;
	struct config c;
	enum document_kind kind;
	const char *media;

	(void)document_kind(data, size, NULL, &kind, &media, NULL);
	if (entries_parse(data, size, &en, NULL) == 0)
		entries_release(&en);
	if (manifest_parse(data, size, &m, NULL) == 0)
		manifest_release(&m);
	if (config_parse(data, size, &c, NULL) == 0)
		config_release(&c);
	return 0;
}
