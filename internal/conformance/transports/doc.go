// Package transports holds the SDK's promises against the transports that programs put
// under it. The table in table_test.go has every transport and every outcome. It is a
// module, so that what it needs never reaches the go.mod of the SDK.
package transports
