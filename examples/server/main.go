// Command server is an authorization server that serves every flow, with its users, a
// login page and a protected resource, in one process and in memory. The client programs
// beside it talk to it, and other clients and test suites can be pointed at it:
//
//	go run ./examples/server
//	go run ./examples/server -clients clients.json -users users.json -tls-cert cert.pem -tls-key key.pem
//
// It prints its endpoints, clients and users, one a line, and then "ready". The secrets
// and passwords of the demo clients and users are random and new at each start. The
// command examples/cluster/server is the same server on a database.
package main

import "github.com/grantwell/grantwell/examples/internal/server"

func main() { server.Main(server.Memory) }
