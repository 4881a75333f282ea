dnl SPDX-License-Identifier: Apache-2.0
dnl The switches, warnings, hardening, packages and summary of ./configure.

AC_DEFUN([SLUICE_SWITCH], [
  AC_ARG_ENABLE([$1], [AS_HELP_STRING([--enable-$1], [$2])], [], [enable_$1=no])
])

AC_DEFUN([SLUICE_SWITCHES], [
  SLUICE_SWITCH([asan], [build with AddressSanitizer and LeakSanitizer])
  SLUICE_SWITCH([ubsan], [build with UndefinedBehaviorSanitizer])
  SLUICE_SWITCH([tsan], [build with ThreadSanitizer])
  SLUICE_SWITCH([fuzz], [build the libFuzzer targets (needs CC=clang)])
  SLUICE_SWITCH([coverage], [build for gcov])
  SLUICE_SWITCH([werror], [make warnings errors])
  AC_ARG_WITH([bpf], [AS_HELP_STRING([--without-bpf], [build without any eBPF program])], [], [with_bpf=yes])
  AS_IF([test "x$enable_asan" = xyes && test "x$enable_tsan" = xyes],
    [AC_MSG_ERROR([--enable-asan and --enable-tsan exclude each other])])
  sl_san=
  AS_IF([test "x$enable_asan" = xyes], [sl_san="$sl_san -fsanitize=address"])
  AS_IF([test "x$enable_ubsan" = xyes], [sl_san="$sl_san -fsanitize=undefined -fno-sanitize-recover=all"])
  AS_IF([test "x$enable_tsan" = xyes], [sl_san="$sl_san -fsanitize=thread"])
  AS_IF([test "x$enable_fuzz" = xyes], [sl_san="$sl_san -fsanitize=fuzzer-no-link"])
  AS_IF([test "x$enable_coverage" = xyes], [sl_san="$sl_san --coverage"])
  AS_IF([test -n "$sl_san"], [
    SLUICE_CFLAGS="$SLUICE_CFLAGS $sl_san -fno-omit-frame-pointer"
    SLUICE_LDFLAGS="$SLUICE_LDFLAGS $sl_san"
  ])
  AS_IF([test "x$with_bpf" != xno], [AC_DEFINE([WITH_BPF], [1], [Build the eBPF parts])])
  AS_IF([test "x$enable_asan" = xyes], [AC_DEFINE([WITH_ASAN], [1], [AddressSanitizer build])])
  AM_CONDITIONAL([WITH_BPF], [test "x$with_bpf" != xno])
  AM_CONDITIONAL([WITH_FUZZ], [test "x$enable_fuzz" = xyes])
])

dnl SLUICE_FLAG(flag): into SLUICE_CFLAGS when the compiler knows it.
AC_DEFUN([SLUICE_FLAG], [
  AC_MSG_CHECKING([whether $CC knows $1])
  sl_keep="$CFLAGS"
  CFLAGS="$CFLAGS -Werror $1"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
    [AC_MSG_RESULT([yes]); SLUICE_CFLAGS="$SLUICE_CFLAGS $1"], [AC_MSG_RESULT([no])])
  CFLAGS="$sl_keep"
])

AC_DEFUN([SLUICE_WARNINGS], [
  m4_foreach_w([sl_flag], [-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wold-style-definition -Wpointer-arith -Wcast-align -Wcast-qual -Wwrite-strings -Wformat=2
    -Wundef -Wvla -Wconversion -Wsign-conversion -Wdouble-promotion -Wimplicit-fallthrough
    -Wswitch-enum -Wnull-dereference -Wredundant-decls -Wduplicated-cond -Wlogical-op],
    [SLUICE_FLAG(sl_flag)])
  AS_IF([test "x$enable_werror" = xyes], [SLUICE_CFLAGS="$SLUICE_CFLAGS -Werror"])
])

AC_DEFUN([SLUICE_HARDENING], [
  SLUICE_CFLAGS="$SLUICE_CFLAGS -std=gnu11 -fvisibility=hidden -fstack-protector-strong -fPIE"
  dnl everything is bound at start (-z now): calls into libraries need no stub
  SLUICE_FLAG([-fno-plt])
  SLUICE_LDFLAGS="$SLUICE_LDFLAGS -pie -Wl,-z,relro,-z,now"
  AS_IF([test -z "$sl_san"], [SLUICE_CPPFLAGS="$SLUICE_CPPFLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"])
])

