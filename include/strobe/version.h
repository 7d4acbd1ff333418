/* SPDX-License-Identifier: MIT
 * The version of strobe these headers belong to; Meson checks that it is the project's. */
#ifndef STROBE_VERSION_H
#define STROBE_VERSION_H

#define STROBE_VERSION_MAJOR 0
#define STROBE_VERSION_MINOR 1
#define STROBE_VERSION_PATCH 0
#define STROBE_VERSION "0.1.0"

#endif
