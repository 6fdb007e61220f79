// Package demo is drwatch's main job as a play: simulated clouds, one daemon, a
// site that is lost, its groups failed over. It tells what happens in plain
// lines and judges at the end, by the clouds' own log, whether every failover it
// promised was made exactly once. The daemon in it is the real one.
package demo
