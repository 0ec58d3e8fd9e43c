/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_TOKEN_FAMILIES_H
#define STORE_TOKEN_FAMILIES_H
#endif
