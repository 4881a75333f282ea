/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP status codes: the reason phrase of the status line, and what the gateway says in
 * an error body.  Looked up with status_reason() and status_message() of plugin/exchange.h.
 */
#pragma once

/* X(code, reason phrase, message; "" = the general one) */
/* clang-format off */
#define STATUS_TABLE(X) \
	X(100, "Continue", "") \
	X(101, "Switching Protocols", "") \
	X(103, "Early Hints", "") \
	X(200, "OK", "") \
	X(201, "Created", "") \
	X(202, "Accepted", "") \
	X(203, "Non-Authoritative Information", "") \
	X(204, "No Content", "") \
	X(205, "Reset Content", "") \
	X(206, "Partial Content", "") \
	X(207, "Multi-Status", "") \
	X(300, "Multiple Choices", "") \
	X(301, "Moved Permanently", "") \
	X(302, "Found", "") \
	X(303, "See Other", "") \
	X(304, "Not Modified", "") \
	X(307, "Temporary Redirect", "") \
	X(308, "Permanent Redirect", "") \
	X(400, "Bad Request", "Bad request") \
	X(401, "Unauthorized", "Unauthorized") \
	X(402, "Payment Required", "Payment required") \
	X(403, "Forbidden", "Forbidden") \
	X(404, "Not Found", "Not found") \
	X(405, "Method Not Allowed", "Method not allowed") \
	X(406, "Not Acceptable", "Not acceptable") \
	X(407, "Proxy Authentication Required", "Proxy authentication required") \
	X(408, "Request Timeout", "Request timeout") \
	X(409, "Conflict", "Conflict") \
	X(410, "Gone", "Gone") \
	X(411, "Length Required", "Length required") \
	X(412, "Precondition Failed", "Precondition failed") \
	X(413, "Content Too Large", "Payload too large") \
	X(414, "URI Too Long", "URI too long") \
	X(415, "Unsupported Media Type", "Unsupported media type") \
	X(416, "Range Not Satisfiable", "Range not satisfiable") \
	X(417, "Expectation Failed", "Expectation failed") \
	X(418, "I'm a teapot", "I'm a teapot") \
	X(421, "Misdirected Request", "Misdirected request") \
	X(422, "Unprocessable Content", "Unprocessable entity") \
	X(423, "Locked", "Locked") \
	X(424, "Failed Dependency", "Failed dependency") \
	X(425, "Too Early", "Too early") \
	X(426, "Upgrade Required", "Upgrade required") \
	X(428, "Precondition Required", "Precondition required") \
	X(429, "Too Many Requests", "Too many requests") \
	X(431, "Request Header Fields Too Large", "Request header fields too large") \
	X(451, "Unavailable For Legal Reasons", "Unavailable for legal reasons") \
	X(494, "Request Header Or Cookie Too Large", "Request header or cookie too large") \
	X(500, "Internal Server Error", "An unexpected error occurred") \
	X(501, "Not Implemented", "Not implemented") \
	X(502, "Bad Gateway", "An invalid response was received from the upstream server") \
	X(503, "Service Unavailable", "The upstream server is currently unavailable") \
	X(504, "Gateway Timeout", "The upstream server is timing out") \
	X(505, "HTTP Version Not Supported", "HTTP version not supported") \
	X(506, "Variant Also Negotiates", "Variant also negotiates") \
	X(507, "Insufficient Storage", "Insufficient storage") \
	X(508, "Loop Detected", "Loop detected") \
	X(510, "Not Extended", "Not extended") \
	X(511, "Network Authentication Required", "Network authentication required")
/* clang-format on */
