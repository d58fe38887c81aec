// Package conformance contains the suites that test a promise of the whole client. They
// cover real sockets, HTTP/2, proxies, gateways, time limits, scale, and patient data in
// every output. A test of one source file of the root stays beside that file.
package conformance
