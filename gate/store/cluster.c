/* SPDX-License-Identifier: Apache-2.0 */
/* Finding PostgreSQL's programs, running them as the right user, and making the cluster. */
#include "cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/log.h"

/* A passwd entry with its strings; sysconf suggests 1024. */
#define PASSWD_BYTES_MAX 4096

#define INSTALL_HINT "Install it (apt install postgresql), or name a server in GATEHOUSE_PG_CONNECTION_URL."

/* --- user and programs -------------------------------------------------------------------------------------------- */

bool cluster_find_user(struct cluster *cluster, struct problem *problem)
{
	cluster->uid = geteuid();
	cluster->gid = getegid();
	cluster->switches_user = cluster->uid == 0;
	if (!cluster->switches_user)
		return true;
	struct passwd entry;
	struct passwd *found = NULL;
	char strings[PASSWD_BYTES_MAX];
	if (getpwnam_r("postgres", &entry, strings, sizeof(strings), &found) != 0 || found == NULL) {
		problem_set(problem, PROBLEM_VALIDATION_FAILED,
			"PostgreSQL does not run as root, and there is no user postgres to run it as.");
		return problem_detail(problem, INSTALL_HINT);
	}
	cluster->uid = entry.pw_uid;
	cluster->gid = entry.pw_gid;
	return true;
}

static bool has_programs(struct arena *arena, const char *folder)
{
	return access(arena_printf(arena, "%s/postgres", folder), X_OK) == 0 &&
	       access(arena_printf(arena, "%s/initdb", folder), X_OK) == 0;
}

