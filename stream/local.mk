# SPDX-License-Identifier: Apache-2.0
# The control stream: messages (generated), gRPC on nghttp2 + libevent, client and server.
EXTRA_DIST += stream/sluice.proto

noinst_LIBRARIES += stream/libstream.a stream/libstreampb.a
stream_libstream_a_SOURCES = \
	stream/address.c stream/address.h \
	stream/beat.c stream/beat.h \
	stream/client.c stream/client.h \
	stream/dial.c stream/dial.h \
	stream/digest.c stream/digest.h \
	stream/grpc_call.c stream/grpc_h2.c \
	stream/grpc_frame.c stream/grpc_frame.h \
	stream/grpc_link.c stream/grpc_link.h stream/grpc_link_impl.h \
	stream/grpc_status.c stream/grpc_status.h \
	stream/accept_pause.c stream/accept_pause.h \
	stream/listen.c stream/listen.h \
	stream/message.c stream/message.h \
	stream/peer.c stream/peer.h \
	stream/server.c stream/server.h \
	stream/tls.c stream/tls.h
stream_libstream_a_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(NGHTTP2_CFLAGS) $(OPENSSL_CFLAGS) \
	$(PROTOBUF_C_CFLAGS)

nodist_stream_libstreampb_a_SOURCES = stream/sluice.pb-c.c stream/sluice.pb-c.h
stream_libstreampb_a_SOURCES =
stream_libstreampb_a_CFLAGS = $(AM_CFLAGS) $(PROTOBUF_C_CFLAGS) -w

LIBSTREAM = stream/libstream.a stream/libstreampb.a
STREAM_LIBS = $(EVENT_OPENSSL_LIBS) $(EVENT_EXTRA_LIBS) $(EVENT_LIBS) $(NGHTTP2_LIBS) \
	$(OPENSSL_LIBS) $(PROTOBUF_C_LIBS)

BUILT_SOURCES += stream/sluice.pb-c.h
CLEANFILES += stream/sluice.pb-c.c stream/sluice.pb-c.h

stream/sluice.pb-c.c: $(top_srcdir)/stream/sluice.proto
	$(AM_V_GEN)$(MKDIR_P) stream && \
	$(PROTOC_C) -I$(top_srcdir) --c_out=. $(top_srcdir)/stream/sluice.proto
stream/sluice.pb-c.h: stream/sluice.pb-c.c

check_PROGRAMS += tests/unit/test_stream_digest
tests_unit_test_stream_digest_SOURCES = tests/unit/test_stream_digest.c
tests_unit_test_stream_digest_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_stream_digest_LDADD = $(LIBSTREAM) $(LIBBASE) $(STREAM_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_grpc_frame
tests_unit_test_grpc_frame_SOURCES = tests/unit/test_grpc_frame.c
tests_unit_test_grpc_frame_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_grpc_frame_LDADD = $(LIBSTREAM) $(LIBBASE) $(STREAM_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_stream
tests_unit_test_stream_SOURCES = tests/unit/test_stream.c
tests_unit_test_stream_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_stream_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)
tests_unit_test_stream_LDADD = $(LIBSTREAM) $(LIBBASE) $(STREAM_LIBS) $(UNIT_LIBS)

if WITH_FUZZ
noinst_PROGRAMS += tests/fuzz/fuzz_stream_decode
tests_fuzz_fuzz_stream_decode_SOURCES = tests/fuzz/fuzz_stream_decode.c
tests_fuzz_fuzz_stream_decode_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_stream_decode_LDADD = $(LIBSTREAM) $(LIBBASE) $(STREAM_LIBS)
endif

# Either end as a program, driven by tests/e2e/test_stream_interop.py.
noinst_PROGRAMS += tests/unit/stream_peer
tests_unit_stream_peer_SOURCES = tests/unit/stream_peer_main.c
tests_unit_stream_peer_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_stream_peer_LDADD = $(LIBSTREAM) $(LIBBASE) $(STREAM_LIBS) $(JANSSON_LIBS)
