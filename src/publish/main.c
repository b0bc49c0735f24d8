/* SPDX-License-Identifier: Apache-2.0 */
#include "publish/publish.h"

int main(int argc, char **argv)
{
	return pub_main(argc, argv);
}
