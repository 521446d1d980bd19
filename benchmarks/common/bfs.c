/* SPDX-License-Identifier: GPL-2.0-only */
/* Breadth-first search by hand, for VN <= 8 pages: the ceiling of the comparison. Keeps no traces. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "semantics.h"

#define EMPTY UINT64_MAX /* no state: an anon_vma's number never fills its byte */

typedef union {
	uint64_t key;
	cell pages[8];
} state;

static uint64_t *table, *order; /* a hash set, and its members in the order of discovery */
static size_t slots = 1 << 12, found, transitions;

static void *array(void *old, size_t length)
{
	void *memory = realloc(old, length * sizeof(uint64_t));

	if (!memory) {
		perror("bfs");
		exit(2);
	}
	return memory;
}

static inline size_t slot_of(uint64_t key)
{
	uint64_t hash = key * 0x9e3779b97f4a7c15;

	hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15;
	for (size_t slot = hash >> 32;; slot++) {
		slot &= slots - 1;
		if (table[slot] == EMPTY || table[slot] == key)
			return slot;
	}
}

/* Twice as many slots as states, at least. */
static void resize(size_t length)
{
	slots = length;
	order = array(order, slots / 2);
	table = array(table, slots);
	memset(table, 0xff, slots * sizeof(*table));
	for (size_t i = 0; i < found; i++)
		table[slot_of(order[i])] = order[i];
}

static inline void add(state s)
{
	size_t slot = slot_of(s.key);

	if (table[slot] == s.key)
		return;
	if (!inv(s.pages)) {
		puts("{\"violated\": \"INV\"}");
		exit(1);
	}
	table[slot] = order[found++] = s.key;
	if (found == slots / 2)
		resize(slots * 2);
}

#define STEP(operation, ...)                         \
	do {                                         \
		state to = from;                     \
		operation(to.pages, __VA_ARGS__);    \
		transitions++;                       \
		add(to);                             \
	} while (0)

static void expand(state from)
{
	for (int start = 0; start < VN; start++) {
		for (int end = start + 1; end <= VN; end++) {
			STEP(map, start, end, R);
			STEP(map, start, end, RW);
			if (can_unmap(from.pages, start, end))
				STEP(unmap, start, end);
			if (can_protect(from.pages, start, end)) {
				STEP(protect, start, end, R);
				STEP(protect, start, end, RW);
			}
		}
		if (can_fault(from.pages, start))
			STEP(fault, start);
	}
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

int main(void)
{
	double started = now();
	int depth = -1;

	resize(slots);
	add((state){ .key = 0 });
	for (size_t next = 0, level; next < found; depth++)
		for (level = found; next < level; next++)
			expand((state){ .key = order[next] });
	printf("{\"states\": %zu, \"transitions\": %zu, \"depth\": %d, \"search_seconds\": %.6f}\n", found, transitions,
	       depth, now() - started);
	return 0;
}
