// DLPack as its specification has it, version 0 and 1: what capsules are, without the header of a package.
#ifndef TOOLFORMER_TESTS_CAPI_DLPACK_H_
#define TOOLFORMER_TESTS_CAPI_DLPACK_H_

#include <stdint.h>

typedef struct DLManagedTensor {
  struct {
    void *data;
    struct {
      int32_t type, id;
    } device;
    int32_t rank;
    struct {
      uint8_t code, bits;
      uint16_t lanes;
    } type;
    int64_t *shape, *strides;
    uint64_t byte_offset;
  } tensor;
  void *manager;
  void (*deleter)(struct DLManagedTensor *);
} DLManagedTensor;

#endif  // TOOLFORMER_TESTS_CAPI_DLPACK_H_
