/* SPDX-License-Identifier: Apache-2.0
 *
 * Every metric of /metrics, declared once: text, docs/metrics.md and the checks come from here.
 * Families that other tables declare (counters of workers, of plugins, of shared memory, of
 * steering, times of routes) are taken from them; what has a shape of its own has a row below.
 */
#pragma once

#include "ebpf/steer_table.h"
#include "master/counts.h"
#include "shm/dict.h"
#include "shm/stat.h"
#include "shm/traffic.h"

/* X(name, type, labels, help).  Names, labels and words of kong_ are those of Kong's exporter.
 * kong_nginx_connections_total mixes counters and gauges, so it claims no type. */
/* clang-format off */
#define METRICS_KONG(X) \
	X(kong_node_info, "gauge", "node_id,version", "Node metadata information.") \
	X(kong_datastore_reachable, "gauge", "", "Datastore reachable, 0 is unreachable.") \
	X(kong_control_plane_connected, "gauge", "", "Connected to control plane, 0 is unconnected.") \
	X(kong_data_plane_cluster_cert_expiry_timestamp, "gauge", "", "Unix time at which cluster_cert of this data plane ends.") \
	X(kong_data_plane_last_seen, "gauge", "node_id,hostname,ip", "Last time data plane contacted control plane, Unix time in seconds. Admin API of a control plane only, as the next two.") \
	X(kong_data_plane_config_hash, "gauge", "node_id,hostname,ip", "Config hash value of the data plane: its generation, equal where the configuration is.") \
	X(kong_data_plane_version_compatible, "gauge", "node_id,hostname,ip,kong_version", "Version compatible status of the data plane, 0 is incompatible.") \
	X(kong_nginx_connections_total, "untyped", "node_id,subsystem,state", "Number of connections by subsystem.") \
	X(kong_nginx_requests_total, "counter", "node_id,subsystem", "Number of requests total.") \
	X(kong_nginx_timers, "gauge", "state", "Number of timers of plugins: there are none.") \
	X(kong_nginx_metric_errors_total, "counter", "", "Number of metrics that could not be told.") \
	X(kong_memory_workers_lua_vms_bytes, "gauge", "node_id,pid,kong_subsystem", "Memory of all plugin VMs of a worker.") \
	X(kong_memory_lua_shared_dict_bytes, "gauge", "node_id,shared_dict,kong_subsystem", "Bytes in use of the memory that workers share.") \
	X(kong_memory_lua_shared_dict_total_bytes, "gauge", "node_id,shared_dict,kong_subsystem", "Bytes of the memory that workers share.") \
	X(kong_upstream_target_health, "gauge", "upstream,target,address,state,subsystem", "Health status of targets of upstream. States = healthchecks_off|healthy|unhealthy|dns_error, value is 1 when state is populated.") \
	X(kong_http_requests_total, "counter", "service,route,code,source,workspace,consumer", "HTTP status codes per service/route in Kong.") \
	X(kong_bandwidth_bytes, "counter", "service,route,direction,workspace,consumer", "Total bandwidth (ingress/egress) throughput in bytes.")

#define METRICS_OWN(X) \
	X(sluice_uptime_seconds, "gauge", "", "Seconds since sluiced started.") \
	X(sluice_generation, "gauge", "", "Generation of the configuration in force.") \
	X(sluice_workers, "gauge", "", "Worker processes configured.") \
	X(sluice_workers_ready, "gauge", "", "Worker processes that take traffic.") \
	X(sluice_updates_committed_total, "counter", "", "Updates of the configuration committed.") \
	X(sluice_updates_refused_total, "counter", "", "Updates of the configuration refused as a whole.") \
	X(sluice_resources_rejected_total, "counter", "", "Resources rejected in committed updates.") \
	X(sluice_plugin_checks_total, "counter", "", "Runs of sluice-check.") \
	X(sluice_snapshot_used_bytes, "gauge", "", "Bytes of the snapshot in use.") \
	X(sluice_snapshot_map_bytes, "gauge", "", "Bytes the snapshot may grow to.") \
	X(sluice_certificate_expiry_timestamp_seconds, "gauge", "certificate", "Unix time at which a certificate ends: ssl_cert, cluster_cert, or the id of one of the configuration.") \
	X(sluice_upgrades_total, "counter", "", "Upgrades in place (sluicectl upgrade) since the node was started.") \
	X(sluice_draining, "gauge", "", "1 while the node drains (sluicectl drain) or stops.") \
	X(sluice_worker_state, "gauge", "worker,state", "1 for the state that the worker is in.") \
	X(sluice_worker_generation, "gauge", "worker", "Generation that the worker serves.") \
	X(sluice_worker_heartbeat_age_seconds, "gauge", "worker", "Since the worker last said that it is alive.") \
	X(sluice_worker_cpu_seconds_total, "counter", "worker", "CPU time of the worker process, user and system.") \
	X(sluice_worker_resident_memory_bytes, "gauge", "worker", "Resident memory of the worker process, shared pages included.") \
	X(sluice_worker_restarts_total, "counter", "worker", "Workers started again in this slot.") \
	X(sluice_steering_info, "gauge", "mode,wanted,bpf,migration", "How connections are given to workers.") \
	X(sluice_steering_assigned_total, "counter", "worker", "Connections that the steering program gave to the worker.") \
	X(sluice_steering_waiting, "gauge", "worker", "Connections given to the worker that it has not accepted yet.") \
	X(sluice_plugin_breaker_state, "gauge", "plugin", "Breaker of the plugin: 0 closed, 1 open (suspended), 2 half open (one request tries it).") \
	X(sluice_plugin_breaker_opens_total, "counter", "plugin", "How often the plugin was suspended.") \
	X(sluice_plugin_phase_duration_seconds, "histogram", "plugin,phase", "Time from entering a phase of a plugin to leaving it, waiting included.")
/* clang-format on */

enum metric_id {
#define X(name, type, labels, help) METRIC_##name,
	METRICS_KONG(X) METRICS_OWN(X)
#undef X
#define X(field, ...) METRIC_time_##field,
			TRAFFIC_SPREADS(X)
#undef X
#define X(field, kind, unit, help) METRIC_worker_##field,
					STAT_WORKER(X)
#undef X
#define X(field, type, help) METRIC_plugin_##field,
							COUNTS_TABLE(X)
#undef X
#define X(field, kind, help) METRIC_dict_##field,
									DICT_STATS(X)
#undef X
#define X(field, help) METRIC_steering_##field,
											STEER_COUNTS(X)
#undef X
													METRIC_COUNT
};
