// Package sdrs reads protection groups of Huawei's Storage Disaster Recovery
// Service, fails them over, and carries out what a person may ask of them:
// synchronous replication between two zones of one region. It knows the service's paths, fields, states, jobs, preconditions and
// error codes; signing and sending are package huawei's.
//
// The health fields of newer groups are null, so that a group's health is that
// of its pairs. The service tells no lag and no time of a last synchronisation.
package sdrs
