// SPDX-License-Identifier: GPL-2.0
/*
 * A program whose own functions and variables are named as the library's parts
 * are, and which is linked with the static library.
 *
 *	own_names
 */
#include <stdio.h>

#include <rvm/rvm.h>

int rvm = 1;
int os = 2;
long commit(long n);
long enter(long n);
long log_open(long n);
long log_append(long n);
long truncate_log(long n);

long commit(long n)
{
	return n + 1;
}

long enter(long n)
{
	return commit(n) + 1;
}

long log_open(long n)
{
	return enter(n) + 1;
}

long log_append(long n)
{
	return log_open(n) + 1;
}

long truncate_log(long n)
{
	return log_append(n) + 1;
}

int main(void)
{
	rvm_tid_t tid;

	rvm_init_tid(&tid);
	printf("%s ", rvm_return(rvm_begin_transaction(&tid, restore)));
	printf("%s ", rvm_return(RVM_INIT(NULL)));
	printf("%s %ld\n", rvm_return(rvm_terminate()), truncate_log(rvm + os));
	return 0;
}
