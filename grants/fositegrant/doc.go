// Package fositegrant joins Grantwell and fosite: a fosite token handler runs as a grant, and fosite's own handlers run over
// Grantwell's records.
package fositegrant
