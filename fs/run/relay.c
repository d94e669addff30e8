/* SPDX-License-Identifier: MIT */
#include "fs/run/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define END_OF_FILE 4 /* Ctrl-D */

void relay_init(struct relay *r, bool reads_input)
{
	memset(r, 0, sizeof(*r));
	r->master = -1;
	r->in.has_ended = !reads_input;
	r->in.last = '\n';
}

void relay_attach(struct relay *r, int master)
{
	r->master = master;
	fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
	relay_resume(r);
	relay_resize(r);
}

void relay_close(struct relay *r)
{
	relay_suspend(r);
	if (r->master >= 0)
		close(r->master);
	r->master = -1;
}

void relay_suspend(struct relay *r)
{
	if (r->is_raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &r->saved);
	r->is_raw = false;
}

void relay_resume(struct relay *r)
{
	struct termios raw;

	if (r->master < 0 || r->in.has_ended || tcgetattr(STDIN_FILENO, &r->saved) < 0)
		return;
	raw = r->saved;
	cfmakeraw(&raw);
	r->is_raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

void relay_resize(const struct relay *r)
{
	struct winsize size;

	if (r->master >= 0 && (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 ||
			       ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0))
		(void)ioctl(r->master, TIOCSWINSZ, &size);
}

void relay_fill(const struct relay *r, struct pollfd *fds)
{
	bool is_on = r->master >= 0;
	short events = (short)((r->out.len == 0 ? POLLIN : 0) |
			       (r->in.len > 0 ? POLLOUT : 0));

	fds[0] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
	fds[1] = (struct pollfd){r->master, events, 0};
	fds[2] = (struct pollfd){STDOUT_FILENO, POLLOUT, 0};
	if (!is_on || r->in.has_ended || r->in.len > 0)
		fds[0].fd = -1;
	if (!is_on || r->out.has_ended || events == 0)
		fds[1].fd = -1;
	if (!is_on || r->out.len == 0)
		fds[2].fd = -1;
}

static void take(struct pump *p, int fd)
{
	ssize_t n = read(fd, p->data, sizeof(p->data));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	p->at = 0;
	p->len = n > 0 ? (size_t)n : 0;
	p->has_ended = n <= 0;
	if (n > 0)
		p->last = p->data[n - 1];
}

static void give(struct pump *p, int fd)
{
	ssize_t n = write(fd, p->data + p->at, p->len);

	if (n > 0) {
		p->at += (size_t)n;
		p->len -= (size_t)n;
	} else if (errno != EINTR && errno != EAGAIN) {
		p->len = 0;
	}
}

/* A terminal has no end of its own: a line that is not complete takes two. */
static void end_input(struct pump *p)
{
	p->data[0] = p->data[1] = END_OF_FILE;
	p->at = 0;
	p->len = p->last == '\n' ? 1 : 2;
}

void relay_move(struct relay *r, const struct pollfd *fds)
{
	if (fds[0].fd >= 0 && fds[0].revents) {
		take(&r->in, STDIN_FILENO);
		if (r->in.has_ended)
			end_input(&r->in);
	}
	if (fds[1].fd >= 0 && fds[1].revents & POLLOUT)
		give(&r->in, r->master);
	if (fds[1].fd >= 0 && fds[1].events & POLLIN &&
	    fds[1].revents & (POLLIN | POLLHUP))
		take(&r->out, r->master);
	if (fds[2].fd >= 0 && fds[2].revents)
		give(&r->out, STDOUT_FILENO);
}

bool relay_is_done(const struct relay *r)
{
	return r->master < 0 || (r->out.has_ended && r->out.len == 0);
}