static const char *find_in_path(struct arena *arena)
{
	/* At start, before other threads read the environment. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	const char *path = getenv("PATH");
	while (path != NULL && *path != '\0') {
		size_t size = strcspn(path, ":");
		const char *folder = arena_copy_bytes(arena, path, size);
		if (*folder == '/' && has_programs(arena, folder))
			return folder;
		path += size + (path[size] == ':');
	}
	return NULL;
}

/* Debian keeps each major version's programs in a folder of its own, outside PATH. */
static const char *find_newest(struct arena *arena)
{
	const char *newest = NULL;
	long newest_major = 0;
	glob_t found;
	/* At start, in one thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0)
		return NULL;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		long major = strtol(found.gl_pathv[i] + strlen("/usr/lib/postgresql/"), NULL, 10);
		if (major > newest_major && has_programs(arena, found.gl_pathv[i])) {
			newest_major = major;
			newest = arena_copy(arena, found.gl_pathv[i]);
		}
	}
	globfree(&found);
	return newest;
}

/* The major version of the cluster that is there, 0 where there is none. */
static long cluster_major(const struct cluster *cluster)
{
	char text[16] = "";
	int fd = open(arena_printf(cluster->arena, "%s/PG_VERSION", cluster->data_dir), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t size = read(fd, text, sizeof(text) - 1);
	close(fd);
	return size > 0 ? strtol(text, NULL, 10) : 0;
}

bool cluster_find_programs(struct cluster *cluster, struct problem *problem)
{
	long major = cluster_major(cluster);
	if (major > 0) {
		cluster->programs = arena_printf(cluster->arena, "/usr/lib/postgresql/%ld/bin", major);
		if (has_programs(cluster->arena, cluster->programs))
			return true;
	}
	cluster->programs = find_in_path(cluster->arena);
	if (cluster->programs == NULL && major == 0)
		cluster->programs = find_newest(cluster->arena);
	if (cluster->programs != NULL)
		return true;
	if (major == 0) {
		problem_set(problem, PROBLEM_VALIDATION_FAILED,
			"The embedded database needs PostgreSQL, which is not installed.");
		return problem_detail(problem, INSTALL_HINT);
	}
	problem_set(problem, PROBLEM_VALIDATION_FAILED,
		"The cluster in %.120s was made by PostgreSQL %ld, which is not "
		"installed.",
		cluster->data_dir, major);
	return problem_detail(problem, "Install postgresql-%ld, or move the data to a newer one with pg_dump.", major);
}

/* --- processes ---------------------------------------------------------------------------------------------------- */

struct launch {
	const struct cluster *cluster;
	const char *const *arguments;
	pid_t parent;
	int death_signal;
	int log;
	int nothing; /* /dev/null */
};

static char *const child_environment[] = {
	(char[]){"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
	(char[]){"LC_ALL=C"},
	(char[]){"TZ=UTC"},
	NULL,
};

/* The bare system calls: glibc's functions of these names ask all threads to follow, and there are none here. */
static bool become_user(const struct cluster *cluster)
{
	return !cluster->switches_user ||
	       (syscall(SYS_setgroups, 0, NULL) == 0 &&
		       syscall(SYS_setresgid, cluster->gid, cluster->gid, cluster->gid) == 0 &&
		       syscall(SYS_setresuid, cluster->uid, cluster->uid, cluster->uid) == 0);
}

/* In the child, where only async-signal-safe calls are allowed: other threads' locks may be held for ever. The death
 * signal is asked for after the change of user, because the kernel forgets it then; a parent that died before is seen
 * by its number. */
static void run_child(const struct launch *launch)
{
	(void)setsid();
	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_DFL);
	sigset_t none;
	sigemptyset(&none);
	/* In the child, which has one thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(launch->nothing, 0) < 0 || dup2(launch->log, 1) < 0 || dup2(launch->log, 2) < 0)
		_exit(126);
	(void)syscall(SYS_close_range, 3U, ~0U, 0U);
	(void)umask(077);
	if (!become_user(launch->cluster) || chdir("/") != 0)
		_exit(126);
	if (prctl(PR_SET_PDEATHSIG, (unsigned long)launch->death_signal, 0UL, 0UL, 0UL) != 0 ||
		getppid() != launch->parent)
		_exit(126);
	char *arguments[64];
	size_t count = 0;
	while (launch->arguments[count] != NULL && count < COUNT_OF(arguments) - 1) {
		memcpy(&arguments[count], &launch->arguments[count], sizeof(arguments[count]));
		count++;
	}
	arguments[count] = NULL;
	(void)execve(arguments[0], arguments, child_environment);
	_exit(127);
}

pid_t cluster_spawn(const struct cluster *cluster, const char *const *arguments, int death_signal)
{
	struct launch launch = {
		.cluster = cluster,
		.arguments = arguments,
		.parent = getpid(),
		.death_signal = death_signal,
		.log = cluster_open_log(cluster),
		.nothing = open("/dev/null", O_RDONLY | O_CLOEXEC),
	};
	pid_t pid = -1;
	if (launch.log >= 0 && launch.nothing >= 0)
		pid = fork();
	if (pid == 0)
		run_child(&launch);
	if (launch.log >= 0)
		close(launch.log);
	if (launch.nothing >= 0)
		close(launch.nothing);
	return pid;
}

/* --- making the cluster ------------------------------------------------------------------------------------------- */

static bool refuse_init(const struct cluster *cluster, const char *why, struct problem *problem)
{
	problem_set(problem, PROBLEM_INTERNAL, "The embedded PostgreSQL cluster cannot be made: %.160s", why);
	return problem_detail(problem, "The whole story is in %s.", cluster->log_path);
}

static bool run_initdb(const struct cluster *cluster, const char *folder)
{
	const char *program = arena_printf(cluster->arena, "%s/initdb", cluster->programs);
	const char *const arguments[] = {program, "-D", folder, "-U", "gatehouse", "-A", "trust", "-E", "UTF8",
		"--no-locale", "--no-instructions", NULL};
	pid_t pid = cluster_spawn(cluster, arguments, SIGKILL);
	int status = 0;
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool synced = fsync(fd) == 0;
	return close(fd) == 0 && synced;
}

/* Takes away what interrupted attempts have left. */
static void sweep(const struct cluster *cluster)
{
	glob_t old;
	/* At start, in one thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	if (glob(arena_printf(cluster->arena, "%s/postgres.new-*", cluster->state_dir), 0, NULL, &old) != 0)
		return;
	for (size_t i = 0; i < old.gl_pathc; i++)
		(void)cluster_remove_tree(old.gl_pathv[i]);
	globfree(&old);
}

/* Made beside its place and renamed when it is whole (initdb has synced it by then), so that what stands in its place
 * is never half a cluster. The name is new each time: the initdb of a killed parent takes a moment to die, and what it
 * still writes is swept away when ours is done. */
bool cluster_init(struct cluster *cluster, struct problem *problem)
{
	sweep(cluster);
	if (access(cluster->data_dir, F_OK) == 0)
		return true;
	char *folder = arena_printf(cluster->arena, "%s/postgres.new-XXXXXX", cluster->state_dir);
	if (mkdtemp(folder) == NULL || !cluster_make_folder(cluster, folder))
		return refuse_init(cluster, strerrordesc_np(errno), problem);
	log_event(LOG_INFO, "making the embedded PostgreSQL cluster", log_string("folder", cluster->data_dir));
	if (!run_initdb(cluster, folder)) {
		(void)cluster_remove_tree(folder);
		return refuse_init(cluster, cluster_last_complaint(cluster, cluster->arena), problem);
	}
	if (rename(folder, cluster->data_dir) != 0 || !sync_folder(cluster->state_dir))
		return refuse_init(cluster, strerrordesc_np(errno), problem);
	sweep(cluster);
	return true;
}

/* Everything the environment could say otherwise (PGHOSTADDR, PGSSLMODE, …) is said here. */
struct secret cluster_url(const struct cluster *cluster, struct arena *arena)
{
	const char *text = arena_printf(arena,
		"host='%s' hostaddr='' port=5432 user=gatehouse dbname=postgres sslmode=disable gssencmode=disable",
		cluster->socket_dir);
	return (struct secret){text, strlen(text)};
}
