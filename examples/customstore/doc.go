// Customstore is a token endpoint on a store of its own, written over a database that Grantwell ships no store for: bbolt,
// one file in the program's own process. store.go is the store; main.go serves on it. README.md says how to write
// one for your database. It is a module of its own, so that bbolt is no requirement of the library, and is never released.
package main
