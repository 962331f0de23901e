// attributes.h - what the compilers can check for us, under one spelling.
#ifndef FLOW_BASE_ATTRIBUTES_H
#define FLOW_BASE_ATTRIBUTES_H

#if defined(__GNUC__)
#define MUST_CHECK            __attribute__((warn_unused_result))
#define FORMAT_LIKE(at, args) __attribute__((format(printf, at, args)))
#define NO_RETURN             __attribute__((noreturn))
#else
#define MUST_CHECK
#define FORMAT_LIKE(at, args)
#define NO_RETURN
#endif

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#endif
