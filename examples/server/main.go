// Command server is an authorization server with every flow, its users, login page and a protected resource, in one
// process and in memory. It is the other end of the client programs beside it, and what other clients and test
// suites can be pointed at:
//
//	go run ./examples/server
//	go run ./examples/server -clients clients.json -users users.json -tls-cert cert.pem -tls-key key.pem
//
// It prints its endpoints, clients and users, one a line, and then "ready". Secrets and passwords of the demo clients and
// users are random and new at each start. The same server on a database is examples/cluster/server.
package main

import "github.com/grantwell/grantwell/examples/internal/server"

func main() { server.Main(server.Memory) }
