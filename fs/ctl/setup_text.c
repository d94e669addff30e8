/* SPDX-License-Identifier: MIT */
/*
 * The unit is a service and not a mount unit: a service starts the daemon again after a
 * crash, and can enter the user namespace of a user's podman.
 */
#include "fs/ctl/setup_text.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "fs/ctl/storage_conf.h"
#include "fs/options/options.h"

static bool is_plain(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_/=,.:+-";

	return text[0] && text[strspn(text, plain)] == '\0';
}

/* As a word of ExecStart=: systemd.service(5), systemd.unit(5). */
static int append_word(struct buf *out, const char *text)
{
	const char *quote = is_plain(text) ? "" : "\"";
	int rc = buf_append_text(out, quote);

	for (; rc == 0 && *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f)
			rc = buf_printf(out, "\\x%02x", c);
		else if (c == '"' || c == '\\')
			rc = buf_printf(out, "\\%c", c);
		else if (c == '%' || c == '$')
			rc = buf_printf(out, "%c%c", c, c);
		else
			rc = buf_append(out, text, 1);
	}
	return rc == 0 ? buf_append_text(out, quote) : rc;
}

/* The comma list after -o. */
static int make_options(const struct setup *s, struct buf *out)
{
	bool is_store = s->engine == SETUP_PODMAN;
	int rc = buf_printf(out, "layout=%s,images=", is_store ? "store" : "erofs");

	if (rc == 0)
		rc = options_append_escaped(out, s->images);
	if (rc == 0 && is_store)
		rc = buf_append_text(out, ",suid,dev");
	if (rc == 0 && s->is_user)
		rc = buf_append_text(out, ",cache_dir=");
	if (rc == 0 && s->is_user)
		rc = options_append_escaped(out, s->cache);
	if (rc == 0 && s->options[0])
		rc = buf_printf(out, ",%s", s->options);
	return rc;
}

/* A user's podman sees what is mounted in its own namespaces only. */
static int begin_command(const struct setup *s, const char *key, const char *program,
			 struct buf *out)
{
	int rc = buf_append_text(out, key);

	if (rc == 0 && s->is_user) {
		rc = append_word(out, s->podman);
		if (rc == 0)
			rc = buf_append_text(out, " unshare ");
	}
	return rc == 0 ? append_word(out, program) : rc;
}

static int write_mount(const struct setup *s, struct buf *out)
{
	struct buf options;
	int rc;

	buf_init(&options, out->max);
	rc = make_options(s, &options);
	if (rc == 0)
		rc = begin_command(s, "ExecStart=", s->peelfs, out);
	if (rc == 0)
		rc = buf_append_text(out, " -o ");
	if (rc == 0)
		rc = append_word(out, buf_text(&options));
	if (rc == 0)
		rc = buf_append_text(out, " / ");
	if (rc == 0)
		rc = append_word(out, s->store);
	buf_release(&options);
	return rc == 0 ? buf_append_text(out, "\n") : rc;
}

/* What a daemon that was killed has left. */
static int write_cleanup(const struct setup *s, struct buf *out)
{
	int rc = begin_command(s, "ExecStartPre=-", "/bin/umount", out);

	if (rc == 0)
		rc = buf_append_text(out, " -q -l ");
	if (rc == 0)
		rc = append_word(out, s->store);
	return rc == 0 ? buf_append_text(out, "\n") : rc;
}

static const char *before(const struct setup *s)
{
	if (s->engine == SETUP_CONTAINERD)
		return "Before=containerd.service\n";
	return s->is_user ? "" : "Before=crio.service podman-restart.service\n";
}

int setup_write_unit(const struct setup *s, struct buf *out)
{
	int rc = buf_printf(out,
			    "[Unit]\n"
			    "Description=Images that peelfs shows to %s\n"
			    "Documentation=man:peelfs-containers(7)\n"
			    "%s%s\n"
			    "[Service]\n"
			    "Type=forking\n",
			    s->engine == SETUP_PODMAN ? "podman" : "containerd",
			    s->is_user ? ""
				       : "Wants=network-online.target\n"
					 "After=network-online.target\n",
			    before(s));

	if (rc == 0)
		rc = write_cleanup(s, out);
	if (rc == 0)
		rc = write_mount(s, out);
	if (rc < 0)
		return rc;
	/* The process that holds a user's namespaces may be in the same control group. */
	return buf_printf(out,
			  "Restart=on-failure\n"
			  "RestartSec=1\n"
			  "%s\n"
			  "[Install]\n"
			  "WantedBy=%s\n",
			  s->is_user ? "KillMode=process\n" : "",
			  s->is_user ? "default.target" : "multi-user.target");
}

int setup_write_storage_conf(const struct setup *s, struct buf *out)
{
	/* Without them podman 4 says "runroot must be set"; for a user it has others. */
	const char *roots = s->is_user ? ""
				       : "runroot = \"/run/containers/storage\"\n"
					 "graphroot = \"/var/lib/containers/storage\"\n";
	int rc = buf_printf(out,
			    "[storage]\n"
			    "driver = \"overlay\"\n"
			    "%s\n"
			    "[storage.options]\n"
			    "additionalimagestores = [",
			    roots);

	if (rc == 0)
		rc = storage_conf_quote(out, s->store);
	return rc == 0 ? buf_append_text(out, "]\n") : rc;
}

int setup_write_containerd(const struct setup *s, struct buf *out)
{
	int rc = buf_append_text(out,
				 "version = 3\n"
				 "\n"
				 "[plugins.\"io.containerd.service.v1.diff-service\"]\n"
				 "default = [\"erofs\", \"walking\"]\n"
				 "\n"
				 "[plugins.\"io.containerd.snapshotter.v1.erofs\"]\n"
				 "layer_content_caches = [");

	if (rc == 0)
		rc = storage_conf_quote(out, s->store);
	if (rc < 0)
		return rc;
	return buf_append_text(out,
			       "]\n"
			       "\n"
			       "[[plugins.\"io.containerd.transfer.v1.local\".unpack_"
			       "config]]\n"
			       "platform = \"linux\"\n"
			       "differ = \"erofs\"\n"
			       "snapshotter = \"erofs\"\n");
}
