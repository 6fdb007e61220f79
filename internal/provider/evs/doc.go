// Package evs reads replication consistency groups of Huawei's Elastic Volume
// Service, the deprecated predecessor of SDRS, fails them over, and carries out
// what a person may ask of them: synchronous replication between two zones of one region. The vendor's SDK has no such
// API, so that its calls are written here by hand; signing and sending are
// package huawei's.
//
// The service has no jobs, tells no lag, and does not name the other zone of a
// group: both come from the settings.
package evs
