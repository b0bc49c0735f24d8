/* SPDX-License-Identifier: Apache-2.0 */
/* tests/bench/trivial.c - does nothing: what exec itself costs */
int main(void)
{
	return 0;
}
