// SPDX-License-Identifier: MIT
#include "use.c" // the same program as C++
