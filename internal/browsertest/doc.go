// Package browsertest drives the server's pages in a real browser.
package browsertest
