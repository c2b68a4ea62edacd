// Marks what the shared library exports; everything else is hidden.
#ifndef TOOLFORMER_EXPORT_H_
#define TOOLFORMER_EXPORT_H_

#define TOOLFORMER_API __attribute__((visibility("default")))

#endif  // TOOLFORMER_EXPORT_H_
