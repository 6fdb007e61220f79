// Package demo is drwatch's main job as a play: simulated clouds, three observers
// at three sites, a site that is lost with its groups' production and with the
// observer that leads. It tells what happens in plain lines and judges at the end,
// by the clouds' own log, whether every failover it promised was made exactly
// once. The observers are real daemons, each in a process of its own.
package demo
