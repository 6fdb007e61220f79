// Package exposition turns metric families into the bytes of /metrics, once for
// each change and not for each scrape.
//
// Samples come in sets, one per source: a set is rendered and compressed when
// it is put, and a scrape only strings the compressed pieces of all sets
// together. It is a stream that any client can inflate: pieces are runs of
// deflate blocks that need nothing before them, and the checksum of the whole
// is computed from those of the parts. What does not compress well into that
// shape, because it is small and changes with each look, comes from a plain
// prometheus.Gatherer and is encoded for each scrape.
//
// It knows the text formats, compression and HTTP negotiation. It knows no
// metric, no group and no clock.
package exposition
