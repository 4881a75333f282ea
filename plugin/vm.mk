# SPDX-License-Identifier: Apache-2.0
# The VM, its budgets and sandbox: plugin/libvm.a
