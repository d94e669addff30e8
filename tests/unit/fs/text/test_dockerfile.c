/* SPDX-License-Identifier: MIT */
#include "base/buf.h"
#include "base/json.h"
#include "fs/text/dockerfile.h"
#include "fs/text/instructions.h"
#include "tests/unit/test.h"

#define NOP "/bin/sh -c #(nop) "

static const char config_text[] =
	"{\"Env\": [\"PATH=/bin\", \"A=b c\"], \"Labels\": {\"l\": \"x \\\"y\\\" $z\", "
	"\"m\": \"x y\\nRUN z\"}}";

static void is_step(struct instructions *t, const char *created_by, const char *expected)
{
	struct buf out;

	buf_init(&out, 4096);
	is_int(dockerfile_step(t, created_by, &out), 0, "a step is told");
	is_text(buf_text(&out), expected, "as it was");
	buf_release(&out);
}

static void test_shell(void)
{
	char long_shell[5000];
	struct instructions t;
	struct buf out;

	is_int(instructions_init(&t, NULL), 0, "no config");
	is_step(&t, "RUN /bin/bash -c x", "RUN /bin/bash -c x\n");
	is_step(&t, "SHELL [/bin/bash -c]", "SHELL [\"/bin/bash\", \"-c\"]\n");
	is_step(&t, "RUN /bin/bash -c x", "RUN x\n");
	is_step(&t, "RUN |1 A=b /bin/bash -c x", "# build arguments: A=b \nRUN x\n");
	is_step(&t, "SHELL [\"|1\"]", "SHELL [\"|1\"]\n");
	is_step(&t, "|1 A=b c", "RUN A=b c\n");
	is_step(&t, "SHELL []", "SHELL []\n");
	is_step(&t, "|1 A=b c", "RUN |1 A=b c\n");
	instructions_release(&t);

	memset(long_shell, 'x', sizeof(long_shell) - 1);
	long_shell[sizeof(long_shell) - 1] = '\0';
	memcpy(long_shell, "SHELL [", 7);
	is_int(instructions_init(&t, NULL), 0, "no config");
	buf_init(&out, 1 << 16);
	is_int(dockerfile_step(&t, long_shell, &out), 0, "a shell that none is");
	buf_release(&out);
	is_step(&t, "RUN xxx x", "RUN xxx x\n");
	instructions_release(&t);
}

/* More lines than can be looked through once for each. */
static void test_many_ends(void)
{
	const size_t n = 300000;
	struct buf text, out;
	struct instructions t;
	size_t i;

	buf_init(&text, 8 << 20);
	buf_init(&out, 8 << 20);
	is_int(instructions_init(&t, NULL), 0, "no config");
	buf_append_text(&text, "a\nEOF");
	for (i = 0; i < n; i++)
		buf_printf(&text, "\nEOF%zu", i);
	is_int(dockerfile_step(&t, buf_text(&text), &out), 0, "a long script");
	ok(strncmp(buf_text(&out), "RUN <<EOF1111111\na\nEOF\nEOF0\n", 28) == 0,
	   "its end is none of its lines");
	is_text(buf_text(&out) + out.len - 21, "EOF299999\nEOF1111111\n", "and is there");
	instructions_release(&t);
	buf_release(&text);
	buf_release(&out);
}

