/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bets on a rate. The mixture over a Beta density has a closed form: a ratio
 * of beta functions, cut off at q by the tail of a beta distribution. All in
 * logs: tails of 1e-300 are ordinary here.
 */
#include <math.h>

#include "content/health.h"

#define TINY 1e-300
#define ROUNDS 20000

static double log_gamma(double x)
{
	int sign;

	return lgamma_r(x, &sign);
}

static double log_beta(double a, double b)
{
	return log_gamma(a) + log_gamma(b) - log_gamma(a + b);
}

static double not_zero(double x)
{
	return fabs(x) < TINY ? TINY : x;
}

/* The continued fraction of the incomplete beta function (DLMF 8.17.22), by
 * Lentz' method. Converges fast for x < (a + 1) / (a + b + 2). */
static double fraction(double a, double b, double x)
{
	double c = 1.0;
	double d = 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0));
	double sum = d;

	for (int m = 1; m < ROUNDS; m++) {
		double even = m * (b - m) * x /
			      ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
		double odd = -(a + m) * (a + b + m) * x /
			     ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
		double step;

		d = 1.0 / not_zero(1.0 + even * d);
		c = not_zero(1.0 + even / c);
		sum *= d * c;
		d = 1.0 / not_zero(1.0 + odd * d);
		c = not_zero(1.0 + odd / c);
		step = d * c;
		sum *= step;
		if (fabs(step - 1.0) < 1e-14) {
			break;
		}
	}
	return sum;
}

/* Log of the chance that a Beta(a, b) variable is over q. */
static double log_tail(double a, double b, double q)
{
	double front = a * log(q) + b * log1p(-q) - log_beta(a, b);

	if (q < (a + 1.0) / (a + b + 2.0)) {
		double below = exp(front) * fraction(a, b, q) / a;

		return below < 1.0 ? log1p(-below) : log(TINY);
	}
	return front + log(fraction(b, a, 1.0 - q) / b);
}

double health_won(uint64_t k, uint64_t n, double q)
{
	double good, bad = (double)k;

	if (!n || k > n || !(q > 0.0 && q < 1.0)) {
		return 0.0;
	}
	good = (double)(n - k);
	return log_beta(bad + 0.5, good + 0.5) +
	       log_tail(bad + 0.5, good + 0.5, q) - log_beta(0.5, 0.5) -
	       log_tail(0.5, 0.5, q) - bad * log(q) - good * log1p(-q);
}

double health_upper(uint64_t k, uint64_t n, double a)
{
	double low, high = 1.0, need = -log(a);

	if (!n || k >= n) {
		return 1.0;
	}
	low = (double)k / (double)n;
	for (int i = 0; i < 60; i++) {
		double q = (low + high) / 2.0;

		if (health_won(n - k, n, 1.0 - q) >= need) {
			high = q;
		} else {
			low = q;
		}
	}
	return high;
}
