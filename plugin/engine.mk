# SPDX-License-Identifier: Apache-2.0
# PDK, chain, engine: plugin/libengine.a
