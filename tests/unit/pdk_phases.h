/* SPDX-License-Identifier: Apache-2.0
 *
 * In which phases the reference lets each function of kong.* be called: written down once more,
 * apart from the tables that register them, so that a slip there is found.
 *
 * X(phases, functions of a table, separated by spaces)
 */
#pragma once

/* clang-format off */
#define PHASES_OF_KONG(X) \
	X("", PDK_ANY, "log") \
	X("dns.", PDK_ANY, "toip resolve") \
	X("log.", PDK_ANY, "debug info notice warn err crit alert emerg new set_format inspect " \
		"inspect.on inspect.off deprecation deprecation.write") \
	X("log.", PDK_REWRITE | PDK_ACCESS | PDK_HEADER_FILTER | PDK_RESPONSE | PDK_BODY_FILTER | \
		PDK_LOG, "set_serialize_value") \
	X("log.", PDK_LOG, "serialize") \
	X("request.", PDK_REQ, "get_scheme get_host get_forwarded_scheme get_forwarded_host " \
		"get_forwarded_port get_forwarded_path get_raw_forwarded_path get_forwarded_prefix " \
		"get_http_version get_method get_path get_raw_path get_path_with_query get_raw_query " \
		"get_query_arg get_query get_header get_headers get_raw_headers get_start_time " \
		"get_uri_captures get_id") \
	X("request.", PDK_IN_REQUEST, "get_port") \
	X("request.", PDK_PRE, "get_raw_body get_body") \
	X("response.", PDK_HBL, "get_status get_header get_headers get_source") \
	X("response.", PDK_RAH, "set_status set_header add_header clear_header set_headers exit error") \
	X("response.", PDK_BODY_FILTER, "get_raw_body set_raw_body") \
	X("service.", PDK_ACCESS, "set_upstream set_target_retry_callback set_retries set_timeouts") \
	X("service.", PDK_RABP, "set_target set_tls_cert_key set_tls_verify set_tls_verify_depth " \
		"set_tls_verify_store") \
	X("service.request.", PDK_RAB, "enable_buffering set_scheme set_path set_header set_raw_body") \
	X("service.request.", PDK_RA, "set_raw_query set_method set_query clear_query_arg add_header " \
		"clear_header set_headers set_body") \
	X("service.request.", PDK_ACCESS, "set_authentication_headers") \
	X("service.request.", PDK_PREREAD | PDK_BALANCER, "disable_tls enable_tls") \
	X("service.response.", PDK_UHBL, "get_status get_headers get_header get_raw_body get_body") \
	X("service.response.", PDK_RESPONSE, "set_body") \
	X("client.", PDK_IN_REQUEST, "get_ip get_port get_forwarded_ip get_forwarded_port") \
	X("client.", PDK_AUTH, "get_credential load_consumer get_consumer get_protocol " \
		"get_consumer_group get_consumer_groups get_token get_jwt_token_header " \
		"get_jwt_token_payload get_identity_realm_source") \
	X("client.", PDK_ACCESS, "authenticate set_authenticated_consumer_group " \
		"set_authenticated_consumer_groups authenticate_consumer_group_by_consumer_id set_token " \
		"set_identity_realm_source") \
	X("client.tls.", PDK_CERTIFICATE, "request_client_certificate disable_session_reuse") \
	X("client.tls.", PDK_REWRITE | PDK_ACCESS | PDK_RESPONSE | PDK_BALANCER | PDK_LOG, \
		"get_full_client_certificate_chain") \
	X("client.tls.", PDK_REWRITE | PDK_ACCESS | PDK_RESPONSE | PDK_BALANCER, "set_client_verify") \
	X("router.", PDK_AUTH, "get_route get_service") \
	X("ip.", PDK_ANY, "is_trusted") \
	X("node.", PDK_ANY, "get_id get_hostname get_memory_stats") \
	X("nginx.", PDK_ANY, "get_subsystem get_statistics") \
	X("table.", PDK_ANY, "new clear merge") \
	X("plugin.", PDK_ANY, "get_id") \
	X("cluster.", PDK_ANY, "get_id") \
	X("vault.", PDK_ANY, "is_reference parse_reference get update try") \
	X("cache.", PDK_ANY, "get get_bulk probe renew safe_set invalidate invalidate_local") \
	X("telemetry.", PDK_ANY, "log") \
	X("jwe.", PDK_ANY, "decode decrypt encrypt") \
	X("tracing.", PDK_ANY, "active_span create_span get_probability_sampling_decision " \
		"get_root_span get_sampling_decision get_spans init_spans link_span set_active_span " \
		"set_should_sample start_span") \
	X("tracing.", PDK_LOG, "process_span")
/* clang-format on */
