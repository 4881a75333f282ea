/* SPDX-License-Identifier: Apache-2.0
 *
 * The node configuration, declared once: struct field, file key, environment override
 * (SLUICE_<KEY>), default, and the help that `sluiced --help-config` prints.
 *
 * X(field, type, default, rule, help)   type: STRING | BOOL | UINT | SIZE | LIST
 *   rule (shm/conf_rule.h): ANY | FILLED | ONE_OF("words") | RANGE(min, max) | PATH | PREFIX |
 *   LISTEN | LISTEN_TLS | PEERS | SERVERS | NETS | EGRESS | LABELS | WORKERS | PATHS | SHARE |
 *   URL
 * names as in kong.conf where the concept is the same.
 */
#pragma once

/* clang-format off */
#define CONF_TABLE(X) \
	X(role, STRING, "traditional", ONE_OF("traditional control_plane data_plane"), "What this node is: traditional (control and data plane in one), control_plane, or data_plane.") \
	X(database, STRING, "lmdb", ONE_OF("lmdb off"), "Where entities live: lmdb (a store below prefix, Admin API writes on) or off (a declarative file).") \
	X(declarative_config, STRING, "", PATH, "With database: off, the YAML or JSON file of entities loaded at start and on SIGHUP.") \
	X(prefix, STRING, "/var/lib/sluice", PREFIX, "State directory: everything the node writes is below it.") \
	X(proxy_listen, LIST, "0.0.0.0:8000, 0.0.0.0:8443 ssl", LISTEN_TLS, "Addresses that take client traffic, comma-separated: address:port, [v6]:port, with ` ssl` behind it for TLS; [v6]:port with ` ipv6only=off` takes IPv4 clients, too. off = none.") \
	X(ssl_cert, LIST, "", PATHS, "PEM files with the certificate shown to clients whose server name has none of its own (and those up to its authority); one more for another kind of key. Empty: one that the node signs itself.") \
	X(ssl_cert_key, LIST, "", PATHS, "PEM files with their private keys, in the same order.") \
	X(admin_listen, LIST, "127.0.0.1:8001", LISTEN, "Addresses of the Admin API; off = none.") \
	X(status_listen, LIST, "127.0.0.1:8007", LISTEN, "Addresses of the status API and /metrics; off = none.") \
	X(cluster_listen, LIST, "0.0.0.0:8005", LISTEN, "role control_plane: addresses data planes connect to; off = none.") \
	X(cluster_control_plane, LIST, "127.0.0.1:8005", PEERS, "role data_plane: control planes to connect to, tried in turn.") \
	X(cluster_cert, STRING, "", PATH, "PEM certificate this node shows on the control stream (both sides).") \
	X(cluster_cert_key, STRING, "", PATH, "PEM private key of cluster_cert.") \
	X(cluster_ca_cert, STRING, "", PATH, "PEM certificates that the other side's certificate must descend from.") \
	X(cluster_server_name, STRING, "", ANY, "Name that the control plane's certificate must carry; empty: the host of the address.") \
	X(cluster_max_payload, SIZE, "16777216", RANGE(65536, 1073741824), "Bytes of one message on the control stream.") \
	X(node_labels, LIST, "", LABELS, "Labels this data plane tells the control plane: name=value, comma-separated.") \
	X(workers, STRING, "auto", WORKERS, "Worker processes: a number, or auto = one per usable CPU.") \
	X(workers_max, STRING, "auto", WORKERS, "Worker processes that `sluicectl workers scale` may go up to; shared memory is sized by it. auto = two per usable CPU; never below workers.") \
	X(worker_user, STRING, "nobody", FILLED, "User the workers and checks run as when the master is root.") \
	X(untrusted_lua, STRING, "strict", ONE_OF("strict lax off"), "Sandbox of streamed plugins: strict, lax, or off (load none).") \
	X(custom_plugin_streaming_enabled, BOOL, "on", ANY, "Accept and run streamed plugins.") \
	X(log_level, STRING, "notice", ONE_OF("debug info notice warn err error crit alert emerg"), "debug, info, notice, warn, err, crit, alert, emerg.") \
	X(plugin_limits_cpu_ms, UINT, "10", RANGE(1, 60000), "CPU milliseconds one phase of one plugin may use per request.") \
	X(plugin_limits_memory_mb, UINT, "64", RANGE(1, 4096), "Live megabytes one plugin may hold per worker.") \
	X(plugin_limits_wall_ms, UINT, "60000", RANGE(0, 86400000), "Milliseconds one phase of one plugin may last, its waiting included, but not that for the client's body; 0 = no limit.") \
	X(plugin_limits_log_lines, UINT, "100", RANGE(0, 1000000), "Log lines one phase may write per request; 0 = no limit.") \
	X(plugin_limits_output_kb, UINT, "16384", RANGE(0, 1048576), "Kilobytes of bodies and headers one phase may make per request; 0 = no limit.") \
	X(plugin_limits_cpu_ms_max, UINT, "1000", RANGE(0, 60000), "What a plugin's or an instance's own limits may raise cpu_ms to; the node's own value, if higher; 0 = anything. So with the next four.") \
	X(plugin_limits_wall_ms_max, UINT, "600000", RANGE(0, 86400000), "Highest wall_ms of a plugin's or an instance's own limits.") \
	X(plugin_limits_memory_mb_max, UINT, "512", RANGE(0, 4096), "Highest memory_mb of a plugin's own limits.") \
	X(plugin_limits_log_lines_max, UINT, "10000", RANGE(0, 1000000), "Highest log_lines of a plugin's or an instance's own limits.") \
	X(plugin_limits_output_kb_max, UINT, "65536", RANGE(0, 1048576), "Highest output_kb of a plugin's or an instance's own limits.") \
	X(plugin_breaker_trips, UINT, "10", RANGE(0, 64), "Budget trips of a plugin on this node within plugin_breaker_window_ms that suspend it; 0 = never.") \
	X(plugin_breaker_window_ms, UINT, "10000", RANGE(1, 3600000), "Within how long they must happen.") \
	X(plugin_breaker_retry_ms, UINT, "5000", RANGE(1, 3600000), "How long a plugin stays suspended before one request tries it; doubles with each try that trips, up to 64 times.") \
	X(plugin_limits_source_kb, UINT, "1024", RANGE(1, 65536), "Kilobytes of one handler or schema source.") \
	X(plugin_dict_size, SIZE, "16777216", RANGE(8388608, 1073741824), "Bytes of the memory that plugins of all workers share (sluice.dict, sluice.counter, kong.cache).") \
	X(plugin_dict_quota, SIZE, "4194304", RANGE(4096, 1073741824), "Of those, bytes that one plugin may fill.") \
	X(plugin_latency_slots, UINT, "256", RANGE(64, 4096), "Plugins whose latency is kept apart; those past it share one row. Rounded up to 64.") \
	X(traffic_routes, UINT, "1024", RANGE(16, 1000000), "Routes whose traffic is counted apart in each worker (4 kB each once used); the rest share one row.") \
	X(plugin_check_deadline_ms, UINT, "5000", RANGE(10, 600000), "How long sluice-check may take for one verdict.") \
	X(client_header_timeout_ms, UINT, "60000", RANGE(1, 86400000), "How long a client may take to send a request's header section.") \
	X(client_body_timeout_ms, UINT, "60000", RANGE(1, 86400000), "How long between two reads of a request body.") \
	X(send_timeout_ms, UINT, "60000", RANGE(1, 86400000), "How long between two writes of a response.") \
	X(keepalive_timeout_ms, UINT, "75000", RANGE(1, 86400000), "How long an idle client connection is kept.") \
	X(keepalive_requests, UINT, "100000", RANGE(1, 4294967295), "Requests on one client connection before it is closed.") \
	X(request_line_max, SIZE, "8192", RANGE(256, 1048576), "Bytes of a request line; longer is answered 414.") \
	X(header_max, SIZE, "32768", RANGE(1024, 16777216), "Bytes of a request's header section; more is answered 431.") \
	X(header_count_max, UINT, "200", RANGE(8, 100000), "Fields of a request's header section; more is answered 431.") \
	X(client_max_body_size, SIZE, "0", RANGE(0, 1099511627776), "Bytes of a request body; more is answered 413. 0 = no limit.") \
	X(client_body_buffer_size, SIZE, "8388608", RANGE(4096, 4294967296), "Bytes of a body that a plugin may hold whole; and of a buffered response.") \
	X(connections_max, UINT, "16384", RANGE(1, 1000000), "Client connections per worker; above it new ones are answered 503.") \
	X(upstream_keepalive_pool_size, UINT, "512", RANGE(0, 1000000), "Idle connections kept per worker to all services.") \
	X(upstream_keepalive_max_requests, UINT, "10000", RANGE(0, 4294967295), "Requests on one pooled connection.") \
	X(upstream_keepalive_idle_timeout_ms, UINT, "60000", RANGE(1, 86400000), "How long an idle pooled connection is kept.") \
	X(lua_ssl_trusted_certificate, LIST, "system", ANY, "CA certificates (PEM files) that services with tls_verify must descend from; system = the distribution's.") \
	X(plugin_egress, LIST, "any", EGRESS, "Where plugins of untrusted_lua: lax may connect to: any, CIDRs, addresses, hosts, *.suffix, each with or without :port; off = nowhere. Loopback, link-local, metadata and multicast addresses and the node's own listeners must be named; any includes the name servers that the node asks.") \
	X(dns_resolver, LIST, "", SERVERS, "Name servers; empty: /etc/resolv.conf.") \
	X(dns_search, LIST, "", ANY, "Domains in which short names are tried; empty: as /etc/resolv.conf says; off = none.") \
	X(dns_hostsfile, STRING, "/etc/hosts", PATH, "Hosts file read at start.") \
	X(dns_timeout_ms, UINT, "2000", RANGE(1, 86400000), "How long a look-up may take.") \
	X(dns_stale_ttl_ms, UINT, "10000", RANGE(0, 86400000), "How long an expired answer serves while a new look-up runs or fails.") \
	X(trusted_ips, LIST, "", NETS, "Addresses and CIDRs whose X-Forwarded-* headers are believed.") \
	X(real_ip_header, STRING, "X-Real-IP", FILLED, "Header with the client address, from trusted_ips.") \
	X(real_ip_recursive, BOOL, "off", ANY, "Walk X-Forwarded-For past every trusted address.") \
	X(headers, LIST, "server_tokens,latency_tokens,X-Kong-Request-Id", ONE_OF("server_tokens latency_tokens X-Kong-Proxy-Latency X-Kong-Upstream-Latency X-Kong-Response-Latency X-Kong-Upstream-Status X-Kong-Request-Id Server Via off"), "Headers added to responses; off = none. Also X-Kong-Upstream-Status.") \
	X(headers_upstream, LIST, "X-Kong-Request-Id", ONE_OF("X-Kong-Request-Id off"), "Headers added to requests to services; off = none.") \
	X(allow_debug_header, BOOL, "off", ANY, "Answer Kong-Debug: 1 with the matched route and service.") \
	X(tracing_instrumentations, LIST, "off", ONE_OF("off all request router dns_query balancer upstream plugin_rewrite plugin_access plugin_response plugin_header_filter plugin_body_filter plugin_log db_query http_client"), "Spans the gateway records of each request; off = no tracing. db_query is kong.db of plugins, http_client is request_uri() of resty.http.") \
	X(tracing_sampling_rate, STRING, "0.01", SHARE, "Share of traces begun here that are sampled; a client's traceparent decides for its own.") \
	X(tracing_otlp_endpoint, STRING, "", URL, "Collector that spans and kong.telemetry.log records are sent to (OTLP/HTTP, protobuf), below its /v1/traces and /v1/logs; empty = none.") \
	X(tracing_otlp_headers, LIST, "", LABELS, "Headers of those requests: name=value, comma-separated.") \
	X(tracing_otlp_batch_size, UINT, "200", RANGE(1, 10000), "Spans or records after which a batch is sent.") \
	X(tracing_otlp_delay_ms, UINT, "1000", RANGE(50, 50000), "How long a batch waits for more.") \
	X(tracing_otlp_timeout_ms, UINT, "10000", RANGE(50, 50000), "How long the collector may take for one batch.") \
	X(tracing_otlp_queue_size, SIZE, "4194304", RANGE(65536, 1073741824), "Bytes per worker that wait for the collector; what comes above is dropped and counted.") \
	X(shutdown_timeout_ms, UINT, "30000", RANGE(0, 86400000), "How long a stopping worker may finish its requests.") \
	X(worker_hang_ms, UINT, "10000", RANGE(100, 3600000), "A worker whose heartbeat is older is killed and replaced.") \
	X(worker_restart_delay_ms, UINT, "10", RANGE(1, 5000), "How long before a worker that ended by itself is started again; doubles up to 5 s while it keeps ending.") \
	X(steering, STRING, "auto", ONE_OF("auto on off"), "Pick the worker of a connection in the kernel (eBPF): auto = where possible, on = refuse to start without, off = never.") \
	X(steering_mode, STRING, "least_conn", ONE_OF("least_conn hash_ip cpu round_robin kernel"), "How a worker is picked: least_conn, hash_ip, cpu, round_robin, or kernel (as SO_REUSEPORT hashes); sluicectl steering changes it while running.") \
	X(bpf_pin_dir, STRING, "/sys/fs/bpf/sluice", PATH, "Directory of a BPF file system where maps and programs are pinned for bpftool; one per node; empty = pin nothing.") \
	X(bpf_pin_mode, STRING, "0600", ONE_OF("0600 0640 0644"), "Who may read plugin_latency_prom in bpf_pin_dir (and enter it): owner, group, everybody.") \
	X(bpf_pin_group, STRING, "", ANY, "Group of bpf_pin_dir and plugin_latency_prom; empty = the group sluiced runs as.")
/* clang-format on */
