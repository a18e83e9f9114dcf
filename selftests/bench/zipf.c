// SPDX-License-Identifier: GPL-2.0
/* Numbers by Zipf's law. */
#include <math.h>

#include "random.h"
#include "zipf.h"

#define EXPONENT	0.99
#define SCATTER		2654435761U	/* odd, so that each number goes to one place */

static uint32_t draws[ZIPF_DRAWS];

void zipf_open(unsigned int count)
{
	double all = 0, below = 0;
	unsigned int rank, draw = 0;

	for (rank = 1; rank <= count; rank++)
		all += pow(rank, -EXPONENT);
	for (rank = 1; rank <= count; rank++) {
		below += pow(rank, -EXPONENT);
		while (draw < ZIPF_DRAWS && (draw + 0.5) / ZIPF_DRAWS * all < below)
			draws[draw++] = (rank - 1) * SCATTER % count;
	}
	while (draw < ZIPF_DRAWS)
		draws[draw++] = 0;
}

uint32_t zipf_next(uint64_t *random)
{
	return draws[random_next(random) % ZIPF_DRAWS];
}
