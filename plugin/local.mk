# SPDX-License-Identifier: Apache-2.0
include plugin/core.mk
include plugin/vm.mk
include plugin/engine.mk
include plugin/ngx.mk
