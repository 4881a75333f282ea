/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/screen.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static bool is_screen, is_raw;
static volatile sig_atomic_t is_ended;
static char *picture_text;
static size_t picture_bytes;

static void on_end(int sig)
{
	(void)sig;
	is_ended = 1;
}

bool screen_open(void)
{
	const struct sigaction end = {.sa_handler = on_end};
	struct termios raw;

	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGHUP, &end, NULL);
	is_screen = isatty(STDOUT_FILENO) == 1;
	if (isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &before) == 0) {
		raw = before;
		raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
		is_raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
	}
	if (is_screen)
		fputs("\033[?1049h\033[?25l", stdout);
	return is_screen;
}

void screen_close(void)
{
	if (is_screen)
		fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	is_screen = is_raw = false;
	free(picture_text);
	picture_text = NULL;
}

FILE *screen_begin(void)
{
	free(picture_text);
	picture_text = NULL;
	return open_memstream(&picture_text, &picture_bytes);
}

static void window_size(unsigned *ret_rows, unsigned *ret_columns)
{
	struct winsize w = {.ws_row = 0};

	*ret_rows = 24;
	*ret_columns = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_row == 0 || w.ws_col == 0)
		return;
	*ret_rows = w.ws_row;
	*ret_columns = w.ws_col;
}

/* Bytes of the line that fill `columns`: a character of UTF-8 takes one. */
static size_t fitting(const char *line, size_t n, unsigned columns)
{
	size_t i = 0;

	for (unsigned used = 0; i < n; i++) {
		if (((unsigned char)line[i] & 0xc0) == 0x80)
			continue;
		if (used++ == columns)
			break;
	}
	return i;
}

void screen_paint(FILE *picture)
{
	unsigned rows, columns, row = 1;
	const char *line;

	fclose(picture);
	if (picture_text == NULL)
		return;
	if (!is_screen) {
		fputs(picture_text, stdout);
		fflush(stdout);
		return;
	}
	window_size(&rows, &columns);
	fputs("\033[H", stdout);
	for (line = picture_text; *line != '\0' && row <= rows; row++) {
		size_t n = strcspn(line, "\n");

		fwrite(line, 1, fitting(line, n, columns), stdout);
		fputs(row < rows ? "\033[K\n" : "\033[K", stdout);
		line += line[n] == '\n' ? n + 1 : n;
	}
	fputs("\033[J", stdout);
	fflush(stdout);
}

int screen_key(int wait_ms)
{
	struct pollfd p = {.fd = is_raw ? STDIN_FILENO : -1, .events = POLLIN};
	char c = 0;

	if (is_ended)
		return 'q';
	if (poll(&p, 1, wait_ms) <= 0)
		return is_ended ? 'q' : 0;
	return read(STDIN_FILENO, &c, 1) == 1 ? c : 'q';
}
