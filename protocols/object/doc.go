// Package object is what weft replicates: immutable objects that may depend on
// others, named by the hash of their encoding.
package object
