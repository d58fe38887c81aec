// Package conformance holds the suites that test a promise of the whole client:
// real sockets, HTTP/2, proxies, gateways, time limits, patient data in any
// output, scale. A test of one source file of the root stays beside that file.
package conformance