int main(void)
{
	static const struct {
		const char *created_by, *expected;
	} table[] = {
		{"", ""},
		{NOP " CMD [\"bash\"]", "CMD [\"bash\"]\n"},
		{NOP "ADD file:12ab in / ", "ADD file:12ab /\n"},
		{NOP "COPY multi:12ab in /srv/ ", "COPY multi:12ab /srv/\n"},
		{NOP "COPY dir:12 in /a in b ", "COPY dir:12 /a in b\n"},
		{"COPY from in /to # buildkit", "COPY from in /to\n"},
		{"COPY --chown=1:2 /a /b # buildkit", "COPY --chown=1:2 /a /b\n"},
		{"/bin/sh -c apt-get update", "RUN apt-get update\n"},
		{"RUN /bin/sh -c apt-get update # buildkit", "RUN apt-get update\n"},
		{"RUN /bin/true", "RUN /bin/true\n"},
		{"debuerreotype 0.15", "RUN debuerreotype 0.15\n"},
		{"|1 V=2 /bin/sh -c make", "# build arguments: V=2 \nRUN make\n"},
		{"RUN |2 A=1 B=x y /bin/sh -c make # buildkit",
		 "# build arguments: A=1 B=x y \nRUN make\n"},
		{"RUN /bin/sh -c a\nb # buildkit", "RUN <<EOF\na\nb\nEOF\n"},
		{"RUN /bin/sh -c a\nEOF\nb", "RUN <<EOF1\na\nEOF\nb\nEOF1\n"},
		{"RUN /bin/sh -c grep '#(nop)' x", "RUN grep '#(nop)' x\n"},
		{"CMD [\"nginx\" \"-g\" \"daemon off;\"]",
		 "CMD [\"nginx\", \"-g\", \"daemon off;\"]\n"},
		{"CMD [\"a\", \"b\"]", "CMD [\"a\", \"b\"]\n"},
		{"CMD []", "CMD []\n"},
		{"ENTRYPOINT [\"a\" \"say \\\"x\\\"\\n\"]",
		 "ENTRYPOINT [\"a\", \"say \\\"x\\\"\\n\"]\n"},
		{NOP "ENTRYPOINT &{[\"/init\"]}", "ENTRYPOINT [\"/init\"]\n"},
		{"CMD plain words", "CMD plain words\n"},
		{"CMD [\"unclosed", "CMD [\"unclosed\"]\n"},
		{NOP " EXPOSE 80", "EXPOSE 80\n"},
		{"EXPOSE map[443/tcp:{} 80/tcp:{}]", "EXPOSE 443/tcp 80/tcp\n"},
		{NOP " VOLUME [/data /b]", "VOLUME [\"/data\", \"/b\"]\n"},
		{"SHELL [/bin/bash -o pipefail -c]",
		 "SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\n"},
		{"WORKDIR /srv/www", "WORKDIR /srv/www\n"},
		{NOP " USER 1000:1000", "USER 1000:1000\n"},
		{NOP " STOPSIGNAL SIGQUIT", "STOPSIGNAL SIGQUIT\n"},
		{NOP " MAINTAINER a <b@c>", "MAINTAINER a <b@c>\n"},
		{NOP " ONBUILD RUN make", "ONBUILD RUN make\n"},
		{"ARG V=1", "ARG V=1\n"},
		{"ENV PATH=/bin", "ENV PATH=/bin\n"},
		{NOP " ENV A=b c", "ENV A=\"b c\"\n"},
		{"ENV X=1 Y=2", "ENV X=1 Y=2\n"},
		{"LABEL l=x \"y\" $z", "LABEL l=\"x \\\"y\\\" \\$z\"\n"},
		{"HEALTHCHECK &{[\"CMD-SHELL\" \"curl -f \\\"x\\\" || exit 1\"] \"5m0s\" "
		 "\"3s\" "
		 "\"0s\" \"0s\" '\\x03'}",
		 "HEALTHCHECK --interval=5m0s --timeout=3s --retries=3 CMD curl -f \"x\" "
		 "|| "
		 "exit 1\n"},
		{"HEALTHCHECK &{[\"CMD\" \"a\" \"b\"] \"0s\" \"0s\" \"1s\" '\\n'}",
		 "HEALTHCHECK --start-period=1s --retries=10 CMD [\"a\", \"b\"]\n"},
		{NOP " HEALTHCHECK &{[\"NONE\"] \"0s\" \"0s\" \"0s\" '\\x00'}",
		 "HEALTHCHECK NONE\n"},
		{"HEALTHCHECK &{[", "HEALTHCHECK NONE\n"},
		{"HEALTHCHECK &{[\"CMD\" \"\\", "HEALTHCHECK CMD [\"\\\\\"]\n"},
		/* What would be another instruction, or none. */
		{"ENV A=x\nRUN evil", "ENV A=x\\nRUN evil\n"},
		{"ENV A=\rRUN evil", "ENV A=\\rRUN evil\n"},
		{"LABEL m=x y\nRUN z", "LABEL m=\"x y\\nRUN z\"\n"},
		{NOP " LABEL n=x y\nRUN z", "LABEL n=x y\\nRUN z\n"},
		{"ONBUILD RUN a\nRUN b", "ONBUILD RUN a\\nRUN b\n"},
		{"COPY a\nRUN b in /c", "COPY a\\nRUN b in /c\n"},
		{"EXPOSE 80\nRUN b", "EXPOSE 80\\nRUN b\n"},
		{"CMD x\nRUN y", "CMD x\\nRUN y\n"},
		{"HEALTHCHECK &{[\"CMD-SHELL\" \"a\\nRUN b\"] \"0s\nRUN c\"}",
		 "HEALTHCHECK --interval=0s\\nRUN c CMD a\\nRUN b\n"},
		{"RUN |1 A=x\nRUN evil /bin/sh -c make",
		 "# build arguments: A=x\\nRUN evil \nRUN make\n"},
		{"RUN EOF\nRUN evil\nEOF", "RUN <<EOF1\nEOF\nRUN evil\nEOF\nEOF1\n"},
		{"RUN a\nEOF1\nEOF", "RUN <<EOF11\na\nEOF1\nEOF\nEOF11\n"},
		{"RUN a\nEOF1", "RUN <<EOF11\na\nEOF1\nEOF11\n"},
		{"RUN a\nEOFx\nEOF2", "RUN <<EOF\na\nEOFx\nEOF2\nEOF\n"},
		{"RUN a\n\nb", "RUN <<EOF\na\n\nb\nEOF\n"},
		{"RUN a\x1b[31m\tb\x7f", "RUN a\\u001b[31m\tb\\u007f\n"},
		{"RUN a\r\nb\x1b", "RUN <<EOF\na\\r\nb\\u001b\nEOF\n"},
		{"RUN \xc2\x9b \xc3\xa9 \xc2\xa0 \xc2",
		 "RUN \\u009b \xc3\xa9 \xc2\xa0 \xc2\n"},
		{"RUN cat <<X", "RUN <<EOF\ncat <<X\nEOF\n"},
		{"RUN a \\", "RUN <<EOF\na \\\nEOF\n"},
		{"WORKDIR C:\\", "WORKDIR C:\\\\\n"},
		{"ENV A=b\\\\", "ENV A=b\\\\\n"},
	};
	struct json *config;
	struct instructions t;
	size_t i;

	if (!ok(json_parse(config_text, strlen(config_text), &config, NULL) == 0,
		"a config"))
		return test_done();
	is_int(instructions_init(&t, config), 0, "its pairs are known");
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct buf out;

		buf_clear(&t.shell);
		buf_append_text(&t.shell, "/bin/sh -c");
		buf_init(&out, 4096);
		is_int(dockerfile_step(&t, table[i].created_by, &out), 0, "%zu is told",
		       i);
		is_text(buf_text(&out), table[i].expected, "%zu", i);
		buf_release(&out);
	}
	instructions_release(&t);
	json_free(config);
	test_shell();
	test_many_ends();
	return test_done();
}