dnl SLUICE_MODULE(VARIABLE, pkg-config module, Debian package)
AC_DEFUN([SLUICE_MODULE], [
  PKG_CHECK_MODULES([$1], [$2], [], [sl_missing="$sl_missing $3"])
])

dnl SLUICE_TOOL(VARIABLE, program, Debian package)
AC_DEFUN([SLUICE_TOOL], [
  AC_PATH_PROG([$1], [$2])
  AS_IF([test -z "$$1"], [sl_missing="$sl_missing $3"])
])

AC_DEFUN([SLUICE_PACKAGES], [
  sl_missing=
  SLUICE_MODULE([EVENT], [libevent_core], [libevent-dev])
  SLUICE_MODULE([EVENT_EXTRA], [libevent_extra], [libevent-dev])
  SLUICE_MODULE([EVENT_OPENSSL], [libevent_openssl], [libevent-dev])
  SLUICE_MODULE([NGHTTP2], [libnghttp2], [libnghttp2-dev])
  SLUICE_MODULE([OPENSSL], [openssl], [libssl-dev])
  SLUICE_MODULE([CRYPTO], [libcrypto], [libssl-dev])
  SLUICE_MODULE([LUAJIT], [luajit], [libluajit2-5.1-dev])
  SLUICE_MODULE([LMDB], [lmdb], [liblmdb-dev])
  SLUICE_MODULE([PROTOBUF_C], [libprotobuf-c], [libprotobuf-c-dev])
  SLUICE_MODULE([PCRE2], [libpcre2-8], [libpcre2-dev])
  SLUICE_MODULE([JANSSON], [jansson], [libjansson-dev])
  SLUICE_MODULE([ARGON2], [libargon2], [libargon2-dev])
  SLUICE_MODULE([ZLIB], [zlib], [zlib1g-dev])
  SLUICE_MODULE([YAML], [yaml-0.1], [libyaml-dev])
  SLUICE_MODULE([SECCOMP], [libseccomp], [libseccomp-dev])
  SLUICE_MODULE([SYSTEMD], [libsystemd], [libsystemd-dev])
  AC_CHECK_HEADER([lua5.1/lua-cjson.h], [], [sl_missing="$sl_missing lua-cjson-dev"], [typedef struct lua_State lua_State;])
  dnl Programs that link libvm: LuaJIT must find our str_hash_init_sse42 (plugin/vm_library.h).
  AC_SUBST([VM_LDFLAGS], [-Wl,--export-dynamic-symbol=str_hash_init_sse42])
  AC_SUBST([CJSON_LIBS], [-l:liblua5.1-cjson.a])
  SLUICE_TOOL([PROTOC_C], [protoc-c], [protobuf-c-compiler])
  AC_ARG_VAR([LLHTTP_DIR], [folder of llhttp.c, api.c and http.c])
  : ${LLHTTP_DIR=/usr/share/llhttp}
  AS_IF([test -f "$LLHTTP_DIR/llhttp.c"], [], [sl_missing="$sl_missing node-llhttp"])
  PKG_CHECK_MODULES([CMOCKA], [cmocka], [], [sl_missing="$sl_missing libcmocka-dev"])
  AS_IF([test "x$with_bpf" != xno], [
    SLUICE_MODULE([LIBBPF], [libbpf], [libbpf-dev])
    SLUICE_TOOL([CLANG], [clang], [clang])
    AC_PATH_PROG([BPFTOOL], [bpftool], [], [$PATH:/usr/sbin:/sbin])
    AS_IF([test -z "$BPFTOOL"], [sl_missing="$sl_missing bpftool"])
  ])
  AC_SUBST([BPF_ARCH], [$(uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')])
  dnl USDT probes; without the header there are none, and everything else is the same
  AC_CHECK_HEADERS([sys/sdt.h])
  AS_IF([test -n "$sl_missing"], [
    AC_MSG_ERROR([missing packages. On Debian 12:

    apt-get install$sl_missing
])
  ])
])

AC_DEFUN([SLUICE_SUMMARY], [
  AC_MSG_NOTICE([

  $PACKAGE $VERSION
    compiler        $CC $CFLAGS
    sanitizers      ${sl_san:-none}
    eBPF            $with_bpf
    USDT probes     $ac_cv_header_sys_sdt_h
    fuzz targets    $enable_fuzz
    warnings fatal  $enable_werror
    LuaJIT          $($PKG_CONFIG --modversion luajit)
    llhttp          $LLHTTP_DIR
    prefix          $prefix

  Every package was found. Next: make -j2])
])
