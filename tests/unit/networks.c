/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of networks: what is lawful, and who is in them. */
#include "../../gate/base/networks.h"

#include "unit.h"

static void lists_are_lawful_or_not(void **state)
{
	static const char *const good[] = {"", "127.0.0.1", "10.0.0.0/8", "127.0.0.1,10.0.0.0/8,0.0.0.0/0"};
	static const char *const bad[] = {"localhost", "10.0.0/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/a", ",",
		"127.0.0.1,", "127.0.0.1 ", "::1", "127.0.0.1,,10.0.0.1", "10.0.0.0/008"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		assert_true(networks_are_lawful(good[i]));
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_false(networks_are_lawful(bad[i]));
}

static void addresses_are_in_them_or_not(void **state)
{
	static const struct {
		const char *list;
		const char *address;
		bool holds;
	} rows[] = {
		{"", "127.0.0.1", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.2", false},
		{"10.0.0.0/8", "10.255.255.255", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"10.1.2.3/8", "10.9.9.9", true},
		{"192.168.0.0/30,10.0.0.1", "192.168.0.3", true},
		{"192.168.0.0/30,10.0.0.1", "192.168.0.4", false},
		{"192.168.0.0/30,10.0.0.1", "10.0.0.1", true},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"0.0.0.0/0", "no address", false},
		{"0.0.0.0/0", "", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(networks_hold(rows[i].list, rows[i].address), rows[i].holds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_lawful_or_not),
		cmocka_unit_test(addresses_are_in_them_or_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
