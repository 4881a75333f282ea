/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/verbs.h"

#include <stddef.h>

const struct ctl_verb ctl_verbs[] = {
		{"status", "", "the node: version, workers, generation, control stream",
				"Exit code 1 when the node runs and is not ready to serve.\n", 0, 0,
				verb_status},
		{"workers restart", "[N]",
				"replace workers, one after the other, losing no request",
				"A new process starts and takes the connections that come from "
				"then "
				"on; the old one\nfinishes its requests within "
				"shutdown_timeout_ms. "
				"N: only that worker. Returns when\nthe last new process has taken "
				"over. Exit code 1 when one did not become ready: the\nold one "
				"goes "
				"on.\n",
				0, 1, verb_workers_restart},
		{"workers scale", "N", "so many workers from now on, losing no request",
				"Up to workers_max of the configuration. Of more than N, those "
				"with "
				"the highest numbers\nfinish their requests within "
				"shutdown_timeout_ms; what waits for them goes to the\nothers. "
				"Holds "
				"until sluiced is started again; workers in the configuration is "
				"what it\nstarts with. Returns when the new ones are ready. Exit "
				"code 1 when the node cannot.\n",
				1, 1, verb_workers_scale},
		{"drain", "[N]", "take the node, or worker N, out of use, losing no request",
				"The node: /status/ready answers 503, so that a load balancer "
				"takes it away; every\nconnection ends with its next answer. Those "
				"that still come are served, too: stop\nsluiced afterwards. Worker "
				"N: "
				"nothing new comes to it, its process stays; it is back\nafter "
				"--cancel, or as a fresh process after \"workers restart N\".\n\n"
				"  --timeout TIME      how long to wait for what is left: 500ms, "
				"30s "
				"(shutdown_timeout_ms)\n"
				"  --cancel            take it into use again\n\n"
				"Returns when no connection is open and, of the node, none came "
				"for "
				"a second. Exit\ncode 1 when something is left after TIME, which "
				"is "
				"told; nothing is cut off.\n",
				0, 1, verb_drain},
		{"workers", "", "the worker processes",
				"Exit code 1 when not all of them are ready. One that is replaced "
				"or taken away is\nshown as draining until its last request is "
				"done; that is no reason for 1.\n",
				0, 0, verb_workers},
		{"plugins", "", "streamed plugins: version, where they run, what they count",
				"Exit code 1 when a plugin's newest version was refused; the "
				"reason "
				"is told\nbelow the table, and the version in the table is the one "
				"in force.\n",
				0, 0, verb_plugins},
		{"generations", "", "the newest changes of the configuration and their outcome",
				"Newest first; as many as sluiced remembers (64).\n", 0, 0,
				verb_generations},
		{"latency", "", "what plugins and routes take: quantiles and the shape",
				"Since the node started; the last column shows where the values "
				"lie, from 0.5 us to\n4 s, darker where more are.\n\n"
				"  --plugin NAME       this plugin only\n"
				"  --phase NAME        this phase only\n"
				"  --route NAME        this route only, and no plugins\n"
				"  --watch             what came in the last interval, again and "
				"again; a line of\n"
				"                      the heat map for each (q ends it)\n"
				"  --interval SECONDS  of --watch (1)\n",
				0, 0, verb_latency},
		{"top", "", "workers, plugins and routes as they are busy now",
				"Rates of the last interval. Keys: s sort, p pause, + and - "
				"interval, q quit.\n\n"
				"  --interval SECONDS  between two pictures (1)\n"
				"  --sort NAME         plugins by share (default), runs, p99, "
				"errors or "
				"name\n"
				"  --once              one picture, then end; with --json as a "
				"document\n",
				0, 0, verb_top},
		{"steering", "[MODE]", "who gets a new connection; with MODE: change it now",
				"MODE is least_conn, hash_ip, cpu, round_robin or kernel. It holds "
				"until sluiced is\nstarted again; steering_mode in the "
				"configuration is what it starts with.\nExit code 1 when this "
				"node cannot steer so; the reason is told.\n",
				0, 1, verb_steering},
		{"trace", "", "plugin phases and requests, one line each, as they happen",
				"Attaches to the workers' probes while it runs (root); nothing is "
				"slowed otherwise.\nBudget trips and new generations are shown, "
				"too.\n\n"
				"  --plugin NAME       this plugin only\n"
				"  --route NAME        requests of this route only\n"
				"  --phase NAME        this phase only\n"
				"  --slower-than TIME  what took at least so long: 250us, 1ms, 2s\n"
				"  --count N           end after N lines\n"
				"  --json              a JSON document per line\n",
				0, 0, verb_trace},
		{"plugin lint", "FILE|DIR ...", "check a plugin's sources without a node",
				"FILE: schema.lua (any name that ends so) or a handler; files of "
				"one directory are\n"
				"one plugin. DIR: the handler.lua and schema.lua in it. The plugin "
				"is compiled and\n"
				"its schema evaluated as a node would, in the same sandbox; "
				"nothing is sent\n"
				"anywhere. Then its text is looked through: calls that their phase "
				"does not offer,\n"
				"names, globals and modules that are not there. The sandbox is "
				"that of the\n"
				"directory's test.yaml, else of the configuration (-c), else "
				"strict.\n\n"
				"Findings are printed as file:line:column: error|warning: text. "
				"Exit code 0 without\n"
				"errors, 1 with, 2 when a file cannot be used.\n",
				1, -1, verb_plugin_lint},
		{"plugin test", "DIR", "run a plugin's test cases without a node",
				"DIR holds handler.lua, schema.lua and test.yaml. Each case runs "
				"in a "
				"process of its\nown, in the engine and the sandbox of a node. "
				"Told "
				"are differences from what the\ncase expects, what the plugin "
				"changed, its log, and what each phase cost.\n\n"
				"  --case NAME         only the case of that name\n"
				"  --watch             run again whenever a file in DIR changes\n\n"
				"Exit code 1 when a case fails or the plugin is refused, 2 when "
				"DIR cannot be used.\n",
				1, 1, verb_plugin_test},
		{"plugin new", "NAME [DIR]", "write the beginning of a plugin",
				"Writes handler.lua, schema.lua and test.yaml into DIR (./NAME), "
				"which may exist\nbut may not hold one of them.\n",
				1, 2, verb_plugin_new},
		{"upgrade", "[BINARY]", "run another binary of sluiced in place, losing no request",
				"BINARY is asked first whether it can take over (the configuration "
				"as it is now, the\nformat of what is handed over); if not, "
				"nothing "
				"changes. Then sluiced becomes BINARY,\nwith the same process id, "
				"listeners, counters, shared values and breakers, and its\nworkers "
				"are replaced by those beside BINARY, one after the other. Without "
				"BINARY: what\nis now where sluiced was started from. Returns when "
				"the last new worker has taken over.\n\n"
				"  --timeout TIME      how long BINARY may take to answer (10s)\n\n"
				"Exit code 1 when the upgrade was refused or failed; the old one "
				"goes on.\n",
				0, 1, verb_upgrade},
		{"reload", "", "read the node configuration and the declarative file again",
				"The same as SIGHUP to sluiced. Keys that need a restart are "
				"named.\n",
				0, 0, verb_reload},
		{.name = NULL},
};
