/* SPDX-License-Identifier: MIT
 *
 * Pixel shuffle and unshuffle.
 */
#include "error.h"
#include "plan.h"

static int32_t plan_shuffle(ups_plan *plan)
{
    return ups_error(UPS_UNSUPPORTED, "%s is not built yet", ups_op_word(plan->op->desc.head.op));
}

const struct ups_family ups_shuffle_family = {NULL, NULL, plan_shuffle, NULL, NULL};
