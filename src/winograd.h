/* SPDX-License-Identifier: MIT
 *
 * The minimal algorithms F(m, r) along one axis: m outputs of a correlation with r taps from n = m + r - 1 products,
 *
 *     y_i = sum over k < r of w_k * x_(i+k)        y = At [ (G w) . (Bt x) ]
 *
 * Each is evaluation of two polynomials at n points, one of them at infinity, products there, interpolation. The points
 * decide the rounding error: small integers grow it several times over one chain of fused multiply-adds, these do not.
 *
 *     F(2,3), F(3,2)   0, 1, -1, infinity
 *     F(4,3)           0, +-a, +-b, infinity    a = sqrt(1/2), b = sqrt(2): a*b = 1, so that powers stay near 1
 *     F(4,2)           +-a, +-b, infinity       a = 1/2, b = 3/2: without 0, whose row would be the largest
 *
 * Bt of a point p is the product of (x - q) over the other finite points q, At its powers, G those powers over that product's
 * value at p. docs/transposed-convolution.md derives them; tests hold the identity y = At[(Gw).(Bt x)] in double.
 */
#ifndef UPS_WINOGRAD_H
#define UPS_WINOGRAD_H

enum { UPS_MINIMAL_MOST = 6, UPS_MINIMAL_OUTPUTS = 4 }; /* points and outputs of a form, at most */

struct ups_minimal {
    int m, r, n;
    float bt[6][6], at[4][6];
    double g[6][3];
};

/* sqrt(1/2) and sqrt(2); rounded once, where they become float. */
#define UPS_A 0.70710678118654752440
#define UPS_B 1.41421356237309504880
#define UPS_AF 0.70710678118654752440f
#define UPS_BF 1.41421356237309504880f
#define UPS_A3F 0.35355339059327376220f /* a^3 = a/2 */
#define UPS_B3F 2.82842712474619009760f /* b^3 = 2b */

enum ups_minimal_form { UPS_F_1_1, UPS_F_2_3, UPS_F_4_3, UPS_F_3_2, UPS_F_4_2, UPS_MINIMAL_FORMS };

static const struct ups_minimal ups_minimal[UPS_MINIMAL_FORMS] = {
    /* clang-format off */
    [UPS_F_1_1] = {1, 1, 1, {{1}}, {{1}}, {{1}}},
    [UPS_F_2_3] = {2, 3, 4,
        {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, -1, 0, 1}},
        {{1, 1, 1, 0}, {0, 1, -1, 1}},
        {{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}}},
    [UPS_F_4_3] = {4, 3, 6,
        {{1, 0, -2.5f, 0, 1, 0},
         {0, -UPS_BF, -2, UPS_AF, 1, 0}, {0, UPS_BF, -2, -UPS_AF, 1, 0},
         {0, -UPS_AF, -.5f, UPS_BF, 1, 0}, {0, UPS_AF, -.5f, -UPS_BF, 1, 0},
         {0, 1, 0, -2.5f, 0, 1}},
        {{1, 1, 1, 1, 1, 0}, {0, UPS_AF, -UPS_AF, UPS_BF, -UPS_BF, 0}, {0, .5f, .5f, 2, 2, 0},
         {0, UPS_A3F, -UPS_A3F, UPS_B3F, -UPS_B3F, 1}},
        {{1, 0, 0},
         {-1 / 1.5, -UPS_A / 1.5, -.5 / 1.5}, {-1 / 1.5, UPS_A / 1.5, -.5 / 1.5},
         {1 / 6., UPS_B / 6, 2 / 6.}, {1 / 6., -UPS_B / 6, 2 / 6.},
         {0, 0, 1}}},
    [UPS_F_3_2] = {3, 2, 4,
        {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, -1, 0, 1}},
        {{1, 1, 1, 0}, {0, 1, -1, 0}, {0, 1, 1, 1}},
        {{1, 0}, {.5, .5}, {.5, -.5}, {0, 1}}},
    [UPS_F_4_2] = {4, 2, 5,
        {{-1.125f, -2.25f, .5f, 1, 0}, {1.125f, -2.25f, -.5f, 1, 0},
         {-.375f, -.25f, 1.5f, 1, 0}, {.375f, -.25f, -1.5f, 1, 0},
         {.5625f, 0, -2.5f, 0, 1}},
        {{1, 1, 1, 1, 0}, {.5f, -.5f, 1.5f, -1.5f, 0}, {.25f, .25f, 2.25f, 2.25f, 0},
         {.125f, -.125f, 3.375f, -3.375f, 1}},
        {{-.5, -.25}, {.5, -.25}, {1 / 6., .25}, {-1 / 6., .25}, {0, 1}}},
    /* clang-format on */
};

#endif
