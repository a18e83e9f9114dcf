// SPDX-License-Identifier: GPL-2.0
/* A subject in a process of its own that takes samples when it is told to. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "scratch.h"
#include "worker.h"

static void put(int fd, const void *bytes, size_t length)
{
	if (write(fd, bytes, length) != (ssize_t)length)
		die("a pipe", strerror(errno));
}

static void work(struct worker *worker, const struct workload *workload, int orders, int results,
		 bool tell)
{
	struct subject *subject = worker->subject;
	struct sample sample;
	unsigned int ms;

	subject_open(subject, worker->dir, workload, tell);
	put(results, &subject->here, sizeof(subject->here));
	if (!subject->here)
		return;
	sample_warm_up(subject, workload);
	put(results, &subject->here, sizeof(subject->here));
	while (read(orders, &ms, sizeof(ms)) == sizeof(ms) && ms) {
		sample = sample_take(subject, workload, ms);
		put(results, &sample, sizeof(sample));
	}
	sample_verify(subject, workload);
	subject_close(subject, workload);
}

static void get(struct worker *worker, void *bytes, size_t length)
{
	if (read(worker->results, bytes, length) != (ssize_t)length)
		die(worker->subject->name, "its process failed");
}

void worker_start(struct worker *worker, const struct workload *workload, const char *dir,
		  size_t log, bool tell)
{
	int orders[2], results[2];

	scratch_make(dir, worker->dir);
	if (pipe2(orders, O_CLOEXEC) || pipe2(results, O_CLOEXEC))
		die("pipe", strerror(errno));
	fflush(NULL);
	worker->pid = fork();
	if (!worker->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (worker->subject->flag)
			subjects_open(worker->dir, log);
		work(worker, workload, orders[0], results[1], tell);
		if (worker->subject->flag)
			subjects_close();
		exit(0);
	}
	close(orders[0]);
	close(results[1]);
	worker->orders = orders[1];
	worker->results = results[0];
	get(worker, &worker->here, sizeof(worker->here));
	if (worker->here)
		get(worker, &worker->here, sizeof(worker->here));
}

struct sample worker_sample(struct worker *worker, unsigned int ms)
{
	struct sample sample;

	put(worker->orders, &ms, sizeof(ms));
	get(worker, &sample, sizeof(sample));
	return sample;
}

void worker_stop(struct worker *worker)
{
	unsigned int none = 0;
	int status = 1;

	if (worker->here)
		put(worker->orders, &none, sizeof(none));
	waitpid(worker->pid, &status, 0);
	close(worker->orders);
	close(worker->results);
	scratch_remove(worker->dir);
	if (status)
		die(worker->subject->name, "its process failed");
}
