// doctest beside libtorch: c10's logging defines a CHECK of its own, which ends the process.
#ifndef TOOLFORMER_TESTS_CHECK_H_
#define TOOLFORMER_TESTS_CHECK_H_

#include <c10/util/Logging.h>
#undef CHECK

#include <doctest/doctest.h>

#endif  // TOOLFORMER_TESTS_CHECK_H_
