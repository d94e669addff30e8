/* SPDX-License-Identifier: MIT */
#include "base/buf.h"
#include "base/json.h"
#include "fs/dockerfile.h"
#include "tests/unit/test.h"

#define NOP "/bin/sh -c #(nop) "

static const char config_text[] =
	"{\"Env\": [\"PATH=/bin\", \"A=b c\"], \"Labels\": {\"l\": \"x \\\"y\\\" $z\"}}";

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
		{"HEALTHCHECK &{[\"CMD-SHELL\" \"curl -f \\\"x\\\" || exit 1\"] \"5m0s\" \"3s\" "
		 "\"0s\" \"0s\" '\\x03'}",
		 "HEALTHCHECK --interval=5m0s --timeout=3s --retries=3 CMD curl -f \"x\" || "
		 "exit 1\n"},
		{"HEALTHCHECK &{[\"CMD\" \"a\" \"b\"] \"0s\" \"0s\" \"1s\" '\\n'}",
		 "HEALTHCHECK --start-period=1s --retries=10 CMD [\"a\", \"b\"]\n"},
		{NOP " HEALTHCHECK &{[\"NONE\"] \"0s\" \"0s\" \"0s\" '\\x00'}",
		 "HEALTHCHECK NONE\n"},
		{"HEALTHCHECK &{[", "HEALTHCHECK NONE\n"},
		{"HEALTHCHECK &{[\"CMD\" \"\\", "HEALTHCHECK CMD [\"\\\\\"]\n"},
	};
	struct json *config;
	struct buf out;
	size_t i;

	if (!ok(json_parse(config_text, strlen(config_text), &config, NULL) == 0, "a config"))
		return test_done();
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		buf_init(&out, 4096);
		is_int(dockerfile_step(table[i].created_by, config, "/bin/sh -c", &out), 0,
		       "%zu is told", i);
		is_text(buf_text(&out), table[i].expected, "%zu", i);
		buf_release(&out);
	}
	buf_init(&out, 4096);
	is_int(dockerfile_step("RUN /bin/bash -c x", NULL, "/bin/bash -c", &out), 0,
	       "another shell");
	is_text(buf_text(&out), "RUN x\n", "is not part of what it ran");
	buf_release(&out);
	json_free(config);
	return test_done();
}
