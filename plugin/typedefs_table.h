/* SPDX-License-Identifier: Apache-2.0
 *
 * X(name, JSON definition).  A definition may itself name a typedef.
 */
#pragma once

/* clang-format off */
#define TD_STRING(name) "{'type':'string','typedef':'" name "'}"
#define TD_NULL(entity) "{'type':'foreign','reference':'" entity "','eq':null}"
#define TD_NO_SET(elements) "{'type':'set','elements':" elements ",'eq':null}"
#define TD_ENDPOINT \
	"{'type':'record','fields':[{'ip':{'typedef':'ip_or_cidr'}},{'port':{'typedef':'port'}}]," \
	"'entity_checks':[{'at_least_one_of':['ip','port']}]}"
#define TD_HEADERS \
	"'type':'map','keys':{'typedef':'header_name'}," \
	"'values':{'type':'array','elements':{'type':'string'}}"
#define TD_MATCH(fields) "{'type':'array','elements':{'type':'string','one_of':[" fields "]}}"

/* Single quotes stand for double ones. */
#define TYPEDEF_TABLE(X) \
	X("http_method", "{'type':'string','match':'^%u+$'}") \
	X("protocol", "{'type':'string','one_of':['grpc','grpcs','http','https','tcp','tls'," \
		"'tls_passthrough','udp','ws','wss']}") \
	X("protocols", "{'type':'set','required':true,'default':['grpc','grpcs','http','https']," \
		"'elements':{'typedef':'protocol'}}") \
	X("protocols_http", "{'type':'set','required':true,'default':['grpc','grpcs','http','https']," \
		"'elements':{'type':'string','one_of':['grpc','grpcs','http','https']}}") \
	X("host", TD_STRING("host")) \
	X("redis_host", TD_STRING("host")) \
	X("host_with_optional_port", TD_STRING("host_with_optional_port")) \
	X("wildcard_host", TD_STRING("wildcard_host")) \
	X("ip", TD_STRING("ip")) \
	X("ip_or_cidr", TD_STRING("ip_or_cidr")) \
	X("cidr_v4", TD_STRING("cidr_v4")) \
	X("cidr", TD_STRING("cidr_v4")) \
	X("port", "{'type':'integer','between':[0,65535]}") \
	X("path", "{'type':'string','starts_with':'/','match_none':[{'pattern':'//'," \
		"'err':'must not have empty segments'}],'typedef':'path'}") \
	X("url", TD_STRING("url")) \
	X("cookie_name", TD_STRING("cookie_name")) \
	X("header_name", TD_STRING("header_name")) \
	X("timeout", "{'type':'integer','between':[0,2147483646]}") \
	X("uuid", "{'type':'string','uuid':true,'auto':true}") \
	X("auto_timestamp_s", "{'type':'integer','timestamp':true,'auto':true}") \
	X("auto_timestamp_ms", "{'type':'number','timestamp':true,'auto':true}") \
	X("no_route", TD_NULL("routes")) \
	X("no_service", TD_NULL("services")) \
	X("no_consumer", TD_NULL("consumers")) \
	X("no_consumer_group", TD_NULL("consumer_groups")) \
	X("name", "{'type':'string','unique':true,'typedef':'name'}") \
	X("utf8_name", "{'type':'string','unique':true,'typedef':'utf8_name'}") \
	X("sni", TD_STRING("sni")) \
	X("wildcard_sni", TD_STRING("wildcard_sni")) \
	X("redis_server_name", TD_STRING("sni")) \
	X("certificate", TD_STRING("certificate")) \
	X("key", TD_STRING("key")) \
	X("tag", "{'type':'string','required':true,'typedef':'tag'}") \
	X("tags", "{'type':'set','elements':{'typedef':'tag'}}") \
	X("capability", "{'type':'string','required':true}") \
	X("sources", "{'type':'set','elements':" TD_ENDPOINT "}") \
	X("destinations", "{'type':'set','elements':" TD_ENDPOINT "}") \
	X("no_sources", TD_NO_SET(TD_ENDPOINT)) \
	X("no_destinations", TD_NO_SET(TD_ENDPOINT)) \
	X("methods", "{'type':'set','elements':{'typedef':'http_method'}}") \
	X("no_methods", TD_NO_SET("{'typedef':'http_method'}")) \
	X("hosts", "{'type':'array','elements':{'type':'string','match_all':[" \
		"{'pattern':'^[^*]*%*?[^*]*$','err':'invalid wildcard: must have at most one wildcard'}]," \
		"'match_any':{'patterns':['^%*%.','%.%*$','^[^*]*$']," \
		"'err':'invalid wildcard: must be placed at leftmost or rightmost label'}," \
		"'typedef':'host_with_wildcard'}}") \
	X("no_hosts", "{'type':'array','elements':{'type':'string'},'eq':null}") \
	X("router_path", "{'type':'string','match_none':[{'pattern':'//'," \
		"'err':'must not have empty segments'}],'match_any':{'patterns':['^/','^~/']," \
		"'err':'should start with: / (fixed path) or ~/ (regex path)'},'typedef':'router_path'}") \
	X("router_paths", "{'type':'array','elements':{'typedef':'router_path'}}") \
	X("paths", "{'type':'array','elements':{'typedef':'router_path'}}") \
	X("no_paths", "{'type':'array','elements':{'type':'string'},'eq':null}") \
	X("headers", "{" TD_HEADERS "}") \
	X("no_headers", "{" TD_HEADERS ",'eq':null}") \
	X("semantic_version", "{'type':'string','match_any':{'patterns':['^%d+%.%d+%.%d+$']," \
		"'err':'invalid version number: must be in format of X.Y.Z'}}") \
	X("pem", "{'type':'record','typedef':'pem','fields':[" \
		"{'private_key':{'type':'string','encrypted':true,'referenceable':true}}," \
		"{'public_key':{'type':'string','referenceable':true}}]," \
		"'entity_checks':[{'at_least_one_of':['private_key','public_key']}]}") \
	X("jwk", "{'type':'record','typedef':'jwk','fields':[" \
		"{'kid':{'type':'string','required':true,'referenceable':true}}," \
		"{'issuer':{'type':'string'}},{'kty':{'type':'string'}},{'use':{'type':'string'}}," \
		"{'key_ops':{'type':'array','elements':{'type':'string'}}},{'alg':{'type':'string'}}," \
		"{'x5u':{'type':'string'}},{'x5c':{'type':'array','elements':{'type':'string'}}}," \
		"{'x5t':{'type':'string'}},{'x5t#S256':{'type':'string'}}," \
		"{'k':{'type':'string','encrypted':true,'referenceable':true}}," \
		"{'x':{'type':'string'}},{'y':{'type':'string'}},{'crv':{'type':'string'}}," \
		"{'n':{'type':'string'}},{'e':{'type':'string'}}," \
		"{'d':{'type':'string','encrypted':true,'referenceable':true}}," \
		"{'p':{'type':'string','encrypted':true,'referenceable':true}}," \
		"{'q':{'type':'string','encrypted':true,'referenceable':true}}," \
		"{'dp':{'type':'string','encrypted':true,'referenceable':true}}," \
		"{'dq':{'type':'string','encrypted':true,'referenceable':true}}," \
		"{'qi':{'type':'string','encrypted':true,'referenceable':true}}," \
		"{'oth':{'type':'string','encrypted':true,'referenceable':true}}," \
		"{'r':{'type':'string'}},{'t':{'type':'string'}}]}") \
	X("queue", "{'type':'record','fields':[" \
		"{'max_batch_size':{'type':'integer','between':[1,1000000],'default':1}}," \
		"{'max_coalescing_delay':{'type':'number','between':[0,3600],'default':1}}," \
		"{'max_entries':{'type':'integer','between':[1,1000000],'default':10000}}," \
		"{'max_bytes':{'type':'integer'}}," \
		"{'max_retry_time':{'type':'number','default':60}}," \
		"{'initial_retry_delay':{'type':'number','between':[0.001,1000000],'default':0.01}}," \
		"{'max_retry_delay':{'type':'number','between':[0.001,1000000],'default':60}}," \
		"{'concurrency_limit':{'type':'integer','one_of':[-1,1],'default':1}}]}") \
	X("propagation", "{'type':'record','fields':[" \
		"{'extract':" TD_MATCH("'w3c','datadog','b3','gcp','jaeger','aws','ot','instana'") "}," \
		"{'clear':{'type':'array','elements':{'type':'string'}}}," \
		"{'inject':" TD_MATCH("'preserve','w3c','datadog','b3','b3-single','gcp','jaeger'," \
			"'aws','ot','instana'") "}," \
		"{'default_format':{'type':'string','one_of':['w3c','datadog','b3','gcp','jaeger'," \
			"'aws','ot','instana']}}]}") \
	X("ttl", "{'type':'number','between':[0,100000000]}")
/* clang-format on */
