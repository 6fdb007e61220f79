// Package dws reads disaster recoveries of Huawei's Data Warehouse Service,
// fails them over, and carries out what a person may ask of them: asynchronous replication by backup and restore between two
// clusters, in two zones or two regions. It knows the service's paths, fields,
// states, preconditions and error codes; signing and sending are package
// huawei's.
//
// The vendor documents neither the words for a cluster's role nor how an answer
// changes when the clusters swap. So the direction is decided only by roles
// that are plainly opposite, and is unknown otherwise; the ids and roles are
// told as the group's Baseline, for the caller to compare over time.
package dws
