# SPDX-License-Identifier: Apache-2.0
# ngx.* and the modules plugins may require: plugin/libngx.a
