/* SPDX-License-Identifier: Apache-2.0 */
/* The four idioms every file may use: a result that must be looked at, a foreign handle that ends with its scope, the
 * release functions such a scope calls, and the length of an array. */
#ifndef MUST_CHECK_H
#define MUST_CHECK_H

/* The compiler refuses a call whose result is dropped. gcc warns even at a cast to void, which is wanted. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* SCOPED(delete_json) cJSON *json = …; calls delete_json(&json) when json leaves its scope. Only for handles of foreign
 * libraries: our own memory lives in an arena. clang forbids goto past such a variable, so there is no goto. */
#define SCOPED(release) __attribute__((cleanup(release)))

/* Defines `static void name(type **handle)`, which calls release(*handle) unless it is NULL. */
#define RELEASE_WITH(name, type, release)                                                                              \
	static inline void name(type **handle)                                                                         \
	{                                                                                                              \
		if (*handle != NULL)                                                                                   \
			(void)release(*handle);                                                                        \
	}

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

#endif
