/*
 * server.c
 *		A server that costs as little as can be: the same reply to each GET,
 *		after the same delay, a token to each POST, and the calendar, of which
 *		Monday to Friday are open, at once.
 *
 *		server reply.json delay_us
 *
 * Prints its port and serves until its parent ends. One thread, keep-alive;
 * it reads what the measured programs send and no more of HTTP than that.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MOST_FDS		1024
#define REQUEST_SIZE	16384
#define SEOUL_OFFSET	(9 * 3600)
#define DAY				86400
#define CALENDAR_DAYS	24

typedef struct Connection
{
	unsigned	serial;			/* counts the connections that had this descriptor */
	size_t		len;
	char		request[REQUEST_SIZE];
} Connection;

/* A reply that waits for its time; all wait equally long, so the first is due first. */
typedef struct Delayed
{
	int64_t		due_us;
	int			fd;
	unsigned	serial;
} Delayed;

static Connection connections[MOST_FDS];
static Delayed delayed[MOST_FDS];
static unsigned first_delayed;
static unsigned last_delayed;
static int64_t delay_us;
static int	timer;				/* readable when the first is due */
static char *reply;
static size_t reply_len;
static char token_reply[2048];

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* The head and the body as one block. */
static size_t
make_reply(char *to, size_t size, const char *body)
{
	return snprintf(to, size,
					"HTTP/1.1 200 OK\r\n"
					"Content-Type: application/json; charset=utf-8\r\n"
					"tr_cont: \r\ngt_uid: 0\r\n"
					"Content-Length: %zu\r\n\r\n%s", strlen(body), body);
}

static void
read_reply(const char *name)
{
	FILE	   *file = fopen(name, "r");
	static char body[1 << 16];
	size_t		len;

	if (file == NULL)
		die(name);
	len = fread(body, 1, sizeof(body) - 1, file);
	body[len] = '\0';
	fclose(file);
	reply = malloc(len + 512);
	if (reply == NULL)
		die("malloc");
	reply_len = make_reply(reply, len + 512, body);
}

static void
make_token_reply(void)
{
	time_t		end = time(NULL) + SEOUL_OFFSET + DAY;
	char		end_text[32];
	char		token[321] = "eyJ0eXAiOiJKV1Qi";
	char		body[1024];

	for (size_t i = strlen(token); i < sizeof(token) - 1; i++)
		token[i] = 'A' + i % 26;
	strftime(end_text, sizeof(end_text), "%Y-%m-%d %H:%M:%S", gmtime(&end));
	snprintf(body, sizeof(body),
			 "{\"access_token\":\"%s\",\"access_token_token_expired\":\"%s\","
			 "\"token_type\":\"Bearer\",\"expires_in\":%d}", token, end_text, DAY);
	make_reply(token_reply, sizeof(token_reply), body);
}

/* The calendar's page that begins with the day which the request names. */
static size_t
make_calendar(char *to, size_t size, const char *request)
{
	const char *first = strstr(request, "BASS_DT=");
	struct tm	day = {0};
	char		body[8192];
	int			len;

	if (first == NULL || strptime(first + 8, "%Y%m%d", &day) == NULL)
		day.tm_mday = 1;
	len = snprintf(body, sizeof(body), "{\"output\":[");
	for (int i = 0; i < CALENDAR_DAYS; i++)
	{
		time_t		time = timegm(&day);
		char		date[9];
		char		open;

		gmtime_r(&time, &day);
		strftime(date, sizeof(date), "%Y%m%d", &day);
		open = day.tm_wday == 0 || day.tm_wday == 6 ? 'N' : 'Y';
		len += snprintf(body + len, sizeof(body) - len,
						"%s{\"bass_dt\":\"%s\",\"wday_dvsn_cd\":\"%02d\",\"bzdy_yn\":\"%c\","
						"\"tr_day_yn\":\"Y\",\"opnd_yn\":\"%c\",\"sttl_day_yn\":\"%c\"}",
						i > 0 ? "," : "", date, day.tm_wday + 1, open, open, open);
		day.tm_mday++;
	}
	snprintf(body + len, sizeof(body) - len,
			 "],\"rt_cd\":\"0\",\"msg_cd\":\"KIOK0500\",\"msg1\":\"\"}");
	return make_reply(to, size, body);
}

