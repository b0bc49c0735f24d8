/* SPDX-License-Identifier: Apache-2.0 */
/* tests/lib/hostile_payload.c - a program that says, by its exit code, which
 * of two contents of its file runs; see hostile_product.c */
static volatile char payload[] = "PAYLOAD=GOOD";

int main(void)
{
	return payload[8] == 'G' ? 11 : 66;
}