/* Replies are small: they fit into the socket's buffer. */
static void
answer(int fd, const char *data, size_t len)
{
	if (send(fd, data, len, MSG_NOSIGNAL) != (ssize_t) len)
		shutdown(fd, SHUT_RDWR);
}

/* Sends what is due, and sets the timer for the next. */
static void
serve_delayed(void)
{
	struct itimerspec when = {0};

	while (first_delayed != last_delayed)
	{
		Delayed    *next = &delayed[first_delayed % MOST_FDS];

		if (next->due_us > now_us())
		{
			when.it_value.tv_sec = next->due_us / 1000000;
			when.it_value.tv_nsec = next->due_us % 1000000 * 1000;
			break;
		}
		if (connections[next->fd].serial == next->serial)
			answer(next->fd, reply, reply_len);
		first_delayed++;
	}
	timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void
answer_later(int fd)
{
	delayed[last_delayed % MOST_FDS] = (Delayed) {
		now_us() + delay_us, fd, connections[fd].serial
	};
	if (last_delayed++ == first_delayed)
		serve_delayed();
}

static size_t
body_length(const char *head)
{
	const char *field = strcasestr(head, "\r\ncontent-length:");

	return field != NULL ? strtoul(field + 17, NULL, 10) : 0;
}

static void
serve(int fd)
{
	Connection *connection = &connections[fd];
	ssize_t		got = recv(fd, connection->request + connection->len,
						   REQUEST_SIZE - 1 - connection->len, 0);
	char	   *end;

	if (got <= 0)
	{
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		connection->serial++;
		close(fd);
		return;
	}
	connection->len += got;
	connection->request[connection->len] = '\0';
	end = strstr(connection->request, "\r\n\r\n");
	if (end == NULL ||
		connection->len < end + 4 - connection->request + body_length(connection->request))
		return;
	connection->len = 0;
	if (strncmp(connection->request, "POST ", 5) == 0)
		answer(fd, token_reply, strlen(token_reply));
	else if (strstr(connection->request, "/chk-holiday?") != NULL)
	{
		char		calendar[10240];

		answer(fd, calendar, make_calendar(calendar, sizeof(calendar), connection->request));
	}
	else if (delay_us > 0)
		answer_later(fd);
	else
		answer(fd, reply, reply_len);
}

static void
watch(int epoll, int fd)
{
	struct epoll_event event = {.events = EPOLLIN,.data.fd = fd};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

static void
take_connection(int listener, int epoll)
{
	int			on = 1;
	int			fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (fd >= MOST_FDS)
	{
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	connections[fd].len = 0;
	watch(epoll, fd);
}

static int
listen_anywhere(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t	len = sizeof(address);
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *) &address, len) < 0 || listen(fd, 128) < 0 ||
		getsockname(fd, (struct sockaddr *) &address, &len) < 0)
		die("listen");
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

int
main(int argc, char **argv)
{
	int			epoll = epoll_create1(EPOLL_CLOEXEC);
	int			listener;

	if (argc != 3)
	{
		fprintf(stderr, "usage: server reply.json delay_us\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	read_reply(argv[1]);
	make_token_reply();
	delay_us = atol(argv[2]);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	listener = listen_anywhere();
	if (epoll < 0 || timer < 0)
		die("epoll or timer");
	watch(epoll, listener);
	watch(epoll, timer);
	for (;;)
	{
		struct epoll_event events[64];
		int			n = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < n; i++)
		{
			if (events[i].data.fd == listener)
				take_connection(listener, epoll);
			else if (events[i].data.fd == timer)
				serve_delayed();
			else
				serve(events[i].data.fd);
		}
	}
}
